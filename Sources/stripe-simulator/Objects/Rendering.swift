import JSON

/// One object as it looks in each shape at one moment.
struct Rendering: Equatable {
  let id: String
  let old: Fields
  let new: Fields
  let endive: Fields

  init(_ tenant: Tenant, _ kind: Kind, _ id: String) {
    self.id = id
    old = tenant.render(kind, id, .old) ?? Fields([])
    new = tenant.render(kind, id, .new) ?? Fields([])
    endive = tenant.render(kind, id, .endive) ?? Fields([])
  }

  init(id: String, old: Fields, new: Fields, endive: Fields? = nil) {
    self.id = id
    self.old = old
    self.new = new
    self.endive = endive ?? new
  }

  subscript(shape: Shape) -> Fields {
    switch shape {
    case .old: old
    case .new: new
    case .endive: endive
    }
  }

  /// The keys of `before` that changed, with their former values: nested objects key by key, lists whole, and null for a
  /// key that is new (Stripe docs, API: event object, previous_attributes).
  static func previousAttributes(_ before: Fields, _ after: Fields) -> Fields {
    var result = Fields([])
    for key in after.keys where before[key] != after[key] {
      guard let former = before[key] else {
        result[key] = .some(.null)
        continue
      }
      if let left = former.asObject, let right = after[key]?.asObject {
        result[key] = .object(previousAttributes(left, right))
      } else {
        result[key] = former
      }
    }
    for key in before.keys where after[key] == nil { result[key] = before[key] }
    return result
  }
}

extension Tenant {
  /// The object as the API shows it; nil when it does not exist. One renderer for each kind of object.
  func render(_ kind: Kind, _ id: String, _ shape: Shape) -> Fields? {
    guard let fields = find(kind, id) else { return nil }
    switch kind {
    case .subscription: return renderSubscription(fields, shape)
    case .subscriptionItem: return renderSubscriptionItem(fields, shape)
    case .invoice: return renderInvoice(fields, shape)
    case .invoiceLine: return renderInvoiceLine(fields, shape)
    case .paymentIntent: return renderPaymentIntent(fields, shape)
    case .charge: return renderCharge(fields, shape)
    case .session: return renderSession(fields, shape)
    case .sessionLine: return renderSessionLine(fields, shape)
    case .creditNote: return renderCreditNote(fields, shape)
    case .customer, .product, .price, .paymentLink, .invoicePayment, .refund, .dispute, .entitlement, .file, .testClock:
      return fields.visible
    }
  }

  /// An embedded list that shows its first ten elements.
  func embeddedList(_ elements: [JSONValue], url: String) -> JSONValue {
    object([
      "object": "list", "data": .array(Array(elements.prefix(10))), "has_more": flag(elements.count > 10),
      "total_count": .integer(Int64(elements.count)), "url": .string(url),
    ])
  }
}
