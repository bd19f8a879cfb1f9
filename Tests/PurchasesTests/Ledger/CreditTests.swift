import Foundation
import Identity
import StripeAPI
import Testing

@testable import Purchases

@Suite("What a credit leaves of what was charged")
struct CreditTests {
  /// So many units from one day to another.
  private struct Stretch: Hashable, CustomStringConvertible {
    var quantity = 1
    let from: Int
    let to: Int
    var price = "basic"
    var invoice = 1
    var isPaid = true

    var description: String { "\(quantity) × \(price) \(from)...\(to)" }
  }

  private static func entry(
    _ stretch: Stretch, _ direction: Ledger.Entry.Direction, number: Int, returned: Ledger.Returned = .nothing
  ) -> Ledger.Entry {
    Ledger.Entry(
      id: "il_\(number)", invoice: Stripe.InvoiceID("in_\(stretch.invoice)"), item: "si_1",
      price: Stripe.PriceID(stretch.price), product: nil, quantity: stretch.quantity,
      amount: direction == .charge ? 100 : -100, span: Span(start: date(stretch.from), end: date(stretch.to)),
      direction: direction, isChange: direction == .credit, billed: date(stretch.invoice),
      coverage: stretch.isPaid ? .paid(at: date(stretch.invoice)) : .owed(since: date(stretch.invoice)),
      returned: returned)
  }

  private static func date(_ day: Int) -> Date { Date(timeIntervalSince1970: TimeInterval(day) * 86_400) }

  private func left(
    _ charges: [Stretch], crediting credits: [Stretch], returned: Ledger.Returned = .nothing, keeps: Bool = false
  ) -> Set<Stretch> {
    let entries =
      charges.enumerated().map { Self.entry($1, .charge, number: $0) }
      + credits.enumerated().map { Self.entry($1, .credit, number: 100 + $0, returned: returned) }
    return Set(
      Ledger.charges(among: entries, keepingReturned: keeps).map { entry in
        Stretch(
          quantity: entry.quantity, from: Int((entry.span?.start ?? .distantPast).timeIntervalSince1970 / 86_400),
          to: Int((entry.span?.end ?? .distantPast).timeIntervalSince1970 / 86_400), price: entry.price?.rawValue ?? "",
          invoice: Int(entry.invoice?.rawValue.dropFirst(3) ?? "") ?? 0)
      })
  }

  @Test("The rest of a period that is given back ends it there")
  func rest() {
    #expect(
      left([Stretch(from: 0, to: 30)], crediting: [Stretch(from: 10, to: 30, invoice: 2)]) == [.init(from: 0, to: 10)])
  }

  @Test("A credit is of what begins with it, and not of what has just ended")
  func nextPeriod() {
    #expect(
      left(
        [Stretch(from: 0, to: 30), Stretch(quantity: 2, from: 30, to: 60, invoice: 2)],
        crediting: [Stretch(from: 30, to: 60, invoice: 3)])
        == [.init(from: 0, to: 30), .init(from: 30, to: 60, invoice: 2)])
  }

  @Test("What was called off was neither charged nor credited")
  func calledOff() {
    func entry(_ direction: Ledger.Entry.Direction, _ coverage: Ledger.Coverage) -> Ledger.Entry {
      Ledger.Entry(
        id: "il_\(direction)", invoice: "in_1", item: "si_1", price: "basic", product: nil, quantity: 1, amount: 100,
        span: Span(start: Self.date(direction == .charge ? 0 : 10), end: Self.date(30)), direction: direction,
        isChange: false, billed: Self.date(0), coverage: coverage, returned: .nothing)
    }
    let charge = entry(.charge, .owed(since: Self.date(0)))
    #expect(Ledger.billed(among: [charge, entry(.credit, .void)]) == [charge])
    #expect(Ledger.billed(among: [entry(.charge, .void)]) == [])
  }

  @Test("A credit from the first moment on leaves nothing")
  func whole() {
    #expect(left([Stretch(from: 0, to: 30)], crediting: [Stretch(from: 0, to: 30, invoice: 2)]) == [])
  }

  @Test("A credit of fewer units leaves the others, and one of more leaves none")
  func units() {
    let three = [Stretch(quantity: 3, from: 0, to: 30)]
    #expect(
      left(three, crediting: [Stretch(quantity: 2, from: 10, to: 30, invoice: 2)])
        == [.init(quantity: 3, from: 0, to: 10), .init(quantity: 1, from: 10, to: 30)])
    #expect(
      left(three, crediting: [Stretch(quantity: 3, from: 10, to: 30, invoice: 2)])
        == [.init(quantity: 3, from: 0, to: 10)])
    #expect(
      left(three, crediting: [Stretch(quantity: 4, from: 10, to: 30, invoice: 2)])
        == [.init(quantity: 3, from: 0, to: 10)])
    #expect(
      left(three, crediting: [Stretch(quantity: 0, from: 10, to: 30, invoice: 2)])
        == [.init(quantity: 3, from: 0, to: 10), .init(quantity: 3, from: 10, to: 30)])
  }

  @Test("A credit that ends before the period leaves what follows, and one that ends later gives back no more")
  func ends() {
    #expect(
      left([Stretch(from: 0, to: 30)], crediting: [Stretch(from: 10, to: 20, invoice: 2)])
        == [.init(from: 0, to: 10), .init(from: 20, to: 30)])
    #expect(
      left([Stretch(quantity: 2, from: 0, to: 30)], crediting: [Stretch(quantity: 1, from: 10, to: 20, invoice: 2)])
        == [
          .init(quantity: 2, from: 0, to: 10), .init(quantity: 1, from: 10, to: 20),
          .init(quantity: 2, from: 20, to: 30),
        ])
    #expect(
      left([Stretch(quantity: 2, from: 0, to: 30)], crediting: [Stretch(quantity: 1, from: 10, to: 40, invoice: 2)])
        == [.init(quantity: 2, from: 0, to: 10), .init(quantity: 1, from: 10, to: 30)])
  }

  @Test("A credit gives back its own price, and only a time that was charged")
  func fit() {
    let charge = [Stretch(from: 0, to: 30)]
    #expect(left(charge, crediting: [Stretch(from: 10, to: 30, price: "pro", invoice: 2)]) == Set(charge))
    #expect(left(charge, crediting: [Stretch(from: 30, to: 60, invoice: 2)]) == Set(charge))
    #expect(
      left([Stretch(from: 10, to: 30)], crediting: [Stretch(from: 9, to: 30, invoice: 2)]) == [.init(from: 10, to: 30)])
    #expect(
      left([Stretch(from: 10, to: 30)], crediting: [Stretch(from: 10, to: 30, invoice: 2)]) == [],
      "from its very start it counts")
  }

  @Test("Of two charges the one of the same quantity is meant, else the newest")
  func choice() {
    let charges = [Stretch(quantity: 2, from: 0, to: 30), Stretch(quantity: 1, from: 5, to: 30, invoice: 2)]
    #expect(
      left(charges, crediting: [Stretch(quantity: 2, from: 10, to: 30, invoice: 3)])
        == [.init(quantity: 2, from: 0, to: 10), .init(quantity: 1, from: 5, to: 30, invoice: 2)])
    #expect(
      left(charges, crediting: [Stretch(quantity: 3, from: 10, to: 30, invoice: 3)])
        == [.init(quantity: 2, from: 0, to: 30), .init(quantity: 1, from: 5, to: 10, invoice: 2)])
  }

  @Test("A credit does not give back what was charged later, nor what its own invoice charges from the same moment on")
  func order() {
    let later = [Stretch(from: 0, to: 30, invoice: 3)]
    #expect(left(later, crediting: [Stretch(from: 10, to: 30, invoice: 2)]) == Set(later))
    let own = [Stretch(from: 10, to: 30, invoice: 2)]
    #expect(left(own, crediting: [Stretch(from: 10, to: 30, invoice: 2)]) == Set(own))
    #expect(left(own, crediting: [Stretch(from: 20, to: 30, invoice: 2)]) == [.init(from: 10, to: 20, invoice: 2)])
  }

  @Test("Only a credit that was settled counts, and one whose money went back where the vendor keeps it so")
  func settled() {
    let charge = [Stretch(from: 0, to: 30)]
    let credit = Stretch(from: 10, to: 30, invoice: 2)
    var open = credit
    open.isPaid = false
    #expect(left(charge, crediting: [open]) == Set(charge))
    #expect(left(charge, crediting: [credit], returned: .all) == Set(charge))
    #expect(left(charge, crediting: [credit], returned: .all, keeps: true) == [.init(from: 0, to: 10)])
    #expect(left(charge, crediting: [credit], returned: .lost, keeps: true) == Set(charge))
    #expect(left(charge, crediting: [credit], returned: .part) == [.init(from: 0, to: 10)])
  }

  @Test("A ledger tells when something is given back that nothing charges")
  func orphan() {
    func ledger(_ charge: Stretch, _ credit: Stretch) -> Ledger {
      Ledger(entries: [Self.entry(charge, .charge, number: 1), Self.entry(credit, .credit, number: 2)])
    }
    let charge = Stretch(from: 0, to: 30)
    #expect(!ledger(charge, Stretch(from: 10, to: 30, invoice: 2)).hasCreditWithoutCharge)
    #expect(ledger(charge, Stretch(from: 30, to: 60, invoice: 2)).hasCreditWithoutCharge)
    #expect(ledger(charge, Stretch(from: 10, to: 30, price: "pro", invoice: 2)).hasCreditWithoutCharge)
  }
}
