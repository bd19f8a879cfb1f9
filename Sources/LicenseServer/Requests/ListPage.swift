import HTTPTypes
import Hummingbird
import Identity
import Postgres
import ServerKit

/// The part of a list that is asked for: how many rows, and after which.
///
/// The contract caps its lists at 200 rows and has no cursor. This server takes one as an extension: the id of the last
/// row of the page before. Ids begin with the time they were made at, so "newest first" is the order of ids downward, and
/// a page is one range of an index whatever came before it. A row that was deleted meanwhile still has its place.
struct ListRange<Subject>: Sendable {
  /// Rows wanted: 1 to ``Limit/maximum``.
  let limit: Int
  /// The last row of the page before; nil for the first page.
  let after: ID<Subject>?

  /// - Throws: 400 `INVALID_QUERY` for a limit below 1.
  init(limit: Int? = nil, after: ID<Subject>? = nil) throws(APIFailure) {
    self.limit = try Limit.checked(limit)
    self.after = after
  }

  /// Every id of the page is below this one: `AND id < \(range.below)`.
  var below: ID<Subject> { after ?? ID(ListCursor.aboveAll) }

  /// One row more than wanted, which tells whether a page follows: `LIMIT \(fragment: range.rowsRead)`.
  var rowsRead: PostgresQuery { ListCursor.limit(limit) }
}

/// One page of a list, and where the next one begins.
struct ListPage<Row: Sendable>: Sendable {
  var rows: [Row]
  var limit: Int
  /// The cursor of the next page; nil on the last.
  var next: String?

  /// - Parameter read: the rows of the page, and one more when a page follows.
  init(_ read: [Row], limit: Int, cursor: (Row) -> String) {
    rows = Array(read.prefix(limit))
    self.limit = limit
    next = read.count > limit ? rows.last.map(cursor) : nil
  }

  /// The page of a list in the order of ids.
  init<Subject>(_ read: [Row], of range: ListRange<Subject>, by id: (Row) -> ID<Subject>) {
    self.init(read, limit: range.limit) { id($0).rawValue }
  }
}

enum ListCursor {
  /// Above every text under the collation "C": the greatest character of all.
  static let aboveAll = "\u{10FFFF}"

  /// Written into the statement and not bound: for a bound limit the planner assumes a tenth of the table, and may then read
  /// and sort it instead of following an index.
  static func limit(_ rows: Int) -> PostgresQuery { PostgresQuery(unescaped: String(rows + 1)) }

  /// Refuses what this server could not have returned as a cursor: anything but letters, digits, `_`, `-` and, in a list that
  /// is not in the order of ids, one `.`.
  static func checked(_ text: String) throws(APIFailure) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard isPlain, text.utf8.count <= 96 else {
      throw .invalidQuery(field: "cursor", "must be the id of the last row of the page before")
    }
    return text
  }
}
