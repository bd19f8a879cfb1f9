import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import StripeAPI
import StripeHTTP
import Testing

@testable import StripeIntegration
@testable import Tenancy

@Suite("Actions of the Dashboard app")
struct AppActionsTests {
  @Test("a suspension reaches the license, is seen as one by hand, and is told of in timeline and audit log")
  func suspends() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first)
      let reply = try await backend.act("suspend_license", license.id.rawValue)
      #expect(reply.status == 200, "\(reply.text)")
      #expect(reply.data?["operation"] == "suspend_license")
      #expect(reply.data?["object"]?.string == license.id.rawValue)
      #expect(try await backend.shop.licenses().first?.status == .suspended)
      try await backend.shop.settle()

      let view = try await backend.view("customer?customer=cus_1")
      let shown = try #require(view.data?["licenses"]?.array?.first)
      #expect(shown["status"] == "suspended")
      #expect(shown["changed_by_hand"] == ["suspended"])
      let titles = view.data?["timeline"]?.array?.compactMap { $0["title"]?.string } ?? []
      #expect(titles.contains { $0.contains("was suspended in the Stripe Dashboard") }, "\(titles)")
      #expect(try await backend.audit("app.suspend_license") == ["stripe:usr_1 \(license.id)"])

      #expect(try await backend.act("reinstate_license", license.id.rawValue).status == 200)
      #expect(try await backend.shop.licenses().first?.status == .active)
    }
  }

  @Test("a nonce is good once, also for two requests at the same moment; a new one is good again")
  func noncesAreGoodOnce() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first).id.rawValue
      let replies = try await withThrowingTaskGroup(of: Backend.Reply.self) { group in
        for _ in 0..<12 {
          group.addTask { try await backend.act("suspend_license", license, ["nonce": "nonce-nonce-nonce-1"]) }
        }
        return try await group.reduce(into: [Backend.Reply]()) { $0.append($1) }
      }
      #expect(replies.count { $0.status == 200 } == 1)
      #expect(replies.count { $0.status == 409 && $0.code == "NONCE_REPEATED" } == 11)
      #expect(try await backend.audit("app.suspend_license").count == 1)
      #expect(try await backend.audit("app.refused").count == 11)
      // It belongs to the account that used it.
      let other = try await backend.act("suspend_license", license, ["nonce": "nonce-nonce-nonce-1"], account: "acct_2")
      #expect(other.code == "NOT_FOUND")
      #expect(try await backend.act("suspend_license", license).code != "NONCE_REPEATED")
    }
  }

  @Test(
    "roles decide what may be done: support looks after licenses, analysts after disputes, administrators after all")
  func roles() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first).id.rawValue
      for (role, status) in [("View only", 403), ("Dispute Analyst", 403), ("Support Specialist", 200), ("admin", 200)]
      {
        let operation = status == 200 && role == "admin" ? "reinstate_license" : "suspend_license"
        let reply = try await backend.act(operation, license, roles: [role])
        #expect(reply.status == status, "\(role): \(reply.text)")
        if status == 403 { #expect(reply.code == "ROLE_NOT_ALLOWED") }
      }
      #expect(try await backend.act("suspend_license", license, roles: []).code == "ROLE_NOT_ALLOWED")
      let settings: JSONObject = ["bare_payments": true, "update_customers": false]
      #expect(try await backend.act("save_settings", "acct_1", settings, roles: ["Support Specialist"]).status == 403)
      #expect(try await backend.act("save_settings", "acct_1", settings).status == 200)
      #expect(try await backend.admin("GET", "settings?\(backend.named)").data?["bare_payments"] == true)
      let view = try await backend.view("customer?customer=cus_1")
      #expect(view.data?["may"] == [], "the plain form vouches for no role")
    }
  }

  @Test("the plain form, a changed body and another account's license change nothing")
  func refuses() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first).id.rawValue
      let secrets = [try AppSigningSecret(Backend.appSecret)]
      let body = backend.action("suspend_license", license)
      let plain = try AppSignature.sign(userID: "usr_1", accountID: "acct_1", secrets: secrets, at: Shop.now)
      let right = AppSignature.sign(payload: body.encoded(), secrets: secrets, at: Shop.now)
      let old = AppSignature.sign(payload: body.encoded(), secrets: secrets, at: Shop.now.addingTimeInterval(-301))
      let changed = backend.action("suspend_license", license + "x")
      for (signature, sent) in [(plain, body), (right, changed), (old, body), ("", body)] {
        let reply = try await backend.send(
          "POST", "/stripe/app/actions?user_id=usr_1&account_id=acct_1", body: sent,
          headers: [("Stripe-Signature", signature)])
        #expect(reply.status == 401)
        #expect(reply.code == "SIGNATURE_INVALID")
      }
      for account in ["acct_2", "acct_3"] {
        let reply = try await backend.act("suspend_license", license, account: account)
        #expect(reply.code == (account == "acct_2" ? "NOT_FOUND" : "ACCOUNT_NOT_CONNECTED"))
      }
      #expect(try await backend.shop.licenses().first?.status == .active)
    }
  }

  @Test(
    "a body that is not as it must be is refused with the field's name",
    arguments: [
      (["surprise": 1], 400, "surprise"), (["livemode": "no"], 400, "livemode"), (["object": 7], 400, "object"),
      (["object": "a b"], 422, "object"), (["nonce": "short"], 422, "nonce"), (["operation": "sell"], 422, "operation"),
      (["license": "lic_1"], 422, "license"), (["replace": true], 422, "replace"),
    ] as [(JSONObject, Int, String)])
  func names(change: JSONObject, status: Int, field: String) async throws {
    try await Backend.open { backend in
      let reply = try await backend.act("suspend_license", "lic_1", change)
      #expect(reply.status == status, "\(reply.text)")
      #expect(reply.detail?.contains(field) == true, "\(reply.text)")
    }
  }

  @Test("what another operation needs is asked for by name")
  func asksForFields() async throws {
    try await Backend.open { backend in
      for (operation, object, field) in [
        ("reset_device", "dev_1", "license"), ("stage_evidence", "du_1", "payment"),
        ("save_settings", "acct_1", "bare_payments"), ("disconnect", "acct_9", "object"),
      ] {
        let reply = try await backend.act(operation, object)
        #expect(reply.status == 422, "\(operation)")
        #expect(reply.detail?.hasPrefix(field) == true, "\(reply.text)")
      }
    }
  }

  @Test("while LicenseKit is away an action fails as such, is on record, and leaves no trace in the story")
  func fails() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first).id.rawValue
      backend.shop.line.cut()
      let reply = try await backend.act("suspend_license", license)
      backend.shop.line.restore()
      #expect(reply.status == 503)
      #expect(reply.code == "LICENSEKIT_UNAVAILABLE")
      #expect(try await backend.audit("app.suspend_license").count == 1)
      #expect(try await backend.audit("app.refused").count == 1)
      let titles = try await backend.view("customer?customer=cus_1").data?["timeline"]?.array ?? []
      #expect(!titles.contains { $0["title"]?.string?.contains("Stripe Dashboard") ?? false })
    }
  }

  @Test("without mail to buyers no key is sent, and the view says so")
  func mailIsOff() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first).id.rawValue
      #expect(try await backend.act("resend_key", license).code == "KEY_MAIL_OFF")
      #expect(try await backend.view("customer?customer=cus_1").data?["key_mail"] == "off")
    }
  }

  @Test("disconnecting ends the access, and nothing can be done or seen afterwards")
  func disconnects() async throws {
    try await Backend.open { backend in
      let reply = try await backend.act("disconnect", "acct_1")
      #expect(reply.status == 200)
      #expect(try await backend.connections.connection(of: backend.shop.tenant)?.status == .disconnected)
      #expect(try await backend.act("disconnect", "acct_1").code == "ACCOUNT_NOT_CONNECTED")
      #expect(try await backend.view("customer?customer=cus_1").code == "ACCOUNT_NOT_CONNECTED")
    }
  }

  @Test("old nonces are removed, young ones stay")
  func forgets() async throws {
    try await Backend.open { backend in
      let tenant = backend.shop.tenant
      try await backend.shop.database.transaction(for: tenant) { transaction in
        for nonce in ["old", "young"] {
          let age = nonce == "old" ? "61 minutes" : "30 minutes"
          _ = try await transaction.query(
            """
            INSERT INTO stripe_integration.app_requests (account_id, livemode, nonce, at)
            VALUES (\(tenant.account), \(tenant.livemode), \(nonce), now() - \(age)::text::interval)
            """)
        }
      }
      #expect(try await AppRequestRetention(database: backend.shop.database).prune() == 1)
      let isFree = try await backend.shop.database.transaction(for: tenant) { transaction in
        let log = AppRequestLog(tenant: tenant, transaction: transaction)
        return [try await log.use("old"), try await log.use("young")]
      }
      #expect(isFree == [true, false])
    }
  }

  @Test("the settings name what is mapped, by its name, and what waits")
  func settings() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let reply = try await backend.view("settings?x=1")
      #expect(reply.status == 200, "\(reply.text)")
      let data = try #require(reply.data)
      #expect(data["connection"]?["status"] == "connected")
      #expect(data["mappings"]?.array?.count == 2)
      #expect(data["mappings"]?.array?.allSatisfy { $0["product"]?["name"] == "App" } == true)
      #expect(data["fulfilled"] == 1)
      #expect(data["waiting_mapping"] == 0)
      #expect(data["install_url"] == "https://licenses.example.com/stripe/oauth/install?mode=test")
      #expect(try await backend.view("settings?x=1", account: "acct_3").code == "ACCOUNT_NOT_CONNECTED")
    }
  }
}

@Suite("Rights in the Dashboard app")
struct AppRightsTests {
  private func builtIn(_ name: String) -> AppRole { AppRole(kind: .builtIn, name: name) }
  private func custom(_ name: String) -> AppRole { AppRole(kind: .custom, name: name) }

  @Test(
    "a role of Stripe's own has its rights, and no role that an account made up to resemble it",
    arguments: ["Administrator", "super_admin", "Super Administrator", "Owner", "admin"])
  func administrators(_ name: String) {
    let rights = AppRights()
    #expect(rights.operations(of: [builtIn(name)]) == AppOperation.allCases)
    #expect(rights.operations(of: [custom(name)]).isEmpty)
    for written in [
      name.uppercased(), name + " ", name + "\u{200B}", "A-d-m-i-n!", name.replacing("i", with: "\u{131}"),
    ]
    where written != name {
      #expect(rights.operations(of: [builtIn(written), custom(written)]).isEmpty, "\(written)")
    }
  }

  @Test("a role of an account has rights only by its exact name in the configuration")
  func configured() {
    let rights = AppRights(support: ["Level 2"], disputes: ["Back office"], administration: ["Founder"])
    #expect(rights.may(.suspendLicense, [custom("Level 2")]))
    #expect(!rights.may(.suspendLicense, [custom("level-2")]))
    #expect(!rights.may(.stageEvidence, [custom("Level 2")]))
    #expect(rights.may(.stageEvidence, [custom("View only"), custom("Back office")]))
    #expect(!rights.may(.stageEvidence, [custom("Back Office")]))
    #expect(!rights.may(.disconnect, [custom("Back office"), custom("Level 2")]))
    #expect(rights.operations(of: [custom("Founder")]) == AppOperation.allCases)
    #expect(AppRights().may(.stageEvidence, [builtIn("Support Specialist")]))
    #expect(!AppRights().may(.stageEvidence, [custom("Support Specialist")]))
  }

  @Test("whoever made a role is read from its type, and what has no known type was made by the account")
  func types() {
    let signed: JSONValue = [
      ["type": "builtIn", "name": "Owner"], ["type": "custom", "name": "Owner"], ["name": "Owner"],
      ["type": "builtin", "name": "Owner"], ["type": 1, "name": "Owner"],
    ]
    #expect(
      AppRole.roles(in: ["stripe_roles": signed])
        == [builtIn("Owner")] + Array(repeating: custom("Owner"), count: 4))
  }

  @Test("what is no list of roles holds none")
  func malformed() {
    for value in ["Administrator", ["Administrator"], ["name": "Administrator"], [["type": "builtIn"]], true, .null]
      as [JSONValue]
    { #expect(AppRole.roles(in: ["stripe_roles": value]).isEmpty, "\(value)") }
  }
}

extension Backend {
  /// The body of an action, as the Dashboard app sends it.
  func action(
    _ operation: String, _ object: String, _ changes: JSONObject = [:], roles: [String] = ["Administrator"],
    account: String = "acct_1"
  ) -> JSONValue {
    var fields: JSONObject = [
      "operation": .string(operation), "object": .string(object), "nonce": .string(UUID().uuidString),
      "livemode": false,
    ]
    for name in changes.keys { fields[name] = changes[name] }
    if !roles.isEmpty {
      fields["stripe_roles"] = .array(roles.map { ["type": "builtIn", "name": .string($0), "more": [1]] })
    }
    fields["user_id"] = "usr_1"
    fields["account_id"] = .string(account)
    return .object(fields)
  }

  func act(
    _ operation: String, _ object: String, _ changes: JSONObject = [:], roles: [String] = ["Administrator"],
    account: String = "acct_1"
  ) async throws -> Reply {
    let body = action(operation, object, changes, roles: roles, account: account)
    let signature = AppSignature.sign(
      payload: body.encoded(), secrets: [try AppSigningSecret(Self.appSecret)], at: Shop.now)
    return try await send(
      "POST", "/stripe/app/actions", body: body, headers: [("Stripe-Signature", signature), ("Origin", "null")])
  }

  /// Actor and target of the shop's audit entries of this action.
  func audit(_ action: String) async throws -> [String] {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await AuditLog(tenant: shop.tenant, transaction: transaction).page(before: nil, limit: 100)
        .filter { $0.action == action }.map { "\($0.actor) \($0.target)" }
    }
  }
}
