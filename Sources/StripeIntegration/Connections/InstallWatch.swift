import Foundation
import Identity
import JSON
import Logging
import Postgres
import Purchases
import ServerKit
import ServiceLifecycle
import StripeAPI
import StripeHTTP
import Tenancy

/// Reads every night which installations of the app Stripe has. So an uninstallation whose event was lost is found, and what
/// waits for a vendor's approval is known before a call fails for it. Every replica runs it, and only one reads each due
/// list.
struct InstallWatch: Service {
  /// An environment of the app, with the developer's keys.
  struct Environment: Sendable {
    let environment: StripeEnvironment
    let secretKeys: [String]
  }

  let database: TenantDatabase
  let client: StripeClient
  /// The tenants' own credentials.
  let stripe: any StripeAccess
  let application: ApplicationEvents
  let appID: String
  let environments: [Environment]
  let logger: Logger
  var interval: Duration = .seconds(86_400)
  var pollInterval: Duration = .seconds(3)

  /// A connection younger than this is not searched for in the list, because it may be newer than the list.
  static let youth: TimeInterval = 600
  static let connectionsPerLook = 100

  private var lists: InstallListStore { InstallListStore(database: database) }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var isAdopted = false
      await WorkLoop(name: "installations", wakeUp: WakeUp(), pollInterval: pollInterval, logger: logger).run {
        if !isAdopted { try await lists.adopt(environments.map(\.environment)) }
        isAdopted = true
        return try await look()
      }
    }
  }

  /// Reads the list that is due.
  /// - Returns: whether a list was due.
  @discardableResult
  func look() async throws -> Bool {
    guard let due = try await lists.take(environments.map(\.environment)),
      let environment = environments.first(where: { $0.environment == due })
    else { return false }
    do {
      let begun = try await readAll(environment)
      try await endUnlisted(due, before: begun)
      try await lists.finish(due, next: interval * Double.random(in: 0.9...1.1))
    } catch let error where !(error is CancellationError) {
      logger.warning(
        "the list of installations was not read to its end",
        metadata: ["environment": "\(due.rawValue)", "error": "\(error)"])
      try await lists.finish(due, problem: Self.problem(error), next: .seconds(3_600))
    }
    return true
  }

  private static func problem(_ error: any Error) -> String {
    guard let error = error as? StripeError else { return "It was not read to its end: \(type(of: error))" }
    return error.retry == .permission || error.retry == .notFound || error.retry == .credential
      ? "Stripe does not let the developer's key read the installations of the app: \(error)"
      : "Stripe could not be asked: \(error)"
  }

  // MARK: The list

  /// - Returns: Stripe's time from before the list was read.
  private func readAll(_ environment: Environment) async throws -> Date {
    var cursor: String?
    var begun: Date?
    repeat {
      let page = try await page(environment, after: cursor)
      begun = begun ?? page.readNotBefore
      for item in page.items { try await take(item, environment.environment, readAt: page.readNotBefore) }
      try await lists.hold(environment.environment)
      cursor = page.nextCursor
    } while cursor != nil
    return begun ?? .distantPast
  }

  private func page(_ environment: Environment, after cursor: String?) async throws -> StripePage {
    var refused: StripeError?
    for key in environment.secretKeys {
      do {
        return try await client.session(.developer(key: key)).installs(ofApp: appID, cursor: cursor)
      } catch {
        guard error.retry == .credential else { throw error }
        refused = error
      }
    }
    throw refused ?? StripeError(message: "no developer's key is configured", retry: .invalid, attempts: 0)
  }

  private func take(_ item: JSONValue, _ environment: StripeEnvironment, readAt moment: Date) async throws {
    // An unreadable entry does not stop the others: its connection is asked for separately.
    guard let install = try? AppInstall(item), install.app == appID, let account = install.account,
      install.livemode == environment.livemode
    else { return }
    let tenant = Tenant(account: account, livemode: install.livemode)
    try await database.transaction(for: tenant, attempts: 3) { transaction in
      try await TenantLock.take(tenant, in: transaction)
      try await InstallStore(tenant: tenant, transaction: transaction).note(install, asOf: moment)
      // The event of this installation was lost. If it was ended here after it was made, it stays ended.
      if install.status == .installed {
        try await application.authorized(
          tenant, created: install.created, signedFor: environment, in: transaction)
      }
    }
  }

  // MARK: What is not in it

  /// A connection that is not in the list is asked for separately, and ended only if Stripe refuses it: a wrong list must
  /// lock nobody out.
  private func endUnlisted(_ environment: StripeEnvironment, before begun: Date) async throws {
    var last: Stripe.AccountID?
    while true {
      let tenants = try await unlisted(environment, before: begun, after: last)
      for tenant in tenants {
        if await isRefused(tenant) {
          try await database.transaction(for: tenant, attempts: 3) { transaction in
            try await TenantLock.take(tenant, in: transaction)
            try await application.deauthorized(
              tenant, created: begun, signedFor: environment, in: transaction)
          }
          logger.warning(
            "an installation is over, and no event has told it: check the webhook endpoint",
            metadata: ["tenant": "\(tenant)"])
        } else {
          logger.notice("Stripe's list does not name an installation that works", metadata: ["tenant": "\(tenant)"])
        }
      }
      guard tenants.count == Self.connectionsPerLook else { return }
      last = tenants.last?.account
      try await lists.hold(environment)
    }
  }

  private func unlisted(
    _ environment: StripeEnvironment, before begun: Date, after last: Stripe.AccountID?
  ) async throws -> [Tenant] {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT c.account_id, c.livemode
          FROM stripe_integration.connections c
          LEFT JOIN stripe_integration.installs i
            ON i.account_id = c.account_id
           AND i.livemode   = c.livemode
         WHERE c.status     = 'connected'
           AND c.livemode   = \(environment.livemode)
           AND COALESCE(c.environment, CASE WHEN c.livemode THEN 'live' ELSE 'test' END) = \(environment.rawValue)
           AND c.installed_at < \(begun.addingTimeInterval(-Self.youth))
           AND (i.as_of IS NULL OR i.as_of < \(begun))
           AND c.account_id > \(last?.rawValue ?? "")::text
         ORDER BY c.account_id
         LIMIT \(Self.connectionsPerLook)
        """
      ).map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// Whether Stripe refuses the tenant's own credential for good. A passing failure proves nothing.
  private func isRefused(_ tenant: Tenant) async -> Bool {
    do {
      _ = try await StripeCalls(stripe: stripe, tenant: tenant).run { try await $0.account() }
      return false
    } catch let error as StripeError {
      return error.retry == .credential || error.retry == .accountGone
    } catch let unavailable as TenantUnavailable {
      return unavailable.reason == .stripeCredential || unavailable.reason == .stripeAccountGone
    } catch {
      // One tenant's failure (for example a credential that cannot be read) does not stop the others.
      logger.error("an installation cannot be asked for", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
      return false
    }
  }
}
