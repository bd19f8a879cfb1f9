public import Foundation
public import Identity
public import StripeAPI

// Lists of a whole account, page by page: for catching up with what no event reported.

extension StripeSession {
  /// Checkout Sessions that were completed, newest first.
  ///
  /// - Parameter createdSince: only sessions made then or later.
  public func completedCheckoutSessions(
    createdSince: Date?, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    try await page(
      ["checkout", "sessions"],
      FormParameters([("status", "complete")]).adding("created", Self.notBefore(createdSince)), cursor: cursor,
      limit: limit)
  }

  /// Paid invoices, newest first.
  ///
  /// - Parameters:
  ///   - subscription: only those of this subscription.
  ///   - createdSince: only those made then or later.
  public func paidInvoices(
    subscription: Stripe.SubscriptionID? = nil, createdSince: Date? = nil, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    try await page(
      ["invoices"],
      FormParameters([("status", "paid")])
        .adding("subscription", (subscription?.rawValue).map(FormValue.string))
        .adding("created", Self.notBefore(createdSince)), cursor: cursor, limit: limit)
  }

  private static func notBefore(_ date: Date?) -> FormValue? {
    date.map { ["gte": .integer(Int64($0.timeIntervalSince1970.rounded(.down)))] }
  }

  /// A session whose calls first wait for another budget.
  public func waiting(for other: @escaping StripeClient.Budget) -> StripeSession {
    let own = budget
    return client.session(credential) {
      try await other()
      try await own?()
    }
  }
}

extension StripePage {
  /// As in `StripeAnswer`: later changes may or may not be in the page.
  public var readNotBefore: Date { fetchedAt.addingTimeInterval(-(took / .seconds(1))) }
}
