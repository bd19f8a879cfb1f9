import HTTPTransport
import StripeAPI

/// A form that contains a file (RFC 7578).
struct MultipartForm: Hashable, Sendable {
  /// Separates the parts; occurs in none of them.
  let boundary: String
  let body: [UInt8]

  /// - Parameters:
  ///   - fields: names and values in plain ASCII without line breaks or quotes, as this module's own are.
  ///   - name: the file's, likewise.
  init(fields: [(String, String)], file: [UInt8], named name: String, type: String) {
    // The same file makes the same bytes, so that a repeated upload is recognised by its idempotency key.
    var boundary = "licensekit-form-boundary"
    while file.contains(Array("--\(boundary)".utf8)) { boundary += "-" }
    var body: [UInt8] = []
    for (field, value) in fields {
      body += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field)\"\r\n\r\n\(value)\r\n".utf8)
    }
    body += Array(
      "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\nContent-Type: \(type)\r\n\r\n"
        .utf8)
    body += file
    body += Array("\r\n--\(boundary)--\r\n".utf8)
    self.boundary = boundary
    self.body = body
  }

  var contentType: String { "multipart/form-data; boundary=\(boundary)" }
}

extension StripeSession {
  /// `POST` of a file to Stripe's own address for files.
  func upload(_ form: MultipartForm, idempotencyKey: String) async throws(StripeError) -> StripeAnswer {
    var headers = credential.headers
    headers.append(("Stripe-Version", client.apiVersion))
    headers.append(("User-Agent", client.userAgent))
    headers.append(("Accept", "application/json"))
    headers.append(("Idempotency-Key", idempotencyKey))
    headers.append(("Content-Type", form.contentType))
    return try await StripeCall(
      transport: client.transport, policy: client.policy, surroundings: client.surroundings, budget: budget
    ).perform(
      HTTPTransportRequest(
        method: "POST", url: URLBuilder.url(client.filesBaseURL, path: ["v1", "files"]), headers: headers,
        body: form.body))
  }
}
