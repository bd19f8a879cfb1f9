package import Foundation
import Postgres
import StripeAPI

/// What a version of the app asks for and a vendor has not approved. Calls that need it fail until then.
package struct PendingApproval: Hashable, Sendable, Codable {
  /// Stripe's names of the permissions; empty if only the version itself must be approved.
  package let permissions: [String]
  /// Addresses that the app wants to call.
  package let endpoints: [String]
  /// Since when, on Stripe's clock.
  package let since: Date

  static let columns: PostgresQuery = "permissions_pending, endpoints_pending, pending_since"

  /// Nil if the installation waits for nothing.
  init?(_ row: PostgresRow) throws {
    guard let since = try row.get("pending_since", as: Date?.self) else { return nil }
    permissions = try row.get("permissions_pending", as: [String]?.self) ?? []
    endpoints = try row.get("endpoints_pending", as: [String]?.self) ?? []
    self.since = since
  }

  /// What must be approved, by Stripe's names.
  var asked: String {
    let names = permissions + endpoints
    return names.isEmpty ? "its new version" : names.joined(separator: ", ")
  }

  /// For the vendor, in plain words.
  package var sentence: String {
    "The app waits for your approval in the Stripe Dashboard: \(asked). What needs it fails until then."
  }
}
