import Delivery
import Foundation
import Identity
import LicenseKitAPI
import Postgres

/// One thing to be told to one endpoint, as the log of deliveries shows it.
struct WebhookDelivery: Encodable, Sendable {
  static let idPrefix = "whd_"
  /// The type of what is sent when somebody asks for a test.
  static let testType = "webhook.test"

  /// Where it stands.
  enum State: String, Codable, Sendable, CaseIterable, PostgresCodable {
    /// In line, for its first attempt or another one.
    case pending
    /// The endpoint answered 2xx.
    case delivered
    /// Given up.
    case failed
    /// There was nothing left to deliver, or nobody to deliver it to.
    case canceled
  }

  var id: MessageDeliveryID
  var webhookID: WebhookEndpointID
  /// The event's sequence; nil for a test.
  var eventSequence: Int64?
  var eventType: String
  var status: State
  var attempts: Int
  /// Of the last answer; nil when there was none.
  var statusCode: Int?
  /// Why the last attempt did not arrive.
  var error: String?
  /// Nil unless it is pending.
  var nextAttemptAt: Date?
  var createdAt: Date
  var finishedAt: Date?
  /// Each attempt, oldest first; only where one delivery is asked for.
  var log: [Attempt]?

  /// One attempt.
  struct Attempt: Encodable, Sendable {
    var attempt: Int
    var at: Date
    /// Nil while it is under way, and when the process ended in it.
    var durationMs: Int?
    var statusCode: Int?
    var error: String?
  }

  static let columns: PostgresQuery = """
    id, endpoint_id, sequence, event_type, state, attempts, status_code, error,
    CASE WHEN state = 'pending' THEN GREATEST(next_attempt_at, claimed_until) END AS next_attempt_at, created_at, finished_at
    """

  init(row: PostgresRow) throws {
    id = try row.get("id")
    webhookID = try row.get("endpoint_id")
    eventSequence = try row.get("sequence")
    eventType = try row.get("event_type")
    status = try row.get("state")
    attempts = try row.get("attempts")
    statusCode = try row.get("status_code")
    error = try row.get("error")
    nextAttemptAt = try row.get("next_attempt_at")
    createdAt = try row.get("created_at")
    finishedAt = try row.get("finished_at")
  }
}

/// What the list of deliveries can be narrowed by. Everything given must hold.
struct WebhookDeliveryFilter: Sendable {
  /// Only older deliveries than this one; the last page's `next_cursor`.
  var cursor: MessageDeliveryID?
  var limit: Int?
  var status: WebhookDelivery.State?
  var eventType: String?
}

extension WebhookDelivery.Attempt {
  init(_ attempt: MessageLog<TenantID>.Attempt) {
    self.init(
      attempt: attempt.attempt, at: attempt.at, durationMs: attempt.durationMs, statusCode: attempt.status,
      error: attempt.error)
  }
}
