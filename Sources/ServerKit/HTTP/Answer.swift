import Foundation
public import HTTPTypes
public import Hummingbird
import JSON
import NIOCore

/// Builds every answer of the API: `{"data": …, "meta": {"request_id", "timestamp"}}`, lists with
/// `"page_info": {"next_cursor"}`, errors as `{"error": {code, message, detail?}, "meta": …}`.
///
/// API answers are `application/json` and are never stored by caches.
public enum Answer {
  /// One value.
  public static func data(
    _ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:],
    context: some IdentifiedRequestContext
  ) throws -> Response {
    raw(data: try JSONCoding.encodedBytes(value), status: status, headers: headers, context: context)
  }

  /// One page of a list whose cursor is text; `next_cursor` is null on the last page.
  public static func page(
    _ items: some Encodable, nextCursor: String?, headers: HTTPFields = [:], context: some IdentifiedRequestContext
  ) throws -> Response {
    try page(items, cursor: nextCursor.map { JSONValue.string($0) } ?? .null, headers: headers, context: context)
  }

  /// One page of a list whose cursor is a number or an id; `next_cursor` is null on the last page.
  public static func page<Cursor: Encodable>(
    _ items: some Encodable, nextCursor: Cursor?, headers: HTTPFields = [:], context: some IdentifiedRequestContext
  ) throws -> Response {
    try page(items, cursor: nextCursor.map { try JSONCoding.encode($0) } ?? .null, headers: headers, context: context)
  }

  private static func page(
    _ items: some Encodable, cursor: JSONValue, headers: HTTPFields, context: some IdentifiedRequestContext
  ) throws -> Response {
    raw(
      data: try JSONCoding.encodedBytes(items),
      members: [("page_info", Array("{\"next_cursor\":".utf8) + cursor.encoded() + Array("}".utf8))],
      headers: headers, context: context)
  }

  /// Finished JSON: `data` is inserted unchanged, byte for byte, followed by `members` (for example a signature over `data`)
  /// and `meta`.
  ///
  /// - Parameter members: names (plain ASCII) and values (complete JSON) of members between `data` and `meta`.
  public static func raw(
    data: [UInt8], members: [(name: String, value: [UInt8])] = [], status: HTTPResponse.Status = .ok,
    headers: HTTPFields = [:], context: some IdentifiedRequestContext
  ) -> Response {
    var body = ByteBuffer()
    body.reserveCapacity(data.count + members.reduce(128) { $0 + $1.name.utf8.count + $1.value.count + 8 })
    body.writeStaticString("{\"data\":")
    body.writeBytes(data)
    for member in members {
      body.writeString(",\"\(member.name)\":")
      body.writeBytes(member.value)
    }
    writeMeta(to: &body, context: context)
    return json(body, status: status, headers: headers)
  }

  /// The error envelope.
  public static func failure(_ failure: APIFailure, context: some IdentifiedRequestContext) -> Response {
    var error: [(String, JSONValue)] = [("code", .string(failure.code)), ("message", .string(failure.message))]
    if let detail = failure.detail { error.append(("detail", .string(detail))) }
    var body = ByteBuffer()
    body.writeStaticString("{\"error\":")
    body.writeBytes(JSONValue.object(JSONObject(error)).encoded())
    writeMeta(to: &body, context: context)
    return json(body, status: failure.status, headers: fields(failure.headers))
  }

  /// No body: 204 unless another status is given.
  public static func empty(status: HTTPResponse.Status = .noContent, headers: HTTPFields = [:]) -> Response {
    var response = Response(status: status, headers: headers)
    response.headers[.cacheControl] = response.headers[.cacheControl] ?? "no-store"
    return response
  }

  /// Bytes as they are, such as a download. Never sniffed for another type.
  public static func bytes(
    _ bytes: [UInt8], contentType: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) -> Response {
    var response = Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    response.headers[.contentType] = contentType
    response.headers[.cacheControl] = response.headers[.cacheControl] ?? "no-store"
    response.headers[.xContentTypeOptions] = "nosniff"
    return response
  }

  /// Plain text.
  public static func text(
    _ text: String, contentType: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok
  ) -> Response {
    bytes(Array(text.utf8), contentType: contentType, status: status)
  }

  /// A web page, with the headers of ``HTMLSecurity``.
  public static func html(
    _ markup: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) -> Response {
    var response = bytes(Array(markup.utf8), contentType: "text/html; charset=utf-8", status: status, headers: headers)
    HTMLSecurity.apply(to: &response.headers)
    return response
  }

  /// A web page from its parts.
  public static func html(
    _ page: HTMLPage, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) -> Response {
    html(page.rendered, status: status, headers: headers)
  }

  /// Sends the browser elsewhere: 302, or 303 after a form.
  public static func redirect(
    to location: String, status: HTTPResponse.Status = .found, cookies: [SetCookie] = []
  ) -> Response {
    var response = empty(status: status)
    response.headers[.location] = location
    response.headers[.referrerPolicy] = "no-referrer"
    for cookie in cookies { response.set(cookie) }
    return response
  }

  private static func json(_ body: ByteBuffer, status: HTTPResponse.Status, headers: HTTPFields) -> Response {
    var response = Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    response.headers[.contentType] = "application/json"
    response.headers[.cacheControl] = "no-store"
    response.headers[.xContentTypeOptions] = "nosniff"
    return response
  }

  private static func writeMeta(to body: inout ByteBuffer, context: some IdentifiedRequestContext) {
    body.writeString(
      ",\"meta\":{\"request_id\":\"\(context.requestID)\",\"timestamp\":\"\(RFC3339.string(from: Date()))\"}}")
  }

  private static func fields(_ pairs: [(name: String, value: String)]) -> HTTPFields {
    var fields = HTTPFields()
    for pair in pairs {
      if let name = HTTPField.Name(pair.name) { fields[name] = pair.value }
    }
    return fields
  }
}

extension HTTPField.Name {
  /// A header name known when the program is written. An illegal one is a programmer error.
  public static func constant(_ name: StaticString) -> HTTPField.Name {
    guard let field = HTTPField.Name("\(name)") else { preconditionFailure("\(name) is not a header name") }
    return field
  }

  /// `X-Request-Id`, on every answer.
  public static let xRequestID = constant("X-Request-Id")
  static let referrerPolicy = constant("Referrer-Policy")
  static let xFrameOptions = constant("X-Frame-Options")
}
