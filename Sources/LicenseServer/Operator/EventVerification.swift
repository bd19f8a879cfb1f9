import Identity
import Postgres
import ServerKit

/// The result of checking a tenant's chain of events.
package struct EventVerification: Sendable {
  /// One deviation from what was written.
  package enum Finding: Hashable, Sendable, CustomStringConvertible {
    /// The event does not match its link: the event, the link or the previous link was changed.
    case changed(position: Int64, sequence: Int64)
    /// The link exists but its event does not: it was deleted after it was linked, or before it could be.
    case deleted(position: Int64, sequence: Int64)
    /// At this position is the event that belongs to another link.
    case reordered(position: Int64, sequence: Int64, found: Int64)
    /// Links are missing, with or without their events.
    case linksMissing(positions: ClosedRange<Int64>)
    /// The event has no link and does not wait for one: it was inserted later, or its link was removed.
    case inserted(sequence: Int64)
    /// The recorded end of the chain is not its last link.
    case headDiffers(recorded: EventChainHead, found: EventChainHead)
    /// The head that the operator wrote down is not in the chain.
    case expectedHeadMissing(EventChainHead)

    package var description: String {
      switch self {
      case .changed(let position, let sequence):
        "changed: the event with sequence \(sequence) at position \(position), its link, or the link before it"
      case .deleted(let position, let sequence):
        "deleted: the event with sequence \(sequence) at position \(position)"
      case .reordered(let position, let sequence, let found):
        "reordered: position \(position) should hold sequence \(sequence), and holds what was written as sequence \(found)"
      case .linksMissing(let positions):
        "deleted: the links at positions \(positions.lowerBound) to \(positions.upperBound)"
      case .inserted(let sequence): "inserted, or its link was deleted: the event with sequence \(sequence)"
      case .headDiffers(let recorded, let found):
        "the chain is recorded to end at \(recorded), and its last link is \(found)"
      case .expectedHeadMissing(let expected): "the chain does not contain \(expected)"
      }
    }
  }

  /// Whose chain it is.
  package var tenant: TenantID
  /// The end of the chain when the check began.
  package var head: EventChainHead
  /// Links that were checked.
  package var checked: Int64 = 0
  /// Events that wait for their link.
  package var waiting: Int64 = 0
  /// What was found, the first thousand.
  package private(set) var findings: [Finding] = []
  /// How much was found.
  package private(set) var findingCount = 0

  /// Findings that are kept.
  static let mostFindings = 1_000

  init(tenant: TenantID, head: EventChainHead) {
    self.tenant = tenant
    self.head = head
  }

  /// Whether everything is as it was written.
  package var isIntact: Bool { findingCount == 0 }

  mutating func note(_ finding: Finding) {
    findingCount += 1
    if findings.count < Self.mostFindings { findings.append(finding) }
  }
}

/// Checks links in the order of their positions. Pure: it is handed the rows.
struct EventChainCheck {
  /// A link with the event that it names.
  struct Row: Sendable {
    var position: Int64
    var sequence: Int64
    var hash: [UInt8]
    /// Nil: it is not there.
    var event: StoredEvent?
  }

  let tenant: TenantID
  private(set) var last: EventChainHead
  /// Whether the hash of `last` is known: not after a gap.
  private var isLastKnown = true

  /// How many other rows each mismatched row is compared with to detect an exchange: the cost grows with the square.
  private static let mostCompared = 64

  /// - Parameter last: the link before the first row.
  init(tenant: TenantID, after last: EventChainHead) {
    self.tenant = tenant
    self.last = last
  }

  /// Checks the next rows.
  mutating func check(_ rows: [Row], _ report: inout EventVerification) {
    var wrong: [(row: Row, previous: [UInt8])] = []
    for row in rows {
      if row.position > last.position + 1 {
        report.note(.linksMissing(positions: (last.position + 1)...(row.position - 1)))
        isLastKnown = false
      }
      if row.event == nil {
        report.note(.deleted(position: row.position, sequence: row.sequence))
      } else if isLastKnown, row.hash != hash(row, row.event, sequence: row.sequence, after: last.hash) {
        wrong.append((row, last.hash))
      }
      report.checked += 1
      last = EventChainHead(position: row.position, hash: row.hash)
      isLastKnown = true
    }
    for (row, previous) in wrong {
      // Either the links of two events were exchanged, or the events exchanged their numbers.
      let other = wrong.prefix(Self.mostCompared).first { other in
        other.row.position != row.position
          && (row.hash == hash(row, other.row.event, sequence: other.row.sequence, after: previous)
            || row.hash == hash(row, other.row.event, sequence: row.sequence, after: previous))
      }
      if let other {
        report.note(.reordered(position: row.position, sequence: row.sequence, found: other.row.sequence))
      } else {
        report.note(.changed(position: row.position, sequence: row.sequence))
      }
    }
  }

  private func hash(_ row: Row, _ event: StoredEvent?, sequence: Int64, after previous: [UInt8]) -> [UInt8] {
    EventLink.hash(after: previous, position: row.position, tenant: tenant, sequence: sequence, event: event)
  }
}

extension TenantAdministration {
  /// Goes through a tenant's chain of events and checks whether every event is as it was written. It reads page by page,
  /// beside live work.
  ///
  /// Anybody who can write to the database can rewrite a whole chain. Only `expecting` detects that: a head that was written
  /// down elsewhere before.
  ///
  /// - Parameters:
  /// - first: the position to start at; everything before it is trusted.
  ///   - expecting: a place that must be in the chain.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a tenant that is not there, 422 for a position beyond its chain.
  package func verifyEvents(
    of tenant: TenantID, from first: Int64 = 1, expecting: EventChainHead? = nil
  ) async throws -> EventVerification {
    let known = try await query("SELECT FROM license_server.tenants WHERE tenant_id = \(tenant)")
    guard !known.isEmpty else { throw APIFailure.notFound("tenant") }
    let head = try await recordedHead(of: tenant)
    let first = max(1, first)
    guard first - 1 <= head.position else {
      throw APIFailure.validation(field: "from_position", "the chain ends at \(head.position), and \(first) was given")
    }
    var report = EventVerification(tenant: tenant, head: head)
    try await checkLinks(from: first, to: head, &report)
    if let expecting, try await link(at: expecting.position, of: tenant)?.hash != expecting.hash {
      report.note(.expectedHeadMissing(expecting))
    }
    try await findInserted(&report)
    return report
  }

  /// Links that one page reads.
  private static let page = 1_000

  private func recordedHead(of tenant: TenantID) async throws -> EventChainHead {
    try await query(
      "SELECT position, hash FROM license_server.event_chains WHERE tenant_id = \(tenant)"
    ).first.map { row in EventChainHead(position: try row.get("position"), hash: try row.get("hash")) }
      ?? EventChainHead(position: 0, hash: EventLink.firstPrevious)
  }

  private func link(at position: Int64, of tenant: TenantID) async throws -> EventChainHead? {
    try await query(
      "SELECT position, hash FROM license_server.event_links WHERE tenant_id = \(tenant) AND position = \(position)"
    ).first.map { row in EventChainHead(position: try row.get("position"), hash: try row.get("hash")) }
  }

  private func checkLinks(
    from first: Int64, to head: EventChainHead, _ report: inout EventVerification
  ) async throws {
    let tenant = report.tenant
    var before = EventChainHead(position: 0, hash: EventLink.firstPrevious)
    if first > 1 {
      guard let link = try await link(at: first - 1, of: tenant) else {
        report.note(.linksMissing(positions: (first - 1)...(first - 1)))
        return
      }
      before = link
    }
    var check = EventChainCheck(tenant: tenant, after: before)
    while true {
      let rows = try await query(
        """
        SELECT l.position, l.sequence, l.hash, \(fragment: StoredEvent.columns)
          FROM license_server.event_links l
          LEFT JOIN license_server.events e ON e.tenant_id = l.tenant_id AND e.sequence = l.sequence
         WHERE l.tenant_id = \(tenant) AND l.position > \(check.last.position) AND l.position <= \(head.position)
         ORDER BY l.position
         LIMIT \(Self.page)
        """
      ).all { row in
        EventChainCheck.Row(
          position: try row.get("position"), sequence: try row.get("sequence"), hash: try row.get("hash"),
          event: try StoredEvent(row: row))
      }
      check.check(rows, &report)
      if rows.count < Self.page { break }
    }
    if check.last != head, check.last.position >= first - 1, head.position >= first {
      report.note(.headDiffers(recorded: head, found: check.last))
    }
  }

  /// Events without a link. Linking removes an event from the waiting ones and gives it its place in one transaction, so a
  /// statement sees each event in exactly one of the two.
  private func findInserted(_ report: inout EventVerification) async throws {
    let tenant = report.tenant
    var last: Int64 = -1
    while true {
      let row = try await query(
        """
        SELECT max(e.sequence)                                              AS last,
               count(u.sequence)                                            AS waiting,
               coalesce(array_agg(e.sequence ORDER BY e.sequence)
                          FILTER (WHERE l.sequence IS NULL AND u.sequence IS NULL), '{}') AS strange
          FROM (SELECT tenant_id, sequence
                  FROM license_server.events
                 WHERE tenant_id = \(tenant) AND sequence > \(last)
                 ORDER BY sequence
                 LIMIT \(Self.page * 5)) e
          LEFT JOIN license_server.event_links     l ON l.tenant_id = e.tenant_id AND l.sequence = e.sequence
          LEFT JOIN license_server.unlinked_events u ON u.tenant_id = e.tenant_id AND u.sequence = e.sequence
        """
      ).first
      guard let row, let reached = try row.get("last", as: Int64?.self) else { return }
      last = reached
      report.waiting += try row.get("waiting", as: Int64.self)
      for sequence in try row.get("strange", as: [Int64].self) { report.note(.inserted(sequence: sequence)) }
    }
  }
}
