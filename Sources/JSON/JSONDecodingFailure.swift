/// Which field of a document does not fit the type it was read as, and why. Holds no value of the document.
public struct JSONDecodingFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The field, as `features[0].quota`; empty for the document itself.
  public let path: String
  /// What is wrong with it.
  public let reason: Reason

  /// What can be wrong with a field.
  public enum Reason: Hashable, Sendable {
    /// A required field is not there.
    case missing
    /// The field is not one this type has, and unknown fields are refused.
    case unknown
    /// The field holds another kind of value; both in words, such as "a string" and "an integer".
    case wrongType(expected: String, found: String)
    /// The kind is right and the value is not; a sentence that says what is expected.
    case invalid(String)
  }

  /// A failure of the field at a path.
  public init(path: String, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  /// Names the field, what was expected, and what kind of value came.
  public var description: String {
    let field = path.isEmpty ? "the document" : path
    return switch reason {
    case .missing: "\(field) is missing"
    case .unknown: "\(field) is not a known field"
    case .wrongType(let expected, let found): "\(field) must be \(expected), not \(found)"
    case .invalid(let what): "\(field): \(what)"
    }
  }
}

/// What decoding does with a field that the type never asks for.
public enum UnknownFields: Sendable {
  /// Skips it: for documents of others, who may add fields.
  case allow
  /// Fails, naming it: for requests to an API of closed objects.
  case reject
}
