import Foundation
import HTTPTransport
import Identity
import JSON
import Postgres
import StripeAPI
import StripeHTTP
import Synchronization
import Tenancy
import TestSupport
import Testing

@testable import Purchases
@testable import StripeIntegration

@Suite("How Stripe sees the installations")
struct InstallsTests {
  private let tenant = Tenant.test("acct_1")
  private let events = ApplicationEvents(appID: "dev.licensekit.stripe", logger: ConnectionWorld.logger)

  private static func install(
    _ account: String, app: String = "dev.licensekit.stripe", status: String = "installed", pending: [String] = [],
    livemode: Bool = false
  ) throws -> JSONValue {
    [
      "id": .string("appin_" + account), "object": "apps.install", "app": .string(app), "account": .string(account),
      "livemode": .bool(livemode), "status": .string(status), "permissions_granted": ["event_read"],
      "permissions_pending": .array(pending.map { .string($0) }), "endpoints_pending": [],
      "approval_required": .bool(!pending.isEmpty), "created": 1_700_000_000,
    ]
  }

  private func take(
    _ change: EventEffect.Application, at moment: Date = .now, in world: ConnectionWorld
  ) async throws -> ApplicationOutcome {
    try await world.store.database.transaction(for: tenant) { transaction in
      try await events.handle(change, at: moment, signedFor: nil, of: tenant, in: transaction)
    }
  }

  private func generation(_ world: ConnectionWorld) async throws -> Int64 {
    try await world.store.tokens(of: tenant).generation
  }

  // MARK: Events

  @Test("an uninstallation that is told twice, in either order, ends the connection once")
  func once() async throws {
    let deleted = EventEffect.Application.install(.deleted, try AppInstall(Self.install("acct_1")))
    for told in [[.deauthorized, deleted], [deleted, .deauthorized], [deleted, deleted]] {
      try await ConnectionWorld.run { world in
        try await world.connect(tenant)
        let moment = Date.now.addingTimeInterval(1)
        #expect(try await take(told[0], at: moment, in: world) == .taken("The app was uninstalled."))
        #expect(try await world.store.connection(of: tenant)?.status == .disconnected)
        let uninstalledAt = try await world.store.connection(of: tenant)?.uninstalledAt
        _ = try await take(told[1], at: moment, in: world)
        #expect(try await world.store.connection(of: tenant)?.uninstalledAt == uninstalledAt)
        // Installed again: what is told late of the one before ends nothing.
        try await world.connect(tenant)
        _ = try await take(told[1], at: .now.addingTimeInterval(-60), in: world)
        #expect(try await world.store.connection(of: tenant)?.status == .connected)
      }
    }
  }

  @Test("another app of the same account ends nothing, and says nothing about this one")
  func foreign() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      let other = try AppInstall(Self.install("acct_1", app: "com.example.other", pending: ["charge_read"]))
      for change in [AppInstall.Change.deleted, .updated, .created] {
        #expect(
          try await take(.install(change, other), at: .now.addingTimeInterval(1), in: world)
            == .notOurs("It is about another app: com.example.other."))
      }
      let connection = try #require(try await world.store.connection(of: tenant))
      #expect(connection.status == .connected && connection.pendingApproval == nil)
    }
  }

  @Test("what waits for the vendor's approval is known before a call fails, and forgotten when it is approved")
  func pending() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      let asked = try AppInstall(Self.install("acct_1", pending: ["charge_read", "dispute_write"]))
      let since = Date(timeIntervalSince1970: 1_790_000_000)
      #expect(
        try await take(.install(.updated, asked), at: since, in: world)
          == .taken("The app is installed, and waits for the vendor's approval: charge_read, dispute_write."))
      _ = try await take(.install(.updated, asked), at: since.addingTimeInterval(60), in: world)
      let pending = try #require(try await world.store.connection(of: tenant)?.pendingApproval)
      #expect(pending.permissions == ["charge_read", "dispute_write"] && pending.since == since)
      #expect(try await world.store.list().items.first?.pendingApproval == pending)

      // What is older than what is known changes nothing.
      let granted = try AppInstall(Self.install("acct_1"))
      _ = try await take(.install(.updated, granted), at: since.addingTimeInterval(-60), in: world)
      #expect(try await world.store.connection(of: tenant)?.pendingApproval == pending)
      _ = try await take(.install(.updated, granted), at: since.addingTimeInterval(120), in: world)
      #expect(try await world.store.connection(of: tenant)?.pendingApproval == nil)
    }
  }

  // MARK: The list

  /// Stripe's list of installations, and whose credentials it accepts.
  private final class FakeInstalls: HTTPSending {
    private struct State {
      var installs: [JSONValue] = []
      var accepts: Set<String> = []
      var refusal: Int?
      var requests: [String] = []
    }

    private let state = Mutex(State())

    init(_ installs: [JSONValue], accepts: Set<String> = []) {
      state.withLock { $0 = State(installs: installs, accepts: accepts) }
    }

    func refuse(_ status: Int) { state.withLock { $0.refusal = status } }
    var requests: [String] { state.withLock { $0.requests } }

    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      let tail = String(request.url.dropFirst("http://127.0.0.1:1/v1/".count))
      let credential = request.headers.first { $0.0 == "Authorization" }?.1 ?? ""
      return state.withLock { state in
        state.requests.append(tail)
        if tail == "account" {
          return state.accepts.contains { credential.contains("_\($0)_") }
            ? Self.answer(200, ["id": "acct", "object": "account"])
            : Self.answer(403, ["error": ["code": "account_invalid", "message": "gone"]])
        }
        if let status = state.refusal { return Self.answer(status, ["error": ["message": "No"]]) }
        guard credential == "Bearer " + FakeTokenEndpoint.testKey else {
          return Self.answer(401, ["error": ["message": "No"]])
        }
        let after = tail.split(separator: "&").first { $0.hasPrefix("starting_after=") }.map {
          String($0.dropFirst(15))
        }
        let begin = after.flatMap { id in state.installs.firstIndex { $0["id"]?.string == id } }.map { $0 + 1 } ?? 0
        // Pages of two, whatever is asked for.
        let page = Array(state.installs[begin...].prefix(2))
        return Self.answer(
          200,
          ["object": "list", "has_more": .bool(begin + page.count < state.installs.count), "data": .array(page)])
      }
    }

    private static func answer(_ status: Int, _ body: JSONValue) -> HTTPTransportResponse {
      HTTPTransportResponse(status: status, body: body.encoded())
    }
  }

  /// Sessions with the access tokens that are stored.
  private struct StoredAccess: StripeAccess {
    let store: ConnectionStore
    let client: StripeClient

    func session(for tenant: Tenant, replacing rejected: StripeSession?) async throws -> StripeSession {
      client.session(.accessToken(try await store.tokens(of: tenant).access ?? ""))
    }
  }

  private func watch(_ stripe: FakeInstalls, _ world: ConnectionWorld) -> InstallWatch {
    let client = StripeClient(
      apiBaseURL: "http://127.0.0.1:1", transport: stripe, userAgent: "test", policy: RetryPolicy(maximumRetries: 0))
    return InstallWatch(
      database: world.store.database, client: client, stripe: StoredAccess(store: world.store, client: client),
      application: events, appID: "dev.licensekit.stripe",
      environments: [.init(environment: .test, secretKeys: ["sk_test_former", FakeTokenEndpoint.testKey])],
      logger: ConnectionWorld.logger)
  }

  /// Lets what was connected be older than any list, and the list be due.
  private func age(_ tenants: [Tenant], _ world: ConnectionWorld) async throws {
    for tenant in tenants {
      try await world.store.database.transaction(for: tenant) { transaction in
        _ = try await transaction.query(
          "UPDATE stripe_integration.connections SET installed_at = now() - interval '1 day'")
      }
    }
    let lists = InstallListStore(database: world.store.database)
    try await lists.adopt([.test])
    try await lists.askNow()
  }

  @Test("a lost uninstallation is found in the list, and nobody else is touched")
  func lost() async throws {
    try await ConnectionWorld.run { world in
      let tenants = (1...5).map { Tenant.test("acct_\($0)") }
      for tenant in tenants { try await world.connect(tenant) }
      try await age(tenants, world)
      // acct_4 was uninstalled; acct_5 is missing in the list and works.
      let stripe = FakeInstalls(
        try ["acct_1", "acct_2", "acct_3"].map { try Self.install($0, pending: $0 == "acct_2" ? ["charge_read"] : []) },
        accepts: ["acct_1", "acct_2", "acct_3", "acct_5"])
      try await watch(stripe, world).look()
      for (number, tenant) in tenants.enumerated() {
        let connection = try #require(try await world.store.connection(of: tenant))
        #expect(connection.status == (number == 3 ? .disconnected : .connected), "\(tenant)")
        #expect((connection.pendingApproval != nil) == (number == 1), "\(tenant)")
      }
      #expect(stripe.requests.count { $0.hasPrefix("apps/installs") } == 4, "two pages, each with the former key first")
      #expect(
        stripe.requests.count { $0 == "account" } == 3,
        "acct_5, and acct_4 with its credential taken anew; those that the list names are not asked for")
      let status = try #require(try await InstallListStore(database: world.store.database).statuses().first)
      let report = try await InstallListStore(database: world.store.database).report()
      #expect(report == ["acct_2/test must approve charge_read"])
      #expect(status.problem == nil && status.readAt != nil && status.dueAt > .now.addingTimeInterval(3_600))
    }
  }

  @Test("a list that cannot be read ends nothing, and the reason is kept")
  func unreadable() async throws {
    for status in [403, 404, 500] {
      try await ConnectionWorld.run { world in
        try await world.connect(tenant)
        try await age([tenant], world)
        let stripe = FakeInstalls([])
        stripe.refuse(status)
        try await watch(stripe, world).look()
        #expect(try await world.store.connection(of: tenant)?.status == .connected)
        let list = try #require(try await InstallListStore(database: world.store.database).statuses().first)
        #expect(list.problem != nil && list.readAt == nil)
        #expect(try await InstallListStore(database: world.store.database).report().count == 1)
        #expect(list.dueAt < .now.addingTimeInterval(7_200))
      }
    }
  }

  @Test("a connection that is younger than the list is not looked for in it")
  func young() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      let lists = InstallListStore(database: world.store.database)
      try await lists.adopt([.test])
      try await lists.askNow()
      try await watch(FakeInstalls([]), world).look()
      #expect(try await world.store.connection(of: tenant)?.status == .connected)
    }
  }

  @Test("an installation whose event was lost is announced, and one that was ended here stays ended")
  func announced() async throws {
    try await ConnectionWorld.run { world in
      let ended = Tenant.test("acct_2")
      try await world.connect(ended)
      try await world.store.disconnect(ended)
      try await age([], world)
      try await watch(FakeInstalls([try Self.install("acct_1"), try Self.install("acct_2")]), world).look()
      #expect(try await world.store.connection(of: tenant)?.status == .pending)
      #expect(try await world.store.connection(of: ended)?.status == .disconnected)
    }
  }

  @Test("two replicas read a list once, and what is asked for meanwhile is read soon after")
  func replicas() async throws {
    try await ConnectionWorld.run { world in
      let lists = InstallListStore(database: world.store.database)
      try await lists.adopt([.test])
      try await lists.adopt([.test])
      #expect(try await lists.take([.test]) == nil, "the first look is some minutes after the start")
      try await lists.askNow()
      #expect(try await lists.take([.live]) == nil)
      #expect(try await lists.take([.test]) == .test)
      #expect(try await lists.take([.test]) == nil)
      try await world.inTransaction(of: tenant) { try await InstallListStore.ask([.test], in: $0) }
      #expect(try await lists.take([.test]) == nil, "another replica reads it")
      try await lists.finish(.test, next: .seconds(86_400))
      #expect(try await lists.take([.test]) == nil, "it was begun just now")
      _ = try await world.store.database.client.query(
        "UPDATE stripe_integration.install_lists SET tried_at = now() - interval '6 minutes'")
      #expect(try await lists.take([.test]) == .test)
    }
  }

  @Test("what is told late of an installation that is over is remembered no more")
  func late() async throws {
    try await ConnectionWorld.run { world in
      try await world.connect(tenant)
      let asked = try AppInstall(Self.install("acct_1", pending: ["charge_read"]))
      let moment = Date.now.addingTimeInterval(1)
      _ = try await take(.deauthorized, at: moment, in: world)
      _ = try await take(.install(.updated, asked), at: moment.addingTimeInterval(-10), in: world)
      let pending = try await world.store.database.transaction(for: tenant) { transaction in
        try await InstallStore(tenant: tenant, transaction: transaction).pendingApproval()
      }
      #expect(pending == nil)
    }
  }

  @Test("with the developer's key an installation is taken up once, and where it is unclear only announced")
  func platform() async throws {
    try await ConnectionWorld.run(apiAccess: .platform) { world in
      let clear = ApplicationEvents(
        apiAccess: .platform, environments: [.live, .test], logger: ConnectionWorld.logger)
      let unclear = ApplicationEvents(
        apiAccess: .platform, environments: [.live, .test, .sandbox], logger: ConnectionWorld.logger)
      let other = Tenant.test("acct_2")
      try await world.inTransaction(of: tenant) { try await clear.authorized(tenant, created: .now, in: $0) }
      try await world.inTransaction(of: other) { try await unclear.authorized(other, created: .now, in: $0) }
      #expect(try await world.store.connection(of: tenant)?.status == .connected)
      #expect(try await world.store.connection(of: other)?.status == .pending)
      try await world.inTransaction(of: other) {
        try await unclear.authorized(other, created: .now, signedFor: .sandbox, in: $0)
      }
      #expect(try await world.store.connection(of: other)?.status == .connected)
      #expect(try await world.store.connection(of: other)?.environment == .sandbox)

      // Told again, it takes nothing up anew.
      try await world.addEvent("evt_1", state: "waiting", of: tenant)
      try await world.inTransaction(of: tenant) { try await clear.authorized(tenant, created: .now, in: $0) }
      #expect(try await world.states(of: tenant) == ["waiting"])
    }
  }
}
