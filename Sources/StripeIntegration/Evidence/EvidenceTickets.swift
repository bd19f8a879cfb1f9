import Cryptography
import Foundation
import Identity
import JSON
import ServerKit
import StripeAPI

/// Links to the document of a dispute's evidence. A view in the Dashboard's sandbox cannot show a file, so it opens a link.
/// The link is valid for ten minutes and contains, encrypted, what it is for.
struct EvidenceTickets: Sendable {
  let keyRing: KeyRing
  let publicBaseURL: String

  static let lifetime: TimeInterval = 600
  private static let context = ["evidence_ticket"]

  private struct Ticket: Codable {
    let account: String
    let livemode: Bool
    let payment: String
    let expires: Int64
  }

  func link(to payment: String, of tenant: Tenant, now: Date) throws -> String {
    let ticket = Ticket(
      account: tenant.account.rawValue, livemode: tenant.livemode, payment: payment,
      expires: Int64(now.timeIntervalSince1970 + Self.lifetime))
    let encrypted = try keyRing.encrypt(try JSONCoding.encodedBytes(ticket), context: Self.context)
    return "\(publicBaseURL)/stripe/evidence/\(Base64.encodeURL(encrypted))"
  }

  /// - Returns: nil if the text is no ticket, or the ticket has expired.
  func open(_ text: String, now: Date) -> (tenant: Tenant, payment: String)? {
    guard text.utf8.count <= 2_048, let encrypted = Base64.decodeURL(text),
      let bytes = try? keyRing.decrypt(encrypted, context: Self.context),
      let ticket = try? JSONCoding.decode(Ticket.self, from: bytes),
      Double(ticket.expires) > now.timeIntervalSince1970
    else { return nil }
    return (Tenant(account: .init(ticket.account), livemode: ticket.livemode), ticket.payment)
  }
}
