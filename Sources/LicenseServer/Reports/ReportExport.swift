import Cryptography
import Foundation
import Identity
import JSON
import Postgres
import ServerKit

/// The subject of ``ReportExportID``.
enum ReportExportTag {}
/// The id of an export; begins with `exp_`.
typealias ReportExportID = ID<ReportExportTag>

/// The reports that can be exported (contract).
enum ReportKind: String, CaseIterable, Codable, Hashable, Sendable {
  case usageSummary = "usage-summary"
  case usageLedger = "usage-ledger"
  case licenseAudit = "license-audit"
  case customerSummary = "customer-summary"
  case subscriptionSettlement = "subscription-settlement"

  /// The filters it takes: the query parameters of its operation, but no cursor.
  var parameters: [String] {
    switch self {
    case .usageSummary: UsageSummaryRequest.parameters
    case .usageLedger: UsageLedgerRequest.parameters
    case .licenseAudit: LicenseAuditRequest.parameters
    case .customerSummary: CustomerSummaryRequest.parameters
    case .subscriptionSettlement: SettlementRequest.parameters
    }
  }

  var title: String {
    switch self {
    case .usageSummary: "Usage summary"
    case .usageLedger: "Usage ledger"
    case .licenseAudit: "License audit"
    case .customerSummary: "Customer summary"
    case .subscriptionSettlement: "Subscription settlement"
    }
  }
}

/// What an export is written as (contract).
enum ReportExportFormat: String, CaseIterable, Codable, Hashable, Sendable {
  case json, csv, pdf

  var contentType: String {
    switch self {
    case .json: "application/json"
    case .csv: "text/csv; charset=utf-8"
    case .pdf: "application/pdf"
    }
  }
}

/// The contract's `ReportExportMetadata`, in its order.
struct ReportExport: Encodable, Hashable, Sendable {
  var id: ReportExportID
  var reportKind: ReportKind
  var format: ReportExportFormat
  /// `completed`: a report is run before the answer.
  var status: String
  /// As they were given.
  var filters: JSONObject
  /// SHA-256 of the canonical content, in hexadecimal digits: the same for every format.
  var digest: String
  /// SHA-256 of the bytes that are downloaded.
  var artifactDigest: String
  var contentType: String
  /// The id of who asked for it.
  var createdBy: String
  var createdAt: Date
  var updatedAt: Date
  /// Relative to the server's address.
  var downloadURL: String

  static func downloadURL(_ id: ReportExportID) -> String { "/api/v1/reports/exports/\(id)/download" }

  var fileName: String { "\(reportKind.rawValue)-\(id).\(format.rawValue)" }
}

/// What `createReportExport` is asked. Its schema is the one that is open to further members; they are ignored.
struct ReportExportRequest: Hashable, Sendable {
  var kind: ReportKind
  var format: ReportExportFormat
  var filters: JSONObject

  /// - Throws: 400, for everything: the contract declares nothing else.
  init(body: [UInt8]) throws(APIFailure) {
    let object: JSONObject
    do {
      guard let parsed = try JSONValue(parsing: body).object else {
        throw APIFailure.invalidJSON("the body must be an object")
      }
      object = parsed
    } catch let error as JSONParsingError { throw .invalidJSON("\(error)") } catch {
      throw error as? APIFailure ?? .invalidJSON("the body could not be read")
    }
    guard let kind: ReportKind = try Self.value(object, "report_kind") else {
      throw .invalidQuery(field: "report_kind", "is required")
    }
    self.kind = kind
    format = try Self.value(object, "format") ?? .json
    switch object["filters"] {
    case nil, .null?: filters = [:]
    case .object(let given)?: filters = given
    case let other?: throw .invalidQuery(field: "filters", "must be an object, not \(other.kind)")
    }
  }

  private static func value<T: RawRepresentable<String> & CaseIterable>(
    _ object: JSONObject, _ name: String
  ) throws(APIFailure) -> T? {
    switch object[name] {
    case nil, .null?: return nil
    case let given?:
      guard let value = given.string.flatMap(T.init(rawValue:)) else {
        throw .invalidQuery(
          field: name, "must be one of " + T.allCases.map(\.rawValue).joined(separator: ", "))
      }
      return value
    }
  }

  /// The filters as the query that the report's own operation takes.
  func query() throws(APIFailure) -> QueryReader {
    var items: [String] = []
    for (name, value) in filters {
      guard kind.parameters.contains(name) else {
        throw .invalidQuery(field: "filters.\(name)", "is not a filter of \(kind.rawValue)")
      }
      let text: String
      switch value {
      case .string(let string): text = string
      case .integer(let integer): text = String(integer)
      case .null: continue
      default: throw .invalidQuery(field: "filters.\(name)", "must be a text or a number, not \(value.kind)")
      }
      items.append("\(PercentCoding.encode(name))=\(PercentCoding.encode(text))")
    }
    return QueryReader(query: items.joined(separator: "&"))
  }
}
