import Foundation
import Identity
import PDFDocuments

extension EvidencePack {
  /// The evidence as a document to attach, in the order of the sections.
  func document(about dispute: EvidenceDispute, at now: Date) -> PDFDocument {
    var blocks: [PDFDocument.Block] = [
      .facts([
        .init("Dispute", dispute.id.rawValue), .init("Charge", dispute.charge?.rawValue ?? "Not named"),
        .init("Amount", Self.money(dispute.amount, dispute.currency)), .init("Reason", dispute.reason),
        .init("Prepared on", EvidenceRecord.moment(now)),
      ])
    ]
    for section in sections {
      blocks.append(.heading(section.title))
      blocks.append(
        .table(
          .init(
            columns: [.init("When (UTC)"), .init("What")],
            rows: section.facts.map { [$0.at.map(EvidenceRecord.moment) ?? "", $0.text] })))
    }
    blocks.append(.note("From the records of the license service, which are written as things happen."))
    return PDFDocument(
      title: "Evidence of delivery and use", subtitle: "Software license, delivered electronically", createdAt: now,
      blocks: blocks,
      omissionNote:
        "\(PDFDocument.omission) stands for letters that a PDF here cannot show; the texts of the evidence have them.")
  }

  static func money(_ amount: Int64, _ currency: String) -> String {
    let isWhole = wholeCurrencies.contains(currency.lowercased())
    let (sign, units) = (amount < 0 ? "-" : "", amount.magnitude)
    let text = isWhole ? "\(units)" : "\(units / 100).\(units % 100 < 10 ? "0" : "")\(units % 100)"
    return "\(sign)\(text) \(currency.uppercased())"
  }

  // Currencies without a smaller unit (Stripe docs, "Supported currencies").
  private static let wholeCurrencies: Set<String> = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
  ]
}
