import Foundation
import Identity
import Logging
import Postgres
import ServiceLifecycle
import StripeAPI
import Tenancy

/// One delivery on its way into the inbox.
struct InboxItem: Sendable {
  let tenant: Tenant
  let envelope: EventEnvelope
  /// The only environment that its signature vouches for; nil for every one of its mode.
  let signedFor: StripeEnvironment?
  let body: String
  /// What makes it one event, whichever endpoint it came through. Signed for one environment alone it is not the one that
  /// another secret vouches for, whatever its id: a copy that has no effect must not keep that one out.
  let key: String

  init(tenant: Tenant, envelope: EventEnvelope, signedFor: StripeEnvironment? = nil, body: String) {
    self.tenant = tenant
    self.envelope = envelope
    self.signedFor = signedFor
    self.body = body
    key = "\(tenant)/\(envelope.id)" + (signedFor.map { "/\($0.rawValue)" } ?? "")
  }

  /// What the id of an event ends in that stands aside, because it is signed for another environment than its account's.
  static func suffix(of environment: StripeEnvironment) -> String { "." + environment.rawValue }

  /// The row that it has in the inbox, unless that is taken by an event of another environment.
  fileprivate var row: String { "\(tenant)/\(envelope.id)" }
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
  /// The same event can stand twice in one batch, when two endpoints deliver it at once; the one that more environments are
  /// vouched for is taken then. The order by row keeps two lanes from waiting for each other.
  private static func insert(_ items: [InboxItem], _ connection: PostgresLaneConnection) throws(PostgresError) {
    let rows = Dictionary(grouping: items, by: \.row).values
      .compactMap { same in same.first { $0.signedFor == nil } ?? same.first }
      .sorted { $0.row < $1.row }
    let written = try connection.query(
      """
      INSERT INTO stripe_integration.inbox AS i
             (account_id, livemode, event_id, type, created, environment, is_thin, body)
      SELECT account_id, livemode, event_id, type, created, nullif(environment, ''), is_thin, body
        FROM \(fragment: table(rows))
          ON CONFLICT (account_id, livemode, event_id) DO UPDATE
         SET state = 'new'
       WHERE i.state <> 'new'
         AND (i.environment <> excluded.environment) IS NOT TRUE
      RETURNING is_thin
      """)
    var isAnyThin = false
    for row in written where try row.get("is_thin", as: Bool.self) { isAnyThin = true }
    let snapshots = rows.filter { !$0.envelope.isThin }
    if !snapshots.isEmpty, isAnyThin || written.count < rows.count { try replaceThin(by: snapshots, connection) }
    if written.count < rows.count || Set(items.map(\.key)).count > rows.count {
      try insertAside(items, connection)
    }
  }

  /// A snapshot event takes the place of the thin event of the same happening: its object has not to be asked for, or could
  /// not be.
  private static func replaceThin(
    by items: [InboxItem], _ connection: PostgresLaneConnection
  ) throws(PostgresError) {
    try connection.query(
      """
      WITH thin AS (
        SELECT i.account_id, i.livemode, i.event_id, n.body
          FROM \(fragment: table(items))
          JOIN stripe_integration.inbox i USING (account_id, livemode, event_id)
         WHERE i.is_thin
           AND (i.environment <> nullif(n.environment, '')) IS NOT TRUE
         ORDER BY i.account_id, i.livemode, i.event_id
           FOR UPDATE OF i
      )
      UPDATE stripe_integration.inbox i
         SET state   = 'new',
             body    = thin.body,
             is_thin = false
        FROM thin
       WHERE i.account_id = thin.account_id
         AND i.livemode   = thin.livemode
         AND i.event_id   = thin.event_id
      """)
  }

  /// Writes events that are signed for test mode alone, or the sandbox, and whose row is taken by a copy that is signed for the
  /// other: beside it, under an id that says which. Stripe sends no such copy; it could be anybody's who knows that secret,
  /// and each is judged by itself. That the rows before are committed by now does no harm: what is not answered with 200
  /// comes again.
  private static func insertAside(
    _ items: [InboxItem], _ connection: PostgresLaneConnection
  ) throws(PostgresError) {
    let unique = Dictionary(items.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
      .values.sorted { $0.key < $1.key }
    try connection.query(
      """
      INSERT INTO stripe_integration.inbox AS i
             (account_id, livemode, event_id, type, created, environment, is_thin, body)
      SELECT n.account_id, n.livemode, n.event_id || '.' || n.environment, n.type, n.created, n.environment, n.is_thin,
             n.body
        FROM \(fragment: table(unique))
        JOIN stripe_integration.inbox taken USING (account_id, livemode, event_id)
       WHERE taken.environment <> nullif(n.environment, '')
       ORDER BY account_id, livemode, event_id, n.environment
          ON CONFLICT (account_id, livemode, event_id) DO UPDATE
         SET state = 'new'
       WHERE i.state <> 'new'
      """)
  }

  /// An environment that is not named is empty.
  private static func table(_ items: [InboxItem]) -> PostgresQuery {
    """
    unnest(\(items.map(\.tenant.account.rawValue))::text[],
                    \(items.map(\.tenant.livemode))::boolean[],
                    \(items.map(\.envelope.id.rawValue))::text[],
                    \(items.map(\.envelope.type.rawValue))::text[],
                    \(items.map(\.envelope.created))::timestamptz[],
                    \(items.map { $0.signedFor?.rawValue ?? "" })::text[],
                    \(items.map(\.envelope.isThin))::boolean[],
                    \(items.map(\.body))::text[])
             AS n (account_id, livemode, event_id, type, created, environment, is_thin, body)
    """
  }
}
