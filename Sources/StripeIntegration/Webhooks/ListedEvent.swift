import Foundation
import Identity
import JSON
import StripeAPI

/// An event from Stripe's list, in the form in which the receiver would have stored it.
struct ListedEvent: Sendable {
  let id: Stripe.EventID
  let type: StripeEventType
  let created: Date
  let body: String

  /// Nil if it is no event of this tenant. A list names no account, since it is the caller's own.
  init?(_ value: JSONValue, of tenant: Tenant) {
    guard var object = value.object else { return nil }
    object["account"] = .string(tenant.account.rawValue)
    let body = JSONValue.object(object).text()
    guard let envelope = try? EventEnvelope(scanning: Array(body.utf8)), envelope.livemode == tenant.livemode else {
      return nil
    }
    (id, type, created, self.body) = (envelope.id, envelope.type, envelope.created, body)
  }
}
