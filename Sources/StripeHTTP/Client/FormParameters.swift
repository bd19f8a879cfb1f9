import HTTPTransport

/// A value of a form: nested objects become `a[b]=`, arrays `a[0]=` (API reference, "Introduction" and its examples).
public indirect enum FormValue: Hashable, Sendable {
  case string(String)
  case integer(Int64)
  case bool(Bool)
  case array([FormValue])
  case object(FormParameters)
}

extension FormValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: FormValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, FormValue)...) {
    self = .object(FormParameters(elements.map { ($0.0, $0.1) }))
  }
}

/// The parameters of a request in the order they are sent: the body of a POST, the query of a GET.
public struct FormParameters: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  private struct Item: Hashable, Sendable {
    let name: String
    let value: FormValue
  }

  private var items: [Item] = []

  public init() {}

  public init(_ pairs: [(String, FormValue)]) {
    items = pairs.map { Item(name: $0.0, value: $0.1) }
  }

  public init(dictionaryLiteral elements: (String, FormValue)...) {
    self.init(elements.map { ($0.0, $0.1) })
  }

  public var isEmpty: Bool { items.isEmpty }

  /// Adds a parameter, unless it has no value.
  public mutating func append(_ name: String, _ value: FormValue?) {
    if let value { items.append(Item(name: name, value: value)) }
  }

  /// The parameters with one more, unless that has no value.
  public func adding(_ name: String, _ value: FormValue?) -> FormParameters {
    var copy = self
    copy.append(name, value)
    return copy
  }

  /// The flat pairs with bracketed names.
  var pairs: [(String, String)] {
    var pairs: [(String, String)] = []
    for item in items { Self.flatten(item.name, item.value, into: &pairs) }
    return pairs
  }

  private static func flatten(_ name: String, _ value: FormValue, into pairs: inout [(String, String)]) {
    switch value {
    case .string(let text): pairs.append((name, text))
    case .integer(let number): pairs.append((name, String(number)))
    case .bool(let flag): pairs.append((name, flag ? "true" : "false"))
    case .array(let values):
      for (index, value) in values.enumerated() { flatten("\(name)[\(index)]", value, into: &pairs) }
    case .object(let parameters):
      for item in parameters.items { flatten("\(name)[\(item.name)]", item.value, into: &pairs) }
    }
  }
}
