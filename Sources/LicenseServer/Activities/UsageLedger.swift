import Foundation
import Identity
import LicenseKitAPI
import Postgres

/// Writes the usage ledger: an entry for every change of a license's use or quota, in the transaction of the change and
/// while the license is locked. So entries of one license are complete, and their sum is what the license shows.
enum UsageLedger {
  /// What an entry is about.
  enum Action: String, CaseIterable, Hashable, Sendable {
    /// An application used the feature; `amount` units.
    case consume
    /// Use was set to zero; `amount` is what it had been.
    case reset
    /// Use was set to another number; `amount` is the difference.
    case adjust
    /// The quota was raised by `amount`.
    case credit
    /// The quota was set to `amount`.
    case quota
    /// The feature was taken from the license, and its use with it; `amount` is what it had been.
    case remove
  }

  /// A change of one feature of one license.
  struct Entry: Hashable, Sendable {
    var action: Action
    var amount: Int64
    /// How the use changes.
    var consumedChange: Int64
    /// The use after it.
    var used: Int64
    /// The quota after it; nil: unlimited.
    var quota: Int64?
  }

  /// Records a use under the application's own id, so that it counts only once, and adds its ledger entry.
  static func consume(
    _ amount: Int64, of feature: LicenseFeature, event: String, by caller: Caller, at now: Date,
    in transaction: PostgresTransaction
  ) async throws {
    let entry = Entry(
      action: .consume, amount: amount, consumedChange: amount,
      used: feature.totalConsumptions.addingSaturated(amount),
      quota: feature.maxConsumptions)
    try await transaction.query(
      """
      WITH entry AS (
        \(fragment: insert(entry, of: feature, event: event, by: caller, at: now))
      )
      INSERT INTO license_server.usage_events
             (tenant_id, license_id, event_id,
              feature_id, amount, created_at, ledger_sequence)
      SELECT \(caller.tenant), \(feature.licenseID), \(event),
             \(feature.featureID), \(amount), \(now), entry.sequence
        FROM entry
      """)
  }

  /// Records what the vendor changed.
  static func append(
    _ entry: Entry, of feature: LicenseFeature, by caller: Caller, at now: Date, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(insert(entry, of: feature, event: nil, by: caller, at: now))
  }

  private static func insert(
    _ entry: Entry, of feature: LicenseFeature, event: String?, by caller: Caller, at now: Date
  ) -> PostgresQuery {
    """
    INSERT INTO license_server.usage_ledger
           (tenant_id, sequence, created_at, action,
            license_id, product_id, policy_id, customer_id, order_id, subscription_id,
            feature_id, feature_code,
            amount, consumed_change, total_consumptions, max_consumptions,
            event_id, actor_type, actor_id)
    SELECT l.tenant_id, license_server.time_sequence(\(now)), \(now), \(entry.action.rawValue),
           l.id, l.product_id, l.policy_id, l.customer_id, l.order_id, l.subscription_id,
           \(feature.featureID), \(feature.featureCode),
           \(entry.amount), \(entry.consumedChange), \(entry.used), \(entry.quota),
           \(event), \(caller.actor.type.rawValue), \(caller.actor.id)
      FROM license_server.licenses l
     WHERE l.tenant_id = \(caller.tenant) AND l.id = \(feature.licenseID)
    RETURNING sequence
    """
  }

  /// What `resetLicenseUsage` did, entry by entry, in the order in which it takes effect: quota, credit, use. Pure.
  static func entries(
    from before: LicenseFeature, to wanted: (quota: Int64?, used: Int64), request: LicenseFeatureUsageResetRequest
  ) -> [Entry] {
    var entries: [Entry] = []
    let used = before.totalConsumptions
    if let quota = request.maxConsumptions {
      entries.append(Entry(action: .quota, amount: quota, consumedChange: 0, used: used, quota: quota))
    }
    if let credits = request.addCredits {
      entries.append(Entry(action: .credit, amount: credits, consumedChange: 0, used: used, quota: wanted.quota))
    }
    let change = wanted.used.subtractingSaturated(used)
    if request.resetConsumed == true {
      entries.append(
        Entry(
          action: .reset, amount: used, consumedChange: Int64(0).subtractingSaturated(used), used: 0,
          quota: wanted.quota))
    } else if request.totalConsumptions != nil {
      entries.append(
        Entry(action: .adjust, amount: change, consumedChange: change, used: wanted.used, quota: wanted.quota))
    }
    return entries
  }
}
