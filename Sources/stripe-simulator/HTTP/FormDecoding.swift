import JSON
import ServerKit

/// Reads `a[b][0][c]=v` into nested values, all leaves text, as Stripe's API reads queries and bodies. Objects whose keys
/// count up from 0 become lists, and `a[]=v` appends.
enum FormDecoding {
  static func decode(_ text: some StringProtocol) -> Fields? {
    var root = Fields([])
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentCoding.decode(parts[0], plusIsSpace: true),
        let value = PercentCoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
      else { return nil }
      insert(value, at: path(name)[...], into: &root)
    }
    return listsMade(root)
  }

  private static func path(_ name: String) -> [String] {
    guard let bracket = name.firstIndex(of: "["), bracket != name.startIndex else { return [name] }
    var keys = [String(name[..<bracket])]
    var rest = name[bracket...]
    while rest.first == "[", let end = rest.firstIndex(of: "]") {
      keys.append(String(rest[rest.index(after: rest.startIndex)..<end]))
      rest = rest[rest.index(after: end)...]
    }
    return keys
  }

  private static func insert(_ value: String, at path: ArraySlice<String>, into fields: inout Fields) {
    guard let first = path.first else { return }
    let key = first.isEmpty ? String(fields.count) : first
    let rest = path.dropFirst()
    if rest.isEmpty {
      fields[key] = .string(value)
      return
    }
    var inner = fields[key]?.asObject ?? Fields([])
    insert(value, at: rest, into: &inner)
    fields[key] = .object(inner)
  }

  private static func listsMade(_ fields: Fields) -> Fields {
    var result = Fields([])
    for (key, value) in fields.elements {
      guard let inner = value.asObject.map(listsMade) else {
        result[key] = value
        continue
      }
      let isList = !inner.isEmpty && inner.keys.enumerated().allSatisfy { String($0.offset) == $0.element }
      result[key] = isList ? .array(inner.elements.map(\.value)) : .object(inner)
    }
    return result
  }
}
