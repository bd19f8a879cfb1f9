import Foundation
import Identity
import JSON
import Postgres
import ServerKit

/// The time that a report is about: from `from` on and before `to`.
struct ReportWindow: Hashable, Sendable {
  var from: Date
  var to: Date

  /// Reads `from` and `to`.
  ///
  /// - Parameters:
  ///   - days: how long the window is when `from` is missing. Without `to` it ends with the present second.
  ///   - maximumDays: how long it may be, since a report reads everything in it.
  init(_ query: QueryReader, days: Int, maximumDays: Int, now: Date) throws(APIFailure) {
    to = try query.date("to") ?? now.addingTimeInterval(1)
    from = try query.date("from") ?? to.addingDays(-days)
    guard from < to else { throw .invalidQuery(field: "from", "must be earlier than to") }
    guard to.timeIntervalSince(from) <= Double(maximumDays) * 86_400 else {
      throw .invalidQuery(field: "from", "must be at most \(maximumDays) days before to")
    }
  }

  var json: JSONValue { ["from": .time(from), "to": .time(to)] }

  /// The condition on the column `sequence` of a table numbered by time.
  var sequences: PostgresQuery {
    "sequence >= \(TimeSequence.first(at: from)) AND sequence < \(TimeSequence.first(at: to))"
  }
}

/// How many rows a report may have.
enum ReportSize: Hashable, Sendable {
  /// In an answer: `limit`, 50 by default, at most 200 (contract).
  case answer
  /// In an export, which is complete or refused.
  case export

  static let exportRows = 10_000

  /// The rows asked for.
  func limit(_ query: QueryReader) throws(APIFailure) -> Int {
    let asked = try query.int("limit", in: 1...Int.max)
    switch self {
    case .answer: return try Limit.checked(asked)
    case .export: return min(asked ?? Self.exportRows, Self.exportRows)
    }
  }
}

extension QueryReader {
  /// A text to compare with what is stored.
  func text(_ name: String) throws(APIFailure) -> String? {
    guard let text = try string(name) else { return nil }
    guard !text.utf8.contains(0) else { throw .invalidQuery(field: name, "must not contain NUL") }
    return text
  }

  func id<Subject>(_ name: String) throws(APIFailure) -> ID<Subject>? { try text(name).map { ID($0) } }

  /// The id of what the report is about.
  func requiredID<Subject>(_ name: String) throws(APIFailure) -> ID<Subject> {
    guard let id: ID<Subject> = try id(name) else { throw .invalidQuery(field: name, "is required") }
    return id
  }

  /// A comma-separated list of different values of an enumeration; the default when absent.
  func list<T: RawRepresentable<String> & CaseIterable & Hashable>(
    _ name: String, default fallback: [T]
  ) throws(APIFailure) -> [T] {
    guard let text = try text(name) else { return fallback }
    var values: [T] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = T(rawValue: part.trimmingCharacters(in: .whitespaces)) else {
        throw .invalidQuery(
          field: name, "must be a list of " + T.allCases.map(\.rawValue).joined(separator: ", "))
      }
      guard !values.contains(value) else { throw .invalidQuery(field: name, "names \(value.rawValue) twice") }
      values.append(value)
    }
    return values
  }
}

/// A span of time that counts are added up over.
enum ReportBucket: String, CaseIterable, Hashable, Sendable {
  case fiveMinutes = "5m"
  case quarterHour = "15m"
  case hour = "1h"
  case day = "1d"

  var seconds: Double {
    switch self {
    case .fiveMinutes: 300
    case .quarterHour: 900
    case .hour: 3_600
    case .day: 86_400
    }
  }

  /// The beginning of the bucket that a column's moment is in; buckets count from 1970 in UTC.
  func start(of column: String) -> PostgresQuery {
    PostgresQuery(unescaped: "date_bin('\(Int(seconds)) seconds', \(column), 'epoch'::timestamptz)")
  }
}

extension JSONValue {
  static func time(_ date: Date) -> JSONValue { .string(RFC3339.string(from: date)) }
}

extension JSONObject {
  /// Sets a member, or leaves it out.
  mutating func set(_ key: String, _ text: String?) { self[key] = text.map { .string($0) } }
  mutating func set(_ key: String, _ number: Int64?) { self[key] = number.map { .integer($0) } }
  mutating func set(_ key: String, _ date: Date?) { self[key] = date.map { .time($0) } }

  /// Takes over columns of text; absent ones are left out.
  mutating func take(_ columns: String..., from row: PostgresRow) throws {
    for column in columns { set(column, try row.get(column, as: String?.self)) }
  }
}

extension TenantStore {
  /// Runs the statements of a report: all see the data of one moment, so that what they find adds up.
  func report<T: Sendable>(
    _ tenant: TenantID, _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await transaction(tenant, readOnly: true, isolation: .repeatableRead, body)
  }
}
