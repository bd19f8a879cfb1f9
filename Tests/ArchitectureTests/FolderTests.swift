import Testing

/// Arrows point down between folders as they do between modules: a folder mentions types of folders below it only.
@Suite("The folders of a module")
struct FolderTests {
  /// A module, and its folders from the bottom up. What lies beside the folders stands above them all: it puts them together.
  struct House: Sendable, CustomTestStringConvertible {
    let module: String
    let folders: [String]

    var testDescription: String { module }
  }

  static let houses = [
    House(module: "Purchases", folders: ["Terms", "Facts", "Failures", "Events", "Ledger", "Decision", "Plan", "Run"]),
    House(
      module: "StripeIntegration",
      folders: [
        // What the environment says, and what Stripe's reviewers ask of it.
        "Configuration", "Submission",
        // Long work; who is connected.
        "Jobs", "Connections",
        // What is on record of purchases; what Stripe sends; the performer of runs.
        "Records", "Webhooks", "Fulfillment",
        // What is sold as what; messages and mail.
        "Catalog", "Delivery",
        // What runs beside.
        "CatchUp", "Explain", "Operations", "Evidence",
        // What people and programs ask.
        "AppViews", "Admin",
      ]),
    House(
      module: "LicenseServer",
      folders: [
        // Input; the database; who asks; the audit trail.
        "Requests", "Store", "Access", "Trail", "Upkeep", "Activities",
        // The contract by subject.
        "Catalog", "Commerce", "Licenses", "Runtime", "Webhooks", "Events", "Reports", "Operator",
        // What is where.
        "Routes",
      ]),
    House(module: "StripeAPI", folders: ["Objects", "Errors", "Events"]),
    House(module: "StripeHTTP", folders: ["Client", "Signatures", "OAuth"]),
  ]

  @Test("every folder has a place in the order", arguments: houses)
  func places(_ house: House) throws {
    #expect(Set(house.folders) == Set(try SourceTree.folders(in: "Sources/\(house.module)")))
    #expect(Set(house.folders).count == house.folders.count)
  }

  @Test("a folder mentions no type that is declared in a folder above it", arguments: houses)
  func arrows(_ house: House) throws {
    let folders = try Folders(of: house.module)
    for (place, folder) in house.folders.enumerated() {
      for above in house.folders[(place + 1)...] + [Folders.beside] {
        for mention in folders.mentions(in: folder, ofTypesIn: above) {
          Issue.record("\(mention.file) mentions \(mention.type), which \(above) declares")
        }
      }
    }
  }

  @Test("the order would be broken by a type that is mentioned upwards")
  func findsOne() throws {
    let folders = Folders([
      .init(folder: "Low", path: "Low/A.swift", code: "struct Base { let top: Top?; let text = \"Far\" }"),
      .init(folder: "High", path: "High/B.swift", code: "public final class Top {}\nenum Far {}"),
      .init(folder: "High", path: "High/C.swift", code: "extension Base { struct Nested {} }"),
    ])
    #expect(folders.mentions(in: "Low", ofTypesIn: "High").map(\.type) == ["Top"])
    #expect(folders.mentions(in: "High", ofTypesIn: "Low").map(\.type) == ["Base"])
  }
}

/// The files of a module by their folder directly under it, with the types they declare and mention.
struct Folders {
  /// The files beside the folders.
  static let beside = "(the module itself)"

  struct Source {
    let folder: String
    let path: String
    /// Without comments.
    let code: String
  }

  struct Mention {
    let file: String
    let type: String
  }

  private let mentioned: [(folder: String, path: String, names: Set<String>)]
  private let declared: [String: Set<String>]

  init(_ sources: [Source]) {
    mentioned = sources.map { ($0.folder, $0.path, Self.names($0.code)) }
    var declared: [String: Set<String>] = [:]
    for source in sources { declared[source.folder, default: []].formUnion(Self.declarations(source.code)) }
    self.declared = declared
  }

  init(of module: String) throws {
    let root = "Sources/\(module)/"
    self.init(
      try SourceTree.files(in: "Sources/\(module)").map { file in
        let parts = file.path.dropFirst(root.count).split(separator: "/")
        return Source(folder: parts.count > 1 ? String(parts[0]) : Self.beside, path: file.path, code: file.code)
      })
  }

  /// What the files of one folder mention of the types that another declares. A name that the folder declares itself means its
  /// own.
  func mentions(in folder: String, ofTypesIn other: String) -> [Mention] {
    let types = (declared[other] ?? []).subtracting(declared[folder] ?? [])
    return mentioned.filter { $0.folder == folder }.flatMap { source in
      source.names.intersection(types).sorted().map { Mention(file: source.path, type: $0) }
    }
  }

  /// Types that are declared at the outermost level and seen in the whole module.
  private static func declarations(_ code: String) -> Set<String> {
    let kinds: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
    var types: Set<String> = []
    for line in code.split(separator: "\n") where line.first.map({ $0.isLetter || $0 == "@" }) ?? false {
      let words = line.split(separator: " ")
      guard let kind = words.firstIndex(where: kinds.contains), kind + 1 < words.count,
        !words[..<kind].contains(where: { $0.contains("private") })
      else { continue }
      types.insert(String(words[kind + 1].prefix { $0.isLetter || $0.isNumber || $0 == "_" }))
    }
    return types
  }

  /// Every name that begins like a type's, but a member of something else and what stands in a string.
  private static func names(_ code: String) -> Set<String> {
    let bytes = Array(code.utf8) + [UInt8(ascii: "\n")]
    let quote = UInt8(ascii: "\"")
    var names: Set<String> = []
    var word: [UInt8] = []
    var isMember = false
    var string = Quotes.none
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      let isLong = byte == quote && bytes[index...].prefix(3).allSatisfy { $0 == quote } && index + 2 < bytes.count
      switch string {
      case .none where isLong: (string, index) = (.long, index + 2)
      case .none where byte == quote: string = .short
      case .long where isLong: (string, index) = (.none, index + 2)
      case .short where byte == UInt8(ascii: "\\"): index += 1
      case .short where byte == quote || byte == UInt8(ascii: "\n"): string = .none
      case .none where isWordPart(byte):
        if word.isEmpty { isMember = index > 0 && bytes[index - 1] == UInt8(ascii: ".") }
        word.append(byte)
      case .none, .long, .short: break
      }
      if string != .none || !isWordPart(byte), let first = word.first {
        if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first), !isMember {
          names.insert(String(decoding: word, as: UTF8.self))
        }
        word = []
      }
      index += 1
    }
    return names
  }

  private enum Quotes { case none, short, long }

  private static func isWordPart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
