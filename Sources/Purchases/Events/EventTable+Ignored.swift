import StripeAPI

extension EventTable {
  static let ignored: [EventRow] = [
    .ignore(
      "invoice.payment_succeeded", "invoice.paid says the same.",
      why: "`invoice.paid` says the same"),
    notDue("invoice.created"),
    notDue("invoice.upcoming"),
    scheduled("subscription_schedule.created"),
    scheduled("subscription_schedule.updated"),
    scheduled("subscription_schedule.released"),
    scheduled("subscription_schedule.canceled"),
    scheduled("subscription_schedule.completed"),
    scheduled("subscription_schedule.aborted"),
    scheduled("subscription_schedule.expiring"),
    paymentLink("payment_link.created"),
    paymentLink("payment_link.updated"),
    .ignore(
      "entitlements.active_entitlement_summary.updated",
      "Licenses follow what was sold, by its price. Entitlements tell the same in another way.",
      why: """
        licenses follow what was sold, by its price. Entitlements tell the same in another way; to follow both would license \
        it twice
        """),
    .ignore(
      "account.updated", "Nothing of the account is kept but its id.",
      why: "nothing of the account is kept but its id"),
    .ignore(
      "ping", "A ping is about nothing: Stripe asks whether the address answers.",
      why: "Stripe asks whether the address answers"),
  ]

  private static func notDue(_ type: StripeEventType) -> EventRow {
    .ignore(
      type, "Nothing is due yet; the invoice says so when it is.",
      why: "nothing is due yet; `invoice.finalized` says when it is")
  }

  private static func scheduled(_ type: StripeEventType) -> EventRow {
    .ignore(
      type, "What is scheduled has no effect before its phase begins; the subscription says so then.",
      why: "what is scheduled has no effect before its phase begins; `customer.subscription.updated` says so then")
  }

  private static func paymentLink(_ type: StripeEventType) -> EventRow {
    .ignore(
      type, "A sale through a Payment Link is known by its Checkout Session; mappings are of products.",
      why: "a sale through a Payment Link is known by its Checkout session, and mappings are of products")
  }
}
