import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Networks
import Postgres
import ServerKit
import ServiceLifecycle
import TestSupport
import Testing

@testable import LicenseServer

/// A license server, and a vendor's server that is told of its events.
struct WebhookBench: Sendable {
  let fixture: Fixture
  let receiver: Receiver
  /// The beginning of the receiver's URLs.
  let url: String

  static let loopback = ["127.0.0.0/8"].compactMap { NetworkBlock($0) }

  var services: Services { fixture.server.services }

  var linker: EventLinker {
    EventLinker(
      store: services.store, deliveries: WakeUp(), pollInterval: .milliseconds(50), logger: Fixture.logger)
  }

  func dispatcher(
    _ destinations: AddressPolicy = .publicOnly(besides: loopback)
  ) -> MessageDispatcher<WebhookMessages> {
    MessageDispatcher(
      WebhookMessages(
        store: services.store, keyRing: services.webhooks.keyRing, clock: services.clock, transport: fixture.transport,
        destinations: destinations),
      wakeUp: WakeUp(), concurrency: 8, pollInterval: .milliseconds(50), logger: Fixture.logger)
  }

  static func open(_ body: @Sendable (WebhookBench) async throws -> Void) async throws {
    try await Receiver.open { receiver, url in
      try await withLicenseServer(destinations: .publicOnly(besides: loopback)) { fixture in
        try await body(WebhookBench(fixture: fixture, receiver: receiver, url: url))
      }
    }
  }

  // MARK: Arranging

  /// An endpoint of the default tenant that hears of products, unless told otherwise; its own creation is linked and
  /// told of first, so that a test sees only what it does itself.
  func endpoint(
    _ path: String = "/hook", types: [EventLog.Kind] = [.productCreated, .productUpdated]
  ) async throws -> (id: String, secret: String) {
    let list = types.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
    let reply = try await fixture.send(
      "POST", "/api/v1/webhooks", #"{"name":"Hook","url":"\#(url)\#(path)","event_types":[\#(list)]}"#)
    try #require(reply.status == 201, "\(reply.text)")
    return (
      try #require(reply.data?["webhook"]?["id"]?.string), try #require(reply.data?["secret"]?.string)
    )
  }

  func product(_ name: String = "Editor") async throws {
    _ = try await fixture.admin.createProduct(ProductCreateRequest(name: name, code: unique("p-")))
  }

  // MARK: Working

  /// Links whatever waits.
  func link() async throws {
    var rounds = FairRounds<TenantID>()
    while try await linker.step(&rounds) {}
  }

  /// Serves every endpoint that is due, until none is.
  func deliver(_ destinations: AddressPolicy = .publicOnly(besides: loopback)) async throws {
    let dispatcher = dispatcher(destinations)
    for _ in 0..<100 {
      guard let queue = try await dispatcher.claimNext() else { return }
      try await dispatcher.serve(queue)
    }
  }

  /// Links and delivers.
  func work() async throws {
    try await link()
    try await deliver()
  }

  /// Everything that waits for a later attempt is due now.
  func passTime() async throws {
    try await sql(
      """
      UPDATE license_server.webhook_deliveries
         SET next_attempt_at = next_attempt_at - interval '1 year', claimed_until = '-infinity'
       WHERE state = 'pending'
      """)
    try await sql(
      """
      UPDATE license_server.webhook_lanes
         SET due_at = now(), paused_until = '-infinity', claimed_until = '-infinity'
       WHERE paused_until < 'infinity'
      """)
  }

  /// Runs a statement as the owner of the tables, whom nothing holds back.
  @discardableResult
  func sql(_ query: PostgresQuery) async throws -> PostgresRows { try await fixture.database.client.query(query) }

  // MARK: Looking

  func deliveries(of endpoint: String, _ query: String = "") async throws -> [JSONValue] {
    let reply = try await fixture.send("GET", "/api/v1/webhooks/\(endpoint)/deliveries?\(query)")
    try #require(reply.status == 200, "\(reply.text)")
    return reply.data?.array ?? []
  }

  func delivery(_ id: String, of endpoint: String) async throws -> JSONValue {
    try #require(try await fixture.send("GET", "/api/v1/webhooks/\(endpoint)/deliveries/\(id)").data)
  }

  /// The only delivery, with its attempts.
  func onlyDelivery(of endpoint: String) async throws -> JSONValue {
    let all = try await deliveries(of: endpoint)
    try #require(all.count == 1, "\(all)")
    return try await delivery(try #require(all[0]["id"]?.string), of: endpoint)
  }
}

extension Receiver.Call {
  /// Verified the way docs/webhooks.md tells a vendor to.
  func isSigned(with secret: String, at moment: Date) -> Bool {
    isSigned(
      with: secret, in: WebhookMessage.signatureHeader, delivery: WebhookMessage.deliveryHeader, at: moment)
  }
}
