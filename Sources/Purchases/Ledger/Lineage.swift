import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// What one unit of a subscription was over time: a subscription item, and the items that it replaced.
///
/// Stripe replaces items (a schedule's next phase, a change in the portal, one deleted and another added), and a buyer who
/// continues to pay keeps the license. So paid time belongs to the lineage, not to the item's id.
package struct Lineage: Hashable {
  /// The ids of its items, oldest first. Its units may be recorded under any of them.
  package let names: [String]
  /// The item that is subscribed to now; nil if it was removed and nothing replaced it.
  package let item: Stripe.Subscription.Item?
  package let entries: [Ledger.Entry]

  /// The name under which the units of a product are recorded: the newest that was licensed for this product, else the newest
  /// that was licensed for any product, else the first.
  package func name(for product: ProductID, recorded: some Sequence<LineKey>) -> String {
    let own = recorded.filter { names.contains($0.line) }
    return names.last { name in own.contains { $0.line == name && $0.product == product } }
      ?? names.last { name in own.contains { $0.line == name } } ?? names.first ?? ""
  }

  /// The prices it had, newest first, according to its paid entries.
  var pricesPaid: [SoldLine.Former] {
    let paid = entries.filter { $0.direction == .charge && $0.paidAt != nil }
      .sorted { ($0.span?.start ?? $0.billed, $0.billed, $0.id) > ($1.span?.start ?? $1.billed, $1.billed, $1.id) }
    return Knowledge.unique(paid.map { .init(price: $0.price, product: $0.product) })
  }
}

/// Sorts the entries of a subscription into lineages.
struct Lineages {
  /// One LicenseKit product and policy that a price gives.
  struct Offer: Hashable {
    let product: ProductID
    let policy: PolicyID
  }

  let subscription: Stripe.Subscription
  let ledger: Ledger
  /// What a line with this price and product gives; empty if no mapping applies.
  let offers: (Stripe.PriceID?, Stripe.ProductID?) -> Set<Offer>
  /// The lines that have recorded licenses, with the prices and products that those were last pinned for.
  let recorded: [String: Pinned]

  struct Pinned: Hashable {
    var prices: Set<Stripe.PriceID> = []
    var products: Set<ProductID> = []
  }

  fileprivate struct Member {
    let id: String
    var item: Stripe.Subscription.Item?
    var entries: [Ledger.Entry] = []
    /// The charges that were billed for it and not credited.
    var billed: [Ledger.Entry] = []
    /// The charges that were paid for it and not credited.
    var paid: [Ledger.Entry] = []
    var birth = Date.distantFuture

    /// Orders items that began at the same moment: removed items first, then billed ones, then those not billed yet.
    var rank: Int { item == nil ? 0 : billed.isEmpty ? 2 : 1 }
    var price: Stripe.PriceID? { item?.price ?? entries.last?.price }
    var product: Stripe.ProductID? { item?.product ?? entries.last?.product }
  }

  /// The lineages of all recurring lines; and the lines that are bought once.
  func sorted() -> (lineages: [Lineage], once: [Ledger.Entry]) {
    let items = subscription.items.filter { !$0.isMetered }
    var members = items.map { Member(id: $0.id.rawValue, item: $0) }
    var once: [Ledger.Entry] = []
    for entry in ledger.entries { if let item = entry.item { members.add(entry, to: item.rawValue) } }
    // For an item that no longer exists, its recorded license may be all that is known.
    for id in recorded.keys.sorted() where id.hasPrefix("si_") && !members.contains(where: { $0.id == id }) {
      members.append(Member(id: id))
    }
    let prices = Set(members.flatMap { [$0.item?.price] + $0.entries.map(\.price) }.compactMap { $0 })
    // A change appears as a credit, followed by the charge that replaces it.
    var credited: (invoice: Stripe.InvoiceID?, start: Date?, member: String)?
    for entry in ledger.entries where entry.item == nil {
      let isRecurring = entry.price.map(prices.contains) ?? false
      guard entry.isChange || isRecurring, entry.span?.isLong == true else {
        once.append(entry)
        continue
      }
      var pair: String?
      if let credited, credited.invoice == entry.invoice, credited.start == entry.span?.start { pair = credited.member }
      let owner = owner(of: entry, after: pair, among: members) ?? "\(entry.price?.rawValue ?? entry.id)"
      members.add(entry, to: owner)
      credited = entry.direction == .credit ? (entry.invoice, entry.span?.start, owner) : nil
    }
    for index in members.indices {
      members[index].billed = Ledger.billed(among: members[index].entries).filter { $0.quantity > 0 }
      members[index].paid = Ledger.charges(among: members[index].entries, keepingReturned: false)
        .filter { $0.paidAt != nil && $0.quantity > 0 }
      let begins = members[index].entries.filter { $0.direction == .charge }.compactMap { $0.span?.start }.min()
      members[index].birth =
        [begins, members[index].item?.created].compactMap { $0 }.min()
        // An item that was not billed yet came after those that were; a removed one came before.
        ?? (members[index].item == nil ? .distantPast : .distantFuture)
    }
    members.sort { ($0.birth, $0.rank, $0.id) < ($1.birth, $1.rank, $1.id) }
    return (chains(of: members).map(lineage), once)
  }

  /// A line of an invoice item names no subscription item. A credit belongs to the member that was charged this price for
  /// that time. A charge belongs to the item that has its price, unless it replaces what another item was credited. If no item
  /// has the price any more, the item decides whose price it was changed to. Otherwise the product decides, or there is only
  /// one member.
  private func owner(of entry: Ledger.Entry, after pair: String?, among members: [Member]) -> String? {
    if entry.direction == .credit, let start = entry.span?.start {
      let charged = members.first { member in
        member.entries.contains { charge in
          guard charge.direction == .charge, charge.price == entry.price, let span = charge.span else { return false }
          return span.start <= start && start < span.end && (charge.invoice != entry.invoice || span.start < start)
            && charge.billed <= entry.billed
        }
      }
      if let charged { return charged.id }
    }
    let subscribed = members.first { $0.item != nil && $0.item?.price == entry.price }
    if let pair, let paired = members.first(where: { $0.id == pair }) {
      // If the credited item was removed and another item has the price, that item replaced it.
      if paired.item != nil || subscribed == nil { return paired.id }
    }
    if let subscribed { return subscribed.id }
    if let later = laterOwner(of: entry, among: members) { return later }
    if let former = members.first(where: { member in member.entries.contains { $0.price == entry.price } }) {
      return former.id
    }
    let product = entry.product
    let byProduct = members.first { member in
      product != nil && (member.item?.product == product || member.entries.contains { $0.product == product })
    }
    return byProduct?.id ?? (members.count == 1 ? members[0].id : nil)
  }

  /// The item that has the price to which the price of a charge was changed since, however often: a change appears as a credit
  /// of the one, followed by the charge of the other.
  private func laterOwner(of charge: Ledger.Entry, among members: [Member]) -> String? {
    var charge = charge
    var seen: Set<String> = []
    while charge.direction == .charge, seen.insert(charge.id).inserted, let next = change(of: charge) {
      if let item = members.first(where: { $0.item != nil && $0.item?.price == next.price }) { return item.id }
      charge = next
    }
    return nil
  }

  /// The charge that replaced another one, while that one's time was running.
  private func change(of charge: Ledger.Entry) -> Ledger.Entry? {
    guard let span = charge.span else { return nil }
    let others = ledger.entries.filter { $0.item == nil }
    for (credit, next) in zip(others, others.dropFirst())
    where credit.direction == .credit && next.direction == .charge && credit.invoice == next.invoice {
      guard let start = credit.span?.start, start == next.span?.start else { continue }
      if credit.price == charge.price, charge.billed <= credit.billed, span.start <= start, start < span.end {
        return next
      }
    }
    return nil
  }

  /// Links each member to the one that it replaced: one that is no longer subscribed to, gives the same LicenseKit product,
  /// and did not exist at the same time.
  private func chains(of members: [Member]) -> [[Member]] {
    var chains: [[Member]] = []
    for member in members {
      let candidates = chains.indices.filter { index in
        guard let last = chains[index].last, last.item == nil else { return false }
        return takesPlace(member, of: last)
      }
      let offer = offers(member.price, member.product)
      // Of several candidates, one with the same policy is preferred, then the one whose paid time ended last.
      let chosen = candidates.max { a, b in
        func rank(_ index: Int) -> (Int, Date) {
          guard let last = chains[index].last else { return (0, .distantPast) }
          let isSame = !offers(last.price, last.product).isDisjoint(with: offer)
          return (isSame ? 1 : 0, last.paid.compactMap { $0.span?.end }.max() ?? last.birth)
        }
        return rank(a) < rank(b)
      }
      if let chosen { chains[chosen].append(member) } else { chains.append([member]) }
    }
    return chains
  }

  private func takesPlace(_ member: Member, of former: Member) -> Bool {
    let mine = Set(offers(member.price, member.product).map(\.product))
    let formerPrices = Set(former.entries.map(\.price))
    let theirs = formerPrices.reduce(into: recorded[former.id]?.products ?? []) { products, price in
      let product = former.entries.last { $0.price == price }?.product
      products.formUnion(offers(price, product).map(\.product))
    }
    guard !mine.isDisjoint(with: theirs) else { return false }
    // Both have licenses of their own, so they existed side by side.
    if let own = recorded[member.id]?.products, let other = recorded[former.id]?.products, !own.isDisjoint(with: other)
    {
      return false
    }
    // Once the license has moved to the member's price, it stays with the member.
    if let price = member.item?.price, !formerPrices.contains(price),
      recorded[former.id]?.prices.contains(price) == true, recorded[member.id] == nil
    {
      return true
    }
    return !isBeside(member, former)
  }

  /// Whether both existed at the same time: one invoice billed both for it, or the rest of a period was billed for the member
  /// while the former was paid and not credited. A whole new period that is billed beside a paid one is the same unit on
  /// another date.
  private func isBeside(_ member: Member, _ former: Member) -> Bool {
    func overlap(_ mine: Ledger.Entry, _ theirs: Ledger.Entry) -> Bool {
      guard let span = mine.span, let other = theirs.span else { return false }
      return span.overlaps(other)
    }
    let areOnOneInvoice = member.billed.contains { mine in
      former.billed.contains { mine.invoice == $0.invoice && overlap(mine, $0) }
    }
    return areOnOneInvoice
      || member.paid.contains { mine in mine.isChange && former.paid.contains { overlap(mine, $0) } }
  }

  private func lineage(_ chain: [Member]) -> Lineage {
    let entries = chain.flatMap(\.entries).sorted {
      ($0.billed, $0.span?.start ?? $0.billed, $0.id) < ($1.billed, $1.span?.start ?? $1.billed, $1.id)
    }
    return Lineage(names: chain.map(\.id), item: chain.last?.item, entries: entries)
  }
}

extension [Lineages.Member] {
  fileprivate mutating func add(_ entry: Ledger.Entry, to id: String) {
    if let index = firstIndex(where: { $0.id == id }) {
      self[index].entries.append(entry)
    } else {
      append(Lineages.Member(id: id, item: nil, entries: [entry]))
    }
  }
}
