import Foundation

/// A vendor's text with placeholders, in a small part of the Mustache language: `{{name}}`, a section
/// `{{#name}}…{{/name}}` that stands there only when the name has a value, and `{{^name}}…{{/name}}` when it has none. The
/// section `{{#licenses}}…{{/licenses}}` is repeated for each license. Nothing is escaped: the text is plain.
struct MailTemplate: Hashable, Sendable {
  /// What can be used, and where.
  enum Name: String, CaseIterable, Sendable {
    case licenseKey = "license_key"
    case productName = "product_name"
    case customerName = "customer_name"
    case expiresAt = "expires_at"
    case licenseCount = "license_count"
    case fulfillmentID = "fulfillment_id"
    case stripeID = "stripe_id"
    case licenses
  }

  /// What is wrong with a text, for the vendor.
  struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    let description: String
  }

  private indirect enum Node: Hashable, Sendable {
    case text(String)
    case value(Name)
    case section(Name, isInverted: Bool, [Node])
  }

  private let nodes: [Node]
  /// All names that stand in the text.
  let names: Set<Name>

  init(_ text: String) throws(Problem) {
    var parser = Parser(rest: text[...])
    nodes = try parser.nodes(until: nil)
    names = parser.names
  }

  /// Names by value; what has none is left out.
  typealias Values = [Name: String]

  /// - Parameter licenses: the values of each license, for the section of that name.
  func render(_ values: Values, licenses: [Values]) -> String { Self.render(nodes, values, licenses) }

  private static func render(_ nodes: [Node], _ values: Values, _ licenses: [Values]) -> String {
    var result = ""
    for node in nodes {
      switch node {
      case .text(let text): result += text
      case .value(let name): result += values[name] ?? ""
      case .section(.licenses, false, let inner):
        for license in licenses {
          // Of what differs between licenses, one that has none does not get that of another.
          var own = values
          for name in [Name.licenseKey, .productName, .expiresAt] { own[name] = license[name] }
          result += render(inner, own, [])
        }
      case .section(let name, let isInverted, let inner):
        let isThere = name == .licenses ? !licenses.isEmpty : values[name].map { !$0.isEmpty } ?? false
        if isThere != isInverted { result += render(inner, values, licenses) }
      }
    }
    return result
  }

  private struct Parser {
    var rest: Substring
    var names: Set<Name> = []

    /// - Parameter section: the section that this is the inside of.
    mutating func nodes(until section: String?) throws(Problem) -> [Node] {
      var nodes: [Node] = []
      while let open = rest.firstRange(of: "{{") {
        if open.lowerBound > rest.startIndex { nodes.append(.text(String(rest[..<open.lowerBound]))) }
        rest = rest[open.upperBound...]
        guard let close = rest.firstRange(of: "}}") else { throw Problem(description: "a {{ has no }}") }
        var tag = rest[..<close.lowerBound].trimmingCharacters(in: .whitespaces)
        rest = rest[close.upperBound...]
        let kind = tag.first.flatMap { "#^/".contains($0) ? $0 : nil }
        if kind != nil { tag = String(tag.dropFirst()).trimmingCharacters(in: .whitespaces) }
        guard let name = Name(rawValue: tag) else {
          let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
          throw Problem(description: "{{\(tag.prefix(60))}} is not a placeholder; there are \(known)")
        }
        names.insert(name)
        switch kind {
        case nil:
          guard name != .licenses else {
            throw Problem(description: "{{licenses}} is a section: {{#licenses}}…{{/licenses}}")
          }
          nodes.append(.value(name))
        case "/":
          guard tag == section else { throw Problem(description: "{{/\(tag)}} ends a section that is not open") }
          return nodes
        default:
          nodes.append(.section(name, isInverted: kind == "^", try self.nodes(until: tag)))
        }
      }
      if let section { throw Problem(description: "the section {{#\(section)}} has no {{/\(section)}}") }
      if !rest.isEmpty { nodes.append(.text(String(rest))) }
      rest = rest[rest.endIndex...]
      return nodes
    }
  }
}
