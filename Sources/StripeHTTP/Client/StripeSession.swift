import HTTPTransport
import JSON
public import StripeAPI

/// The API as one merchant's credential sees it. A value: make one for each piece of work.
///
/// Every call throws `StripeError`, repeats passing failures (`RetryPolicy`), and never asks for expanded objects: each would
/// need another permission, and Stripe refuses expanded line items to apps (Stripe Apps docs, "Permissions"). Such objects
/// have lists of their own.
public struct StripeSession: Sendable {
  let client: StripeClient
  /// The credential of its calls. The provider of sessions recognises a refused session by it.
  public let credential: StripeCredential
  let budget: StripeClient.Budget?

  /// The most elements that are read of a list. A longer list fails, so that it does not seem complete.
  public static let longestList = 10_000

  /// `GET` of any object, by the segments of its path behind `/v1`.
  public func get(_ path: [String], _ parameters: FormParameters = [:]) async throws(StripeError) -> StripeAnswer {
    try await call.perform(request("GET", path, parameters, idempotencyKey: nil))
  }

  /// `POST` of any change, by the segments of its path behind `/v1`.
  ///
  /// - Parameter idempotencyKey: at most 255 characters, without personal data; the same for every attempt at the same
  ///   change. Stripe remembers it for at least 24 hours, failures with status 500 included.
  public func post(
    _ path: [String], _ parameters: FormParameters, idempotencyKey: String
  ) async throws(StripeError) -> StripeAnswer {
    guard (1...255).contains(idempotencyKey.utf8.count),
      idempotencyKey.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else {
      throw StripeError(
        message: "an idempotency key is 1 to 255 printable ASCII characters", param: "Idempotency-Key",
        retry: .invalid, attempts: 0)
    }
    return try await call.perform(request("POST", path, parameters, idempotencyKey: idempotencyKey))
  }

  /// One page of a list.
  ///
  /// - Parameters:
  ///   - cursor: `nextCursor` of the page before; nil for the first.
  ///   - limit: 1 to 100.
  public func page(
    _ path: [String], _ parameters: FormParameters = [:], cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    let answer = try await get(
      path,
      parameters.adding("limit", .integer(Int64(min(max(limit, 1), 100))))
        .adding("starting_after", cursor.map(FormValue.string)))
    guard let items = answer.value["data"]?.array else {
      throw StripeError(
        status: 200, message: "the answer is not a list", requestID: answer.requestID, retry: .retry(after: nil))
    }
    var next: String?
    if answer.value["has_more"]?.bool == true {
      // A list that says "more" without a new last id would be read forever.
      guard let last = items.last?["id"]?.string, last != cursor else {
        throw StripeError(
          status: 200, message: "the list has more but names no next element", requestID: answer.requestID,
          retry: .retry(after: nil))
      }
      next = last
    }
    return StripePage(items: items, nextCursor: next, fetchedAt: answer.fetchedAt, took: answer.took)
  }

  /// All elements of a list, page after page.
  public func list(_ path: [String], _ parameters: FormParameters = [:]) async throws(StripeError) -> StripeList {
    var page = try await page(path, parameters)
    let (fetchedAt, took) = (page.fetchedAt, page.took)
    var items = page.items
    while let cursor = page.nextCursor {
      guard items.count < Self.longestList else {
        throw StripeError(status: 200, message: "the list is longer than \(Self.longestList)", retry: .invalid)
      }
      page = try await self.page(path, parameters, cursor: cursor)
      items += page.items
    }
    return StripeList(items: items, fetchedAt: fetchedAt, took: took)
  }
}

// MARK: - Requests

extension StripeSession {
  private var call: StripeCall {
    StripeCall(transport: client.transport, policy: client.policy, surroundings: client.surroundings, budget: budget)
  }

  private func request(
    _ method: String, _ path: [String], _ parameters: FormParameters, idempotencyKey: String?
  ) -> HTTPTransportRequest {
    let isWrite = method != "GET"
    var headers = credential.headers
    headers.append(("Stripe-Version", client.apiVersion))
    headers.append(("User-Agent", client.userAgent))
    headers.append(("Accept", "application/json"))
    if let idempotencyKey { headers.append(("Idempotency-Key", idempotencyKey)) }
    if isWrite { headers.append(("Content-Type", FormEncoding.contentType)) }
    return HTTPTransportRequest(
      method: method,
      url: URLBuilder.url(client.apiBaseURL, path: ["v1"] + path, query: isWrite ? [] : parameters.pairs),
      headers: headers, body: isWrite ? FormEncoding.bytes(parameters.pairs) : nil)
  }
}
