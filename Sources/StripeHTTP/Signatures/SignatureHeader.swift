import Cryptography

/// The `Stripe-Signature` header: `t=<unix seconds>,v1=<hex>[,v1=<hex>…][,v0=<hex>]` (Stripe docs, "Webhooks": verify
/// manually).
///
/// Several `v1` come while a secret is being replaced. Schemes other than `v1` are ignored, including `v0`, a dummy in test
/// deliveries. If there are several `t`, the last one counts, as in Stripe's own libraries. The header is read byte by byte
/// and never trusted before a signature in it has matched.
public struct SignatureHeader: Hashable, Sendable {
  /// The longest header that is read, in bytes. It leaves room for more than fifty signatures.
  public static let maximumLength = 4096

  /// When Stripe signed, in unix seconds.
  public let timestamp: Int64
  /// The digits of `t` as received: these bytes were signed.
  let timestampDigits: [UInt8]
  /// The well-formed `v1` signatures, 32 bytes each; never empty.
  public let signatures: [[UInt8]]

  /// Reads a header.
  public init(_ text: String) throws(SignatureError) {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.maximumLength else { throw .headerTooLong }
    guard !bytes.allSatisfy({ $0 == UInt8(ascii: " ") }) else { throw .missingHeader }

    var digits: ArraySlice<UInt8>?
    var signatures: [[UInt8]] = []
    for item in bytes.split(separator: UInt8(ascii: ",")) {
      let item = item.drop { $0 == UInt8(ascii: " ") }
      guard let equals = item.firstIndex(of: UInt8(ascii: "=")) else { continue }
      var value = item[(equals + 1)...]
      while value.last == UInt8(ascii: " ") { value.removeLast() }
      switch Array(item[..<equals]) {
      case Self.timestampName: digits = value
      case Self.schemeName:
        if value.count == HMACSHA256.byteCount * 2,
          let code = Hex.decode(String(decoding: value, as: UTF8.self), allowUppercase: false)
        {
          signatures.append(code)
        }
      default: continue
      }
    }

    guard let digits else { throw .missingTimestamp }
    guard let timestamp = Self.seconds(digits) else { throw .malformedTimestamp }
    guard !signatures.isEmpty else { throw .noSignature }
    self.timestamp = timestamp
    self.timestampDigits = Array(digits)
    self.signatures = signatures
  }

  private static let timestampName = Array("t".utf8)
  private static let schemeName = Array("v1".utf8)

  /// Decimal digits only: no sign, no space, and no more digits than a real time has.
  private static func seconds(_ digits: ArraySlice<UInt8>) -> Int64? {
    guard (1...12).contains(digits.count) else { return nil }
    var value: Int64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return value
  }

  /// Checks the payload against every secret and every signature, then the age.
  ///
  /// The signature is checked before the age, so that "too old" is reported only for what Stripe really signed. Then the
  /// cause is a clock or a replay, never an unsigned message.
  func verify<Purpose>(
    payload: ArraySlice<UInt8>, secrets: [SigningSecret<Purpose>], now: Int64, tolerance: Int
  ) throws(SignatureError) {
    guard !secrets.isEmpty else { throw .noSecret }
    var matches = false
    for secret in secrets {
      let expected = secret.code(timestamp: timestampDigits, payload: payload)
      for signature in signatures where constantTimeEqual(signature, expected) { matches = true }
    }
    guard matches else { throw .mismatch }
    let age = now - timestamp
    guard age <= Int64(tolerance) else { throw .tooOld }
    guard age >= -Int64(tolerance) else { throw .fromTheFuture }
  }

  /// A header value as Stripe would send it, one `v1` per secret.
  static func sign<Purpose>(
    payload: ArraySlice<UInt8>, secrets: [SigningSecret<Purpose>], timestamp: Int64
  ) -> String {
    let digits = Array(String(timestamp).utf8)
    return (["t=\(timestamp)"] + secrets.map { "v1=" + Hex.encode($0.code(timestamp: digits, payload: payload)) })
      .joined(separator: ",")
  }
}
