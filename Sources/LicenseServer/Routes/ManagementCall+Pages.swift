import HTTPTypes
import Hummingbird
import Identity
import ServerKit

extension ManagementCall {
  /// The query's `cursor`, as it came.
  func cursor() throws(APIFailure) -> String? { try request.query.string("cursor").map(ListCursor.checked) }

  /// The query's `limit` and `cursor`.
  func range<Subject>() throws -> ListRange<Subject> {
    let cursor = try cursor()
    guard cursor?.contains(".") != true else {
      throw APIFailure.invalidQuery(field: "cursor", "must be the id of the last row of the page before")
    }
    return try ListRange(limit: limit(), after: cursor.map { ID($0) })
  }

  /// The page as the contract has it. When another follows, the header `Link` leads there (RFC 8288), with the same
  /// filters.
  ///
  /// - Parameter filters: the names of the query items that narrow this list.
  func page<Row: Encodable>(_ page: ListPage<Row>, filters: [String] = []) throws -> Response {
    var headers = HTTPFields()
    if let next = page.next {
      var items = [(name: "limit", value: String(page.limit)), (name: "cursor", value: next)]
      for name in filters {
        if let value = try request.query.string(name) { items.append((name, value)) }
      }
      let path = request.uri.path.split(separator: "/").map { "/" + $0 }.joined()
      headers[.constant("Link")] = "<\(path)?\(PercentCoding.query(items))>; rel=\"next\""
    }
    return try Answer.data(page.rows, headers: headers, context: context)
  }
}
