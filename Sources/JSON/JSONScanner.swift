/// Reads a few members out of a document without building the rest, for paths that see very many documents.
///
/// The whole document is checked exactly as strictly as by `JSONValue(parsing:)`, and what is found is what the parser
/// would have given: of duplicate keys the last wins, at every level.
///
/// Make the scanner once and keep it:
///
///     let scanner = JSONScanner("id", "livemode", "data.object.id")
///     let found = try scanner.scan(body)
///     found["data.object.id"]?.string
public struct JSONScanner: Sendable {
  private let paths: [String]
  private let root: Node
  private let maximumDepth: Int

  /// Wants the members at these paths: keys of nested objects, joined with dots.
  public init(_ paths: String...) {
    self.init(paths: paths.map { $0.split(separator: ".", omittingEmptySubsequences: false).map(String.init) })
  }

  /// Wants the members at these paths, each a list of keys from the outermost object inwards. In the result the keys
  /// of a path are joined with dots.
  public init(paths: [[String]], maximumDepth: Int = JSONValue.defaultMaximumDepth) {
    self.paths = paths.map { $0.joined(separator: ".") }
    self.maximumDepth = maximumDepth
    var root = Node(key: [])
    for (result, path) in paths.enumerated() { root.add(path[...], result: result) }
    self.root = root
  }

  /// The wanted members that the document has.
  public func scan(_ bytes: some Collection<UInt8>) throws(JSONParsingError) -> Found {
    let values = try JSONReader.read(bytes, maximumDepth: maximumDepth) { (reader) throws(JSONParsingError) in
      var values = [JSONValue?](repeating: nil, count: paths.count)
      try Self.scan(root, &reader, depth: 0, into: &values)
      try reader.finish()
      return values
    }
    return Found(paths: paths, values: values)
  }

  /// The wanted top-level members that the document has, by key: for a single use.
  public static func topLevelMembers(
    of bytes: [UInt8], wanted: [String]
  ) throws(JSONParsingError) -> [String: JSONValue] {
    let found = try JSONScanner(paths: wanted.map { [$0] }).scan(bytes)
    var members: [String: JSONValue] = [:]
    for key in wanted { members[key] = found[key] }
    return members
  }

  /// What a scan found.
  public struct Found: Sendable {
    let paths: [String]
    /// The values in the order of the paths the scanner was made with; nil where the document has none.
    public let values: [JSONValue?]

    /// The value at one of the scanner's paths, or nil when the document has none (or the path was not asked for).
    public subscript(_ path: String) -> JSONValue? {
      paths.firstIndex(of: path).flatMap { values[$0] }
    }
  }
}

// MARK: - Scanning

extension JSONScanner {
  /// The wanted paths as a tree of keys.
  struct Node: Sendable {
    let key: [UInt8]
    /// Where to put this value itself, when it is wanted.
    var results: [Int] = []
    var children: [Node] = []

    init(key: [UInt8]) { self.key = key }

    mutating func add(_ path: ArraySlice<String>, result: Int) {
      guard let first = path.first else {
        results.append(result)
        return
      }
      let key = Array(first.utf8)
      let child = children.firstIndex { $0.key == key } ?? children.endIndex
      if child == children.endIndex { children.append(Node(key: key)) }
      children[child].add(path.dropFirst(), result: result)
    }
  }

  private static func scan(
    _ node: Node, _ reader: inout JSONReader, depth: Int, into values: inout [JSONValue?]
  ) throws(JSONParsingError) {
    if !node.results.isEmpty {
      fill(node, from: try reader.value(depth: depth), into: &values)
      return
    }
    let next = try reader.peek()
    guard next == UInt8(ascii: "{"), !node.children.isEmpty else {
      try reader.skipValue(depth: depth)
      return
    }
    if try reader.opensEmpty(UInt8(ascii: "}"), depth: depth) { return }
    repeat {
      let key = try reader.key()
      if let child = node.children.firstIndex(where: { reader.matches(key, $0.key) }) {
        // An earlier duplicate counts no more, whatever it held.
        fill(node.children[child], from: nil, into: &values)
        try scan(node.children[child], &reader, depth: depth + 1, into: &values)
      } else {
        try reader.skipValue(depth: depth + 1)
      }
    } while try reader.continues(until: UInt8(ascii: "}"))
  }

  /// Takes the results of a node and all below it from a value that was built, or clears them.
  private static func fill(_ node: Node, from value: JSONValue?, into values: inout [JSONValue?]) {
    for result in node.results { values[result] = value }
    for child in node.children {
      fill(child, from: value?[String(decoding: child.key, as: UTF8.self)], into: &values)
    }
  }
}
