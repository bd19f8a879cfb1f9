public import Foundation
public import JSON

/// One object as Stripe returned it, and when.
public struct StripeAnswer: Hashable, Sendable {
  /// The object, in the shape of the client's version.
  public let value: JSONValue
  /// The time of the answer on Stripe's clock (its `Date` header), to the second; this machine's if there is no such header.
  /// The object was read at or before it.
  public let fetchedAt: Date
  /// How long the request took. The object was read no earlier than `fetchedAt` less this.
  public let took: Duration
  /// `req_…`
  public let requestID: String?

  public init(value: JSONValue, fetchedAt: Date, took: Duration = .zero, requestID: String? = nil) {
    self.value = value
    self.fetchedAt = fetchedAt
    self.took = took
    self.requestID = requestID
  }

  /// The earliest moment at which Stripe can have read the object. Events from before it are part of the answer; later ones
  /// may not be.
  public var readNotBefore: Date { fetchedAt.addingTimeInterval(-(took / .seconds(1))) }
}

/// All elements of a list, from all its pages.
public struct StripeList: Hashable, Sendable {
  public let items: [JSONValue]
  /// As in `StripeAnswer`, for the first page: later changes may or may not be in the list.
  public let fetchedAt: Date
  /// As in `StripeAnswer`, for the first page.
  public let took: Duration

  public init(items: [JSONValue], fetchedAt: Date, took: Duration = .zero) {
    self.items = items
    self.fetchedAt = fetchedAt
    self.took = took
  }

  /// As in `StripeAnswer`.
  public var readNotBefore: Date { fetchedAt.addingTimeInterval(-(took / .seconds(1))) }
}

/// One page of a list, newest first.
public struct StripePage: Hashable, Sendable {
  public let items: [JSONValue]
  /// The cursor for the next page; nil at the end.
  public let nextCursor: String?
  /// As in `StripeAnswer`.
  public let fetchedAt: Date
  public let took: Duration

  public init(items: [JSONValue], nextCursor: String?, fetchedAt: Date, took: Duration = .zero) {
    self.items = items
    self.nextCursor = nextCursor
    self.fetchedAt = fetchedAt
    self.took = took
  }
}
