package import Foundation
import Identity
import JSON
import LicenseKitAPI
package import StripeAPI

/// `facts + mapping + now → desired licenses`: the heart of the product. No database, clock or network in it.
package struct Decider: Sendable {
  package let tenant: Tenant
  package let mappings: [Mapping]
  /// The terms under which lines of this purchase were fulfilled before. They hold, whatever the mapping says now.
  package let pinned: [LineKey: PinnedTerms]
  package let settings: TenantSettings
  package let now: Date

  package struct PinnedTerms: Hashable, Sendable {
    package let mappingID: String
    /// The price that the line had then.
    package let price: Stripe.PriceID?
    package let terms: Terms
    /// The purchase failed before anything was issued under these terms, while other parts of the line were issued. This part
    /// is still sold, under the mapping as it stands now.
    package var isOpen: Bool

    package init(mappingID: String, price: Stripe.PriceID?, terms: Terms, isOpen: Bool = false) {
      self.mappingID = mappingID
      self.price = price
      self.terms = terms
      self.isOpen = isOpen
    }
  }

  package init(
    tenant: Tenant, mappings: [Mapping], pinned: [LineKey: PinnedTerms], settings: TenantSettings = .init(), now: Date
  ) {
    self.tenant = tenant
    self.mappings = mappings
    self.pinned = pinned
    self.settings = settings
    self.now = now
  }

  /// More units than this in one line count as a mistake until a person says otherwise.
  package static let maximumUnitsPerLine = 1_000

  package func decide(_ knowledge: Knowledge) -> Decision {
    guard !tenant.livemode, let clock = knowledge.testClock else {
      var decision = decideNow(knowledge)
      decision.asOf = now
      return decision
    }
    let decider = Decider(tenant: tenant, mappings: mappings, pinned: pinned, settings: settings, now: clock)
    var decision = decider.decideNow(knowledge)
    decision.asOf = clock
    // Only news from Stripe moves a test clock forward.
    decision.nextLook = nil
    return decision
  }

  private func decideNow(_ knowledge: Knowledge) -> Decision {
    let contested = knowledge.contested.compactMap { knowledge[$0].flatMap(Question.refetching) }
    if !contested.isEmpty {
      return Decision(
        status: .pending, reason: "Two events of one second disagree; Stripe is asked.", questions: contested)
    }
    switch knowledge.findRoot() {
    case .ask(let questions):
      return Decision(status: .pending, reason: "Stripe is asked what this payment belongs to.", questions: questions)
    case .nothing:
      return Decision(status: .ended, reason: "Nothing was sold here.")
    case .barePayment:
      if let decision = decideBarePayment(knowledge) { return decision }
      let isNamed = knowledge.paymentIntents.contains { $0.sale != nil }
      return Decision(
        status: .ended,
        reason: isNamed && !settings.barePayments
          ? "This payment names what it sells; the setting bare_payments, under which that is a sale, is off."
          : "This payment belongs to no Checkout, Payment Link, subscription or invoice, so it names no product.")
    case .sharedInvoice(let invoice): return decideSharedInvoice(invoice, knowledge)
    case .found(let root):
      var decision =
        switch root {
        case .subscription(let id): decideSubscription(id, knowledge)
        case .checkout(let id): decideCheckout(id, knowledge)
        case .invoice(let id): decideInvoice(id, knowledge)
        case .payment(let id): decidePayment(id, knowledge)
        }
      decision.root = root
      return decision
    }
  }

  /// Applies the terms to every one-time line and sums the purchase up.
  package func decision(
    lines sold: [SoldLine], customer: DesiredCustomer?, detail: (SoldLine, PinnedTerms) -> LineOutcome
  ) -> Decision {
    var outcomes: [LineOutcome] = []
    var unmapped: [String] = []
    var excess: Excess?
    for line in sold {
      let terms = terms(of: line)
      if !terms.areCurrent { unmapped += [line.price?.rawValue, line.product?.rawValue].compactMap { $0 } }
      for pinnedTerms in terms.pinnedTerms {
        excess =
          excess ?? self.excess(line.quantity, LineKey(line: line.key, product: pinnedTerms.terms.product), pinnedTerms)
        outcomes.append(detail(line, pinnedTerms))
      }
    }
    return decision(outcomes, unmapped: unmapped, excess: excess, customer: customer)
  }

  /// Sums a purchase up.
  package func decision(
    _ outcomes: [LineOutcome], unmapped: [String], excess: Excess?, customer: DesiredCustomer?
  ) -> Decision {
    // Nothing that looks like a mistake is begun. What was begun goes on: buyers who paid keep what they have.
    if let excess, !excess.isBegun { return Decision(status: .failed, reason: excess.reason) }
    let entitlements = outcomes.map(\.entitlement)
    let lines = outcomes.map { outcome in
      var line = outcome.line
      line.paidThrough = outcome.entitlement.paidThrough
      return line
    }
    var decision = Decision(status: .pending, customer: customer, lines: lines, unmapped: unmapped)
    decision.isComplete = true
    decision.nextLook = entitlements.compactMap(\.nextChange).filter { $0 > now }.min()
    (decision.status, decision.reason) = Self.summary(entitlements, unmapped: unmapped)
    if let excess {
      decision.status = .failed
      decision.reason = [excess.reason, decision.reason].compactMap { $0 }.joined(separator: " ")
    }
    return decision
  }

  /// A line that has more units than one line gives.
  package struct Excess {
    package let reason: String
    let isBegun: Bool
  }

  func excess(_ quantity: Int, _ line: LineKey, _ pinnedTerms: PinnedTerms) -> Excess? {
    guard quantity > Self.maximumUnitsPerLine, pinnedTerms.terms.quantity == .perUnit else { return nil }
    return Excess(
      reason:
        "A line has a quantity of \(quantity), and one line gives \(Self.maximumUnitsPerLine) licenses at most. "
        + "Lower the quantity, or map it with seats or as one license and apply the mapping.",
      isBegun: pinned[line].map { !$0.isOpen } ?? false)
  }

  package struct LineOutcome {
    package let line: DesiredLine
    package let entitlement: Entitlement
  }

  /// The terms of a line: those pinned when it was first fulfilled. A line whose price changed is sold again, under the
  /// current mapping. If the new price has no mapping, the buyer keeps what they had last according to paid invoices;
  /// recorded terms would depend on the order in which the news came.
  package func terms(of line: SoldLine) -> (pinnedTerms: [PinnedTerms], areCurrent: Bool) {
    let names = line.formerKeys + [line.key]
    let current = pinnedTerms(names, line.price, line.product)
    if !current.isEmpty { return (current, true) }
    for former in line.former {
      let last = pinnedTerms(names, former.price, former.product)
      if !last.isEmpty { return (last, false) }
    }
    let kept = pinned.filter { names.contains($0.key.line) && !$0.value.isOpen }
      .sorted { $0.key.product < $1.key.product }.map(\.value)
    return (Set(kept.map(\.price)).count == 1 ? kept : [], false)
  }

  /// What a price gives in a line, under any of the line's names: as pinned, else as the mappings say now.
  package func pinnedTerms(_ names: [String], _ price: Stripe.PriceID?, _ product: Stripe.ProductID?) -> [PinnedTerms] {
    var kept: [ProductID: PinnedTerms] = [:]
    var open: Set<String> = []
    // The parts of a bundle that went on under a former price while that was still paid.
    var former: Set<ProductID> = []
    for name in names {
      for (key, pinnedTerms) in pinned where key.line == name {
        switch (pinnedTerms.price == price, pinnedTerms.isOpen) {
        case (true, true): open.insert(pinnedTerms.mappingID)
        case (true, false): kept[key.product] = pinnedTerms
        case (false, false): former.insert(key.product)
        case (false, true): break
        }
      }
    }
    let mapped = mapped(price, product)
    if kept.isEmpty { return mapped }
    // A vendor may have corrected a mapping by deleting it and adding another.
    let areThere = open.isSubset(of: mapped.map(\.mappingID))
    for pinnedTerms in mapped where kept[pinnedTerms.terms.product] == nil {
      let isOpen = !open.isEmpty && (!areThere || open.contains(pinnedTerms.mappingID))
      if isOpen || former.contains(pinnedTerms.terms.product) { kept[pinnedTerms.terms.product] = pinnedTerms }
    }
    return kept.sorted { $0.key < $1.key }.map(\.value)
  }

  /// What the mappings say now.
  package func mapped(_ price: Stripe.PriceID?, _ product: Stripe.ProductID?) -> [PinnedTerms] {
    Mapping.applying(to: price, product: product, among: mappings)
      .map { PinnedTerms(mappingID: $0.id, price: price, terms: $0.terms) }
  }

  private static func summary(_ entitlements: [Entitlement], unmapped: [String]) -> (PurchaseStatus, String?) {
    if entitlements.isEmpty {
      return unmapped.isEmpty
        ? (.ended, "Nothing that can be licensed was sold.")
        : (
          .waitingMapping, "No mapping for \(unmapped.joined(separator: ", ")) yet. Add one and this sale is fulfilled."
        )
    }
    let rest = unmapped.isEmpty ? nil : "Not licensed, since there is no mapping: \(unmapped.joined(separator: ", "))."
    if entitlements.contains(where: { $0.access == .granted }) {
      let notes = entitlements.compactMap { $0.access == .granted ? $0.note : nil } + [rest].compactMap { $0 }
      return (.fulfilled, notes.isEmpty ? nil : Knowledge.unique(notes).joined(separator: " "))
    }
    let withheld = entitlements.filter { if case .withheld = $0.access { true } else { false } }
    if !withheld.isEmpty {
      let causes = withheld.reduce(into: Set<Cause>()) { $0.formUnion($1.causes) }
      return (.suspended, "Suspended: \(Cause.sentences(causes)).")
    }
    for case .awaitingPayment(let reason) in entitlements.map(\.access) { return (.waitingPayment, reason) }
    for entitlement in entitlements {
      guard case .ended(_, let reason) = entitlement.access else { continue }
      // The other causes are shown as well: they would still withhold access if this one were undone.
      let others = entitlement.causes.subtracting(entitlement.endedBy.map { [$0] } ?? [])
      return (.ended, others.isEmpty ? reason : "\(reason) Besides: \(Cause.sentences(others)).")
    }
    return (.pending, nil)
  }

  /// The records that the licenses of a line are made for.
  package struct Records {
    package var startsAt: Date?
    package var order: String?
    package var subscription: String?
  }

  /// The units of a line under its terms. A line that was never paid sells none.
  ///
  /// Each unit has its own end: of three paid units, one may be renewed and two not.
  /// - Parameters:
  ///   - finding: of a subscription's line; nil for a one-time line.
  ///   - late: the cause that a unit gets when it is no longer paid.
  package func units(
    _ line: LineKey, _ pinnedTerms: PinnedTerms, quantity: Int, _ entitlement: Entitlement,
    finding: PaidTime.Finding? = nil, late: Cause = .pastDue, _ records: Records
  ) -> [DesiredUnit] {
    let terms = pinnedTerms.terms
    if entitlement.awaitsPayment { return [] }
    let claims = finding?.claims ?? []
    // A feature that counts seats follows the number of units granted.
    let seats = claims.map(\.quantity).max() ?? quantity
    var features = terms.features
    if terms.quantity == .seats, let feature = terms.seatsFeature {
      features.removeAll { $0.featureID == feature }
      features.append(.init(featureID: feature, maxConsumptions: Int64(seats)))
    }
    let count =
      terms.quantity == .perUnit ? min(max(0, quantity), Self.maximumUnitsPerLine) : min(1, max(0, quantity))
    return (0..<count).map { index in
      let own = claims.filter { $0.quantity > index }
      let access: DesiredAccess =
        switch entitlement.access {
        case .awaitingPayment, .granted: finding == nil || !own.isEmpty ? .active : .suspended([late])
        case .withheld: .suspended(entitlement.causes)
        case .ended(let revoke, _): revoke ? .revoked : .ended
        }
      let paidTo = own.map(\.paidTo).max() ?? finding?.lastEnd ?? entitlement.paidThrough
      let expiresAt =
        terms.isDated
        ? paidTo.map { $0.addingTimeInterval(records.subscription == nil ? 0 : terms.outlasting) } : nil
      return DesiredUnit(
        key: UnitKey(line: line.line, product: terms.product, ordinal: index + 1), access: access,
        startsAt: records.startsAt, expiresAt: expiresAt, features: features, order: records.order,
        subscription: records.subscription)
    }
  }

  package func customer(
    stripe id: Stripe.CustomerID?, guest: String, email: String?, name: String?, known: Snapshot?
  ) -> DesiredCustomer {
    // Older facts were stored before blank texts counted as absent, so they may still hold them.
    var (email, name) = (BlankText.said(email), BlankText.said(name))
    var isFollowed = false
    var isDeleted = false
    if case .customer(let customer)? = known {
      isDeleted = customer.isDeleted
      isFollowed = settings.updateCustomers && !isDeleted
      let (itsEmail, itsName) = (BlankText.said(customer.email), BlankText.said(customer.name))
      // What the buyer typed at the sale goes before the vendor's records, unless the records are followed.
      email = isFollowed ? itsEmail ?? email : email ?? itsEmail
      name = isFollowed ? itsName ?? name : name ?? itsName
    }
    let subject = id?.rawValue ?? DesiredCustomer.guest(guest)
    return DesiredCustomer(
      code: DesiredCustomer.code(of: subject, tenant), name: name ?? email ?? DesiredCustomer.name(of: subject),
      email: email,
      stripeCustomer: isDeleted ? nil : id, isFollowed: isFollowed)
  }
}
