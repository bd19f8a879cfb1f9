import Delivery
import Identity
import Logging
import Metrics
import Postgres
import StripeAPI
import Tenancy

/// The messages to vendors' endpoints and the mail to their buyers, as the dispatcher brings them.
struct VendorMessages: MessageChannel {
  let database: TenantDatabase
  let messages: MessageSender
  /// Without a relay mail waits.
  let mail: MailSender
  let logger: Logger

  var queues: EndpointQueues<Tenant> { .ofVendors }

  func transaction<Result: Sendable>(
    for tenant: Tenant, _ body: @Sendable (PostgresTransaction) async throws -> Result
  ) async throws -> Result {
    try await database.transaction(for: tenant, body)
  }

  func claiming<Result: Sendable>(
    _ body: @Sendable (PostgresTransaction) async throws -> Result
  ) async throws -> Result {
    try await database.transaction(as: .worker, body)
  }

  /// The names of the products that a mail is about: LicenseKit may be slow, and a claim holds for a while only.
  func prepare(_ delivery: MessageDeliveryID, for queue: EndpointQueue<Tenant>) async throws -> MailSender.Names? {
    queue.isMail ? await mail.productNames(for: delivery, of: queue.owner) : nil
  }

  func send(_ attempt: MessageAttempt<Tenant>, _ names: MailSender.Names?) async throws -> DeliveryResult {
    guard let names else { return try await messages.send(attempt) }
    return try await mail.send(attempt, names)
  }

  /// The purchase says what came of it. It may have become part of another since the message was made.
  func ended(_ message: EndedMessage<Tenant>, in transaction: PostgresTransaction) async throws {
    let tenant = message.queue.owner
    guard let named = message.subject.purchase,
      let purchase = try await FulfillmentReader(tenant: tenant, transaction: transaction).purchase(of: named.rawValue)
    else { return }
    try await Timeline(tenant: tenant, purchase: purchase, transaction: transaction)
      .add(
        .note, message.sentence, state: message.ending == .arrived ? .succeeded : .failed, detail: message.error)
  }

  func health(
    of queue: EndpointQueue<Tenant>, isWell: Bool, _ summary: DeliveryClaim.Summary,
    in transaction: PostgresTransaction
  ) async throws -> Bool {
    guard !queue.isMail else { return false }
    let health = EndpointHealth(queue: queue, transaction: transaction)
    if isWell {
      try await health.succeeded()
      return false
    }
    guard try await health.failed(summary) else { return false }
    logger.warning("notice endpoint is disabled", metadata: ["tenant": "\(queue.owner)", "endpoint": "\(queue.id)"])
    return true
  }

  func count(_ result: DeliveryResult, for queue: EndpointQueue<Tenant>) {
    let word: String
    switch result {
    case .arrived: word = "arrived"
    case .failed: word = "failed"
    case .pointless, .postponed, .cutOff: return
    }
    let channel = queue.isMail ? "email" : "endpoint"
    Counter(label: "stripe_deliveries_total", dimensions: [("channel", channel), ("result", word)]).increment()
  }
}

extension EndedMessage where Owner == Tenant {
  /// What came of the delivery, for the timeline. It names the host, never a person's address.
  fileprivate var sentence: String {
    let receiver = subject.destination ?? "the vendor"
    return switch (queue.isMail, ending) {
    case (true, .arrived): "E-mailed the key to the buyer."
    case (true, .cancelled): "No e-mail to the buyer: there was nothing left to send."
    case (true, .failed): "The e-mail to the buyer could not be sent."
    case (false, .arrived): "Told \(receiver) of \(subject.type)."
    case (false, _): "\(receiver) could not be told of \(subject.type)."
    }
  }
}
