import ArgumentParser
package import Foundation
import Identity
package import Purchases
import StripeAPI
import StripeIntegration

/// Which Stripe account a command is about.
struct TenantOptions: ParsableArguments {
  @Option(help: "The Stripe account, acct_…") var account: String
  @Flag(help: "The mode of the account.") var mode: Mode = .live

  enum Mode: String, EnumerableFlag { case live, test }

  var tenant: Tenant { Tenant(account: .init(account), livemode: mode == .live) }

  func validate() throws {
    guard account.hasPrefix("acct_") else {
      throw ValidationError("'\(account)' is not the id of a Stripe account; such an id begins with acct_")
    }
  }
}

extension PurchaseStatus: ExpressibleByArgument {}

/// A time as an option of a command.
@Sendable package func parseTime(_ text: String) throws -> Date {
  guard let date = try? Date(text, strategy: .iso8601) else {
    throw ValidationError("'\(text)' is not a time such as 2026-01-31T00:00:00Z")
  }
  return date
}
