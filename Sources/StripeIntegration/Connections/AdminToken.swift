import Cryptography
import Identity
import StripeAPI
import Tenancy

/// A vendor's token: `sit_<account>_<live|test>_<random>`. It names its tenant, so that only that tenant's rows are searched.
enum AdminToken {
  static func make(for tenant: Tenant) -> String {
    Random.token(prefix: "sit_\(tenant.account.rawValue)_\(tenant.livemode ? "live" : "test")_")
  }

  /// The tenant that a token claims. Only its hash proves the claim.
  static func tenant(of token: String) -> Tenant? {
    let parts = token.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[0] == "sit", let mode = parts.dropLast().last, mode == "live" || mode == "test" else {
      return nil
    }
    let account = parts[1..<(parts.count - 2)].joined(separator: "_")
    guard account.hasPrefix("acct_"), StripeIDText.isPlausible(account) else { return nil }
    return Tenant(account: Stripe.AccountID(account), livemode: mode == "live")
  }

  static func hash(_ token: String) -> String { SHA256.hexHash(token) }
}
