/// What a vendor has chosen for the whole account; what is not chosen is as it always was.
package struct TenantSettings: Hashable, Sendable, Codable {
  /// Whether a payment that no Checkout, Payment Link, subscription or invoice is behind is a sale of what its metadata
  /// names: for vendors with a payment form of their own.
  package var barePayments: Bool
  /// Whether a changed name or address of a Stripe customer is taken over to the customer at LicenseKit.
  package var updateCustomers: Bool

  package init(barePayments: Bool = false, updateCustomers: Bool = false) {
    self.barePayments = barePayments
    self.updateCustomers = updateCustomers
  }
}
