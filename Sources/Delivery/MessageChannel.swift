package import Postgres

/// What one product knows of its messages: how each is made and sent, and what follows from how it ended.
package protocol MessageChannel<Owner>: Sendable {
  associatedtype Owner: MessageOwner
  /// What an attempt needs of other servers. It is fetched before the attempt is claimed, because that may take longer than a
  /// claim.
  associatedtype Preparation: Sendable

  var queues: EndpointQueues<Owner> { get }

  /// Runs a transaction that sees this owner's rows only.
  func transaction<Result: Sendable>(
    for owner: Owner, _ body: @Sendable (PostgresTransaction) async throws -> Result
  ) async throws -> Result

  /// Runs a transaction that sees the queues of all owners, and may claim them.
  func claiming<Result: Sendable>(
    _ body: @Sendable (PostgresTransaction) async throws -> Result
  ) async throws -> Result

  /// Fetches what the attempt needs of other servers.
  func prepare(_ delivery: MessageDeliveryID, for queue: EndpointQueue<Owner>) async throws -> Preparation

  /// Makes a claimed attempt.
  func send(_ attempt: MessageAttempt<Owner>, _ preparation: Preparation) async throws -> DeliveryResult

  /// Called in the transaction that ends a delivery.
  func ended(_ message: EndedMessage<Owner>, in transaction: PostgresTransaction) async throws

  /// Called while the queue is locked at the end of a claim, if something is now known about the endpoint.
  /// - Parameter isWell: something arrived; else there were failures only.
  /// - Returns: whether the endpoint is held from now on.
  func health(
    of queue: EndpointQueue<Owner>, isWell: Bool, _ summary: DeliveryClaim.Summary, in transaction: PostgresTransaction
  ) async throws -> Bool

  /// Counts an attempt for the metrics.
  func count(_ result: DeliveryResult, for queue: EndpointQueue<Owner>)
}

extension MessageChannel where Preparation == Void {
  package func prepare(_ delivery: MessageDeliveryID, for queue: EndpointQueue<Owner>) async throws {}
}
