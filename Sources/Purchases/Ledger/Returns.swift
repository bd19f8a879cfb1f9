import Foundation
import Identity
package import StripeAPI

/// What became of the money that paid an invoice: of all of it, and of single lines as far as that is known.
struct Returns {
  private let whole: Ledger.Returned
  private let lines: [Stripe.LineID: Ledger.Returned]

  init(of invoice: Stripe.Invoice, in knowledge: Knowledge) {
    let money = knowledge.reversals(of: invoice)
    whole =
      if money.isLost {
        .lost
      } else if money.isFullyRefunded {
        .all
      } else if money.isRefundPending {
        .pending
      } else {
        money.hasReturns ? .part : .nothing
      }
    // A credit note says which lines its money is for.
    var back: [Stripe.LineID: (amount: Int64, isPending: Bool)] = [:]
    for note in knowledge.creditNotes(of: invoice.id) where !note.isVoid {
      guard let movement = knowledge.movement(of: note) else { continue }
      for line in note.lines ?? [] {
        let former = back[line.invoiceLine] ?? (0, false)
        back[line.invoiceLine] = (former.amount.addingSaturated(line.amount), former.isPending || movement == .pending)
      }
    }
    var lines: [Stripe.LineID: Ledger.Returned] = [:]
    for line in invoice.lines where line.amount > 0 {
      guard let returned = back[line.id], returned.amount >= line.amount else { continue }
      lines[line.id] = returned.isPending ? .pending : .all
    }
    self.lines = lines
  }

  func returned(_ line: Stripe.Invoice.Line) -> Ledger.Returned {
    switch whole {
    case .all, .pending, .lost: whole
    case .nothing, .part: lines[line.id] ?? whole
    }
  }
}

extension Knowledge {
  /// Whether all that a credit note takes back was given back in money, or is about to be; nil if the credit stays with the
  /// vendor.
  fileprivate func movement(of note: Stripe.CreditNote) -> Ledger.Returned? {
    let refunds = self.refunds.filter { note.refunds.contains($0.id) && $0.stands }
    let moved = refunds.reduce(note.outOfBandAmount ?? 0) { $0.addingSaturated($1.amount) }
    guard moved > 0, moved >= note.amount else { return nil }
    return refunds.contains(where: \.isUnderWay) ? .pending : .all
  }

  /// When the money for an invoice came, by its payments.
  func moneyCame(for invoice: Stripe.Invoice) -> Date? {
    charges(paying: invoice).filter(\.isPaid).map(\.created).min()
  }
}

extension Stripe.Refund {
  /// It has taken place, or will.
  package var stands: Bool { status != "failed" && status != "canceled" }
  var isUnderWay: Bool { status == "pending" || status == "requires_action" }
}

extension Int64 {
  /// The sum, limited to ±9223372036854775807, which can be negated: amounts come from outside.
  func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : -.max) : Swift.max(sum, -.max)
  }
}
