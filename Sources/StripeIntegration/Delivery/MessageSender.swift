import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import Logging
import Postgres
import StripeAPI
import Tenancy

/// Makes one attempt to bring a message to an endpoint.
struct MessageSender: Sendable {
  let database: TenantDatabase
  let vault: KeyVault
  let endpoints: MessageEndpointStore
  let transport: any HTTPSending
  /// Where messages may go: vendors choose the addresses, and must not reach what is behind this machine's firewall.
  let destinations: AddressPolicy
  let clock: @Sendable () -> Date

  /// A claimed attempt, with all that is sent.
  private struct Prepared: Sendable {
    /// With the host that it goes to.
    let attempt: DeliveryAttempt
    let request: HTTPTransportRequest?
  }

  /// - Returns: nil when the delivery was not due any more.
  func deliver(_ delivery: DeliveryID, of tenant: Tenant) async throws -> DeliveryResult? {
    // In a transaction of its own: an attempt that cannot be prepared counts as well, or it would be made for ever.
    let begunAttempt = try await database.transaction(for: tenant) { transaction in
      try await DeliveryAttempts(tenant: tenant, transaction: transaction).begin(delivery)
    }
    guard var attempt = begunAttempt else { return nil }
    let begun = ContinuousClock.now
    let result: DeliveryResult
    do {
      let prepared = try await prepare(attempt)
      attempt = prepared.attempt
      result = await send(prepared.request)
    } catch {
      result = .unprepared(error)
    }
    let took = begun.duration(to: .now)
    // What was tried is noted even when the service is being stopped.
    try await Task { [attempt] in
      try await database.transaction(for: tenant) { transaction in
        try await DeliveryAttempts(tenant: tenant, transaction: transaction).finish(attempt, result, took: took)
      }
    }.value
    return result
  }

  private func prepare(_ attempt: DeliveryAttempt) async throws -> Prepared {
    let tenant = attempt.tenant
    return try await database.transaction(for: tenant) { transaction in
      guard let endpoint = try await endpoints.receiver(attempt.queue.id, of: tenant, in: transaction) else {
        return Prepared(attempt: attempt, request: nil)
      }
      var attempt = attempt
      attempt.destination = endpoint.host
      try await DeliveryAttempts(tenant: tenant, transaction: transaction).setDestination(attempt)
      return Prepared(attempt: attempt, request: try await request(for: attempt, to: endpoint, in: transaction))
    }
  }

  private func request(
    for attempt: DeliveryAttempt, to endpoint: MessageEndpointStore.Receiver, in transaction: PostgresTransaction
  ) async throws -> HTTPTransportRequest? {
    let tenant = attempt.tenant
    let reader = MessageReader(tenant: tenant, transaction: transaction)
    let body: MessageBody
    if let message = attempt.licenseMessage {
      let read = try await reader.body(of: message) { license in
        guard endpoint.includesKey else { return nil }
        let key = try await vault.reveal(license, of: tenant, in: transaction)
        if key != nil {
          try await AuditLog(tenant: tenant, transaction: transaction)
            .add(
              .init(
                actor: "delivery", action: "license.notice", target: license.rawValue, requestID: nil,
                detail: "\(attempt.delivery) to \(endpoint.host)"))
        }
        return key
      }
      guard let read else { return nil }
      body = read
    } else {
      body = reader.test(attempt.delivery, createdAt: attempt.createdAt)
    }
    let bytes = try JSONCoding.encodedBytes(body)
    var headers = [
      (
        MessageHeaders.header,
        DeliverySignature.value(
          of: bytes, delivery: attempt.delivery.rawValue, secrets: endpoint.secrets, at: clock())
      ),
      (MessageHeaders.deliveryHeader, attempt.delivery.rawValue),
      (MessageHeaders.attemptHeader, String(attempt.number)),
      (MessageHeaders.typeHeader, body.type),
    ]
    if let sequence = body.sequence { headers.append((MessageHeaders.sequenceHeader, String(sequence))) }
    return DeliveryRequest.post(bytes, to: endpoint.url, headers: headers, destinations: destinations)
  }

  private func send(_ request: HTTPTransportRequest?) async -> DeliveryResult {
    guard let request else { return .pointless("The endpoint or the notice is not there any more.") }
    return await transport.deliver(request)
  }
}
