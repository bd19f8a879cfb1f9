import Cryptography
import JSON

extension Routes {
  /// The texts and files that answer a dispute (Stripe docs, API: the dispute evidence object).
  private static let texts: Set<String> = [
    "access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "customer_email_address", "customer_name", "customer_purchase_ip", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "refund_policy_disclosure", "refund_refusal_explanation",
    "service_date", "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number",
    "uncategorized_text",
  ]
  private static let files: Set<String> = [
    "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt",
    "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
  ]
  private static let longestText = 20_000
  private static let longestTogether = 150_000

  static let disputeEvidence: [Route] = [
    Route("POST", "disputes/{}", "dispute_write", ["evidence", "submit", "metadata"]) {
      tenant, input throws(StripeFailure) in
      let dispute = try tenant.require(.dispute, input.id)
      let metadata = try Metadata.merged(dispute.object("metadata"), input.parameters["metadata"])
      let given = input.parameters.object("evidence")
      if given != nil, !["needs_response", "warning_needs_response"].contains(dispute.text("status") ?? "") {
        throw .invalid("This dispute cannot be updated with evidence any more.", parameter: nil)
      }
      let evidence = try given.map { (given) throws(StripeFailure) in
        try merged(given, into: dispute.object("evidence") ?? Fields([]), tenant)
      }
      // Evidence is submitted unless the request says otherwise.
      let submits = evidence != nil && input.parameters["submit"].map { $0.asBool ?? true } ?? true
      tenant.update(.dispute, input.id, event: "charge.dispute.updated") {
        tenant.edit(.dispute, input.id) { object in
          if let metadata { object["metadata"] = .object(metadata) }
          guard let evidence else { return }
          object["evidence"] = .object(evidence)
          var details = object.object("evidence_details") ?? Fields([])
          details["has_evidence"] = flag(!evidence.isEmpty)
          if submits {
            details["submission_count"] = .integer((details.number("submission_count") ?? 0) + 1)
            let isInquiry = object.text("status")?.hasPrefix("warning_") ?? false
            object["status"] = .string(isInquiry ? "warning_under_review" : "under_review")
          }
          object["evidence_details"] = .object(details)
        }
      }
      return tenant.value(.dispute, input.id, input.shape)
    },
    Route("POST", "files", "file_write", ["purpose", "file"]) { tenant, input throws(StripeFailure) in
      guard let purpose = input.parameters.text("purpose") else { throw .requiredParameter("purpose") }
      guard let file = input.parameters.object("file"), let name = file.text("filename") else {
        throw .requiredParameter("file")
      }
      let id = tenant.newID(.file)
      tenant.insert(
        .file, id,
        fields([
          "id": .string(id), "object": "file", "created": .integer(tenant.now), "expires_at": .null,
          "filename": .string(name), "links": .null, "purpose": .string(purpose), "size": file["size"] ?? 0,
          "title": .null, "type": .string(name.split(separator: ".").last.map(String.init) ?? "bin"), "url": .null,
          "_sha256": file["sha256"] ?? .null,
        ]))
      return tenant.value(.file, id, input.shape)
    },
    retrieve("files", .file),
  ]

  /// Given texts replace; an empty text removes its field.
  private static func merged(
    _ given: Fields, into former: Fields, _ tenant: Tenant
  ) throws(StripeFailure) -> Fields {
    var evidence = former
    for (name, value) in given.elements {
      guard let text = value.asText else { throw .invalid("Invalid string.", parameter: "evidence[\(name)]") }
      if text.isEmpty {
        evidence[name] = nil
      } else if files.contains(name) {
        let file = try tenant.require(.file, text, parameter: "evidence[\(name)]")
        guard file.text("purpose") == "dispute_evidence" else {
          throw .invalid("The file's purpose must be dispute_evidence.", parameter: "evidence[\(name)]")
        }
        evidence[name] = .string(text)
      } else if texts.contains(name) {
        guard text.count <= longestText else {
          throw .invalid("Evidence may have at most \(longestText) characters.", parameter: "evidence[\(name)]")
        }
        evidence[name] = .string(text)
      } else {
        throw .unknownParameter("evidence[\(name)]")
      }
    }
    let together = evidence.elements.reduce(0) { $0 + ($1.value.asText?.count ?? 0) }
    guard together <= longestTogether else {
      throw .invalid("All evidence together may have at most \(longestTogether) characters.", parameter: "evidence")
    }
    return evidence
  }
}

/// Reads a form with a file in it, as far as the simulator needs one: texts as they are, of a file its name, size and digest.
enum MultipartDecoding {
  static func boundary(of contentType: String?) -> String? {
    guard let contentType, contentType.hasPrefix("multipart/form-data"),
      let range = contentType.firstRange(of: "boundary=")
    else { return nil }
    return contentType[range.upperBound...].prefix { $0 != ";" }.filter { $0 != "\"" }
  }

  static func decode(_ body: [UInt8], boundary: String) -> Fields? {
    var result = Fields([])
    let mark = Array("--\(boundary)".utf8)
    for part in body.split(separator: mark).dropLast() {
      guard let head = part.ranges(of: Array("\r\n\r\n".utf8)).first else { continue }
      let header = String(decoding: part[..<head.lowerBound], as: UTF8.self)
      let content = part[head.upperBound...].dropLast(2)
      guard let name = value("name", in: header) else { return nil }
      if let file = value("filename", in: header) {
        result[name] = .object(
          fields([
            "filename": .string(file), "size": .integer(Int64(content.count)),
            "sha256": .string(Hex.encode(SHA256.hash(Array(content)))),
          ]))
      } else {
        result[name] = .string(String(decoding: content, as: UTF8.self))
      }
    }
    return result
  }

  private static func value(_ name: String, in header: String) -> String? {
    guard let range = header.firstRange(of: " \(name)=\"") else { return nil }
    return String(header[range.upperBound...].prefix { $0 != "\"" })
  }
}
