public import Foundation
import Postgres

/// What a version of the app asks for and a vendor has not approved: calls that need it fail until then.
public struct PendingApproval: Hashable, Sendable, Codable {
  /// Stripe's names of the permissions; empty where only the version as such is to be approved.
  public let permissions: [String]
  /// Addresses that the app wants to call.
  public let endpoints: [String]
  /// Since when, by Stripe's clock.
  public let since: Date

  static let columns: PostgresQuery = "permissions_pending, endpoints_pending, pending_since"

  /// Nil for an installation that waits for nothing.
  init?(_ row: PostgresRow) throws {
    guard let since = try row.get("pending_since", as: Date?.self) else { return nil }
    permissions = try row.get("permissions_pending", as: [String]?.self) ?? []
    endpoints = try row.get("endpoints_pending", as: [String]?.self) ?? []
    self.since = since
  }

  /// For the vendor, in plain words.
  public var sentence: String {
    let asked = permissions + endpoints
    let what = asked.isEmpty ? "its new version" : asked.joined(separator: ", ")
    return "The app waits for your approval in the Stripe Dashboard: \(what). What needs it fails until then."
  }
}
