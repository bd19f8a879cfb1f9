import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import Postgres
import Purchases
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  /// Brings a changed mapping to purchases that were fulfilled under its earlier terms, or reports what that would change.
  func applyMapping(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let body = try call.decodeBody(ApplyBody.self)
    let stored = try await mappings.mapping(id, of: call.tenant)
    try await checkApplicable(id, stored, of: call.tenant)
    guard let stored else { throw APIFailure.notFound() }
    return body.dryRun ? try await dryRun(stored, body, call) : try await apply(stored, call)
  }

  private struct ApplyBody: Decodable {
    let dryRun: Bool
    var cursor: String?
    var limit: Int?
  }

  /// - Throws: 409 that says what cannot be applied and why.
  private func checkApplicable(_ id: String, _ stored: StoredMapping?, of tenant: Tenant) async throws {
    let sold = try await database.transaction(for: tenant) { transaction in
      try await MappingApplication.products(under: id, of: tenant, in: transaction)
    }
    guard !sold.isEmpty else { return }
    let count = sold.reduce(0) { $0 + $1.lines }
    guard let product = stored?.mapping.terms.product else {
      throw APIFailure.conflict(
        "the mapping was deleted; the \(count) lines sold under it keep their terms", code: "MAPPING_DELETED")
    }
    if !sold.contains(where: { $0.product == product }) {
      let former = sold.map(\.product.rawValue).joined(separator: ", ")
      throw APIFailure.conflict(
        "all \(count) lines under this mapping were sold as LicenseKit product \(former), and it gives \(product) now: "
          + "a license cannot move to another product, so they keep their terms", code: "MAPPING_PRODUCT_CHANGED")
    }
  }

  private func dryRun(_ stored: StoredMapping, _ body: ApplyBody, _ call: AdminCall) async throws -> Response {
    let limit = body.limit ?? PageRequest.defaultLimit
    guard (1...100).contains(limit) else { throw APIFailure.validation(field: "limit", "is 1 to 100") }
    let after = try body.cursor.map { text throws(APIFailure) in
      guard let id = PageCursor.decode(text), StripeIDText.isPlausible(id) else {
        throw .validation(field: "cursor", "is not a next_cursor of this list")
      }
      return id
    }
    let now = clock()
    let purchases = try await database.transaction(for: call.tenant) { transaction in
      try await MappingApplication.purchases(
        under: stored.mapping.id, of: call.tenant, after: after, limit: limit + 1, in: transaction)
    }.page(limit) { PageCursor.encode($0.rawValue) }
    var views: [ChangeView] = []
    for purchase in purchases.items {
      let change = try await database.transaction(for: call.tenant) { transaction in
        try await MappingApplication(
          mapping: stored.mapping, tenant: call.tenant, transaction: transaction, now: now
        ).change(of: purchase)
      }
      if let change { views.append(ChangeView(change, to: stored.mapping.terms)) }
    }
    return try Answer.page(views, nextCursor: purchases.next, context: call.context)
  }

  private func apply(_ stored: StoredMapping, _ call: AdminCall) async throws -> Response {
    let id = stored.mapping.id
    do {
      let job = try await database.transaction(for: call.tenant) { transaction in
        try await AuditLog(tenant: call.tenant, transaction: transaction).add(call.entry("mapping.apply", id))
        return try await JobStore(tenant: call.tenant, transaction: transaction).create(
          .mappingApply, subject: id, parameters: MappingApplyWork.parameters(stored),
          counting: MappingApplyWork.counts, by: call.caller.actor)
      }
      wakeUp.signal()
      return try Answer.data(JobView(job), status: .accepted, context: call.context)
    } catch let open as JobStore.AlreadyOpen {
      throw APIFailure.conflict("this mapping is being applied already: \(open.job)")
    }
  }
}

/// What applying a mapping would change of one purchase.
private struct ChangeView: Encodable, Sendable {
  struct Line: Encodable, Sendable {
    let stripeLineID: String
    /// `changed`, `unchanged` or `cannot_apply`.
    let outcome: String
    /// The terms in words.
    @OrNull var before: String?
    @OrNull var after: String?
    @OrNull var reason: String?
  }

  let id: PurchaseID
  let stripeID: String
  let status: String
  /// `changed`, `unchanged` or `cannot_apply`.
  let outcome: String
  let lines: [Line]
  /// What would be done at LicenseKit, in words and in order.
  let steps: [String]
  @OrNull var note: String?

  init(_ change: MappingApplication.Change, to terms: Terms) {
    id = change.purchase
    stripeID = change.stripeID
    status = change.status
    outcome = MappingApplyWork.word(change)
    lines = change.lines.map { key, change in
      switch change {
      case .changed(let former):
        Line(stripeLineID: key.line, outcome: "changed", before: former.sentence, after: terms.sentence, reason: nil)
      case .unchanged:
        Line(stripeLineID: key.line, outcome: "unchanged", before: terms.sentence, after: terms.sentence, reason: nil)
      case .impossible(let why):
        Line(stripeLineID: key.line, outcome: "cannot_apply", before: nil, after: nil, reason: why)
      }
    }
    steps = change.steps.map(\.sentence)
    note = change.note
  }
}
