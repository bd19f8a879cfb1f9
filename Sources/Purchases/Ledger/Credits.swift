import Foundation
import Identity

extension Ledger {
  /// The charges among the entries, each without the time and units that were credited again.
  ///
  /// A credit gives back the rest of one charge of the same price: the charge with the same quantity, else the newest. Only a
  /// settled credit counts. A credit on an unpaid invoice belongs to a change that has not come about, and so does a credit
  /// on an invoice whose money went back.
  package static func charges(among entries: [Entry], keepingReturned keeps: Bool) -> [Entry] {
    charges(among: entries) { $0.isPaid(keepingReturned: keeps) }
  }

  /// The charges as billed, whether or not they are paid.
  static func billed(among entries: [Entry]) -> [Entry] {
    charges(among: entries.filter { $0.coverage != .void }) { _ in true }
  }

  /// Whether an entry gives back time that no entry charges.
  var hasCreditWithoutCharge: Bool {
    entries.contains { credit in
      guard credit.direction == .credit, let rest = credit.span else { return false }
      return !entries.contains { charge in
        guard charge.direction == .charge, charge.price == credit.price, let span = charge.span else { return false }
        return span.overlaps(rest)
      }
    }
  }

  private static func charges(among entries: [Entry], counting counts: (Entry) -> Bool) -> [Entry] {
    var charges = entries.filter { $0.direction == .charge }
    let credits = entries.filter { $0.direction == .credit && counts($0) }
      .sorted { ($0.billed, $0.span?.start ?? $0.billed, $0.id) < ($1.billed, $1.span?.start ?? $1.billed, $1.id) }
    for credit in credits {
      guard let rest = credit.span, let index = charges.indexOfCharge(creditedBy: credit, rest) else { continue }
      let charge = charges[index]
      guard let span = charge.span else { continue }
      charges[index].span = Span(start: span.start, end: rest.start)
      // A credit of fewer units leaves the others; one that ends early leaves what follows.
      if charge.quantity > credit.quantity {
        var kept = charge
        kept.span = Span(start: rest.start, end: min(rest.end, span.end))
        kept.quantity = charge.quantity - max(0, credit.quantity)
        charges.append(kept)
      }
      if rest.end < span.end {
        var later = charge
        later.span = Span(start: rest.end, end: span.end)
        charges.append(later)
      }
    }
    return charges.filter { $0.span?.isLong ?? true }
  }
}

extension [Ledger.Entry] {
  /// Finds the charge whose rest a credit gives back.
  fileprivate func indexOfCharge(creditedBy credit: Ledger.Entry, _ rest: Span) -> Int? {
    let candidates = indices.filter { index in
      let charge = self[index]
      guard let span = charge.span, charge.price == credit.price, span.start <= rest.start, rest.start < span.end else {
        return false
      }
      // An invoice that credits a price does not charge that price again from the same moment.
      return charge.invoice == credit.invoice ? span.start < rest.start : charge.billed <= credit.billed
    }
    return candidates.max { a, b in
      func rank(_ index: Int) -> (Int, Date, Date, String) {
        let charge = self[index]
        return (
          charge.quantity == credit.quantity ? 1 : 0, charge.span?.start ?? charge.billed, charge.billed, charge.id
        )
      }
      return rank(a) < rank(b)
    }
  }
}
