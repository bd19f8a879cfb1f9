import Cryptography
import Foundation
import HTTPTransport
import Logging
import ServiceLifecycle

/// Delivers events to the endpoints: signs each attempt separately and reports the answer.
struct EventDispatcher: Service {
  let simulator: Simulator
  let transport: HTTPTransport
  let logger: Logger

  func run() async throws {
    await withDiscardingTaskGroup { group in
      // The earliest moment at which a timer looks again; one timer is enough.
      var timer = Int64.max
      for await _ in simulator.wakes.cancelOnGracefulShutdown() {
        if timer <= Monotonic.now() { timer = .max }
        let (events, wait) = await simulator.takeDueEvents()
        for event in events {
          group.addTask { await deliver(event) }
        }
        if let wait, Monotonic.now() + wait + 1 < timer {
          timer = Monotonic.now() + wait + 1
          group.addTask {
            try? await Task.sleep(for: .milliseconds(wait + 1))
            simulator.wake()
          }
        }
      }
      group.cancelAll()
    }
  }

  private func deliver(_ event: OutgoingEvent) async {
    let sentAt = Int64(Date().timeIntervalSince1970)
    let start = Monotonic.now()
    let body = Array(event.body.utf8)
    let request = HTTPTransportRequest(
      method: "POST", url: event.url,
      headers: [
        ("Content-Type", "application/json; charset=utf-8"),
        ("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
        ("Accept", "*/*; q=0.5, application/xml"), ("Cache-Control", "no-cache"),
        ("Stripe-Signature", Self.signature(body, at: sentAt, secrets: event.secrets, isTest: !event.livemode)),
      ],
      body: body, deadline: event.timeout)
    var attempt = Delivery.Attempt(at: sentAt, status: nil, milliseconds: 0, error: nil)
    do {
      attempt.status = try await transport.send(request).status
    } catch {
      attempt.error = "\(error)"
    }
    attempt.milliseconds = Monotonic.now() - start
    await simulator.finishDelivery(event.delivery, attempt)
  }

  /// `t`, one `v1` for each secret, and in test mode the meaningless `v0` that receivers must ignore (Stripe docs,
  /// Webhooks: verify signatures manually).
  static func signature(_ body: [UInt8], at moment: Int64, secrets: [String], isTest: Bool) -> String {
    let prefix = Array("\(moment).".utf8)
    var header = "t=\(moment)"
    for secret in secrets {
      header += ",v1=" + Hex.encode(HMACSHA256(key: secret).code(for: prefix, body))
    }
    if isTest { header += ",v0=" + Hex.encode(HMACSHA256(key: "test").code(for: prefix, body)) }
    return header
  }
}
