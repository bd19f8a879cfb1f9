import Foundation
import HTTPTransport
import Identity
import JSON
import Logging
import Postgres

/// Makes one attempt to bring a notice to an endpoint.
struct NoticeCourier: Sendable {
  let database: TenantDatabase
  let vault: KeyVault
  let endpoints: NoticeEndpointStore
  let transport: any HTTPSending
  /// Where notices may go: vendors choose the addresses, and must not reach what is behind this machine's firewall.
  let destinations: AddressPolicy
  let clock: @Sendable () -> Date

  static let deadline: Duration = .seconds(10)
  /// Of an answer only the status matters.
  static let mostAnswerBytes = 1 << 20

  /// A claimed attempt, with all that is sent.
  private struct Prepared: Sendable {
    let attempt: DeliveryAttempt
    let request: HTTPTransportRequest?
  }

  /// - Returns: nil when the delivery was not due any more.
  func deliver(_ delivery: DeliveryID, of tenant: Tenant) async throws -> DeliveryResult? {
    let prepared = try await database.transaction(for: tenant) { transaction -> Prepared? in
      guard
        let attempt = try await DeliveryAttempts(tenant: tenant, transaction: transaction).begin(delivery)
      else { return nil }
      return Prepared(attempt: attempt, request: try await request(for: attempt, in: transaction))
    }
    guard let prepared else { return nil }
    let begun = ContinuousClock.now
    let result = await send(prepared.request)
    let took = begun.duration(to: .now)
    // What was tried is noted even when the service is being stopped.
    try await Task {
      try await database.transaction(for: tenant) { transaction in
        try await DeliveryAttempts(tenant: tenant, transaction: transaction)
          .finish(prepared.attempt, result, took: took)
      }
    }.value
    return result
  }

  private func request(
    for attempt: DeliveryAttempt, in transaction: PostgresTransaction
  ) async throws -> HTTPTransportRequest? {
    let tenant = attempt.tenant
    guard let endpoint = try await endpoints.receiver(attempt.lane.id, of: tenant, in: transaction) else { return nil }
    let reader = NoticeReader(tenant: tenant, transaction: transaction)
    let body: NoticeBody
    if let notice = attempt.notice {
      let read = try await reader.body(of: notice) { license in
        guard endpoint.includesKey else { return nil }
        let key = try await vault.reveal(license, of: tenant, in: transaction)
        if key != nil {
          try await AuditLog(tenant: tenant, transaction: transaction)
            .add(
              .init(
                actor: "delivery", action: "license.notice", target: license.rawValue, requestID: nil,
                detail: "\(attempt.delivery) to \(attempt.destination ?? attempt.lane.id)"))
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
      ("Content-Type", "application/json"),
      (
        NoticeSignature.header,
        NoticeSignature.value(of: bytes, delivery: attempt.delivery, secrets: endpoint.secrets, at: clock())
      ),
      (NoticeSignature.deliveryHeader, attempt.delivery.rawValue),
      (NoticeSignature.attemptHeader, String(attempt.number)),
      (NoticeSignature.typeHeader, body.type),
    ]
    if let sequence = body.sequence { headers.append((NoticeSignature.sequenceHeader, String(sequence))) }
    return HTTPTransportRequest(
      method: "POST", url: endpoint.url, headers: headers, body: bytes, deadline: Self.deadline,
      maximumResponseBytes: Self.mostAnswerBytes, destinations: destinations)
  }

  private func send(_ request: HTTPTransportRequest?) async -> DeliveryResult {
    guard let request else { return .pointless("The endpoint or the notice is not there any more.") }
    do {
      let response = try await transport.send(request)
      switch response.status {
      case 200..<300: return .arrived(status: response.status)
      case 300..<400:
        return .failed("HTTP \(response.status): redirects are not followed", status: response.status)
      case 410: return .failed("HTTP 410", status: 410, isGone: true)
      default: return .failed("HTTP \(response.status)", status: response.status)
      }
    } catch {
      switch error {
      case .cancelled, .shutDown: return .cutOff
      // Texts of libcurl, without any of what was sent or answered.
      default: return .failed(error.description)
      }
    }
  }
}
