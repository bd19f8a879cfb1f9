import Foundation
import Identity
import LicenseKitAPI
import Purchases
import StripeAPI

/// Everything on record that answers a dispute: what was bought, how the key reached the buyer, where it was activated, what
/// was used, and what was paid since. Pure: it turns what was read into text.
struct EvidencePack: Sendable, Hashable {
  /// Something that happened, or that is true.
  struct Fact: Sendable, Hashable, Encodable {
    /// Nil if it has no moment.
    let at: Date?
    let text: String

    init(_ at: Date?, _ text: String) {
      self.at = at
      self.text = text
    }

    private enum Key: String, CodingKey { case at, text }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      // Written even if there is none, as null.
      try container.encode(at, forKey: .at)
      try container.encode(text, forKey: .text)
    }
  }

  struct Section: Sendable, Hashable, Encodable {
    let title: String
    let facts: [Fact]
  }

  /// Text for one of Stripe's evidence fields (API reference, "Disputes").
  struct Field: Sendable, Hashable {
    let name: String
    let text: String
  }

  let sections: [Section]
  let fields: [Field]

  /// Stripe accepts no more in one field.
  static let longestField = 20_000

  init(_ record: EvidenceRecord) {
    sections = [
      Section(title: "Purchase", facts: record.purchaseFacts),
      Section(title: "Delivery", facts: record.deliveryFacts),
      Section(title: "Activations", facts: record.activationFacts),
      Section(title: "Use", facts: record.useFacts),
      Section(title: "Renewals", facts: record.renewalFacts),
    ].filter { !$0.facts.isEmpty }
    fields = record.fields.compactMap { name, text in
      text.flatMap { $0.isEmpty ? nil : Field(name: name, text: Self.cut($0)) }
    }
  }

  private static func cut(_ text: String) -> String {
    text.count <= longestField ? text : String(text.prefix(longestField - 20)) + "\n(shortened)"
  }
}

/// What was read about a disputed payment, from here, from LicenseKit and from Stripe.
struct EvidenceRecord: Sendable, Hashable {
  struct License: Sendable, Hashable {
    let id: LicenseID
    let keyHint: String?
    let issuedAt: Date?
    let expiresAt: Date?
    let product: String
    let policy: String
    /// The devices that are, or were once, bound to it.
    var devices: [Device] = []
    var usage: [Usage] = []

    /// The name of the license: the ends of its key, which are in the buyer's mail too.
    var name: String { "License \(keyHint ?? id.rawValue)" }
  }

  struct Device: Sendable, Hashable {
    let name: String
    let os: String?
    let ipAddress: String?
    let firstSeenAt: Date
    let lastSeenAt: Date
  }

  struct Usage: Sendable, Hashable {
    let feature: String
    let consumed: Int64
  }

  /// The key of a license on its way to the buyer.
  struct Sending: Sendable, Hashable {
    let at: Date
    let license: LicenseID
    /// Whether the mail server accepted it; nil if that is no longer on record.
    let wasAccepted: Bool?
  }

  let purchaseID: PurchaseID
  let kind: String
  let stripeID: String
  let boughtAt: Date
  let customerName: String?
  let customerEmail: String?
  var licenses: [License]
  let sendings: [Sending]
  /// When each paid period was applied and until when it lasts, in words.
  let renewals: [EvidencePack.Fact]
  /// Stripe is the merchant of record and answers the dispute.
  var isManaged = false

  // MARK: In words

  var purchaseFacts: [EvidencePack.Fact] {
    let sold = licenses.map { "\($0.product) (\($0.policy))" }
    let what = Set(sold).sorted().map { name in
      let count = sold.count { $0 == name }
      return count == 1 ? name : "\(count) licenses of \(name)"
    }
    return [.init(boughtAt, "\(what.joined(separator: ", ")), bought through \(Self.way(kind)) \(stripeID)")]
  }

  /// Stripe's own name for the way of a sale.
  private static func way(_ kind: String) -> String {
    switch kind {
    case "checkout": "Checkout Session"
    case "subscription", "invoice", "payment": kind
    default: "Stripe's"
    }
  }

  var deliveryFacts: [EvidencePack.Fact] {
    let issued = licenses.compactMap { license in
      license.issuedAt.map { EvidencePack.Fact($0, "\(license.name) was issued for \(license.product)") }
    }
    let names = Dictionary(licenses.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
    let sent = sendings.map { sending in
      let name = names[sending.license] ?? "License \(sending.license)"
      let outcome =
        switch sending.wasAccepted {
        case true?: ", and the mail server accepted it"
        case false?: ", and the mail server did not accept it"
        case nil: ""
        }
      return EvidencePack.Fact(sending.at, "The key of \(name.lowercasedFirst) was mailed to the buyer\(outcome)")
    }
    return (issued + sent).sorted { ($0.at ?? .distantPast) < ($1.at ?? .distantPast) }
  }

  var activationFacts: [EvidencePack.Fact] {
    licenses.flatMap { license in
      license.devices.map { device in
        let about = [device.os, device.ipAddress.map { "from \($0)" }].compactMap { $0 }.joined(separator: ", ")
        return EvidencePack.Fact(
          device.firstSeenAt,
          "\(license.name) was activated on \(device.name)\(about.isEmpty ? "" : " (\(about))"), which last used it on "
            + Self.moment(device.lastSeenAt))
      }
    }.sorted { ($0.at ?? .distantPast) < ($1.at ?? .distantPast) }
  }

  var useFacts: [EvidencePack.Fact] {
    licenses.flatMap { license in
      license.usage.filter { $0.consumed > 0 }.map {
        EvidencePack.Fact(nil, "\(license.name): \($0.feature) used \($0.consumed) times")
      }
    }
  }

  var renewalFacts: [EvidencePack.Fact] { renewals }

  fileprivate var fields: [(String, String?)] {
    let bought = purchaseFacts.map(\.text)
    let accessLog = (deliveryFacts + activationFacts + useFacts).map(Self.line)
    return [
      (
        "product_description",
        (bought + ["It is software that a license key unlocks; the key was delivered electronically."])
          .joined(separator: "\n")
      ),
      ("customer_name", customerName), ("customer_email_address", customerEmail),
      ("service_date", licenses.compactMap(\.issuedAt).min().map(Self.day)),
      ("access_activity_log", accessLog.joined(separator: "\n")), ("uncategorized_text", summary),
    ]
  }

  /// Sums the case up in a few sentences.
  private var summary: String {
    let devices = licenses.flatMap(\.devices)
    var sentences = ["The buyer received what was paid for."]
    if let issued = licenses.compactMap(\.issuedAt).min() {
      sentences.append("The license was issued on \(Self.day(issued)).")
    }
    if let sent = sendings.filter({ $0.wasAccepted != false }).map(\.at).min() {
      sentences.append("Its key was mailed to the buyer on \(Self.day(sent)).")
    }
    if let last = devices.map(\.lastSeenAt).max() {
      sentences.append(
        "The software was activated on \(devices.count == 1 ? "one device" : "\(devices.count) devices") and was last used "
          + "on \(Self.day(last)).")
    }
    if !renewals.isEmpty {
      sentences.append(
        renewals.count == 1 ? "The license was renewed once." : "The license was renewed \(renewals.count) times.")
    }
    return sentences.joined(separator: " ")
  }

  private static func line(_ fact: EvidencePack.Fact) -> String {
    fact.at.map { "\(moment($0))  \(fact.text)" } ?? fact.text
  }

  static func day(_ date: Date) -> String { date.formatted(dayStyle) }
  static func moment(_ date: Date) -> String { date.formatted(momentStyle) + " UTC" }

  // Its readers at a bank may be anywhere, so the month is in letters and there is one time zone.
  private static let utc = TimeZone(identifier: "UTC") ?? .gmt
  private static let dayStyle = Date.VerbatimFormatStyle(
    format: "\(month: .abbreviated) \(day: .defaultDigits), \(year: .defaultDigits)",
    locale: Locale(identifier: "en_US"),
    timeZone: utc, calendar: Calendar(identifier: .gregorian))
  private static let momentStyle = Date.VerbatimFormatStyle(
    format:
      "\(month: .abbreviated) \(day: .defaultDigits), \(year: .defaultDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits)",
    locale: Locale(identifier: "en_US"), timeZone: utc, calendar: Calendar(identifier: .gregorian))
}

extension String {
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
