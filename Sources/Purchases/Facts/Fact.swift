package import Foundation
import Identity
import JSON

/// The newest known version of one Stripe object, or of the answer to one question.
package struct Fact: Hashable, Sendable {
  package enum Source: String, Hashable, Sendable, Codable { case event, fetch }

  package let snapshot: Snapshot
  /// On Stripe's clock, in whole seconds: when the event was created, or the second before the answer was given.
  package let asOf: Date
  package let source: Source
  /// Two versions of the same second contradict each other, and nothing in them tells which is later. Stripe must be asked.
  package let isContested: Bool

  package init(_ snapshot: Snapshot, asOf: Date, source: Source, isContested: Bool = false) {
    self.snapshot = snapshot
    self.asOf = asOf
    self.source = source
    self.isContested = isContested
  }

  package var key: FactKey { snapshot.key }

  /// What is known when both versions have been seen. The operation is commutative, associative and idempotent, so the order
  /// and number of deliveries do not matter.
  ///
  /// The later second wins. Within one second, the version that has progressed further wins (`Snapshot.progress`). If that
  /// does not decide, a fixed rule keeps one of the two and marks it as contested.
  package func joined(with other: Fact) -> Fact {
    if asOf != other.asOf { return asOf > other.asOf ? self : other }
    if snapshot == other.snapshot {
      return Fact(
        snapshot, asOf: asOf, source: source == .fetch || other.source == .fetch ? .fetch : .event,
        isContested: isContested || other.isContested)
    }
    let mine = snapshot.progress
    let theirs = other.snapshot.progress
    if mine != theirs { return theirs.lexicographicallyPrecedes(mine) ? self : other }
    let kept = Self.ordering(snapshot) >= Self.ordering(other.snapshot) ? self : other
    return Fact(kept.snapshot, asOf: asOf, source: kept.source, isContested: true)
  }

  /// What is known after Stripe has answered a question. The answer is at least as new as everything that was known when the
  /// question was asked, so it replaces `known`.
  ///
  /// - Parameters:
  ///   - answer: the snapshot in the answer.
  ///   - answeredAt: the second in which Stripe answered (its `Date` header). Events of the same second may be younger than
  ///     the answer, so the answer counts as of the second before.
  ///   - newestKnown: the newest second of anything that was known when the question was asked. The answer is not older than
  ///     that, whichever object it is about. Without this, an answer given within the second of the event that made it
  ///     necessary would never be new enough.
  package static func fetched(
    _ answer: Snapshot, answeredAt: Date, knowing known: Fact?, newestKnown: Date? = nil
  ) -> Fact {
    var asOf = Date(timeIntervalSince1970: answeredAt.timeIntervalSince1970.rounded(.down) - 1)
    for second in [known?.asOf, newestKnown] { if let second { asOf = max(asOf, second) } }
    return Fact(answer, asOf: asOf, source: .fetch)
  }

  /// An arbitrary but fixed order of unequal snapshots: by their text with sorted keys, which is the same in every process.
  private static func ordering(_ snapshot: Snapshot) -> String {
    (try? JSONCoding.encode(snapshot).canonicalText()) ?? snapshot.key.rawValue
  }
}
