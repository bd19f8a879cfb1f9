import ServerKit
import StripeAPI
import StripeHTTP
import Testing

@testable import StripeIntegration

@Suite("The configuration of the integration")
struct ConnectionsConfigurationTests {
  private static let complete = [
    "STRIPE_APP_CLIENT_ID": "ca_live", "STRIPE_APP_CLIENT_SECRET": "sk_live_1,sk_live_2",
    "STRIPE_APP_CLIENT_ID_TEST": "ca_test", "STRIPE_APP_CLIENT_SECRET_TEST": "sk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1, whsec_2", "STRIPE_WEBHOOK_SECRET_TEST": "whsec_3,whsec_1",
    "STRIPE_APP_SIGNING_SECRET": "absec_1", "STRIPE_PUBLIC_BASE_URL": "https://licenses.example.com/",
    "STRIPE_ADMIN_TOKEN": "0123456789abcdef", "LICENSEKIT_API_TOKEN": "lkm_1",
    "LICENSEKIT_BASE_URL": "https://api.example.com",
    "ENCRYPTION_KEYS": "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  ]

  /// A complete environment with changes; an empty value means "not set".
  private static func read(_ changes: [String: String] = [:], mounted: Bool = false) throws -> IntegrationConfiguration?
  {
    var environment = EnvironmentReader(complete.merging(changes) { $1 })
    let configuration = IntegrationConfiguration.read(from: &environment, mounted: mounted)
    try environment.finish()
    return configuration
  }

  private static func problems(_ changes: [String: String], mounted: Bool = false) -> ConfigurationProblems? {
    do {
      _ = try read(changes, mounted: mounted)
      return nil
    } catch {
      return error as? ConfigurationProblems
    }
  }

  @Test("a complete environment is read with its defaults")
  func complete() throws {
    let configuration = try #require(try Self.read())
    #expect(configuration.live?.secretKeys == ["sk_live_1", "sk_live_2"])
    #expect(configuration.mode(.test)?.clientID == "ca_test")
    #expect(configuration.webhookSecrets == .init(live: ["whsec_1", "whsec_2"], test: ["whsec_3"]))
    #expect(configuration.publicBaseURL == "https://licenses.example.com")
    #expect(configuration.redirectURI == "https://licenses.example.com/stripe/oauth/callback")
    #expect(configuration.usesSecureCookies)
    #expect(configuration.stripeAPIBaseURL == "https://api.stripe.com")
    #expect(configuration.allowedOrigins == ["null", "https://dashboard.stripe.com"])
    #expect(configuration.apiAccess == .oauth)
    #expect(configuration.live?.authorizeLink == AuthorizeLink())
    #expect(!"\(configuration)".contains("sk_live"))
  }

  @Test("one mode is enough, and test mode alone needs signing secrets of either mode")
  func oneMode() throws {
    let test = try #require(try Self.read(["STRIPE_APP_CLIENT_ID": "", "STRIPE_APP_CLIENT_SECRET": ""]))
    #expect(test.live == nil)
    #expect(test.test != nil)
    let alone = ["STRIPE_APP_CLIENT_ID": "", "STRIPE_APP_CLIENT_SECRET": "", "STRIPE_WEBHOOK_SECRET": ""]
    #expect(try Self.read(alone)?.webhookSecrets == .init(live: [], test: ["whsec_3", "whsec_1"]))
    #expect(!"\(test.webhookSecrets)".contains("whsec"))
  }

  private static let sandbox = [
    "STRIPE_APP_CLIENT_ID_SANDBOX": "ca_box", "STRIPE_APP_CLIENT_SECRET_SANDBOX": "sk_test_box",
  ]
  /// Takes live mode out.
  private static let withoutLive = [
    "STRIPE_APP_CLIENT_ID": "", "STRIPE_APP_CLIENT_SECRET": "", "STRIPE_WEBHOOK_SECRET": "",
    "STRIPE_APP_SIGNING_SECRET": "",
  ]

  @Test("a sandbox has credentials and secrets of its own, and does with live mode's signing secrets")
  func sandbox() throws {
    let read = try #require(try Self.read(Self.sandbox))
    #expect(read.environments == [.live, .test, .sandbox])
    #expect(read.mode(.sandbox)?.clientID == "ca_box" && read.mode(.sandbox)?.secretKeys == ["sk_test_box"])
    #expect(read.webhookSecrets == .init(live: ["whsec_1", "whsec_2"], test: ["whsec_3"]))
    #expect(!"\(read)".contains("sk_test"))

    let own = Self.sandbox.merging([
      "STRIPE_WEBHOOK_SECRET_SANDBOX": "whsec_9,whsec_2", "STRIPE_APP_SIGNING_SECRET_SANDBOX": "absec_9",
      "STRIPE_AUTHORIZE_URL_SANDBOX": "http://127.0.0.1:9/authorize",
    ]) { $1 }
    let apart = try #require(try Self.read(own))
    #expect(apart.webhookSecrets.sandbox == ["whsec_9"], "what stands in live mode's is of live mode")
    #expect(apart.appSigningSecrets.sandbox == ["absec_9"])
    #expect(apart.sandbox?.authorizeLink == AuthorizeLink(base: "http://127.0.0.1:9/authorize"))
    #expect(apart.test?.authorizeLink == AuthorizeLink())

    let noTest = ["STRIPE_APP_CLIENT_ID_TEST": "", "STRIPE_APP_CLIENT_SECRET_TEST": ""]
    let alone = own.merging(Self.withoutLive) { $1 }.merging(noTest) { $1 }
    #expect(try Self.read(alone)?.environments == [.sandbox])
  }

  @Test(
    "what would let test mode and the sandbox pass for each other is named",
    arguments: [
      ("STRIPE_APP_CLIENT_ID_SANDBOX", "ca_test"), ("STRIPE_APP_CLIENT_SECRET_SANDBOX", "sk_test_2,sk_test_1"),
      ("STRIPE_APP_CLIENT_SECRET_SANDBOX", "sk_live_1"), ("STRIPE_APP_CLIENT_ID_SANDBOX", ""),
      ("STRIPE_WEBHOOK_SECRET_SANDBOX", "whsec_3"), ("STRIPE_APP_SIGNING_SECRET_SANDBOX", "absec_3"),
      ("STRIPE_AUTHORIZE_URL_SANDBOX", "nowhere"),
    ])
  func sandboxProblem(name: String, value: String) throws {
    let problems = try #require(
      Self.problems(Self.sandbox.merging(["STRIPE_APP_SIGNING_SECRET_TEST": "absec_3", name: value]) { $1 }))
    #expect(problems.problems.map(\.name) == [name])
    #expect(!"\(problems)".contains("sk_test_") || value.isEmpty || !"\(problems)".contains(value))
  }

  @Test("without live mode's signing secrets every environment needs its own")
  func signingSecretsOfEach() throws {
    let given = Self.sandbox.merging(Self.withoutLive) { $1 }.merging([
      "STRIPE_APP_SIGNING_SECRET_SANDBOX": "absec_9"
    ]) { $1 }
    #expect(
      Self.problems(given)?.problems.map(\.name) == [
        "STRIPE_WEBHOOK_SECRET_SANDBOX", "STRIPE_APP_SIGNING_SECRET_TEST",
      ])
    let complete = ["STRIPE_WEBHOOK_SECRET_SANDBOX": "whsec_9", "STRIPE_APP_SIGNING_SECRET_TEST": "absec_3"]
    #expect(try Self.read(given.merging(complete) { $1 })?.environments == [.test, .sandbox])
  }

  @Test("the test link is the live one unless it is given")
  func authorizeLinks() throws {
    let same = try #require(try Self.read(["STRIPE_AUTHORIZE_URL": "http://127.0.0.1:9/authorize"]))
    #expect(same.test?.authorizeLink == AuthorizeLink(base: "http://127.0.0.1:9/authorize"))
    let own = try #require(
      try Self.read(["STRIPE_AUTHORIZE_URL_TEST": "https://marketplace.stripe.com/oauth/v2/chnlink_1/authorize"]))
    #expect(own.live?.authorizeLink == AuthorizeLink())
    #expect(own.test?.authorizeLink != AuthorizeLink())
  }

  @Test(
    "a wrong or missing value is named",
    arguments: [
      ("STRIPE_APP_CLIENT_ID", ""), ("STRIPE_APP_CLIENT_ID", "acct_1"), ("STRIPE_APP_CLIENT_SECRET", ""),
      ("STRIPE_APP_CLIENT_SECRET", "sk_test_1"), ("STRIPE_APP_CLIENT_SECRET", "rk_live_1"),
      ("STRIPE_APP_CLIENT_SECRET", "sk_live_1,,"), ("STRIPE_APP_CLIENT_SECRET_TEST", "sk_live_1"),
      ("STRIPE_WEBHOOK_SECRET", "absec_1"), ("STRIPE_WEBHOOK_SECRET", ""), ("STRIPE_APP_SIGNING_SECRET", ""),
      ("STRIPE_APP_SIGNING_SECRET", "whsec_1"),
      ("STRIPE_PUBLIC_BASE_URL", ""), ("STRIPE_PUBLIC_BASE_URL", "http://example.com"),
      ("STRIPE_API_BASE_URL", "ftp://example.com"), ("STRIPE_AUTHORIZE_URL", "http://example.com/authorize"),
      ("STRIPE_AUTHORIZE_URL_TEST", "nowhere"), ("STRIPE_APP_ALLOWED_ORIGINS", "https://example.com/path"),
      ("STRIPE_APP_ALLOWED_ORIGINS", "*"), ("STRIPE_ADMIN_TOKEN", ""), ("STRIPE_ADMIN_TOKEN", "short"),
      ("STRIPE_APP_API_ACCESS", "both"), ("ENCRYPTION_KEYS", ""), ("ENCRYPTION_KEYS", "k1:short"),
      ("LICENSEKIT_BASE_URL", ""), ("LICENSEKIT_BASE_URL", "http://example.com"), ("LICENSEKIT_API_TOKEN", ""),
      ("LICENSEKIT_APP_URL", "example"), ("STRIPE_INTEGRATION_ENABLED", "perhaps"),
    ])
  func problem(name: String, value: String) throws {
    let problems = try #require(Self.problems([name: value]))
    #expect(problems.problems.map(\.name) == [name])
    #expect(!problems.problems[0].expected.isEmpty && !problems.problems[0].example.isEmpty)
  }

  @Test("everything that is wrong is told at once, and no secret's value")
  func together() throws {
    let problems = try #require(
      Self.problems([
        "STRIPE_APP_CLIENT_SECRET": "sk_test_hidden", "STRIPE_ADMIN_TOKEN": "hidden", "ENCRYPTION_KEYS": "hidden",
        "STRIPE_PUBLIC_BASE_URL": "",
      ]))
    #expect(
      Set(problems.problems.map(\.name)) == [
        "STRIPE_APP_CLIENT_SECRET", "STRIPE_ADMIN_TOKEN", "ENCRYPTION_KEYS", "STRIPE_PUBLIC_BASE_URL",
      ])
    #expect(!"\(problems)".contains("hidden"))
  }

  @Test("no mode at all is a problem")
  func noMode() throws {
    let none = Dictionary(
      uniqueKeysWithValues: ["_ID", "_SECRET", "_ID_TEST", "_SECRET_TEST"].map { ("STRIPE_APP_CLIENT" + $0, "") })
    #expect(Self.problems(none)?.problems.map(\.name) == ["STRIPE_APP_CLIENT_ID"])
  }

  @Test("beside the server, the integration is on when anything of Stripe is configured or it is asked for")
  func mounted() throws {
    var nothing = EnvironmentReader(["LICENSEKIT_API_TOKEN": "lkm_1"])
    #expect(IntegrationConfiguration.read(from: &nothing, mounted: true) == nil)
    try nothing.finish()

    var asked = EnvironmentReader(["STRIPE_INTEGRATION_ENABLED": "true"])
    #expect(IntegrationConfiguration.read(from: &asked, mounted: true) == nil)
    #expect(throws: ConfigurationProblems.self) { try asked.finish() }

    #expect(try Self.read(["LICENSEKIT_BASE_URL": ""], mounted: true)?.licenseKit.baseURL == nil)
    #expect(try Self.read(["STRIPE_INTEGRATION_ENABLED": "false"], mounted: true) == nil)
    #expect(try Self.read(["STRIPE_INTEGRATION_ENABLED": "false"]) == nil)
  }
}
