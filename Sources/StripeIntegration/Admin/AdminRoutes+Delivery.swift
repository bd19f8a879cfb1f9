import Foundation
import HTTPTransport
import Hummingbird
import Identity
import JSON
import Postgres
import ServerKit
import Tenancy

// Where messages go, and what became of each.

extension AdminRoutes {
  // MARK: Endpoints

  func listEndpoints(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let page = try await delivery.endpoints
      .page(of: call.tenant, before: try request.text(), limit: request.limit + 1)
      .page(request.limit) { PageCursor.encode($0.id.rawValue) }
    return try Answer.page(
      page.items.map { MessageEndpointView($0) }, nextCursor: page.next, context: call.context)
  }

  func getEndpoint(_ call: AdminCall) async throws -> Response {
    try Answer.data(MessageEndpointView(try await endpoint(call)), context: call.context)
  }

  private func endpoint(_ call: AdminCall) async throws -> MessageEndpoint {
    guard let endpoint = try await delivery.endpoints.endpoint(try call.id("id"), of: call.tenant) else {
      throw APIFailure.notFound()
    }
    return endpoint
  }

  /// A new endpoint. The answer is the only place that shows its secret.
  func createEndpoint(_ call: AdminCall) async throws -> Response {
    let choices = try call.decodeBody(MessageEndpointFields.self).checked(destinations: delivery.destinations)
    let host = MessageEndpoint.host(of: choices.url)
    guard
      let made = try await delivery.endpoints.create(
        choices, of: call.tenant, audit: { call.entry("notice_endpoint.create", $0, detail: host) })
    else {
      throw APIFailure.conflict("a vendor has at most \(MessageOutbox.mostEndpoints) endpoints")
    }
    return try Answer.data(
      MessageEndpointView(made.endpoint, secret: made.secret), status: .created, context: call.context)
  }

  /// Changes an endpoint. `"active": true` or another URL enables one again that was disabled because it failed.
  func patchEndpoint(_ call: AdminCall) async throws -> Response {
    let known = try await endpoint(call)
    let choices = try MessageEndpointFields(known).patched(with: call.body)
      .checked(destinations: delivery.destinations)
    let resumes =
      choices.isActive && (call.body["active"] != nil || choices.url != known.url || !known.isActive)
    var detail = call.body.keys.joined(separator: ", ")
    if choices.url != known.url { detail += "; now \(MessageEndpoint.host(of: choices.url))" }
    guard
      let endpoint = try await delivery.endpoints.update(
        known.id.rawValue, choices, of: call.tenant, resumes: resumes,
        audit: call.entry("notice_endpoint.update", known.id.rawValue, detail: detail))
    else { throw APIFailure.notFound() }
    delivery.wakeUp.signal()
    return try Answer.data(MessageEndpointView(endpoint), context: call.context)
  }

  func deleteEndpoint(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    guard
      try await delivery.endpoints.delete(id, of: call.tenant, audit: call.entry("notice_endpoint.delete", id))
    else { throw APIFailure.notFound() }
    return Answer.empty()
  }

  /// Makes a new secret. The former one also signs for `overlap_hours` (24 if not given, 0 for not at all).
  func rotateSecret(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let hours = try call.decodeBody(RotationBody.self).overlapHours ?? 24
    guard (0...168).contains(hours) else { throw APIFailure.validation(field: "overlap_hours", "must be 0 to 168") }
    guard
      let made = try await delivery.endpoints.rotate(
        id, of: call.tenant, overlapHours: hours, audit: call.entry("notice_endpoint.rotate_secret", id))
    else { throw APIFailure.notFound() }
    return try Answer.data(MessageEndpointView(made.endpoint, secret: made.secret), context: call.context)
  }

  private struct RotationBody: Decodable { var overlapHours: Int? }

  /// Enqueues a test message. The delivery in the answer shows its result later.
  func testEndpoint(_ call: AdminCall) async throws -> Response {
    let endpoint = try await endpoint(call)
    guard endpoint.isActive, endpoint.disabledAt == nil else {
      throw APIFailure.conflict("the endpoint is not active; activate it first")
    }
    let view = try await database.transaction(for: call.tenant) { transaction in
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(call.entry("notice_endpoint.test", endpoint.id.rawValue))
      return try await DeliveryLog(tenant: call.tenant, transaction: transaction).addTest(to: endpoint)
    }
    guard let view else { throw APIFailure.internalError }
    delivery.wakeUp.signal()
    return try Answer.data(view, status: .accepted, context: call.context)
  }

  // MARK: Deliveries

  func listDeliveries(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let cursor = try request.time()
    var filter = DeliveryLog.Filter(
      state: try call.query.value("state"), queue: try Self.plausible("endpoint_id", in: call.query),
      type: try Self.plausible("type", in: call.query), createdFrom: try call.query.date("created_from"),
      createdTo: try call.query.date("created_to"))
    if try call.query.value("channel", as: Channel.self) == .email { filter.queue = MessageOutbox.mailQueue }
    let fulfillment = try Self.plausible("fulfillment_id", in: call.query)
    filter.purchase = fulfillment
    let page = try await database.transaction(for: call.tenant) { [filter] transaction in
      try await DeliveryLog(tenant: call.tenant, transaction: transaction)
        .page(filter, after: cursor, limit: request.limit + 1)
    }.page(request.limit) { $0.cursor.text }
    return try Answer.page(page.items.map(\.view), nextCursor: page.next, context: call.context)
  }

  private enum Channel: String, CaseIterable { case email }

  func getDelivery(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let view = try await database.transaction(for: call.tenant) { transaction in
      try await DeliveryLog(tenant: call.tenant, transaction: transaction).delivery(id)
    }
    guard let view else { throw APIFailure.notFound() }
    return try Answer.data(view, context: call.context)
  }

  /// Delivers once more, whatever its state. A receiver recognises a repetition by the message's id.
  func replayDelivery(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let view = try await database.transaction(for: call.tenant) { transaction -> DeliveryView? in
      let log = DeliveryLog(tenant: call.tenant, transaction: transaction)
      guard try await log.delivery(id) != nil else { return nil }
      guard try await log.replay(.init(), id: id) > 0 else {
        throw APIFailure.conflict(
          "its endpoint is deleted or not active, or it is a mail that has not been tried yet, or that was replayed "
            + "\(DeliveryLog.mostReplaysOfMail) times")
      }
      try await AuditLog(tenant: call.tenant, transaction: transaction).add(call.entry("delivery.replay", id))
      return try await log.delivery(id)
    }
    guard let view else { throw APIFailure.notFound() }
    delivery.wakeUp.signal()
    return try Answer.data(view, context: call.context)
  }

  /// Delivers again what matches the filter: failed deliveries, unless another state is given.
  func replayDeliveries(_ call: AdminCall) async throws -> Response {
    let body = try call.decodeBody(ReplayBody.self)
    let filter = try body.filter()
    let count = try await database.transaction(for: call.tenant) { transaction in
      let count = try await DeliveryLog(tenant: call.tenant, transaction: transaction).replay(filter)
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(
          call.entry(
            "delivery.replay", filter.queue ?? "all",
            detail: "\(count) in state \(filter.state?.rawValue ?? "any")"))
      return count
    }
    delivery.wakeUp.signal()
    return try Answer.data(
      ReplayAnswer(replayed: count, isComplete: count < DeliveryLog.mostReplayed), context: call.context)
  }

  private struct ReplayBody: Decodable {
    var state: String?
    var endpointID: String?
    var channel: String?
    var type: String?
    var createdFrom: Date?
    var createdTo: Date?

    func filter() throws(APIFailure) -> DeliveryLog.Filter {
      var filter = DeliveryLog.Filter(state: .failed, createdFrom: createdFrom, createdTo: createdTo)
      if let state {
        guard let known = DeliveryLog.State(rawValue: state) else {
          throw .validation(
            field: "state", "must be one of " + DeliveryLog.State.allCases.map(\.rawValue).joined(separator: ", "))
        }
        filter.state = known
      }
      if let endpointID {
        guard StripeIDText.isPlausible(endpointID) else { throw .validation(field: "endpoint_id", "is not an id") }
        filter.queue = endpointID
      }
      if let channel {
        guard channel == MessageOutbox.mailQueue, endpointID == nil else {
          throw .validation(field: "channel", "must be email, and cannot be given together with endpoint_id")
        }
        filter.queue = channel
      }
      if let type {
        guard StripeIDText.isPlausible(type) else { throw .validation(field: "type", "is not a type") }
        filter.type = type
      }
      return filter
    }
  }

  private struct ReplayAnswer: Encodable {
    let replayed: Int
    /// False if there may be more; then call again.
    let isComplete: Bool

    enum CodingKeys: String, CodingKey {
      case replayed
      case isComplete = "complete"
    }
  }
}
