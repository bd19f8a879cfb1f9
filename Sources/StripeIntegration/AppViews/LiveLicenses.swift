import Foundation
import Identity
import LicenseKitAPI
import Purchases
import StripeAPI

/// Shows licenses in their current state at LicenseKit if it answers in time, and otherwise as they are on record here.
struct LiveLicenses: Sendable {
  let licenseKit: any LicenseKitAccess
  /// Where a vendor manages licenses, without a slash at the end.
  let appURL: String
  let patience: Duration
  private let names = NameCache()
  /// How many devices each policy allows, as text like the policy's name.
  private let limits = NameCache()

  /// How many licenses are asked for at the same time.
  static let concurrency = 8
  /// How many devices fit into a view.
  static let mostDevices = 20

  init(licenseKit: any LicenseKitAccess, appURL: String, patience: Duration) {
    self.licenseKit = licenseKit
    self.appURL = appURL.hasSuffix("/") ? String(appURL.dropLast()) : appURL
    self.patience = patience
  }

  func show(
    _ stored: [StoredLicense], of tenant: Tenant, now: Date
  ) async -> (licenses: [AppView.License], isStale: Bool) {
    guard !stored.isEmpty else { return ([], false) }
    let live = await ask(stored, of: tenant)
    let shown = stored.map { live[$0.id] ?? onRecord($0, of: tenant, now: now) }
    return (shown, live.count < stored.count)
  }

  private enum Arrival: Sendable {
    case license(LicenseID, AppView.License?, isWorthwhile: Bool)
    case timeIsUp
  }

  /// What LicenseKit answers within the given time.
  private func ask(_ stored: [StoredLicense], of tenant: Tenant) async -> [LicenseID: AppView.License] {
    await withTaskGroup(of: Arrival.self) { group in
      group.addTask {
        try? await Task.sleep(for: patience)
        return .timeIsUp
      }
      var waiting = stored.makeIterator()
      var underWay = 0
      func next(_ group: inout TaskGroup<Arrival>) {
        guard let license = waiting.next() else { return }
        underWay += 1
        group.addTask { await self.arrival(of: license, tenant) }
      }
      for _ in 0..<Self.concurrency { next(&group) }
      var live: [LicenseID: AppView.License] = [:]
      while underWay > 0, case .license(let id, let license, let isWorthwhile)? = await group.next() {
        underWay -= 1
        live[id] = license
        // If a server is down, it is not asked for the other licenses.
        guard isWorthwhile else { break }
        next(&group)
      }
      group.cancelAll()
      return live
    }
  }

  private func arrival(of stored: StoredLicense, _ tenant: Tenant) async -> Arrival {
    do {
      let client = try await licenseKit.client(for: tenant)
      return .license(stored.id, try await live(stored, client, tenant), isWorthwhile: true)
    } catch let error as LicenseKitError {
      return .license(stored.id, nil, isWorthwhile: error.retry != .later && error.retry != .credential)
    } catch {
      return .license(stored.id, nil, isWorthwhile: false)
    }
  }

  private func live(
    _ stored: StoredLicense, _ client: any LicenseKitClient, _ tenant: Tenant
  ) async throws -> AppView.License {
    async let license = client.getLicense(stored.id)
    async let devices = client.listLicenseDevices(stored.id, limit: Self.mostDevices)
    async let features = client.listLicenseFeatures(stored.id, limit: nil)
    let (found, product, policy) = try await (
      license, productName(stored.product, client, tenant), policyName(license.policyID, client, tenant)
    )
    return AppView.License(
      id: found.id, fulfillmentID: stored.purchase, status: found.status, keyHint: stored.keyHint,
      product: AppView.Named(id: found.productID.rawValue, name: product),
      policy: AppView.Named(id: found.policyID.rawValue, name: policy),
      expiresAt: found.expiresAt, renews: stored.renews, changedByHand: stored.manualOverrides,
      activeDeviceCount: found.activeDeviceCount, deviceLimit: deviceLimit(of: found.policyID, tenant),
      devices: try await devices.filter { $0.status == .active }.map {
        AppView.Device(id: $0.id, hostname: $0.hostname, os: $0.os, lastSeenAt: $0.lastSeenAt)
      },
      usage: try await features.filter(\.enabled).map {
        AppView.Usage(featureCode: $0.featureCode, consumed: $0.totalConsumptions, quota: $0.maxConsumptions)
      },
      url: url(of: found.id))
  }

  private func onRecord(_ stored: StoredLicense, of tenant: Tenant, now: Date) -> AppView.License {
    AppView.License(
      id: stored.id, fulfillmentID: stored.purchase,
      status: LicenseStatus(recorded: stored.status, expiresAt: stored.expiresAt, now: now),
      keyHint: stored.keyHint,
      product: .init(id: stored.product.rawValue, name: names.last(stored.product.rawValue, of: tenant)),
      policy: .init(id: stored.policy?.rawValue, name: stored.policy.flatMap { names.last($0.rawValue, of: tenant) }),
      expiresAt: stored.expiresAt, renews: stored.renews, changedByHand: stored.manualOverrides, activeDeviceCount: nil,
      deviceLimit: stored.policy.flatMap { deviceLimit(of: $0, tenant) }, devices: [], usage: [],
      url: url(of: stored.id))
  }

  private func url(of license: LicenseID) -> String { "\(appURL)/licenses/\(license)" }

  // MARK: Names

  private func productName(_ id: ProductID, _ client: any LicenseKitClient, _ tenant: Tenant) async throws -> String {
    if let name = names.fresh(id.rawValue, of: tenant) { return name }
    let name = try await client.getProduct(id).name
    names.remember(name, id.rawValue, of: tenant)
    return name
  }

  private func policyName(_ id: PolicyID, _ client: any LicenseKitClient, _ tenant: Tenant) async throws -> String {
    if let name = names.fresh(id.rawValue, of: tenant) { return name }
    let policy = try await client.getPolicy(id)
    names.remember(policy.name, id.rawValue, of: tenant)
    limits.remember(String(policy.maxFloatingUsers ?? policy.maxActivations), id.rawValue, of: tenant)
    return policy.name
  }

  private func deviceLimit(of policy: PolicyID, _ tenant: Tenant) -> Int? {
    limits.last(policy.rawValue, of: tenant).flatMap { Int($0) }
  }
}
