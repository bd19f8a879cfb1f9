import Identity
import JSON
import LicenseKitAPI

extension ID {
  /// Nil for the empty id, by which the contract unlinks a record.
  var unlessEmpty: Self? { rawValue.isEmpty ? nil : self }
}

extension Order {
  /// What the audit trail says about an order: ids and state, never the buyer.
  var auditFacts: JSONObject {
    [
      "product_id": .string(productID.rawValue), "external_system": .string(externalSystem),
      "external_id": .string(externalID), "status": .string(status.rawValue),
    ]
  }
}

extension Subscription {
  /// What the audit trail says about a subscription: ids and state, never the buyer.
  var auditFacts: JSONObject {
    [
      "product_id": .string(productID.rawValue), "external_system": .string(externalSystem),
      "external_id": .string(externalID), "status": .string(status.rawValue),
    ]
  }
}
