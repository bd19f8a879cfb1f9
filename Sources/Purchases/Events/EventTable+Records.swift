import StripeAPI

extension EventTable {
  static let customers: [EventRow] = [
    .learn(
      "customer.created", .customer, looks: .none, exception: contactChanged, sync: .third, says: "is new",
      does: contact),
    .learn(
      "customer.updated", .customer, looks: .none, exception: contactChanged, sync: .third, says: "was changed",
      does: contact),
    .learn(
      "customer.deleted", .deletedCustomer, looks: .none, sync: .third, says: "was deleted",
      does: """
        the record at LicenseKit stays, with what it has, and follows no more; names and addresses are erased from the facts; \
        Stripe ends the subscriptions with events of their own, and what was bought once stays
        """),
  ]

  private static let contactChanged: EventRow.Exception = { _, settings in settings.updateCustomers ? .buyer : nil }
  private static let contact = """
    name and address of the buyer for later records. With `update_customers` they are taken over to the record that exists
    """

  // What was issued is not touched; a mapping of what is archived or gone says so.
  static let catalogue: [EventRow] = [
    .learn("product.created", .product, looks: .none, sync: .third, does: withdrawn),
    .learn("product.updated", .product, looks: .none, sync: .third, does: withdrawn),
    .learn("product.deleted", .deletedProduct, looks: .none, sync: .third, does: withdrawn),
    .learn("price.created", .price, looks: .none, sync: .third, does: asProducts),
    .learn("price.updated", .price, looks: .none, sync: .third, does: asProducts),
    .learn("price.deleted", .deletedPrice, looks: .none, sync: .third, does: asProducts),
  ]

  private static let withdrawn = """
    a mapping of a product that was archived or deleted says so (`warning`). Licenses stay as they are
    """
  private static let asProducts = "as for products"
}
