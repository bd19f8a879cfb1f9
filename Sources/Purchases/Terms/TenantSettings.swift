/// What a vendor has chosen for the whole account. A choice that was not made has the default that always applied.
package struct TenantSettings: Hashable, Sendable, Codable {
  /// Whether a payment without Checkout, Payment Link, subscription or invoice is a sale of what its metadata names. For
  /// vendors with a payment form of their own.
  package var barePayments: Bool
  /// Whether a changed name or address of a Stripe customer is copied to the customer at LicenseKit.
  package var updateCustomers: Bool

  package init(barePayments: Bool = false, updateCustomers: Bool = false) {
    self.barePayments = barePayments
    self.updateCustomers = updateCustomers
  }
}
