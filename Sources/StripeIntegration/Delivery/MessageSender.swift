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

  /// Makes a claimed attempt.
  func send(_ attempt: MessageAttempt<Tenant>) async throws -> DeliveryResult {
    guard let request = try await request(for: attempt) else {
      return .pointless("The endpoint or the notice is not there any more.")
    }
    return await transport.deliver(request)
  }

  private func request(for attempt: MessageAttempt<Tenant>) async throws -> HTTPTransportRequest? {
    let tenant = attempt.queue.owner
    return try await database.transaction(for: tenant) { transaction in
      guard let endpoint = try await endpoints.receiver(attempt.queue.id, of: tenant, in: transaction) else {
        return nil
      }
      try await setDestination(endpoint.host, of: attempt, in: transaction)
      return try await request(for: attempt, to: endpoint, in: transaction)
    }
  }

  /// Notes where an attempt goes: the endpoint's address may be another than when the message was enqueued.
  private func setDestination(
    _ host: String, of attempt: MessageAttempt<Tenant>, in transaction: PostgresTransaction
  ) async throws {
    let tenant = attempt.queue.owner
    try await transaction.query(
      """
      UPDATE stripe_integration.deliveries
         SET destination = \(host)
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND delivery_id = \(attempt.delivery)
         AND attempts    = \(attempt.number)
         AND destination IS DISTINCT FROM \(host)::text
      """)
  }

  private func request(
    for attempt: MessageAttempt<Tenant>, to endpoint: MessageEndpointStore.Receiver, in transaction: PostgresTransaction
  ) async throws -> HTTPTransportRequest? {
    let tenant = attempt.queue.owner
    let reader = MessageReader(tenant: tenant, transaction: transaction)
    let body: MessageBody
    if let message = attempt.subject.licenseMessage {
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
}
