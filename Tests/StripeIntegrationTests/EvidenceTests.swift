import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases
@testable import StripeIntegration

@Suite("Evidence in words")
struct EvidencePackTests {
  private static func record(
    licenses: [EvidenceRecord.License] = [license], sendings: [EvidenceRecord.Sending] = [],
    renewals: [EvidencePack.Fact] = []
  ) -> EvidenceRecord {
    EvidenceRecord(
      purchaseID: "ful_1", kind: "subscription", stripeID: "sub_1", boughtAt: at(0), customerName: "Ada",
      customerEmail: "ada@example.com", licenses: licenses, sendings: sendings, renewals: renewals)
  }

  private static func at(_ hours: Double) -> Date { Date(timeIntervalSince1970: 1_800_000_000 + hours * 3_600) }

  private static var license: EvidenceRecord.License {
    EvidenceRecord.License(
      id: "lic_1", keyHint: "lsk_…wxyz", issuedAt: at(1), expiresAt: nil, product: "Editor", policy: "Yearly",
      devices: [
        .init(name: "laptop", os: "linux", ipAddress: "192.0.2.7", firstSeenAt: at(3), lastSeenAt: at(30)),
        .init(name: "tower", os: nil, ipAddress: nil, firstSeenAt: at(2), lastSeenAt: at(2)),
      ], usage: [.init(feature: "Exports", consumed: 12), .init(feature: "Imports", consumed: 0)])
  }

  private func text(_ name: String, _ record: EvidenceRecord) -> String? {
    EvidencePack(record).fields.first { $0.name == name }?.text
  }

  @Test("tells purchase, delivery, activations and use in the order in which they happened")
  func tells() throws {
    let record = Self.record(
      sendings: [.init(at: Self.at(1.5), license: "lic_1", wasAccepted: true)],
      renewals: [.init(Self.at(20), "Renew license 1 of line si_1 until 2027-02-15")])
    let pack = EvidencePack(record)
    #expect(pack.sections.map(\.title) == ["Purchase", "Delivery", "Activations", "Use", "Renewals"])
    let log = try #require(text("access_activity_log", record))
    #expect(
      log == """
        Jan 15, 2027 09:00 UTC  License lsk_…wxyz was issued for Editor
        Jan 15, 2027 09:30 UTC  The key of license lsk_…wxyz was mailed to the buyer, and the mail server accepted it
        Jan 15, 2027 10:00 UTC  License lsk_…wxyz was activated on tower, which last used it on Jan 15, 2027 10:00 UTC
        Jan 15, 2027 11:00 UTC  License lsk_…wxyz was activated on laptop (linux, from 192.0.2.7), which last used it on Jan 16, 2027 14:00 UTC
        License lsk_…wxyz: Exports used 12 times
        """)
    #expect(text("service_date", record) == "Jan 15, 2027")
    #expect(text("customer_email_address", record) == "ada@example.com")
    let summary = try #require(text("uncategorized_text", record))
    #expect(summary.contains("activated on 2 devices and was last used on Jan 16, 2027"))
    #expect(summary.contains("renewed once"))
  }

  @Test("claims nothing that is not on record")
  func isHonest() throws {
    let bare = EvidenceRecord.License(
      id: "lic_1", keyHint: nil, issuedAt: nil, expiresAt: nil, product: "Editor", policy: "Yearly")
    let record = Self.record(
      licenses: [bare], sendings: [.init(at: Self.at(1), license: "lic_1", wasAccepted: false)])
    let pack = EvidencePack(record)
    #expect(pack.sections.map(\.title) == ["Purchase", "Delivery"])
    #expect(pack.sections[1].facts[0].text.hasSuffix("and the mail server did not accept it"))
    #expect(text("service_date", record) == nil)
    let summary = try #require(text("uncategorized_text", record))
    for word in ["mailed", "activated", "renewed", "issued on"] { #expect(!summary.contains(word), "\(summary)") }
  }

  @Test("no field is longer than Stripe takes")
  func isBounded() {
    var license = Self.license
    license.devices = (0..<900).map { number in
      .init(
        name: "machine-\(number)", os: "linux", ipAddress: "192.0.2.1", firstSeenAt: Self.at(Double(number)),
        lastSeenAt: Self.at(Double(number)))
    }
    let pack = EvidencePack(Self.record(licenses: [license]))
    for field in pack.fields { #expect(field.text.count <= EvidencePack.longestField, "\(field.name)") }
    #expect(pack.fields.first { $0.name == "access_activity_log" }?.text.hasSuffix("(shortened)") == true)
  }
}

@Suite("Evidence for a dispute")
struct EvidenceTests {
  private static let dispute: JSONValue = [
    "id": "du_1", "object": "dispute", "charge": "ch_1", "payment_intent": "pi_1", "amount": 4_900, "currency": "eur",
    "reason": "product_not_received", "status": "needs_response",
    "evidence": ["customer_name": "Typed", "receipt": .null],
    "evidence_details": ["due_by": 1_800_600_000, "has_evidence": true, "submission_count": 0],
  ]

  @Test(
    "an amount is written in its currency, whatever Stripe says it is",
    arguments: [
      (4_905, "eur", "49.05 EUR"), (-50, "eur", "-0.50 EUR"), (500, "jpy", "500 JPY"), (0, "usd", "0.00 USD"),
      (Int64.min, "eur", "-92233720368547758.08 EUR"), (Int64.max, "krw", "9223372036854775807 KRW"),
    ])
  func money(_ amount: Int64, _ currency: String, _ written: String) {
    #expect(EvidencePack.money(amount, currency) == written)
  }

  private static func prepare(_ backend: Backend, _ dispute: JSONValue = dispute) async throws {
    try await backend.sell()
    backend.shop.stripe.setList("disputes", [dispute])
    backend.shop.stripe.set(
      "charges/ch_1", ["id": "ch_1", "billing_details": ["name": "Ada", "email": "ada@example.com"]])
    backend.shop.stripe.set("POST files", ["id": "file_1"])
  }

  @Test("is shown with what is written on the dispute already, and as a document behind a link that ends")
  func shows() async throws {
    try await Backend.open { backend in
      try await Self.prepare(backend)
      let reply = try await backend.view("evidence?payment=pi_1")
      #expect(reply.status == 200, "\(reply.text)")
      let data = try #require(reply.data)
      #expect(data["dispute"]?["is_answerable"] == true)
      #expect(data["stale"] == false)
      let name = data["fields"]?.array?.first { $0["name"] == "customer_name" }
      #expect(name?["text"] == "Ada")
      #expect(name?["current"] == "Typed")
      #expect(data["sections"]?.array?.first?["title"] == "Purchase")

      let link = try #require(data["document_url"]?.string)
      let path = String(link.dropFirst("https://licenses.example.com".count))
      let document = try await backend.send("GET", path)
      #expect(document.status == 200, "\(document.text.prefix(200))")
      #expect(document.header("content-type") == "application/pdf")
      #expect(document.response.body.starts(with: Array("%PDF-".utf8)))
      #expect(document.header("access-control-allow-origin") == nil)
      #expect(try await backend.send("GET", path + "x").status == 404)
      let tickets = EvidenceTickets(keyRing: backend.shop.vault.keyRing, publicBaseURL: "")
      let ticket = String(path.split(separator: "/")[2])
      #expect(tickets.open(ticket, now: Shop.now.addingTimeInterval(599)) != nil)
      #expect(tickets.open(ticket, now: Shop.now.addingTimeInterval(601)) == nil)
    }
  }

  @Test("is staged beside what the vendor wrote, with the document, and never submitted")
  func stages() async throws {
    try await Backend.open { backend in
      try await Self.prepare(backend)
      let reply = try await backend.act("stage_evidence", "du_1", ["payment": "pi_1"])
      #expect(reply.status == 200, "\(reply.text)")
      let body = String(decoding: try #require(backend.shop.stripe.posts(to: "disputes/du_1").first), as: UTF8.self)
      #expect(body.contains("submit=false"))
      #expect(body.contains("evidence%5Bservice_documentation%5D=file_1"))
      #expect(body.contains("evidence%5Baccess_activity_log%5D="))
      #expect(!body.contains("customer_name"), "the vendor's own text stays")
      let file = try #require(backend.shop.stripe.posts(to: "files").first)
      #expect(file.contains(Array("%PDF-".utf8)))
      #expect(file.contains(Array("dispute_evidence".utf8)))

      #expect(try await backend.act("stage_evidence", "du_1", ["payment": "pi_1", "replace": true]).status == 200)
      let replaced = String(decoding: try #require(backend.shop.stripe.posts(to: "disputes/du_1").last), as: UTF8.self)
      #expect(replaced.contains("evidence%5Bcustomer_name%5D=Ada"))
    }
  }

  @Test("is refused for another dispute, one that is over, and a payment without any")
  func refuses() async throws {
    try await Backend.open { backend in
      try await Self.prepare(backend)
      #expect(try await backend.act("stage_evidence", "du_2", ["payment": "pi_1"]).status == 404)
      #expect(try await backend.act("stage_evidence", "du_1", ["payment": "pi_1"], account: "acct_2").status == 404)
      var over = Self.dispute.object ?? [:]
      over["status"] = "under_review"
      backend.shop.stripe.setList("disputes", [.object(over)])
      #expect(try await backend.act("stage_evidence", "du_1", ["payment": "pi_1"]).code == "DISPUTE_NOT_OPEN")
      #expect(try await backend.view("evidence?payment=pi_1").data?["dispute"]?["is_answerable"] == false)
      backend.shop.stripe.setList("disputes", [])
      #expect(try await backend.view("evidence?payment=pi_1").code == "NO_DISPUTE")
      #expect(backend.shop.stripe.posts(to: "disputes/du_1").isEmpty)
    }
  }

  @Test("is not staged where Stripe is the merchant of record, and the story says who moved the money")
  func managedPayments() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      var session = StripeFixture.session().object ?? [:]
      session["managed_payments"] = ["enabled": true]
      let refund: JSONValue = [
        "id": "re_1", "object": "refund", "charge": "ch_1", "payment_intent": "pi_1", "amount": 100,
        "status": "succeeded", "created": 1_799_999_200,
      ]
      backend.shop.stripe.set("charges/ch_1", StripeFixture.charge())
      try await backend.shop.deliver([
        StripeFixture.Event("evt_7", "checkout.session.async_payment_succeeded", at: 1_799_999_100, .object(session)),
        StripeFixture.Event("evt_8", "refund.created", at: 1_799_999_200, refund),
        StripeFixture.Event("evt_9", "charge.dispute.created", at: 1_799_999_300, Self.dispute),
      ])
      try await backend.shop.settle()
      backend.shop.stripe.setList("disputes", [Self.dispute])

      let shown = try await backend.view("evidence?payment=pi_1").data?["dispute"]
      #expect(shown?["is_managed"] == true)
      #expect(shown?["is_answerable"] == false)
      #expect(try await backend.act("stage_evidence", "du_1", ["payment": "pi_1"]).code == "MANAGED_BY_STRIPE")
      #expect(backend.shop.stripe.posts(to: "disputes/du_1").isEmpty)

      let id = try #require(try await backend.shop.purchases().first).id
      let notes = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)").data?["timeline"]?.array?
        .filter { $0["kind"] == "note" }.compactMap { $0["title"]?.string }
      #expect(notes?.contains("Stripe returned money by itself, as the merchant of record.") == true)
      #expect(notes?.contains("Stripe answers this dispute, as the merchant of record.") == true)
    }
  }

  @Test("is not staged without what LicenseKit knows; to be read it is, and marked")
  func needsLicenseKit() async throws {
    try await Backend.open { backend in
      try await Self.prepare(backend)
      backend.shop.line.cut()
      let shown = try await backend.view("evidence?payment=pi_1")
      #expect(shown.data?["stale"] == true)
      #expect(try await backend.act("stage_evidence", "du_1", ["payment": "pi_1"]).code == "LICENSEKIT_UNAVAILABLE")
      backend.shop.line.restore()
      #expect(backend.shop.stripe.posts(to: "disputes/du_1").isEmpty)
    }
  }
}
