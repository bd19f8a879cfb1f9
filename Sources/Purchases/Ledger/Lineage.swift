import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// What one unit of a subscription was over time: a subscription item, and the items whose place it took.
///
/// Stripe replaces items (a schedule's next phase, a change in the portal, one deleted and another added), and a buyer who
/// continues to pay keeps the license. So paid time belongs to the lineage, and not to the item's id.
package struct Lineage: Hashable {
  /// The items it was, the first one first: names under which its units may be recorded.
  package let names: [String]
  /// The item that is subscribed to now; nil where it was removed and nothing took its place.
  package let item: Stripe.Subscription.Item?
  package let entries: [Ledger.Entry]

  /// Under which of its names the units of a product are recorded: the one that was licensed for it last, else the one
  /// that was licensed last for anything, else the first.
  package func name(for product: ProductID, recorded: some Sequence<LineKey>) -> String {
    let own = recorded.filter { names.contains($0.line) }
    return names.last { name in own.contains { $0.line == name && $0.product == product } }
      ?? names.last { name in own.contains { $0.line == name } } ?? names.first ?? ""
  }

  /// The prices it had, newest first, as paid entries tell them.
  var pricesPaid: [SoldLine.Former] {
    let paid = entries.filter { $0.direction == .charge && $0.paidAt != nil }
      .sorted { ($0.span?.start ?? $0.billed, $0.billed, $0.id) > ($1.span?.start ?? $1.billed, $1.billed, $1.id) }
    return Knowledge.unique(paid.map { .init(price: $0.price, product: $0.product) })
  }
}

/// Sorts the entries of a subscription into lineages.
struct Lineages {
  /// What a price gives at LicenseKit; empty where no mapping applies.
  struct Offer: Hashable {
    let product: ProductID
    let policy: PolicyID
  }

  let subscription: Stripe.Subscription
  let ledger: Ledger
  /// What a line with this price and product gives.
  let offers: (Stripe.PriceID?, Stripe.ProductID?) -> Set<Offer>
  /// The lines that licenses are recorded for, with what they were agreed for last.
  let recorded: [String: Agreed]

  struct Agreed: Hashable {
    var prices: Set<Stripe.PriceID> = []
    var products: Set<ProductID> = []
  }

  fileprivate struct Member {
    let id: String
    var item: Stripe.Subscription.Item?
    var entries: [Ledger.Entry] = []
    /// What was billed for it and not credited.
    var billed: [Ledger.Entry] = []
    /// What was paid for it and not credited.
    var paid: [Ledger.Entry] = []
    var birth = Date.distantFuture

    /// Of items of one moment, what was removed comes first, and what was billed for it takes its place before what was
    /// not.
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
    // Of an item that is there no more, what is recorded may be all that is known.
    for id in recorded.keys.sorted() where id.hasPrefix("si_") && !members.contains(where: { $0.id == id }) {
      members.append(Member(id: id))
    }
    let prices = Set(members.flatMap { [$0.item?.price] + $0.entries.map(\.price) }.compactMap { $0 })
    // A change is told by a credit and the charge in its place, one after the other.
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
        // What is not billed yet came after what is.
        ?? (members[index].item == nil ? .distantPast : .distantFuture)
    }
    members.sort { ($0.birth, $0.rank, $0.id) < ($1.birth, $1.rank, $1.id) }
    return (chains(of: members).map(lineage), once)
  }

  /// Lines of invoice items name no item. A credit belongs where its price was charged for that time; a charge to the item
  /// that has its price, unless it stands in the place of what another item was credited; else the product tells, or there
  /// is only one.
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
      // The item that was credited is there no more, and another has the price: it took the place.
      if paired.item != nil || subscribed == nil { return paired.id }
    }
    if let subscribed { return subscribed.id }
    if let former = members.first(where: { member in member.entries.contains { $0.price == entry.price } }) {
      return former.id
    }
    let product = entry.product
    let byProduct = members.first { member in
      product != nil && (member.item?.product == product || member.entries.contains { $0.product == product })
    }
    return byProduct?.id ?? (members.count == 1 ? members[0].id : nil)
  }

  /// Links each member with the one whose place it took: one that is subscribed to no more, gives the same LicenseKit
  /// product, and was not there at the same time.
  private func chains(of members: [Member]) -> [[Member]] {
    var chains: [[Member]] = []
    for member in members {
      let candidates = chains.indices.filter { index in
        guard let last = chains[index].last, last.item == nil else { return false }
        return takesPlace(member, of: last)
      }
      let offer = offers(member.price, member.product)
      // Where several could be meant, the same policy goes first, then the one that ended last.
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
    // Both have licenses of their own: they were there side by side.
    if let own = recorded[member.id]?.products, let other = recorded[former.id]?.products, !own.isDisjoint(with: other)
    {
      return false
    }
    // Once the license has gone over it stays so.
    if let price = member.item?.price, !formerPrices.contains(price),
      recorded[former.id]?.prices.contains(price) == true, recorded[member.id] == nil
    {
      return true
    }
    return !isBeside(member, former)
  }

  /// Whether both were there at a time: one invoice billed both for it, or the rest of a period was billed for the one
  /// while the other was paid and not credited. A whole new period that is billed beside a paid one is the same unit on
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
