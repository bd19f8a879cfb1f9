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
  /// The only environment that its signature vouches for; nil if it vouches for all of its mode.
  let signedFor: StripeEnvironment?
  let body: String
  /// Identifies the event, whichever endpoint it came through. An event signed for one environment alone has another key than
  /// one that another secret vouches for, even with the same id: a copy that has no effect must not keep the other out.
  let key: String

  init(tenant: Tenant, envelope: EventEnvelope, signedFor: StripeEnvironment? = nil, body: String) {
    self.tenant = tenant
    self.envelope = envelope
    self.signedFor = signedFor
    self.body = body
    key = "\(tenant)/\(envelope.id)" + (signedFor.map { "/\($0.rawValue)" } ?? "")
  }

  /// The suffix of the id under which an event is stored that was signed for another environment than its account's.
  static func suffix(of environment: StripeEnvironment) -> String { "." + environment.rawValue }

  /// Its row in the inbox, unless an event of another environment has taken that.
  fileprivate var row: String { "\(tenant)/\(envelope.id)" }
}

/// Writes deliveries to the inbox, many in one commit. Every waiting delivery goes into the next insert, and is answered when
/// that insert is durable.
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
  /// - Throws: `PostgresError`. Then it is not known whether the event was stored, and Stripe sends it again.
  func store(_ item: InboxItem) async throws { try await commits.submit(item) }

  /// Writes what is waiting and ends the lanes.
  func shutdown() async { await commits.shutdown() }

  /// How many deliveries are waiting for their commit.
  var waiting: Int { commits.waiting }

  /// A repeated event is opened again: the first attempt may have failed, and handling an event twice does no harm.
  ///
  /// If two endpoints deliver an event at once, it can be twice in one batch. Then the copy is used that is vouched for in
  /// more environments. Sorting by row keeps two lanes from waiting for each other.
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

  /// A snapshot event replaces the thin event about the same change: its object need not be asked for, or could not be read.
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

  /// Writes events that are signed for test mode alone, or the sandbox alone, and whose row a copy signed for the other has
  /// taken. They get a row of their own under an id that names the environment. Stripe sends no such copy, so anybody who
  /// knows that secret may have made it, and each is judged separately. The earlier rows are committed by now, which does no
  /// harm: a delivery that is not answered with 200 comes again.
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

  /// An environment that was not named is empty.
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
