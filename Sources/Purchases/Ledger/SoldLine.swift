package import StripeAPI

/// One line as it was sold, before any mapping is applied.
package struct SoldLine {
  package let key: String
  package let price: Stripe.PriceID?
  package let product: Stripe.ProductID?
  package var quantity: Int
  /// Other names under which it may be recorded: the items that it replaced.
  var formerKeys: [String] = []
  /// What the line was before, as far as that was paid, newest first.
  package var former: [Former] = []

  package init(
    key: String, price: Stripe.PriceID?, product: Stripe.ProductID?, quantity: Int, formerKeys: [String] = [],
    former: [Former] = []
  ) {
    self.key = key
    self.price = price
    self.product = product
    self.quantity = quantity
    self.formerKeys = formerKeys
    self.former = former
  }

  package struct Former: Hashable {
    package let price: Stripe.PriceID?
    package let product: Stripe.ProductID?
  }
}
