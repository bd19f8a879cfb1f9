import Foundation
import Identity
import JSON
import StripeAPI
import Testing

@testable import Purchases

@Suite("How far an invoice is paid")
struct InvoiceCoverageTests {
  private static let start = Date(timeIntervalSince1970: TimeInterval(EventFixture.start))
  private static func after(days: Int) -> Date { start.addingTimeInterval(TimeInterval(days) * 86_400) }
  private static func seconds(days: Int64) -> JSONValue { .integer(EventFixture.start + days * day) }

  private func coverage(
    _ status: String, _ fields: [String: JSONValue] = [:], of subscription: Stripe.Subscription.Status? = .active,
    paidAt: Date? = nil
  ) throws -> Ledger.Coverage {
    guard case .object(var object) = EventFixture.invoice([EventFixture.line("si_1")], status: status) else {
      throw CancellationError()
    }
    for (name, value) in fields { object[name] = value }
    return .init(try Stripe.Invoice(.object(object)), of: subscription, paidAt: paidAt)
  }

  @Test("Paid since its payment, else since its money came, else since it was made")
  func paid() throws {
    #expect(try coverage("paid") == .paid(at: Self.start))
    #expect(try coverage("paid", paidAt: Self.after(days: 2)) == .paid(at: Self.after(days: 2)))
    let told: [String: JSONValue] = ["status_transitions": ["paid_at": Self.seconds(days: 3)]]
    #expect(try coverage("paid", told, paidAt: Self.after(days: 2)) == .paid(at: Self.after(days: 3)))
  }

  @Test("What was called off is given away while the subscription runs, and is nothing after that")
  func void() throws {
    #expect(try coverage("void") == .waived)
    #expect(try coverage("void", of: .pastDue) == .waived)
    #expect(try coverage("void", of: .canceled) == .void)
    #expect(try coverage("void", of: .incompleteExpired) == .void)
    #expect(try coverage("void", of: nil) == .void)
    let credited: [String: JSONValue] = ["amount_paid": 0, "pre_payment_credit_notes_amount": 1_000]
    #expect(try coverage("paid", credited) == .waived)
    #expect(try coverage("paid", credited, of: .canceled) == .void)
  }

  @Test("An uncollectible invoice was given up, unless nobody ever tried to collect it")
  func uncollectible() throws {
    let tried: [String: JSONValue] = ["attempt_count": 1]
    let sent: [String: JSONValue] = ["collection_method": "send_invoice", "due_date": Self.seconds(days: 7)]
    #expect(try coverage("uncollectible") == .waived)
    #expect(try coverage("uncollectible", tried) == .givenUp(since: Self.start))
    #expect(try coverage("uncollectible", of: .canceled) == .givenUp(since: Self.start))
    #expect(try coverage("uncollectible", sent) == .givenUp(since: Self.after(days: 7)))
  }

  @Test("A draft is not asked for, except where Stripe leaves the bills of an unpaid subscription as drafts")
  func draft() throws {
    #expect(try coverage("draft") == .underWay(lateFrom: nil))
    #expect(try coverage("draft", of: .pastDue) == .underWay(lateFrom: nil))
    #expect(try coverage("draft", of: .unpaid) == .owed(since: Self.start))
  }

  @Test("A sent invoice is under way until its due date")
  func sent() throws {
    let due: [String: JSONValue] = ["due_date": Self.seconds(days: 7)]
    #expect(try coverage("open", due) == .underWay(lateFrom: Self.after(days: 7)))
    #expect(try coverage("open", due, of: .pastDue) == .underWay(lateFrom: Self.after(days: 7)))
    let undated: [String: JSONValue] = ["collection_method": "send_invoice"]
    #expect(try coverage("open", undated, of: .pastDue) == .underWay(lateFrom: Self.start))
  }

  @Test(
    "An invoice that is charged is owed as soon as Stripe says so, and a debit on its way until then, for three weeks")
  func charged() throws {
    let finalized: [String: JSONValue] = ["status_transitions": ["finalized_at": Self.seconds(days: 1)]]
    for status in [Stripe.Subscription.Status.active, .trialing] {
      #expect(try coverage("open", finalized, of: status) == .underWay(lateFrom: Self.after(days: 22)))
    }
    #expect(try coverage("open", of: nil) == .underWay(lateFrom: Self.after(days: 21)))
    for status in [Stripe.Subscription.Status.pastDue, .unpaid, .paused, .canceled, .incomplete, .incompleteExpired] {
      #expect(try coverage("open", finalized, of: status) == .owed(since: Self.after(days: 1)))
      #expect(try coverage("open", of: status) == .owed(since: Self.start))
    }
  }
}
