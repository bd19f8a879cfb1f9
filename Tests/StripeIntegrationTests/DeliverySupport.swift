import Cryptography
import Delivery
import Foundation
import HTTPTransport
import HTTPTypes
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Logging
import Networks
import Postgres
import ServerKit
import Synchronization
import Tenancy
import TestSupport

@testable import StripeIntegration

extension Receiver.Call {
  var type: String? { json?["type"]?.string }

  /// Verified the way docs/delivery.md tells a vendor to.
  func isSigned(with secret: String, at moment: Date = Shop.now) -> Bool {
    isSigned(with: secret, in: MessageHeaders.header, delivery: MessageHeaders.deliveryHeader, at: moment)
  }
}

/// A relay in memory.
final class FakeRelay: MailSending {
  private let state = Mutex((sent: [MailMessage](), errors: [MailTransportError]()))

  var sent: [MailMessage] { state.withLock { $0.sent } }
  func fail(_ errors: MailTransportError...) { state.withLock { $0.errors = errors } }

  func send(_ message: MailMessage, deadline: Duration) async throws(MailTransportError) {
    let error = state.withLock { state -> MailTransportError? in
      guard state.errors.isEmpty else { return state.errors.removeFirst() }
      state.sent.append(message)
      return nil
    }
    if let error { throw error }
  }
}

/// A shop that delivers.
struct PostRoom: Sendable {
  let shop: Shop
  let receiver: Receiver
  let url: String
  let relay: FakeRelay
  let endpoints: MessageEndpointStore
  let deliveries: MessageDispatcher<VendorMessages>

  static let loopback = ["127.0.0.0/8"].compactMap { NetworkBlock($0) }

  static func open(
    destinations: AddressPolicy = .publicOnly(besides: loopback),
    _ body: @Sendable (PostRoom) async throws -> Void
  ) async throws {
    try await Receiver.open { receiver, url in
      try await Shop.open { shop in
        let logger = Logger(label: "post", factory: { _ in SwiftLogNoOpLogHandler() })
        let transport = HTTPTransport(logger: logger)
        let relay = FakeRelay()
        let endpoints = MessageEndpointStore(database: shop.database, keyRing: shop.vault.keyRing)
        let mailer = Mailer(transport: relay, from: MailAddress("licenses@example.com", name: "Shop")!)
        let messages = VendorMessages(
          database: shop.database,
          messages: MessageSender(
            database: shop.database, vault: shop.vault, endpoints: endpoints, transport: transport,
            destinations: destinations, clock: { Shop.now }),
          mail: MailSender(
            database: shop.database, vault: shop.vault, licenseKit: FixedLicenseKit(client: shop.licenseKit),
            mailer: mailer, clock: { Shop.now }),
          logger: logger)
        let deliveries = MessageDispatcher(
          messages, wakeUp: WakeUp(), concurrency: 8, pollInterval: .milliseconds(50), logger: logger)
        try await body(
          PostRoom(
            shop: shop, receiver: receiver, url: url, relay: relay, endpoints: endpoints, deliveries: deliveries))
        transport.shutdown()
      }
    }
  }

  // MARK: Arranging

  @discardableResult
  func endpoint(
    _ path: String = "/hook", types: [MessageType] = [], key: Bool = false
  ) async throws -> (endpoint: MessageEndpoint, secret: String) {
    let made = try await endpoints.create(
      .init(
        url: url + path, description: nil, eventTypes: types.map(\.rawValue), includesKey: key, isActive: true),
      of: shop.tenant, audit: { .init(actor: "test", action: "test", target: $0, requestID: nil, detail: nil) })
    guard let made else { throw Missing() }
    return made
  }

  struct Missing: Error {}

  func mail(_ change: (inout MailSettings) -> Void = { _ in }) async throws {
    var settings = MailSettings.initial
    settings.isEnabled = true
    change(&settings)
    try await shop.database.transaction(for: shop.tenant) { [settings] transaction in
      try await MailSettingsStore(tenant: shop.tenant, transaction: transaction).store(settings)
    }
  }

  func sell(quantity: Int64 = 1) async throws {
    shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(quantity: quantity)])
    try await shop.deliver([
      StripeFixture.Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session())
    ])
    try await shop.settle()
  }

  func refund() async throws {
    try await shop.deliver([
      StripeFixture.Event("evt_r", "charge.refunded", at: 1_799_999_200, StripeFixture.charge(refunded: 4900))
    ])
    try await shop.settle()
  }

  func dispute(_ status: String, at created: Int64) async throws {
    shop.stripe.set("charges/ch_1", StripeFixture.charge())
    try await shop.deliver([
      StripeFixture.Event(
        "evt_d\(created)", status == "won" ? "charge.dispute.closed" : "charge.dispute.created", at: created,
        [
          "id": "du_1", "object": "dispute", "charge": "ch_1", "payment_intent": "pi_1", "amount": 4900,
          "status": .string(status), "created": 1_799_999_100,
        ])
    ])
    try await shop.settle()
  }

  // MARK: Delivering

  /// A dispatcher with another limit of mails.
  func sender(mailsPerHour: Int) -> MessageDispatcher<VendorMessages> {
    let channel = deliveries.channel
    var mail = channel.mail
    mail.mailsPerHour = mailsPerHour
    return MessageDispatcher(
      VendorMessages(database: channel.database, messages: channel.messages, mail: mail, logger: channel.logger),
      wakeUp: WakeUp(), concurrency: 8, pollInterval: .milliseconds(50), logger: channel.logger)
  }

  /// Serves every receiver that is due, until none is. What becomes due meanwhile is left for later, however long this
  /// takes on a busy machine: an attempt that failed is not followed by its next one.
  func deliver() async throws {
    guard let start = try await texts("SELECT now()::text AS text").first else { throw Missing() }
    for _ in 0..<100 {
      guard try await isDue(since: start), let queue = try await deliveries.claimNext() else { return }
      try await deliveries.serve(queue)
    }
  }

  private func isDue(since start: String) async throws -> Bool {
    try await !texts(
      """
      SELECT l.lane_id AS text
        FROM stripe_integration.delivery_lanes l
        LEFT JOIN stripe_integration.deliveries d
          ON d.account_id = l.account_id
         AND d.livemode   = l.livemode
         AND d.lane_id    = l.lane_id
         AND d.state      = 'pending'
       WHERE l.due_at       <= now()
         AND l.paused_until <= \(start)::text::timestamptz
         AND COALESCE(d.next_attempt_at, '-infinity') <= \(start)::text::timestamptz
       LIMIT 1
      """
    ).isEmpty
  }

  /// Everything that waits for a later attempt is due now.
  func passTime() async throws {
    try await write("UPDATE stripe_integration.deliveries SET next_attempt_at = now(), claimed_until = '-infinity'")
    try await write(
      """
      UPDATE stripe_integration.delivery_lanes
         SET due_at = now(), paused_until = '-infinity', claimed_until = '-infinity'
       WHERE paused_until < 'infinity'
      """)
  }

  func write(_ query: PostgresQuery) async throws {
    try await shop.database.transaction(for: shop.tenant) { transaction in _ = try await transaction.query(query) }
  }

  func texts(_ query: PostgresQuery) async throws -> [String] {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(query).map { row in try row.get("text") }
    }
  }

  /// The messages as they were written down, in the order of each license.
  func messages() async throws -> [String] {
    try await texts(
      """
      SELECT type || ' ' || sequence AS text
        FROM stripe_integration.notices
       ORDER BY license_id, sequence
      """)
  }

  func log() async throws -> [DeliveryView] {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      let log = DeliveryLog(tenant: shop.tenant, transaction: transaction)
      var views: [DeliveryView] = []
      for row in try await log.page(.init(), after: nil, limit: 100) {
        if let view = try await log.delivery(row.view.id) { views.append(view) }
      }
      return views
    }
  }

  /// Whether the only delivery is tried again so many seconds after its last attempt, or later.
  func waits(atLeast seconds: TimeInterval) async throws -> Bool {
    guard let view = try await log().first, let next = view.nextAttemptAt, let last = view.log?.last?.at else {
      return false
    }
    return view.state == "pending" && next.timeIntervalSince(last) >= seconds
  }

  func replay(_ filter: DeliveryLog.Filter = .init(), id: String? = nil) async throws -> Int {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await DeliveryLog(tenant: shop.tenant, transaction: transaction).replay(filter, id: id)
    }
  }
}

/// Rows in the tables of deliveries, made by the code that makes them in earnest.
enum DeliveryRows {
  /// To be called before a sale: it is told of, and mailed.
  static func prepare(_ shop: Shop) async throws {
    _ = try await MessageEndpointStore(database: shop.database, keyRing: shop.vault.keyRing).create(
      .init(
        url: "https://hooks.example.com/", description: nil, eventTypes: [], includesKey: false, isActive: true),
      of: shop.tenant, audit: { .init(actor: "test", action: "test", target: $0, requestID: nil, detail: nil) })
    try await shop.database.transaction(for: shop.tenant) { transaction in
      var settings = MailSettings.initial
      settings.isEnabled = true
      try await MailSettingsStore(tenant: shop.tenant, transaction: transaction).store(settings)
    }
  }

  /// To be called after it: a delivery is tried.
  static func attempt(_ shop: Shop) async throws {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      for row in try await DeliveryLog(tenant: shop.tenant, transaction: transaction)
        .page(.init(), after: nil, limit: 10)
      {
        guard let endpoint = row.view.endpointID else { continue }
        _ = try await MessageAttempts(EndpointQueue(of: shop.tenant, id: endpoint), in: transaction)
          .begin(MessageDeliveryID(row.view.id), claim: "interval '20 seconds'")
      }
    }
  }
}
