import Cryptography
import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import ServerKit
import StripeAPI
import StripeHTTP

/// A question from the Dashboard app that Stripe vouches for: who asks, in which mode, and what else was signed.
struct AppQuestion: Sendable {
  let user: Stripe.UserID
  let tenant: Tenant
  /// The only environment that the signature vouches for; nil if it vouches for all of the mode.
  let signedFor: StripeEnvironment?
  /// The roles that Stripe vouches for; none in the plain form.
  let roles: [AppRole]
  private let query: QueryReader
  private let signed: JSONObject

  /// Verifies a question.
  ///
  /// Two forms are accepted (Stripe Apps docs, "Build a backend"). The plain one signs only who asks; that is enough for
  /// reads, and all questions are reads. The full one signs the whole request: as the body of a POST, or in `payload` or
  /// `Stripe-Signed-Payload` of a GET, in Base64 for URLs. The signed values count; the rest of the request may repeat but
  /// not contradict them.
  ///
  /// Live mode, the default, needs a secret of live mode.
  ///
  /// - Throws: 401 `SIGNATURE_INVALID`, which reveals only the kind of fault; 400 `INVALID_QUERY`.
  init(_ request: Request, secrets: ModeSecrets<AppPurpose>, now: Date) async throws {
    let query = request.query
    let header = request.headers[.stripeSignature]
    let identity: AppIdentity
    var signed = JSONObject()
    let livemode: Bool
    let signedFor: StripeEnvironment?
    do {
      if let payload = try await Self.payload(of: request, query) {
        let verified = try AppSignature.verifyPayload(header: header, payload: payload, secrets: secrets, now: now)
        try JSONBody.refuseNUL(in: payload)
        (identity, signed) = (verified.value.identity, verified.value.fields)
        livemode = try Self.livemode(query, signed)
        signedFor = try verified.only(livemode: livemode)
      } else {
        let verified = try AppSignature.verifyIdentity(
          header: header, userID: try request.headers[.stripeUserID] ?? query.string("user_id"),
          accountID: try request.headers[.stripeAccountID] ?? query.string("account_id"), secrets: secrets, now: now)
        identity = verified.value
        livemode = try Self.livemode(query, signed)
        signedFor = try verified.only(livemode: livemode)
      }
    } catch let error as SignatureError {
      throw APIFailure.unauthorized(error.code, code: "SIGNATURE_INVALID")
    }
    user = identity.userID
    tenant = Tenant(account: identity.accountID, livemode: livemode)
    self.signedFor = signedFor
    roles = AppRole.roles(in: signed)
    self.query = query
    self.signed = signed
  }

  static let longestPayload = 8_192

  /// The bytes that were signed as a whole, if the request contains any.
  private static func payload(of request: Request, _ query: QueryReader) async throws -> [UInt8]? {
    if request.method == .post { return try await request.bodyBytes(limit: longestPayload) }
    let text = try request.headers[.stripeSignedPayload] ?? query.string("payload", maximumLength: longestPayload * 2)
    guard let text, !text.isEmpty else { return nil }
    guard text.utf8.count <= longestPayload * 2 else { throw SignatureError.malformedPayload }
    // The browser's own encoder adds padding and uses the other two characters.
    let plain = text.filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
    guard let bytes = Base64.decodeURL(String(plain)) else { throw SignatureError.malformedPayload }
    return bytes
  }

  private static func livemode(_ query: QueryReader, _ signed: JSONObject) throws(APIFailure) -> Bool {
    let named = try query.bool("livemode")
    guard let value = signed["livemode"] else { return named ?? true }
    guard let livemode = value.bool, named ?? livemode == livemode else {
      throw .invalidQuery(field: "livemode", "must be true or false, and equal to the signed value")
    }
    return livemode
  }

  /// The Stripe id that the question is about.
  func object(_ kind: AppObjectKind) throws(APIFailure) -> String {
    let named = try query.string(kind.rawValue, maximumLength: 255)
    var object = named
    if let value = signed[kind.rawValue] {
      guard let text = value.string, named ?? text == text else {
        throw .invalidQuery(field: kind.rawValue, "must be an id, and equal to the signed one")
      }
      object = text
    }
    guard let object else { throw .invalidQuery(field: kind.rawValue, "is required") }
    guard kind.accepts(object) else {
      throw .invalidQuery(
        field: kind.rawValue, "must be an id that begins with \(kind.prefixes.joined(separator: " or "))")
    }
    return object
  }
}

/// The kind of object of a Dashboard view. The word is the name of the route and of the parameter.
enum AppObjectKind: String, Sendable, CaseIterable, Encodable {
  case customer, subscription, invoice, payment

  var prefixes: [String] {
    switch self {
    case .customer: ["cus_"]
    case .subscription: ["sub_"]
    case .invoice: ["in_"]
    case .payment: ["pi_", "ch_", "py_"]
    }
  }

  /// Whether a text can be an id of this kind.
  func accepts(_ id: String) -> Bool {
    guard let prefix = prefixes.first(where: { id.hasPrefix($0) }), id.utf8.count <= 255 else { return false }
    let rest = id.utf8.dropFirst(prefix.utf8.count)
    return !rest.isEmpty
      && rest.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}

extension HTTPField.Name {
  static let stripeSignature = known("Stripe-Signature")
  static let stripeUserID = known("Stripe-User-Id")
  static let stripeAccountID = known("Stripe-Account-Id")
  static let stripeSignedPayload = known("Stripe-Signed-Payload")

  private static func known(_ name: StaticString) -> HTTPField.Name {
    guard let field = HTTPField.Name("\(name)") else { preconditionFailure("\(name) is not a header name") }
    return field
  }
}
