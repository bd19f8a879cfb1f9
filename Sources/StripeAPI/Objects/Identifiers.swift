public import Identity

/// Stripe's objects as this project reads them, and the ids that name them.
///
/// Ids are opaque, case-sensitive and at most 255 characters long (Stripe docs, "Upgrades": backwards-compatible
/// changes). Each has a type of its own, so that a customer's id cannot be passed where a charge's is meant.
public enum Stripe {
  public enum AccountTag {}
  public enum EventTag {}
  public enum CustomerTag {}
  public enum SubscriptionTag {}
  public enum SubscriptionItemTag {}
  public enum InvoiceTag {}
  public enum InvoicePaymentTag {}
  public enum PaymentIntentTag {}
  public enum ChargeTag {}
  public enum RefundTag {}
  public enum DisputeTag {}
  public enum CheckoutSessionTag {}
  public enum ProductTag {}
  public enum PriceTag {}
  public enum LineTag {}
  public enum FraudWarningTag {}
  public enum CreditNoteTag {}

  /// `acct_…`: a connected account. Together with the mode it is the tenant.
  public typealias AccountID = ID<AccountTag>
  /// `evt_…`
  public typealias EventID = ID<EventTag>
  /// `cus_…`
  public typealias CustomerID = ID<CustomerTag>
  /// `sub_…`
  public typealias SubscriptionID = ID<SubscriptionTag>
  /// `si_…`
  public typealias SubscriptionItemID = ID<SubscriptionItemTag>
  /// `in_…`
  public typealias InvoiceID = ID<InvoiceTag>
  /// `inpay_…`
  public typealias InvoicePaymentID = ID<InvoicePaymentTag>
  /// `pi_…`
  public typealias PaymentIntentID = ID<PaymentIntentTag>
  /// `ch_…` or `py_…`
  public typealias ChargeID = ID<ChargeTag>
  /// `re_…` or `pyr_…`
  public typealias RefundID = ID<RefundTag>
  /// `du_…` or `dp_…`
  public typealias DisputeID = ID<DisputeTag>
  /// `cs_live_…` or `cs_test_…`
  public typealias CheckoutSessionID = ID<CheckoutSessionTag>
  /// `prod_…`
  public typealias ProductID = ID<ProductTag>
  /// `price_…` (or a plan's id)
  public typealias PriceID = ID<PriceTag>
  /// `issfr_…`
  public typealias FraudWarningID = ID<FraudWarningTag>
  /// `cn_…`
  public typealias CreditNoteID = ID<CreditNoteTag>
  /// `li_…`, `il_…` or `si_…`: one line of a purchase.
  public typealias LineID = ID<LineTag>
}

extension Stripe {
  package static func isPlain(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }
}
