import Foundation
import Identity
import LicenseKitAPI
import Purchases
import StripeAPI

extension FulfillmentView {
  /// Builds the view of a purchase from its parts.
  init(_ purchase: PurchaseRow, _ parts: FulfillmentParts, of tenant: Tenant, now: Date) {
    self.init(
      id: purchase.id, accountID: tenant.account, livemode: tenant.livemode, status: purchase.status,
      purchase: Purchase(
        kind: purchase.kind, stripeID: purchase.stripeID,
        aliases: (parts.aliases[purchase.id] ?? []).filter { $0 != purchase.stripeID }.sorted()),
      customer: Customer(
        stripeID: purchase.customerID?.rawValue,
        licensekitID: parts.customers[FulfillmentParts.customerCode(purchase, tenant)]),
      lines: Self.lines(of: purchase, parts, now: now), reason: purchase.reason, createdAt: purchase.createdAt,
      updatedAt: purchase.updatedAt, nextLookAt: purchase.reconcileAt, attempts: purchase.attempts)
  }

  /// The lines that are sold now, in Stripe's order, then those that are no longer sold. A line that gives several LicenseKit
  /// products appears once for each.
  private static func lines(of purchase: PurchaseRow, _ parts: FulfillmentParts, now: Date) -> [Line] {
    let sold = parts.sold[purchase.id] ?? []
    let pinnedTerms = parts.pinnedTerms[purchase.id] ?? []
    let units = parts.units[purchase.id] ?? []
    let records = parts.records[purchase.id] ?? [:]

    func line(_ key: String, _ sold: SoldLine?, _ pinnedTerms: FulfillmentParts.PinnedTerms?) -> Line {
      let own = units.filter { $0.key.line == key && $0.key.product == pinnedTerms?.key.product }
      let product = pinnedTerms?.key.product
      let order = own.lazy.compactMap(\.orderExternalID).first
      return Line(
        stripeLineID: key, stripePriceID: sold?.price?.rawValue ?? pinnedTerms?.price,
        stripeProductID: sold?.product?.rawValue, quantity: sold?.quantity ?? 0, mappingID: pinnedTerms?.mappingID,
        licensekitProductID: product,
        licensekitOrderID: product.flatMap { product in order.flatMap { records["order:\(product)|\($0)"] } },
        licensekitSubscriptionID: product.flatMap { records["subscription:\($0)|\(purchase.stripeID):\(key)"] },
        licenses: own.compactMap { License($0, causes: pinnedTerms?.causes ?? [], now: now) })
    }

    let current = sold.flatMap { sold -> [Line] in
      let own = pinnedTerms.filter { $0.key.line == sold.key }
      return own.isEmpty ? [line(sold.key, sold, nil)] : own.map { line(sold.key, sold, $0) }
    }
    let soldKeys = Set(sold.map(\.key))
    return current + pinnedTerms.filter { !soldKeys.contains($0.key.line) }.map { line($0.key.line, nil, $0) }
  }
}

extension FulfillmentView.License {
  /// Nil while the license is being issued.
  fileprivate init?(_ unit: FulfillmentParts.Unit, causes: [String], now: Date) {
    guard let license = unit.license else { return nil }
    self.init(
      id: license, ordinal: unit.key.ordinal,
      status: LicenseStatus(recorded: unit.status, expiresAt: unit.expiresAt, now: now), keyHint: unit.keyHint,
      expiresAt: unit.expiresAt, changedByHand: unit.manualOverrides, causes: causes)
  }
}
