import Foundation
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Purchases
import ServerKit
import StripeAPI

/// What the app's pages in the Dashboard's settings show: the connection, the mappings, and the account's choices.
struct AppSettings: Sendable {
  let gate: AppGate
  let connections: ConnectionStore
  let mappings: MappingEditor
  let licenseKit: any LicenseKitAccess
  let delivery: DeliverySettings
  let publicBaseURL: String
  let consoleURL: String
  /// How long to wait for names from LicenseKit; after that, ids are shown.
  let patience: Duration

  static let mostMappings = 20
  /// Nobody needs a larger exact count of waiting sales.
  static let mostCounted = 1_000
  private static let concurrency = 4

  func show(_ request: Request, _ context: AppContext) async throws -> Response {
    let asked = try await gate.question(request)
    let tenant = asked.tenant
    let stored = try await gate.reading(tenant, signedFor: asked.signedFor) { transaction in
      Stored(
        choices: try await SettingsStore(tenant: tenant, transaction: transaction).load(),
        mailIsOn: try await delivery.mailsKeys(of: tenant, in: transaction),
        fulfilled: try await count(.fulfilled, tenant, in: transaction),
        waiting: try await count(.waitingMapping, tenant, in: transaction),
        failed: try await count(.failed, tenant, in: transaction))
    }
    guard let connection = try await connections.connection(of: tenant) else { throw AppGate.notConnected }
    let found = try await mappings.page(of: tenant, stripeID: nil, before: nil, limit: Self.mostMappings + 1)
    let shown = Array(found.prefix(Self.mostMappings))
    let warnings = try await gate.reading(tenant, signedFor: asked.signedFor) { transaction in
      let warnings = try await MappingWarnings(about: shown, of: tenant, in: transaction)
      return Dictionary(uniqueKeysWithValues: shown.map { ($0.mapping.id, warnings[$0]) })
    }
    let names = await names(for: shown.map(\.mapping.terms), tenant)
    return try Answer.data(
      View(
        accountID: tenant.account, livemode: tenant.livemode, connection: View.Connection(connection),
        mappings: shown.map { View.Mapping($0.mapping, names, warning: warnings[$0.mapping.id] ?? nil) },
        moreMappings: found.count > shown.count, waitingMapping: stored.waiting, failed: stored.failed,
        fulfilled: stored.fulfilled, keyMail: stored.mailIsOn ? .on : .off,
        settings: View.Choices(
          barePayments: stored.choices.barePayments, updateCustomers: stored.choices.updateCustomers),
        may: gate.rights.operations(of: asked.roles), consoleURL: consoleURL,
        installURL: "\(publicBaseURL)/stripe/oauth/install?mode=\(connection.environment.rawValue)"),
      context: context)
  }

  private struct Stored: Sendable {
    let choices: TenantSettings
    let mailIsOn: Bool
    let fulfilled: Int
    let waiting: Int
    let failed: Int
  }

  private func count(
    _ status: PurchaseStatus, _ tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> Int {
    let row = try await transaction.query(
      """
      SELECT count(*)::integer AS count
        FROM (SELECT FROM stripe_integration.purchases
               WHERE account_id = \(tenant.account)
                 AND livemode   = \(tenant.livemode)
                 AND status     = \(status.rawValue)
                 AND merged_into IS NULL
               LIMIT \(Self.mostCounted)) counted
      """
    ).first
    return try row?.get("count") ?? 0
  }

  /// Names of products and policies by id, as far as LicenseKit gives them in time.
  private func names(for terms: [Terms], _ tenant: Tenant) async -> [String: String] {
    await withTaskGroup(of: [String: String].self) { group in
      group.addTask {
        guard let client = try? await licenseKit.client(for: tenant) else { return [:] }
        let products = Set(terms.map(\.product)).sorted()
        let policies = Set(terms.map(\.policy)).sorted()
        let found =
          try? await products.concurrently(Self.concurrency) { id in (id.rawValue, try await client.getProduct(id).name)
          }
          + policies.concurrently(Self.concurrency) { id in (id.rawValue, try await client.getPolicy(id).name) }
        return Dictionary(found ?? [], uniquingKeysWith: { first, _ in first })
      }
      group.addTask {
        try? await Task.sleep(for: patience)
        return [:]
      }
      defer { group.cancelAll() }
      return await group.next() ?? [:]
    }
  }

  private struct View: Encodable {
    let accountID: Stripe.AccountID
    let livemode: Bool
    let connection: Connection
    let mappings: [Mapping]
    let moreMappings: Bool
    let waitingMapping: Int
    let failed: Int
    let fulfilled: Int
    let keyMail: OnOff
    let settings: Choices
    let may: [AppOperation]
    let consoleURL: String
    let installURL: String

    struct Connection: Encodable {
      let environment: StripeEnvironment
      let status: ConnectionStatus
      @OrNull var installedAt: Date?
      @OrNull var parkedReason: String?
      @OrNull var parkedDetail: String?
      @OrNull var pendingApproval: PendingApproval?

      init(_ connection: ConnectionSummary) {
        environment = connection.environment
        status = connection.status
        _installedAt = OrNull(wrappedValue: connection.installedAt)
        _parkedReason = OrNull(wrappedValue: connection.blockedReason)
        _parkedDetail = OrNull(wrappedValue: connection.blockedDetail)
        _pendingApproval = OrNull(wrappedValue: connection.pendingApproval)
      }
    }

    struct Mapping: Encodable {
      let id: String
      let stripeID: String
      let product: AppView.Named
      let policy: AppView.Named
      let quantity: Terms.Quantity
      @OrNull var warning: String?

      init(_ mapping: Purchases.Mapping, _ names: [String: String], warning: String?) {
        id = mapping.id
        stripeID = mapping.reference.stripeID
        product = .init(id: mapping.terms.product.rawValue, name: names[mapping.terms.product.rawValue])
        policy = .init(id: mapping.terms.policy.rawValue, name: names[mapping.terms.policy.rawValue])
        quantity = mapping.terms.quantity
        _warning = OrNull(wrappedValue: warning)
      }
    }

    struct Choices: Encodable {
      let barePayments: Bool
      let updateCustomers: Bool
    }
  }
}
