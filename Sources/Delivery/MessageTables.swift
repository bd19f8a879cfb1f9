package import Postgres

/// Where one product keeps its endpoints, the queue of each, what is to be delivered to it, and every attempt. The products
/// name their tables and a few columns differently; what the rest means is the same.
package struct MessageTables: Sendable {
  /// One row an endpoint, with `due_at`, `claimed_until`, `paused_until` (infinity: it is held) and `failures` (claims in a
  /// row under which nothing arrived).
  let queues: PostgresQuery
  /// The column of the endpoint in all tables but that of the endpoints.
  let queueID: String
  /// One row a message and endpoint, with `state`, `attempts`, `series_attempts`, `series_since`, `next_attempt_at`,
  /// `claimed_until`, `error`, `created_at` and `finished_at`.
  let deliveries: PostgresQuery
  let deliveryID: String
  /// Further columns of a delivery, which say what the message is about.
  let subject: PostgresQuery
  /// One row an attempt, with `attempt`, `at`, `duration_ms` and `error`.
  let attempts: PostgresQuery
  /// The column of an attempt with the status of its answer.
  let status: String
  /// The words of `state` for what is over.
  let endings: Endings
  /// What only one product keeps.
  let extras: Extras

  /// The words of `state` for a delivery that is over; `pending` is the word for one that is not.
  package struct Endings: Sendable {
    let arrived: String
    let failed: String
    let cancelled: String

    package init(arrived: String, failed: String, cancelled: String) {
      (self.arrived, self.failed, self.cancelled) = (arrived, failed, cancelled)
    }

    func word(for ending: MessageEnding) -> String {
      switch ending {
      case .arrived: arrived
      case .failed: failed
      case .cancelled: cancelled
      }
    }
  }

  /// Columns that only one product has.
  package struct Extras: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// A queue has `last_success_at` and `last_failure_at`.
    package static let times = Extras(rawValue: 1)
    /// A delivery has the status of its last answer, under the name that it has in an attempt.
    package static let lastStatus = Extras(rawValue: 2)
    /// An attempt has the column of the endpoint.
    package static let endpointOfAttempt = Extras(rawValue: 4)
    /// A delivery has `replays`.
    package static let replays = Extras(rawValue: 8)
  }

  package init(
    queues: PostgresQuery, queueID: String, deliveries: PostgresQuery, deliveryID: String, subject: PostgresQuery,
    attempts: PostgresQuery, status: String, endings: Endings, extras: Extras
  ) {
    self.queues = queues
    self.queueID = queueID
    self.deliveries = deliveries
    self.deliveryID = deliveryID
    self.subject = subject
    self.attempts = attempts
    self.status = status
    self.endings = endings
    self.extras = extras
  }
}

/// How a delivery is over.
package enum MessageEnding: Sendable {
  /// The endpoint took it.
  case arrived
  /// It was given up.
  case failed
  /// There was nothing left to deliver, or nobody to deliver it to.
  case cancelled
}
