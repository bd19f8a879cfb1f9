import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Logging
import PDFDocuments
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// Gathers the evidence for a disputed payment, shows it, draws it as a document, and adds it to the dispute as a draft.
struct DisputeEvidence: Sendable {
  let gate: AppGate
  let stripe: any StripeAccess
  let licenseKit: any LicenseKitAccess
  let tickets: EvidenceTickets
  /// How long to wait for LicenseKit's data about devices and use.
  let patience: Duration
  let logger: Logger
  private let renderer = PDFRenderer(maximumThreads: 1, maximumWaiting: 16, maximumPages: 50)

  static let mostDevices = 100
  private static let concurrency = 4

  init(
    gate: AppGate, stripe: any StripeAccess, licenseKit: any LicenseKitAccess, tickets: EvidenceTickets,
    patience: Duration, logger: Logger
  ) {
    self.gate = gate
    self.stripe = stripe
    self.licenseKit = licenseKit
    self.tickets = tickets
    self.patience = patience
    self.logger = logger
  }

  // MARK: Routes

  func show(_ request: Request, _ context: AppContext) async throws -> Response {
    let asked = try await gate.question(request)
    let payment = try asked.object(.payment)
    let found = try await gather(payment, of: asked.tenant, signedFor: asked.signedFor)
    return try Answer.data(
      View(
        payment: payment, dispute: View.Dispute(found.dispute, isManaged: found.record.isManaged), stale: found.isStale,
        fields: found.pack.fields.map {
          View.Field(name: $0.name, text: $0.text, current: found.dispute.texts[$0.name])
        },
        sections: found.pack.sections,
        documentURL: try tickets.link(to: payment, of: asked.tenant, now: gate.clock()),
        may: gate.rights.operations(of: asked.roles)),
      context: context)
  }

  /// The document, for anybody who has a link to it.
  func document(_ request: Request, _ context: AppContext) async throws -> Response {
    guard let ticket = tickets.open(try context.pathParameter("ticket"), now: gate.clock()) else {
      throw APIFailure.notFound("the link is no longer valid; open the document from the Dashboard again")
    }
    try await gate.rateLimit.take(ticket.tenant.description)
    let found = try await gather(ticket.payment, of: ticket.tenant)
    let bytes = try await render(found)
    return Answer.bytes(
      bytes, contentType: "application/pdf",
      headers: [.contentDisposition: "inline; filename=\"evidence-\(found.dispute.id).pdf\""])
  }

  // MARK: Staging

  /// Writes the evidence on the dispute and attaches the document, without submitting it (API reference, "Update a dispute":
  /// `submit` is true unless the call says false).
  ///
  /// - Parameter replacing: whether texts that exist already are replaced.
  /// - Throws: 404 if the dispute is not this payment's, 409 `DISPUTE_NOT_OPEN`, and 409 `MANAGED_BY_STRIPE` if Stripe is the
  ///   merchant of record: nothing is staged then.
  func stage(
    _ dispute: Stripe.DisputeID, of payment: String, replacing: Bool, _ caller: AppCaller
  ) async throws -> String {
    let found = try await gather(payment, of: caller.tenant)
    guard found.dispute.id == dispute else { throw APIFailure.notFound("\(dispute) is not the dispute of \(payment)") }
    guard !found.record.isManaged else {
      throw APIFailure.conflict(
        "Stripe is the merchant of record of this sale and answers the dispute itself", code: "MANAGED_BY_STRIPE")
    }
    guard found.dispute.isAnswerable else {
      throw APIFailure.conflict("the dispute is \(found.dispute.status)", code: "DISPUTE_NOT_OPEN")
    }
    guard !found.isStale else {
      throw APIFailure.unavailable(
        "LicenseKit did not list devices and use in time", code: "LICENSEKIT_UNAVAILABLE", retryAfter: .seconds(2))
    }
    let session = try await stripe.session(for: caller.tenant, replacing: nil)
    var fields = found.pack.fields.filter { replacing || found.dispute.texts[$0.name] == nil }.map {
      ($0.name, $0.text)
    }
    let attached = try await attach(found, session, caller)
    if case .file(let file) = attached { fields.append(("service_documentation", file)) }
    _ = try await session.stageEvidence(dispute, fields, idempotencyKey: "evidence-\(caller.requestID)")
    _ = try await gate.database.transaction(for: caller.tenant) { transaction in
      try await Timeline(tenant: caller.tenant, purchase: found.record.purchaseID, transaction: transaction)
        .add(
          .note, "Evidence was put on dispute \(dispute) as a draft, \(attached.sentence), not submitted.",
          detail: caller.actor)
    }
    return "The evidence is on the dispute as a draft, \(attached.sentence)."
  }

  /// The PDF that goes with the texts.
  private enum Attachment {
    case file(String)
    case none(because: String)

    var sentence: String {
      switch self {
      case .file: "with the PDF"
      case .none(let reason): "without the PDF: \(reason)"
      }
    }
  }

  /// If no document can be drawn, or the app was installed before it could upload files, only the texts are staged: a bank's
  /// deadline does not wait.
  private func attach(_ found: Found, _ session: StripeSession, _ caller: AppCaller) async throws -> Attachment {
    let bytes: [UInt8]
    do { bytes = try await renderer.render(document(found)) } catch {
      guard case .unavailable(let reason) = error else { throw refusal(error) }
      logger.error(
        "evidence is staged without its PDF", metadata: ["tenant": "\(caller.tenant)", "reason": "\(reason)"])
      return .none(because: "this service lacks the library that draws one")
    }
    do {
      let file = try await session.uploadEvidence(
        bytes, named: "evidence-\(found.dispute.id).pdf", idempotencyKey: "evidence-file-\(caller.requestID)")
      return .file(file)
    } catch {
      guard error.retry == .permission else { throw error }
      logger.notice("the app may not upload files", metadata: ["tenant": "\(caller.tenant)"])
      return .none(because: "the installed app may not upload files")
    }
  }

  private func document(_ found: Found) -> PDFDocument { found.pack.document(about: found.dispute, at: gate.clock()) }

  private func render(_ found: Found) async throws(APIFailure) -> [UInt8] {
    do { return try await renderer.render(document(found)) } catch { throw refusal(error) }
  }

  private func refusal(_ error: PDFRenderingError) -> APIFailure {
    if case .unavailable(let reason) = error {
      logger.error("evidence cannot be drawn", metadata: ["reason": "\(reason)"])
      return .unavailable("PDF is not available here; the texts of the evidence are", code: "PDF_UNAVAILABLE")
    }
    return .unavailable("the document cannot be written now: \(error)", retryAfter: .seconds(2))
  }

  // MARK: Gathering

  struct Found: Sendable {
    let record: EvidenceRecord
    let pack: EvidencePack
    let dispute: EvidenceDispute
    /// LicenseKit gave no data about devices and use.
    let isStale: Bool
  }

  /// - Parameter signedFor: as for `AppGate`; nil for requests that were checked before, and for this service's own links.
  private func gather(
    _ payment: String, of tenant: Tenant, signedFor: StripeEnvironment? = nil
  ) async throws -> Found {
    try await gate.reading(tenant, signedFor: signedFor) { _ in }
    let (dispute, buyer) = try await OutsideFailure.translating {
      let session = try await stripe.session(for: tenant, replacing: nil)
      let dispute = try await session.evidenceDispute(of: payment)
      return (dispute, try await session.evidenceBuyer(of: dispute))
    }
    let stored = try await gate.reading(tenant, signedFor: signedFor) { transaction in
      try await EvidenceReader(tenant: tenant, transaction: transaction).record(of: payment, buyer: buyer)
    }
    guard var record = stored else { throw APIFailure.notFound("no sale of \(payment) is known") }
    let live = await live(record.licenses, tenant)
    if let live { record.licenses = live }
    return Found(record: record, pack: EvidencePack(record), dispute: dispute, isStale: live == nil)
  }

  /// The licenses with LicenseKit's data about them; nil if LicenseKit does not answer in time.
  private func live(_ licenses: [EvidenceRecord.License], _ tenant: Tenant) async -> [EvidenceRecord.License]? {
    await withTaskGroup(of: [EvidenceRecord.License]?.self) { group in
      group.addTask {
        guard let client = try? await licenseKit.client(for: tenant) else { return nil }
        return try? await licenses.concurrently(Self.concurrency) { try await Self.live($0, client) }
      }
      group.addTask {
        try? await Task.sleep(for: patience)
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
  }

  private static func live(
    _ license: EvidenceRecord.License, _ client: any LicenseKitClient
  ) async throws -> EvidenceRecord.License {
    async let devices = client.listLicenseDevices(license.id, limit: mostDevices)
    async let features = client.listLicenseFeatures(license.id, limit: nil)
    let found = try await client.getLicense(license.id)
    let product = try await client.getProduct(found.productID).name
    let policy = try await client.getPolicy(found.policyID).name
    return EvidenceRecord.License(
      id: license.id, keyHint: license.keyHint, issuedAt: license.issuedAt, expiresAt: found.expiresAt,
      product: product,
      policy: policy,
      devices: try await devices.map {
        EvidenceRecord.Device(
          name: $0.hostname ?? $0.podName ?? $0.id.rawValue, os: $0.os, ipAddress: $0.ipAddress,
          firstSeenAt: $0.firstSeenAt, lastSeenAt: $0.lastSeenAt)
      },
      usage: try await features.map { EvidenceRecord.Usage(feature: $0.featureName, consumed: $0.totalConsumptions) })
  }

  private struct View: Encodable {
    let payment: String
    let dispute: Dispute
    let stale: Bool
    let fields: [Field]
    let sections: [EvidencePack.Section]
    let documentURL: String
    let may: [AppOperation]

    struct Field: Encodable {
      let name: String
      let text: String
      @OrNull var current: String?
    }

    struct Dispute: Encodable {
      let id: Stripe.DisputeID
      let status: String
      let reason: String
      let amount: Int64
      let currency: String
      @OrNull var dueBy: Date?
      let isAnswerable: Bool
      let isManaged: Bool
      let hasEvidence: Bool

      init(_ dispute: EvidenceDispute, isManaged: Bool) {
        id = dispute.id
        status = dispute.status
        reason = dispute.reason
        amount = dispute.amount
        currency = dispute.currency
        _dueBy = OrNull(wrappedValue: dispute.dueBy)
        isAnswerable = dispute.isAnswerable && !isManaged
        self.isManaged = isManaged
        hasEvidence = dispute.hasEvidence
      }
    }
  }
}
