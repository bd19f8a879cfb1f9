import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import Logging
import Metrics
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP

/// Receives Stripe's deliveries: checks the signature over the bytes as they came, stores the event, and answers 200 only
/// after it is durable. What the event means is worked out later.
struct WebhookReceiver: Sendable {
  /// Larger than any event seen; Stripe publishes no limit.
  static let maximumBody = 2 * 1024 * 1024

  let secrets: ModeSecrets<WebhookPurpose>
  let inbox: InboxWriter
  let recent: RecentEvents
  let developerEvents: DeveloperEvents
  let wakeUp: WakeUp
  let clock: @Sendable () -> Date
  let logger: Logger

  private let accepted = Counter(label: "stripe_webhooks_accepted_total")
  private let repeated = Counter(label: "stripe_webhooks_repeated_total")
  private let refused = Counter(label: "stripe_webhooks_refused_total")

  init(
    secrets: ModeSecrets<WebhookPurpose>, inbox: InboxWriter, recent: RecentEvents,
    developerEvents: DeveloperEvents, wakeUp: WakeUp, clock: @escaping @Sendable () -> Date, logger: Logger
  ) {
    self.secrets = secrets
    self.inbox = inbox
    self.recent = recent
    self.developerEvents = developerEvents
    self.wakeUp = wakeUp
    self.clock = clock
    self.logger = logger
  }

  func addRoutes(to router: AppRouter) {
    router.post("/stripe/webhook") { request, context in try await receive(request, context) }
  }

  private func receive(_ request: Request, _ context: AppContext) async throws -> Response {
    let header = request.headers[Self.signatureHeader]
    do {
      try WebhookSignature.requireReadable(header)
    } catch {
      throw refusal(error)
    }
    let body = try await request.bodyBytes(limit: Self.maximumBody)
    let vouched: Vouched<Date>
    do {
      vouched = try WebhookSignature.verify(
        header: header, payload: body, secrets: secrets, now: clock())
    } catch {
      throw refusal(error)
    }
    let envelope: EventEnvelope
    do {
      envelope = try EventEnvelope(scanning: body)
    } catch {
      refused.increment()
      throw APIFailure(
        .badRequest, code: "INVALID_JSON", message: "The body is not a Stripe event.", detail: "\(error)")
    }
    let signedFor: StripeEnvironment?
    do {
      signedFor = try vouched.only(livemode: envelope.livemode)
    } catch {
      throw refusal(error)
    }
    if let account = envelope.account {
      let item = InboxItem(
        tenant: Tenant(account: account, livemode: envelope.livemode), envelope: envelope, signedFor: signedFor,
        body: String(decoding: body, as: UTF8.self))
      try await store(item)
    } else {
      // Apart from their news about all accounts, the developer's own events concern no vendor.
      try await take(envelope, signedFor)
    }
    return Answer.raw(data: Self.received, context: context)
  }

  private func refusal(_ error: SignatureError) -> APIFailure {
    refused.increment()
    return APIFailure(
      .badRequest, code: "SIGNATURE_INVALID",
      message: "The Stripe-Signature header does not match the body.",
      detail:
        "expected a v1 signature of one of the endpoint's secrets (a live event's of live mode), at most 300 s old; "
        + "found: \(error.code)")
  }

  private func store(_ item: InboxItem) async throws {
    if await recent.isKnown(item, now: clock()) {
      repeated.increment()
      return
    }
    do {
      try await inbox.store(item)
    } catch {
      logger.error("an event could not be stored", metadata: ["tenant": "\(item.tenant)", "error": "\(error)"])
      throw APIFailure.unavailable(
        "The event could not be stored; deliver it again.", code: "STORAGE_UNAVAILABLE", retryAfter: .seconds(5))
    }
    accepted.increment()
    wakeUp.signal()
    await recent.remember(item)
  }

  private func take(_ event: EventEnvelope, _ signedFor: StripeEnvironment?) async throws {
    do {
      try await developerEvents.take(event, signedFor: signedFor)
    } catch {
      logger.error("an event of the developer's account was not processed", metadata: ["error": "\(error)"])
      throw APIFailure.unavailable(
        "The event could not be processed; deliver it again.", code: "STORAGE_UNAVAILABLE", retryAfter: .seconds(5))
    }
  }

  private static let received = Array(#"{"received":true}"#.utf8)

  private static let signatureHeader = HTTPField.Name.constant("Stripe-Signature")
}
