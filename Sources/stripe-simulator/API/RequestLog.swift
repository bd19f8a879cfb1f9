/// The API calls that were made, without bodies or secrets.
struct RequestLog: Sendable {
  struct Entry: Sendable {
    var id: String
    var at: Int64
    var method: String
    var path: String
    var account: String?
    var environment: Environment?
    var idempotencyKey: String?
    var version: String?
    var status: Int
    var isReplay: Bool
  }

  static let remembered = 50_000
  private(set) var entries: [Entry] = []
  private(set) var total = 0

  mutating func add(_ entry: Entry) {
    entries.append(entry)
    total += 1
    if entries.count > Self.remembered * 2 { entries.removeFirst(entries.count - Self.remembered) }
  }

  mutating func clear() { entries = [] }
}
