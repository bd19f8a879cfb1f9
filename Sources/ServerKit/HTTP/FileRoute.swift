public import Hummingbird

extension RouterMethods where Context == AppContext {
  /// `GET path` answers with a file that was read at the start: the same bytes for everybody.
  @discardableResult
  public func addFileRoute(_ path: String, _ bytes: [UInt8], contentType: String) -> Self {
    get(RouterPath(path)) { _, _ in Answer.bytes(bytes, contentType: contentType) }
    return self
  }
}
