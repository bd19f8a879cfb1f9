import JSON

/// Lists: `limit`, `starting_after`, `ending_before`, newest first (Stripe docs, API: pagination).
enum Listing {
  static let parameters: Set<String> = ["limit", "starting_after", "ending_before"]

  /// One page of a kind of object.
  ///
  /// - Parameters:
  ///   - filters: parameters that must equal an object's field; an indexed field makes the list short at once.
  ///   - isNewestFirst: lines keep their own order instead.
  static func page(
    _ tenant: Tenant, _ kind: Kind, _ input: RouteInput, filters: [(parameter: String, field: String)] = [],
    isNewestFirst: Bool = true, where matches: (Fields) -> Bool = { _ in true }
  ) throws(StripeFailure) -> JSONValue {
    let table = tenant.table(kind)
    var candidates = table.order
    var conditions: [(field: String, value: String)] = []
    var isNarrowed = false
    for (parameter, field) in filters {
      guard let value = input.parameters.text(parameter) else { continue }
      if !isNarrowed, kind.indexed.contains(field) {
        candidates = table.ids(field, value)
        isNarrowed = true
      } else {
        conditions.append((field, value))
      }
    }
    let created = input.parameters["created"]
    return try page(
      of: candidates, input, isNewestFirst: isNewestFirst,
      position: { cursor throws(StripeFailure) in
        guard let serial = table.entry(cursor)?.serial else {
          throw .missing(kind, cursor, parameter: "starting_after")
        }
        return serial
      },
      serial: { table.entry($0)?.serial ?? 0 },
      show: { id in
        guard let fields = table[id], !fields.bool("deleted"),
          conditions.allSatisfy({ condition in (fields[condition.field]?.plainText ?? "") == condition.value }),
          isInRange(fields.number("created") ?? 0, created), matches(fields)
        else { return nil }
        return tenant.value(kind, id, input.shape)
      })
  }

  /// Cuts one page out of ids that stand in ascending order of their serial numbers.
  static func page(
    of ids: [String], _ input: RouteInput, isNewestFirst: Bool,
    position: (String) throws(StripeFailure) -> Int64, serial: (String) -> Int64, show: (String) -> JSONValue?
  ) throws(StripeFailure) -> JSONValue {
    let limit = try limit(input.parameters)
    let startingAfter = input.parameters.text("starting_after")
    let endingBefore = input.parameters.text("ending_before")
    if startingAfter != nil, endingBefore != nil {
      throw .invalid("You cannot parameterize both starting_after and ending_before.", parameter: "ending_before")
    }
    var low = 0
    var high = ids.count
    if let cursor = startingAfter ?? endingBefore {
      let mark = try position(cursor)
      // If the newest come first, "after the cursor" means older.
      if (startingAfter != nil) == isNewestFirst {
        high = partition(ids) { serial($0) < mark }
      } else {
        low = partition(ids) { serial($0) <= mark }
      }
    }
    // A page before a cursor is collected from the cursor outwards and then reversed.
    let isReversed = isNewestFirst == (endingBefore == nil)
    var shown: [JSONValue] = []
    var hasMore = false
    var step = isReversed ? high - 1 : low
    while isReversed ? step >= low : step < high {
      if let value = show(ids[step]) {
        if shown.count == limit {
          hasMore = true
          break
        }
        shown.append(value)
      }
      step += isReversed ? -1 : 1
    }
    if endingBefore != nil { shown.reverse() }
    return object(["object": "list", "data": .array(shown), "has_more": flag(hasMore), "url": .string(input.path)])
  }

  private static func limit(_ parameters: Fields) throws(StripeFailure) -> Int {
    guard let value = parameters["limit"] else { return 10 }
    guard let limit = value.asInt else {
      throw .invalid("Invalid integer: \(value.asText ?? "")", parameter: "limit", code: "parameter_invalid_integer")
    }
    guard (1...100).contains(limit) else {
      throw .invalid("This value must be between 1 and 100.", parameter: "limit", code: "parameter_invalid_integer")
    }
    return Int(limit)
  }

  /// The first index whose element does not satisfy `isBefore`, in an array that is sorted by it.
  static func partition(_ ids: [String], _ isBefore: (String) -> Bool) -> Int {
    var low = 0
    var high = ids.count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(ids[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// `created=…` or `created[gte]=…` and similar.
  static func isInRange(_ moment: Int64, _ condition: JSONValue?) -> Bool {
    guard let condition else { return true }
    if let exact = condition.asInt { return moment == exact }
    guard let range = condition.asObject else { return true }
    if let bound = range.number("gte"), moment < bound { return false }
    if let bound = range.number("gt"), moment <= bound { return false }
    if let bound = range.number("lte"), moment > bound { return false }
    if let bound = range.number("lt"), moment >= bound { return false }
    return true
  }
}

extension JSONValue {
  /// A scalar as a filter parameter would name it.
  var plainText: String? {
    switch self {
    case .string(let text): text
    case .bool(let value): String(value)
    case .integer(let value): String(value)
    default: nil
    }
  }
}
