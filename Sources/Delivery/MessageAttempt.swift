package import Foundation

/// One attempt to bring a message to an endpoint, which is this worker's alone.
package struct MessageAttempt<Owner: MessageOwner>: Sendable {
  package let queue: EndpointQueue<Owner>
  package let delivery: MessageDeliveryID
  package let subject: Owner.Subject
  /// Counts from 1.
  package let number: Int
  /// Attempts since the delivery was made or replayed, this one included.
  package let seriesNumber: Int
  /// Seconds since the delivery was made or replayed.
  let age: Double
  package let createdAt: Date
}

/// A delivery that an attempt has brought to its end.
package struct EndedMessage<Owner: MessageOwner>: Sendable {
  package let queue: EndpointQueue<Owner>
  package let subject: Owner.Subject
  package let ending: MessageEnding
  /// Why it did not arrive.
  package let error: String?
}
