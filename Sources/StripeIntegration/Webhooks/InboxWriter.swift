import Foundation
import Identity
import Logging
import Postgres
import ServiceLifecycle
import StripeAPI

/// One delivery on its way into the inbox.
struct InboxItem: Sendable {
  let tenant: Tenant
  let envelope: EventEnvelope
  let body: String
  /// What makes it one event, whichever endpoint it came through.
  let key: String

  init(tenant: Tenant, envelope: EventEnvelope, body: String) {
    self.tenant = tenant
    self.envelope = envelope
    self.body = body
    key = "\(tenant)/\(envelope.id)"
  }
}

/// Writes deliveries to the inbox, many in one commit: every delivery that waits goes into the next insert, and is
/// answered when that insert is durable.
struct InboxWriter: Sendable {
  private let commits: GroupCommit<InboxItem, Void>

  init(client: PostgresClient, logger: Logger) {
    commits = GroupCommit(
      client: client, sessionRole: TenantDatabase.Role.receiver.rawValue, logger: logger,
      fairnessKey: { $0.tenant.description },
      write: { items, connection in
        try Self.insert(items, connection)
        return items.map { _ in }
      })
  }

  /// Returns when the event is committed.
  /// - Throws: `PostgresError`; whether the event was stored is then not known, and Stripe sends it again.
  func store(_ item: InboxItem) async throws { try await commits.submit(item) }

  /// Writes what waits and ends the lanes.
  func shutdown() async { await commits.shutdown() }

  /// How many deliveries wait for their commit.
  var waiting: Int { commits.waiting }

  /// An event that comes again is opened again: the first attempt may have failed, and handling it twice does no harm.
  ///
  /// The same event can stand twice in one batch, when two endpoints deliver it at once. The order by key keeps two lanes
  /// from waiting for each other.
  private static func insert(_ items: [InboxItem], _ connection: PostgresLaneConnection) throws(PostgresError) {
    let unique = Dictionary(items.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
      .values.sorted { $0.key < $1.key }
    _ = try connection.query(
      """
      INSERT INTO stripe_integration.inbox AS i (account_id, livemode, event_id, type, created, body)
      SELECT *
        FROM unnest(\(unique.map(\.tenant.account.rawValue))::text[],
                    \(unique.map(\.tenant.livemode))::boolean[],
                    \(unique.map(\.envelope.id.rawValue))::text[],
                    \(unique.map(\.envelope.type.rawValue))::text[],
                    \(unique.map(\.envelope.created))::timestamptz[],
                    \(unique.map(\.body))::text[])
          ON CONFLICT (account_id, livemode, event_id) DO UPDATE
         SET state = 'new'
       WHERE i.state <> 'new'
      """)
  }
}
