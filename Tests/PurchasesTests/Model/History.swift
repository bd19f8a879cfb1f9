/// Something that happens at Stripe, some seconds after what happened before.
struct Happening: Hashable, Sendable, CustomStringConvertible {
  enum What: Hashable, Sendable {
    case begins(Beginning)
    case changes(Change)
  }
  var after: Seconds
  var purchase: Int
  var what: What

  var description: String {
    let gap =
      after == 0
      ? "in the same second"
      : after < 2 * hour
        ? "\(after) s later"
        : after < 2 * day
          ? "\(after / hour) h later" : "\(after / day) days later"
    return "\(gap), purchase \(purchase): \(readable)"
  }

  private var readable: String {
    switch what {
    case .begins(.checkout(let start, let wishes)):
      let how = "\(start.money.rawValue)\(start.guest ? ", guest" : "")\(start.makesInvoice ? ", with invoice" : "")"
      return "checkout (\(how)) of \(Self.text(wishes))"
    case .begins(.invoice(let wishes)): return "an invoice is sent for \(Self.text(wishes))"
    case .begins(.subscription(let start, let wishes)):
      let how =
        "\(start.first.rawValue)\(start.trial ? ", trial" : "")\(start.byCheckout ? ", by Checkout" : "")"
        + (start.extra.map { ", with \($0.rawValue)" } ?? "")
        + (start.beside.isEmpty ? "" : ", billed together with one to \(Self.text(start.beside))")
      return "subscription (\(how)) to \(Self.text(wishes))"
    case .changes(let change): return "\(change)".without("PurchasesTests.").without("Billing.")
    }
  }

  private static func text(_ wishes: [Wish]) -> String {
    wishes.map { "\($0.quantity) × \($0.price)" }.joined(separator: " and ")
  }
}

extension String {
  fileprivate func without(_ part: String) -> String {
    split(separator: part, omittingEmptySubsequences: false).joined()
  }
}

/// Everything that happens at Stripe, and how it is told.
struct History: Hashable, Sendable, CustomStringConvertible {
  var shape = Shape.new
  var cutsLists = false
  var tellsInvoicePayments = true
  /// Subscriptions are billed in the newer mode, whose prorations name the item they are of.
  var billsFlexibly = false
  var offer = Offer()
  var happenings: [Happening] = []

  var description: String {
    "shape \(shape), cuts lists \(cutsLists), invoice payments \(tellsInvoicePayments), flexible \(billsFlexibly)\n"
      + "\(offer)\n" + happenings.map { "  - \($0)" }.joined(separator: "\n")
  }

  /// The moments of the history: Stripe before anything, and after each happening.
  func moments() -> [StripeModel] {
    var model = StripeModel(
      shape: shape, cutsLists: cutsLists, tellsInvoicePayments: tellsInvoicePayments, billsFlexibly: billsFlexibly)
    var roots: [Int: String] = [:]
    var moments = [model]
    for happening in happenings {
      model.now += happening.after
      switch happening.what {
      case .begins(let beginning): roots[happening.purchase] = model.begin(beginning)
      case .changes(let change): if let root = roots[happening.purchase] { model.apply(change, to: root) }
      }
      moments.append(model)
    }
    return moments
  }
}
