import Cryptography
import Identity
import LicenseKitAPI
import Logging
import Metrics
import Postgres
import ServerKit
import ServiceLifecycle

/// Gives events their place in their tenant's chain, and enqueues their deliveries in the same transaction: an event is
/// linked once, and every endpoint that wants it gets a delivery.
///
/// Any number of replicas run it at the same time. The replica that links locks the row of a tenant's chain, and the others
/// skip it.
struct EventLinker: Service {
  let store: TenantStore
  /// Called when there is something to deliver.
  let deliveries: WakeUp
  let pollInterval: Duration
  let logger: Logger

  /// Events linked in one transaction; this is one tenant's turn in a round.
  static let batch = 500

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var rounds = FairRounds<TenantID>()
      await WorkLoop(name: "linking events", wakeUp: WakeUp(), pollInterval: pollInterval, logger: logger).run {
        try await step(&rounds)
      }
    }
  }

  /// Serves the next tenant of the round.
  /// - Returns: whether to continue at once.
  func step(_ rounds: inout FairRounds<TenantID>) async throws -> Bool {
    guard let tenant = try await tenantWithWork(after: rounds.last) else {
      rounds.advance(past: [], isFull: false)
      return rounds.goesOn(afterDoing: 0)
    }
    rounds.advance(past: [tenant], isFull: true)
    guard !rounds.isLeftOut(tenant) else { return rounds.goesOn(afterDoing: 0) }
    do {
      let linked = try await linkBatch(of: tenant)
      rounds.succeeded(tenant)
      Counter(label: "license_server_events_linked_total").increment(by: linked)
      return rounds.goesOn(afterDoing: linked)
    } catch let error as PostgresError where error.concernsConnection {
      throw error
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      rounds.failed(tenant)
      Counter(label: "license_server_event_linking_failures_total").increment()
      logger.error("events could not be linked", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
      return rounds.goesOn(afterDoing: 0)
    }
  }

  /// The first tenant by id, after the given one, that has events to link.
  func tenantWithWork(after last: TenantID?) async throws -> TenantID? {
    try await store.transaction(as: .linker) { transaction in
      try await transaction.query(
        """
        SELECT tenant_id
          FROM license_server.unlinked_events
         WHERE tenant_id > \(last ?? "")
         ORDER BY tenant_id
         LIMIT 1
        """
      ).first?.get("tenant_id")
    }
  }

  /// An event that has no place yet.
  private struct Waiting: Sendable {
    var sequence: Int64
    var isAnnounced: Bool
    /// Nil if it is gone.
    var event: StoredEvent?
  }

  /// Links up to a batch of a tenant's events.
  /// - Returns: how many; 0 if there are none, or another replica is linking them.
  func linkBatch(of tenant: TenantID) async throws -> Int {
    let (linked, queued) = try await store.transaction(as: .linker) { transaction in
      guard let head = try await lockedHead(of: tenant, in: transaction) else { return (0, 0) }
      let waiting = try await waiting(of: tenant, in: transaction)
      guard !waiting.isEmpty else { return (0, 0) }
      try await link(waiting, of: tenant, after: head, in: transaction)
      return (waiting.count, try await announce(waiting, of: tenant, in: transaction))
    }
    if queued > 0 { deliveries.signal() }
    return linked
  }

  /// The end of the chain, locked for this transaction; nil if another transaction has it, or it was tampered with.
  private func lockedHead(
    of tenant: TenantID, in transaction: PostgresTransaction
  ) async throws -> EventChainHead? {
    try await transaction.query(
      "INSERT INTO license_server.event_chains (tenant_id) VALUES (\(tenant)) ON CONFLICT (tenant_id) DO NOTHING")
    let head = try await transaction.query(
      """
      SELECT position, hash
        FROM license_server.event_chains
       WHERE tenant_id = \(tenant)
         FOR UPDATE SKIP LOCKED
      """
    ).first.map { row in EventChainHead(position: try row.get("position"), hash: try row.get("hash")) }
    guard let head else { return nil }
    guard (0..<Int64.max - Int64(Self.batch)).contains(head.position) else {
      logger.error(
        "the recorded end of a chain of events is wrong",
        metadata: ["tenant": "\(tenant)", "position": "\(head.position)"])
      return nil
    }
    return head
  }

  private func waiting(of tenant: TenantID, in transaction: PostgresTransaction) async throws -> [Waiting] {
    try await transaction.query(
      """
      SELECT u.sequence, u.is_announced, \(fragment: StoredEvent.columns)
        FROM license_server.unlinked_events u
        LEFT JOIN license_server.events e ON e.tenant_id = u.tenant_id AND e.sequence = u.sequence
       WHERE u.tenant_id = \(tenant)
       ORDER BY u.sequence
       LIMIT \(Self.batch)
      """
    ).all { row in
      Waiting(
        sequence: try row.get("sequence"), isAnnounced: try row.get("is_announced"), event: try StoredEvent(row: row))
    }
  }

  private func link(
    _ waiting: [Waiting], of tenant: TenantID, after head: EventChainHead, in transaction: PostgresTransaction
  ) async throws {
    var head = head
    var hashes: [[UInt8]] = []
    let first = head.position + 1
    for entry in waiting {
      if entry.event == nil {
        logger.error(
          "an event was removed before it could be linked",
          metadata: ["tenant": "\(tenant)", "sequence": "\(entry.sequence)"])
      }
      head.position += 1
      head.hash = EventLink.hash(
        after: head.hash, position: head.position, tenant: tenant, sequence: entry.sequence, event: entry.event)
      hashes.append(head.hash)
    }
    let sequences = waiting.map(\.sequence)
    try await transaction.query(
      """
      INSERT INTO license_server.event_links (tenant_id, position, sequence, hash)
      SELECT \(tenant)::text, \(first)::bigint + place - 1, sequence, hash
        FROM unnest(\(sequences)::bigint[], \(hashes)::bytea[]) WITH ORDINALITY AS l (sequence, hash, place)
      """)
    try await transaction.query(
      """
      UPDATE license_server.event_chains
         SET position = \(head.position),
             hash     = \(head.hash)
       WHERE tenant_id = \(tenant)
      """)
    try await transaction.query(
      """
      DELETE FROM license_server.unlinked_events
       WHERE tenant_id = \(tenant) AND sequence = ANY (\(sequences)::bigint[])
      """)
  }

  /// Enqueues a delivery for each event and each active endpoint that wants it.
  /// - Returns: how many.
  private func announce(
    _ waiting: [Waiting], of tenant: TenantID, in transaction: PostgresTransaction
  ) async throws -> Int {
    let endpoints = try await transaction.query(
      """
      SELECT id, event_types
        FROM license_server.webhook_endpoints
       WHERE tenant_id = \(tenant) AND is_active
       ORDER BY id
       LIMIT \(WebhookEndpoints.most)
      """
    ).all { row in
      (id: try row.get("id", as: WebhookEndpointID.self), types: Set(try row.get("event_types", as: [String].self)))
    }
    guard !endpoints.isEmpty else { return 0 }
    var (ids, receivers, sequences, types) = ([String](), [WebhookEndpointID](), [Int64](), [String]())
    for entry in waiting where entry.isAnnounced {
      guard let type = entry.event?.eventType else { continue }
      for endpoint in endpoints where endpoint.types.isEmpty || endpoint.types.contains(type) {
        ids.append(Random.id(prefix: WebhookDelivery.idPrefix))
        receivers.append(endpoint.id)
        sequences.append(entry.sequence)
        types.append(type)
      }
    }
    guard !ids.isEmpty else { return 0 }
    // In the order of the events, so that ids, which order a list, follow them even within a millisecond.
    ids.sort()
    try await transaction.query(
      """
      INSERT INTO license_server.webhook_deliveries (tenant_id, id, endpoint_id, sequence, event_type)
      SELECT \(tenant)::text, id, endpoint_id, sequence, event_type
        FROM unnest(\(ids)::text[], \(receivers)::text[], \(sequences)::bigint[], \(types)::text[])
             AS d (id, endpoint_id, sequence, event_type)
      """)
    // The rows are sorted, so that two statements like this one never wait for each other.
    try await transaction.query(
      """
      UPDATE license_server.webhook_lanes l
         SET due_at = LEAST(l.due_at, GREATEST(now(), l.paused_until))
        FROM (SELECT tenant_id, endpoint_id
                FROM license_server.webhook_lanes
               WHERE tenant_id = \(tenant) AND endpoint_id = ANY (\(receivers)::text[])
               ORDER BY endpoint_id
                 FOR NO KEY UPDATE) o
       WHERE l.tenant_id = o.tenant_id AND l.endpoint_id = o.endpoint_id
      """)
    return ids.count
  }
}
