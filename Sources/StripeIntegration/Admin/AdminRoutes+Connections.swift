import Foundation
import HTTPTransport
import HTTPTypes
import Hummingbird
import Identity
import JSON
import Postgres
import Purchases
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  /// The operator sees all tenants, or the one that the query names; a vendor sees itself.
  func listConnections(_ request: Request, _ context: AppContext) async throws -> Response {
    let caller = try await caller(of: request)
    let query = request.query
    let page = try PageRequest(query)
    let (account, livemode) = (try query.string("account_id", maximumLength: 255), try query.bool("livemode"))
    let environment: StripeEnvironment? = try query.value("environment")
    if caller == .serviceOperator, account == nil {
      try await countRequest(of: caller, about: nil)
      let filter = ConnectionFilter(
        status: try query.value("status"), livemode: livemode, environment: environment,
        isBlocked: try query.bool("parked"))
      let found = try await connections.list(filter, after: try page.text(), limit: page.limit)
      return try Answer.page(
        found.items.map(ConnectionView.init), nextCursor: found.next.map(PageCursor.encode), context: context)
    }
    let tenant = try caller.tenant(account: account, livemode: livemode)
    try await countRequest(of: caller, about: tenant)
    let own = try await connections.connection(of: tenant).map { [ConnectionView($0)] } ?? []
    return try Answer.page(own, nextCursor: String?.none, context: context)
  }

  /// Lets a connection's queue move again.
  func unblockConnection(_ call: AdminCall) async throws -> Response {
    guard try await connections.connection(of: call.tenant) != nil else { throw APIFailure.notFound() }
    try await record(call.entry("connection.unpark", call.tenant.description), of: call.tenant)
    try await connections.unblock(call.tenant)
    wakeUp.signal()
    return try await connection(call)
  }

  /// Gives the connection a LicenseKit of its own, or without an address the service's, which only the operator may give.
  func setLicenseKit(_ call: AdminCall) async throws -> Response {
    let body = try call.decodeBody(LicenseKitBody.self)
    let isOperator = call.caller == .serviceOperator
    guard isOperator || !body.means(servicesOrigins) else {
      throw APIFailure.forbidden("only the operator gives a connection the service's own LicenseKit")
    }
    let licenseKit = try body.checked(isOperator: isOperator, destinations: delivery.destinations)
    guard let before = try await connections.connection(of: call.tenant) else { throw APIFailure.notFound() }
    try await record(
      call.entry("connection.licensekit", call.tenant.description, detail: licenseKit?.baseURL ?? "the service's"),
      of: call.tenant)
    try await connections.setLicenseKit(licenseKit, of: call.tenant, byOperator: isOperator)
    // If the tenant was blocked because LicenseKit was missing or refused, it tries again with this one.
    if before.blockedReason == TenantUnavailable.Reason.licensekitCredential.rawValue
      || before.blockedReason == TenantUnavailable.Reason.licensekitMissing.rawValue
    {
      try await connections.unblock(call.tenant)
      wakeUp.signal()
    } else {
      // An outage of the previous LicenseKit says nothing about this one.
      try await connections.closeBreaker(of: call.tenant)
    }
    return try await connection(call)
  }

  private func connection(_ call: AdminCall) async throws -> Response {
    guard let connection = try await connections.connection(of: call.tenant) else { throw APIFailure.notFound() }
    return try Answer.data(ConnectionView(connection), context: call.context)
  }

  private func record(_ entry: AuditLog.Entry, of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await AuditLog(tenant: tenant, transaction: transaction).add(entry)
    }
  }
}

/// A connection as the admin routes show it.
private struct ConnectionView: Encodable {
  let accountID: Stripe.AccountID
  let livemode: Bool
  let environment: StripeEnvironment
  let status: ConnectionStatus
  @OrNull var installedAt: Date?
  @OrNull var uninstalledAt: Date?
  @OrNull var accessTokenExpiresAt: Date?
  @OrNull var licensekitBaseURL: String?
  @OrNull var parkedReason: String?
  @OrNull var parkedDetail: String?
  @OrNull var parkedAt: Date?
  @OrNull var backfilledAt: Date?
  @OrNull var sweep: EventSyncView?
  @OrNull var pendingApproval: PendingApproval?
  let createdAt: Date
  let updatedAt: Date

  struct EventSyncView: Encodable, Sendable {
    let readUpTo: Date
    @OrNull var sweptAt: Date?
    @OrNull var nextAt: Date?
    let found: Int64
    @OrNull var foundAt: Date?
    @OrNull var problem: String?
    @OrNull var gapFrom: Date?
    @OrNull var gapTo: Date?

    init(_ eventSync: ConnectionSummary.EventSync) {
      readUpTo = eventSync.readUpTo
      sweptAt = eventSync.syncedAt
      nextAt = eventSync.nextAt
      found = eventSync.found
      foundAt = eventSync.foundAt
      problem = eventSync.problem
      gapFrom = eventSync.gapFrom
      gapTo = eventSync.gapTo
    }
  }

  init(_ summary: ConnectionSummary) {
    accountID = summary.accountID
    livemode = summary.livemode
    environment = summary.environment
    status = summary.status
    installedAt = summary.installedAt
    uninstalledAt = summary.uninstalledAt
    accessTokenExpiresAt = summary.accessTokenExpiresAt
    licensekitBaseURL = summary.licensekitBaseURL
    parkedReason = summary.blockedReason
    parkedDetail = summary.blockedDetail
    parkedAt = summary.blockedAt
    backfilledAt = summary.backfilledAt
    sweep = summary.eventSync.map(EventSyncView.init)
    pendingApproval = summary.pendingApproval
    createdAt = summary.createdAt
    updatedAt = summary.updatedAt
  }
}
