/// What goes wrong on purpose. Randomness comes from the world's seed, so that a failing run can be repeated.
struct Faults: Sendable {
  /// Probabilities, 0 to 1, for each new delivery.
  var duplicate = 0.0
  var reorder = 0.0
  var delay = 0.0
  var drop = 0.0
  /// How often two different events are sent about one change (Stripe docs, Webhooks: handle duplicate events).
  var twin = 0.0
  var delayMilliseconds: Int64 = 500
  /// Exact counts, used up before the probabilities apply.
  var duplicateNext = 0
  var dropNext = 0
  var delayNext = 0
  /// Event types the delivery faults are limited to; empty means all.
  var types: [String] = []
  /// Accounts the delivery faults are limited to; empty means all.
  var accounts: [String] = []
  /// Deliveries are kept back until they are released.
  var isHolding = false
  /// Accounts whose deliveries are kept back.
  var heldAccounts: Set<String> = []
  var api: [APIFault] = []

  func holds(_ account: String) -> Bool { isHolding || heldAccounts.contains(account) }

  /// What happens to one new delivery.
  enum Fate: Sendable {
    case deliver(copies: Int, delayMilliseconds: Int64)
    case drop
  }

  mutating func fate(of type: String, account: String, _ random: inout SeededRandom) -> Fate {
    guard types.isEmpty || types.contains(type), accounts.isEmpty || accounts.contains(account) else {
      return .deliver(copies: 1, delayMilliseconds: 0)
    }
    if dropNext > 0 {
      dropNext -= 1
      return .drop
    }
    if random.happens(drop) { return .drop }
    var copies = 1
    var wait: Int64 = 0
    if duplicateNext > 0 {
      duplicateNext -= 1
      copies = 2
    } else if random.happens(duplicate) {
      copies = 2
    }
    if delayNext > 0 {
      delayNext -= 1
      wait = delayMilliseconds
    } else if random.happens(delay) {
      wait = delayMilliseconds
    }
    if random.happens(reorder) { wait += Int64.random(in: 1...max(1, delayMilliseconds), using: &random) }
    return .deliver(copies: copies, delayMilliseconds: wait)
  }

  /// Whether two events are sent about this change.
  func hasTwin(_ type: String, account: String, _ random: inout SeededRandom) -> Bool {
    guard types.isEmpty || types.contains(type), accounts.isEmpty || accounts.contains(account) else { return false }
    return random.happens(twin)
  }

  /// The fault that applies to this call; it is counted down.
  mutating func apiFault(method: String, path: String, account: String?, _ random: inout SeededRandom) -> APIFault? {
    for position in api.indices {
      let fault = api[position]
      guard fault.method.map({ $0 == method }) ?? true, fault.path.map({ path.hasPrefix($0) }) ?? true,
        fault.account.map({ $0 == account }) ?? true
      else { continue }
      if let remaining = fault.remaining {
        if remaining <= 0 { continue }
        api[position].remaining = remaining - 1
      } else if !random.happens(fault.probability) {
        continue
      }
      return fault
    }
    return nil
  }
}

/// One way in which API calls fail or are slow.
struct APIFault: Sendable {
  /// 0 answers as usual, only later.
  var status: Int
  var code: String?
  /// How many more calls get this fault; nil means `probability` decides for each call.
  var remaining: Int?
  var probability = 1.0
  var method: String?
  /// The beginning of the path.
  var path: String?
  var account: String?
  /// The call takes effect but fails nevertheless: the caller does not know the state afterwards.
  var takesEffect = false
  var delayMilliseconds: Int64 = 0
  /// `Stripe-Should-Retry`, when it is to be sent.
  var shouldRetry: Bool?

  var failure: StripeFailure {
    var headers: [(String, String)] = []
    if let shouldRetry { headers.append(("Stripe-Should-Retry", String(shouldRetry))) }
    switch (status, code) {
    case (429, "lock_timeout"):
      return StripeFailure(
        status: 429, code: "lock_timeout",
        message: "This object cannot be accessed right now because another request uses it.",
        headers: headers, isStored: false)
    case (429, _):
      headers.append(("Stripe-Rate-Limited-Reason", "global-rate"))
      return StripeFailure(
        status: 429, code: "rate_limit", message: "Request rate limit exceeded.", headers: headers, isStored: false)
    case (409, _):
      return StripeFailure(
        status: 409, type: "idempotency_error", code: "idempotency_key_in_use",
        message: "There is currently another in-progress request using this Idempotency Key.", headers: headers,
        isStored: false)
    case (500..., _):
      return StripeFailure(
        status: status, type: "api_error", code: code, message: "An unknown error occurred.", headers: headers)
    default:
      return StripeFailure(
        status: status, code: code, message: "The simulator was told to fail.", headers: headers,
        isStored: status != 401)
    }
  }
}
