/// The developer's credentials in one environment: one secret key, one app client.
struct Developer: Sendable {
  var environment: Environment
  var secretKey: String
  var clientID: String
  /// The app's own id, as its manifest has it.
  var appID = Developer.defaultAppID
  var name: String
  /// Empty accepts every redirect address, which only a simulator does.
  var redirectURIs: [String]
  /// What an install grants; nil grants everything.
  var permissions: Set<String>?

  static let defaultAppID = "dev.licensekit.stripe"
  /// The developer's own account: there are no objects in it, only kept answers.
  static let ownAccount = "acct_simulator_developer"
}

/// A merchant's Stripe account and the settings that decide how its objects behave.
struct Merchant: Sendable {
  var id: String
  var name: String
  var email: String
  var country: String
  var currency: String
  /// The account's default version: events fetched later, application events, and the behaviour of Checkout follow it.
  var apiVersion: APIVersion
  var dunning: Dunning
  /// Where the account exists: in test and live mode, or as a sandbox of its own.
  var environments = Merchant.bothModes
  /// The merchant's own keys, by mode: what the shop's backend would use.
  var liveKey: String
  var testKey: String

  static let bothModes: [Environment] = [.test, .live]

  func key(_ environment: Environment) -> String { environment.livemode ? liveKey : testKey }

  /// The environment whose key this is.
  func environment(of key: String) -> Environment? { environments.first { self.key($0) == key } }
}

/// What the merchant's billing settings do with a renewal that fails (Stripe docs, Billing: subscription overview).
struct Dunning: Sendable {
  enum Outcome: String, Sendable {
    case canceled, unpaid
    case pastDue = "past_due"
  }
  var outcome: Outcome = .canceled
  /// Days between one attempt and the next.
  var retryDays: [Int64] = [3, 5, 7]
}
