import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import Redis
import ServerKit
import StripeAPI
import StripeHTTP
import Synchronization
import Testing

@testable import StripeIntegration

/// A vendor's browser: keeps cookies, follows nothing by itself.
private struct Browser: Sendable {
  let url: String
  let transport: HTTPTransport
  var cookies: [String: String] = [:]

  /// - Parameter link: any address of this service; only its path and query count.
  mutating func get(_ link: String, headers: [(String, String)] = []) async throws -> HTTPTransportResponse {
    let target = link.replacingOccurrences(of: "https://licenses.example.com", with: "")
    let cookie = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
    let response = try await transport.send(
      HTTPTransportRequest(url: url + target, headers: headers + (cookie.isEmpty ? [] : [("Cookie", cookie)])))
    for header in response.headers.all("Set-Cookie") {
      let halves = header.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
      if halves.count == 2 { cookies[String(halves[0])] = String(halves[1]) }
    }
    return response
  }

  /// Begins an installation and returns its state.
  mutating func begin(_ link: String = "/stripe/oauth/install?mode=test") async throws -> String {
    let response = try await get(link)
    try #require(response.status == 302, "\(response.text)")
    let location = try #require(response.headers["Location"])
    let query = QueryReader(query: String(location.split(separator: "?", maxSplits: 1).last ?? ""))
    return try #require(try query.string("state"))
  }
}

@Suite("Installing the app")
struct ConnectionsInstallTests {
  private func run(
    redisURL: String? = nil, testKeys: [String] = [FakeTokenEndpoint.testKey], appURL: String? = nil,
    connected: @escaping @Sendable (Tenant) async throws -> [SetCookie] = { _ in [] },
    _ body: @Sendable (ConnectionWorld, Browser) async throws -> Void
  ) async throws {
    try await ConnectionWorld.run(redisURL: redisURL, testKeys: testKeys, appURL: appURL) { world in
      let router = AppRouter()
      ConnectionRoutes(
        configuration: world.configuration, store: world.store, transport: world.transport, redis: world.redis,
        keyPrefix: world.keyPrefix, connected: connected
      ).addRoutes(to: router)
      try await withServer(router) { address in
        try await body(world, Browser(url: address.url, transport: world.transport))
      }
    }
  }

  private let tenant = Tenant.test("acct_1")

  @Test("the install route sends the browser to Stripe with a state and a cookie that scripts cannot read")
  func install() async throws {
    try await run { _, browser in
      var browser = browser
      let response = try await browser.get("/stripe/oauth/install?mode=test")
      #expect(response.status == 302)
      let location = try #require(response.headers["Location"])
      #expect(location.hasPrefix("https://marketplace.stripe.com/oauth/v2/authorize?client_id=ca_test&redirect_uri="))
      #expect(location.contains("https%3A%2F%2Flicenses.example.com%2Fstripe%2Foauth%2Fcallback"))
      let cookie = try #require(response.headers["Set-Cookie"])
      for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/stripe/oauth", "Max-Age=900"] {
        #expect(cookie.contains(attribute))
      }
      #expect(try await browser.get("/stripe/oauth/install").headers["Location"]?.contains("client_id=ca_live") == true)
    }
  }

  @Test("a granted installation is stored as the token endpoint says, and the browser goes on to the console")
  func success() async throws {
    let told = Mutex<[Tenant]>([])
    try await run(connected: { tenant in
      told.withLock { $0.append(tenant) }
      return [SetCookie("console", "session")]
    }) { world, browser in
      var browser = browser
      let state = try await browser.begin()
      let code = world.stripe.code(for: "acct_1")
      // What else stands in the query is not believed.
      let response = try await browser.get(
        "/stripe/oauth/callback?state=\(state)&code=\(code)&account_id=acct_evil&livemode=true&stripe_user_id=acct_evil"
      )
      #expect(response.status == 302)
      #expect(
        response.headers["Location"]
          == "https://licenses.example.com/stripe/console/?account_id=acct_1&livemode=false")
      #expect(response.headers["Set-Cookie"]?.hasPrefix("console=session") == true)
      #expect(try await world.store.list().items.map(\.tenant) == [tenant])
      #expect(told.withLock { $0 } == [tenant])
      _ = try await world.vault().session(for: tenant, replacing: nil)
    }
  }

  @Test("the browser goes on to the vendor's own application where one is configured")
  func ownApplication() async throws {
    try await run(appURL: "https://app.example.com/welcome") { world, browser in
      var browser = browser
      let state = try await browser.begin()
      let response = try await browser.get(
        "/stripe/oauth/callback?state=\(state)&code=\(world.stripe.code(for: "acct_1"))")
      #expect(
        response.headers["Location"] == "https://app.example.com/welcome?account_id=acct_1&livemode=false")
    }
  }

  @Test("a repeated callback lands on a page and exchanges nothing; another browser learns nothing")
  func repeated() async throws {
    try await run { world, browser in
      var browser = browser
      let state = try await browser.begin()
      let callback = "/stripe/oauth/callback?state=\(state)&code=\(world.stripe.code(for: "acct_1"))"
      _ = try await browser.get(callback)
      let again = try await browser.get(callback)
      #expect(again.status == 200)
      #expect(again.text.contains("Connected"))
      #expect(world.stripe.exchanges == 1)
      var stranger = Browser(url: browser.url, transport: browser.transport)
      let other = try await stranger.get(callback)
      #expect(other.status == 403)
      #expect(!other.text.contains("acct_1"))
    }
  }

  @Test("two callbacks at the same time exchange once")
  func simultaneous() async throws {
    try await run { world, browser in
      var browser = browser
      let state = try await browser.begin()
      let callback = "/stripe/oauth/callback?state=\(state)&code=\(world.stripe.code(for: "acct_1"))"
      let gate = Gate()
      world.stripe.behave(.waits(gate))
      let first = browser
      async let one = {
        var copy = first
        return try await copy.get(callback).status
      }()
      await gate.arrived()
      #expect(try await browser.get(callback).status == 202)
      gate.open()
      #expect(try await one == 302)
      #expect(world.stripe.exchanges == 1)
    }
  }

  @Test("cancelled at Stripe: a page says so, and the state is used up")
  func denied() async throws {
    try await run { world, browser in
      var browser = browser
      let state = try await browser.begin()
      let denied = try await browser.get(
        "/stripe/oauth/callback?error=access_denied&error_description=The+user+denied&state=\(state)")
      #expect(denied.status == 403)
      #expect(denied.text.contains("cancelled"))
      let later = try await browser.get(
        "/stripe/oauth/callback?state=\(state)&code=\(world.stripe.code(for: "acct_1"))")
      #expect(later.status == 400)
      #expect(world.stripe.exchanges == 0)
    }
  }

  @Test("an installation that began at Stripe is linked to nobody")
  func withoutState() async throws {
    try await run { world, browser in
      var browser = browser
      let page = try await browser.get(
        "/stripe/oauth/callback?code=\(world.stripe.code(for: "acct_1"))&account_id=acct_1")
      #expect(page.status == 400)
      #expect(page.text.contains("https://licenses.example.com/stripe/oauth/install"))
      #expect(world.stripe.exchanges == 0)
      #expect(try await world.store.list().items.isEmpty)
    }
  }

  @Test("an unknown state, a missing code and a repeated parameter end in pages, not in exchanges")
  func unusable() async throws {
    try await run { world, browser in
      var browser = browser
      #expect(try await browser.get("/stripe/oauth/callback?state=never&code=ac_1").status == 400)
      #expect(try await browser.get("/stripe/oauth/callback?state=\(try await browser.begin())").status == 400)
      let twice = try await browser.get("/stripe/oauth/callback?state=a&state=b&code=ac_1")
      #expect(twice.status == 400)
      #expect(twice.headers["Content-Type"]?.hasPrefix("text/html") == true)
      #expect(world.stripe.exchanges + world.stripe.refusals == 0)
    }
  }

  @Test("a state in another browser is worth nothing, and stays good in the one that began")
  func otherBrowser() async throws {
    try await run { world, browser in
      var browser = browser
      let state = try await browser.begin()
      let code = world.stripe.code(for: "acct_1")
      var thief = Browser(url: browser.url, transport: browser.transport)
      let stolen = try await thief.get("/stripe/oauth/callback?state=\(state)&code=\(code)")
      #expect(stolen.status == 403)
      thief.cookies[InstallStates.cookieName(of: state)] = "guessed"
      #expect(try await thief.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 403)
      // What was encrypted for another installation does not open this one.
      let other = try await thief.begin()
      thief.cookies[InstallStates.cookieName(of: state)] = thief.cookies[InstallStates.cookieName(of: other)]
      #expect(try await thief.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 403)
      #expect(world.stripe.exchanges == 0)
      #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 302)
    }
  }

  @Test("two installations in two tabs do not disturb each other")
  func twoTabs() async throws {
    try await run { world, browser in
      var browser = browser
      let (one, two) = (try await browser.begin(), try await browser.begin())
      for (state, account) in [(one, "acct_1"), (two, "acct_2")] {
        let code = world.stripe.code(for: account)
        #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 302)
      }
    }
  }

  @Test("a code that Stripe refuses connects nothing, and Stripe's words are not shown")
  func refusedCode() async throws {
    try await run { world, browser in
      var browser = browser
      let page = try await browser.get("/stripe/oauth/callback?state=\(try await browser.begin())&code=ac_used")
      #expect(page.status == 400)
      #expect(!page.text.contains("belong"))
      // A live code under the test key.
      let code = world.stripe.code(for: "acct_1", in: .live)
      #expect(
        try await browser.get("/stripe/oauth/callback?state=\(try await browser.begin())&code=\(code)").status == 400)
      #expect(try await world.store.list().items.isEmpty)
    }
  }

  @Test("a refused developer's key is the operator's matter")
  func refusedKey() async throws {
    try await run(testKeys: ["sk_test_wrong"]) { world, browser in
      var browser = browser
      let code = world.stripe.code(for: "acct_1")
      let page = try await browser.get("/stripe/oauth/callback?state=\(try await browser.begin())&code=\(code)")
      #expect(page.status == 502)
      #expect(!page.text.contains("sk_test_wrong"))
    }
  }

  @Test("Stripe away: 503, and the installation begins anew")
  func stripeAway() async throws {
    try await run { world, browser in
      var browser = browser
      world.stripe.behave(.isDown)
      let state = try await browser.begin()
      let code = world.stripe.code(for: "acct_1")
      #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 503)
      world.stripe.behave(.answers)
      #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 400)
      let again = try await browser.begin()
      #expect(try await browser.get("/stripe/oauth/callback?state=\(again)&code=\(code)").status == 302)
    }
  }

  @Test("tokens of another mode than the installation was begun for are not stored")
  func otherMode() async throws {
    try await run { world, browser in
      var browser = browser
      let code = world.stripe.code(for: "acct_othermode", in: .live)
      let page = try await browser.get("/stripe/oauth/callback?state=\(try await browser.begin())&code=\(code)")
      #expect(page.status == 409)
      #expect(world.stripe.exchanges == 1)
      #expect(try await world.store.list().items.isEmpty)
    }
  }

  @Test("a sandbox is installed with credentials of its own, and the browser is told what it is")
  func sandbox() async throws {
    try await run { world, browser in
      var browser = browser
      let sandbox = "/stripe/oauth/install?mode=sandbox"
      #expect(try await browser.get(sandbox).headers["Location"]?.contains("client_id=ca_sandbox&") == true)
      // A code of test mode is of no use there, nor the reverse.
      for (link, code) in [
        (sandbox, world.stripe.code(for: "acct_1")),
        ("/stripe/oauth/install?mode=test", world.stripe.code(for: "acct_box", in: .sandbox)),
      ] {
        let state = try await browser.begin(link)
        #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 400)
      }
      let callback =
        "/stripe/oauth/callback?state=\(try await browser.begin(sandbox))"
        + "&code=\(world.stripe.code(for: "acct_box", in: .sandbox))"
      let goesOn = try await browser.get(callback)
      #expect(goesOn.headers["Location"]?.hasSuffix("?account_id=acct_box&livemode=false&environment=sandbox") == true)
      #expect(try await browser.get(callback).text.contains("Your sandbox is connected."))
      #expect(try await browser.get("/stripe/console?environment=sandbox").text.contains("Your sandbox is connected"))
      let connections = try await world.store.list().items
      #expect(connections.map(\.tenant) == [.test("acct_box")] && connections[0].environment == .sandbox)
    }
  }

  @Test("an account that is connected in test mode is refused as a sandbox, by a page that says so")
  func otherEnvironment() async throws {
    try await run { world, browser in
      var browser = browser
      let before = try await world.connect(tenant)
      let state = try await browser.begin("/stripe/oauth/install?mode=sandbox")
      let code = world.stripe.code(for: "acct_1", in: .sandbox)
      let page = try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)")
      #expect(page.status == 409)
      #expect(page.text.contains("connected in test mode already"))
      #expect(try await world.store.tokens(of: tenant).access == before.accessToken)
      #expect(try await world.store.connection(of: tenant)?.environment == .test)
    }
  }

  @Test("a link of the operator's installs a sandbox")
  func linkOfSandbox() async throws {
    try await run { world, browser in
      var browser = browser
      let link = try await world.links.create(
        licensekitBaseURL: nil, licensekitToken: "lkm_own", environment: .sandbox)
      let state = try await browser.begin(link.url)
      let code = world.stripe.code(for: "acct_box", in: .sandbox)
      #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 302)
      #expect(try await world.store.licenseKit(of: .test("acct_box")).token == "lkm_own")
    }
  }

  @Test("Redis away: a page says to try again")
  func redisAway() async throws {
    try await run(redisURL: "redis://127.0.0.1:1") { world, browser in
      var browser = browser
      let install = try await browser.get("/stripe/oauth/install?mode=test")
      #expect(install.status == 503)
      #expect(install.text.contains("try again"))
      let states = InstallStates(redis: nil, keyRing: world.configuration.keyRing, keyPrefix: "")
      await #expect(throws: RedisError.self) { try await states.begin(.test, linkHash: nil) }
      #expect(world.stripe.exchanges == 0)
    }
  }

  @Test("a wrong mode and a guess of the browser use nothing up")
  func prefetch() async throws {
    try await run { world, browser in
      var browser = browser
      #expect(try await browser.get("/stripe/oauth/install?mode=prod").status == 400)
      let state = try await browser.begin()
      let callback = "/stripe/oauth/callback?state=\(state)&code=\(world.stripe.code(for: "acct_1"))"
      #expect(try await browser.get(callback, headers: [("Sec-Purpose", "prefetch;prerender")]).status == 503)
      let head = try await browser.transport.send(HTTPTransportRequest(method: "HEAD", url: browser.url + callback))
      #expect(head.status == 503)
      #expect(try await browser.get(callback).status == 302)
    }
  }

  // MARK: One-time links

  @Test("a link binds one installation to the vendor's LicenseKit, and is then used up")
  func link() async throws {
    try await run { world, browser in
      var browser = browser
      let link = try await world.links.create(
        licensekitBaseURL: "https://own.example.com", licensekitToken: "lkm_own", environment: .test)
      let failed = try await browser.begin(link.url)
      _ = try await browser.get("/stripe/oauth/callback?state=\(failed)&error=access_denied")

      let state = try await browser.begin(link.url)
      let code = world.stripe.code(for: "acct_1")
      #expect(try await browser.get("/stripe/oauth/callback?state=\(state)&code=\(code)").status == 302)
      let stored = try await world.store.licenseKit(of: tenant)
      #expect(stored.baseURL == "https://own.example.com")
      #expect(stored.token == "lkm_own")
      #expect(try await browser.get(link.url).status == 410)
    }
  }

  @Test("a second account is refused through the same link")
  func linkOfTwo() async throws {
    try await run { world, browser in
      var browser = browser
      let link = try await world.links.create(licensekitBaseURL: nil, licensekitToken: "lkm_own", environment: .test)
      let (one, two) = (try await browser.begin(link.url), try await browser.begin(link.url))
      let (first, second) = (world.stripe.code(for: "acct_1"), world.stripe.code(for: "acct_2"))
      #expect(try await browser.get("/stripe/oauth/callback?state=\(one)&code=\(first)").status == 302)
      #expect(try await browser.get("/stripe/oauth/callback?state=\(two)&code=\(second)").status == 410)
      #expect(try await world.store.list().items.map(\.tenant) == [tenant])
    }
  }

  @Test("a link claimed by one account stays closed to others, even before it is used up")
  func claim() async throws {
    try await ConnectionWorld.run { world in
      let hash = SHA256.hexHash("link")
      let claims = [
        try await world.links.claim(linkHash: hash, for: tenant),
        try await world.links.claim(linkHash: hash, for: tenant),
        try await world.links.claim(linkHash: hash, for: .test("acct_2")),
      ]
      #expect(claims == [true, true, false])
    }
  }

  @Test("beginning an installation leaves nothing in Redis, and its callback one mark")
  func nothingForAnybody() async throws {
    try await run { world, browser in
      var browser = browser
      for _ in 0..<20 { _ = try await browser.begin() }
      #expect(try await world.redis.send(["KEYS", world.keyPrefix + "*"]).array?.isEmpty == true)
      let state = try await browser.begin()
      for _ in 0..<2 { _ = try await browser.get("/stripe/oauth/callback?state=\(state)&code=ac_used") }
      _ = try await browser.get("/stripe/oauth/callback?state=made-up&code=ac_used")
      #expect(try await world.redis.send(["KEYS", world.keyPrefix + "*"]).array?.count == 1)
    }
  }

  @Test("a state is good for fifteen minutes")
  func expired() async throws {
    try await ConnectionWorld.run { world in
      let clock = Mutex(Date())
      let states = InstallStates(
        redis: world.redis, keyRing: world.configuration.keyRing, keyPrefix: world.keyPrefix,
        now: { clock.withLock { $0 } })
      let begun = try await states.begin(.live, linkHash: nil)
      clock.withLock { $0 += 899 }
      let fresh = InstallState(environment: .live, linkHash: nil)
      #expect(try await states.consume(begun.state, browser: begun.browser) == .fresh(fresh))
      // What a replica of an older version has begun names the mode alone.
      let former = try JSONCoding.decode(InstallState.self, from: Array(#"{"livemode":false}"#.utf8))
      #expect(former == InstallState(environment: .test, linkHash: nil))
      let other = try await states.begin(.live, linkHash: nil)
      clock.withLock { $0 += 900 }
      #expect(try await states.consume(other.state, browser: other.browser) == .unknown)
    }
  }

  @Test("what Redis holds of states and links is unreadable")
  func encryptedInRedis() async throws {
    try await run { world, browser in
      var browser = browser
      let link = try await world.links.create(licensekitBaseURL: nil, licensekitToken: "lkm_own", environment: .test)
      let state = try await browser.begin(link.url)
      let code = try #require(link.url.split(separator: "link=").last?.prefix { $0 != "&" })
      let keys = try #require(try await world.redis.send(["KEYS", world.keyPrefix + "*"]).array)
      // Of an installation that has only begun the browser keeps everything.
      #expect(keys.count == 1)
      for key in keys {
        let name = try #require(key.string)
        let value = String(decoding: try #require(try await world.redis.get(name)), as: UTF8.self)
        for secret in ["lkm_own", state, String(code), browser.cookies.values.first ?? ""] {
          #expect(!(name + value).contains(secret))
        }
      }
    }
  }

  @Test(
    "an address that is not https, and an empty token, make no link",
    arguments: [("http://own.example.com", "lkm"), ("", "")])
  func wrongLinks(url: String, token: String) async throws {
    try await ConnectionWorld.run { world in
      await #expect(throws: InstallLinks.Failure.self) {
        try await world.links.create(licensekitBaseURL: url, licensekitToken: token)
      }
    }
  }
}
