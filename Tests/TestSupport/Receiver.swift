import Cryptography
public import Foundation
import HTTPTypes
import Hummingbird
public import JSON
import ServerKit
import Synchronization

/// A server that takes messages, for tests of what is sent to others.
public final class Receiver: Sendable {
  /// One request, as it came.
  public struct Call: Sendable {
    public let path: String
    let headers: [String: String]
    public let body: [UInt8]

    public var json: JSONValue? { try? JSONValue(parsing: body) }
    public func header(_ name: String) -> String { headers[name.lowercased()] ?? "" }

    /// Verified the way the documentation tells a receiver to: five minutes old at most, and one `v1` that matches.
    public func isSigned(with secret: String, in header: String, delivery: String, at moment: Date) -> Bool {
      let parts = self.header(header).split(separator: ",").map { $0.split(separator: "=", maxSplits: 1) }
      guard let time = parts.first(where: { $0[0] == "t" })?.last, let seconds = Double(time),
        abs(seconds - moment.timeIntervalSince1970) <= 300
      else { return false }
      let text = "\(time).\(self.header(delivery)).\(String(decoding: body, as: UTF8.self))"
      let expected = Hex.encode(HMACSHA256(key: secret).code(for: Array(text.utf8)))
      return parts.contains { $0[0] == "v1" && $0.last.map(String.init) == expected }
    }
  }

  private let state = Mutex((calls: [Call](), statuses: [String: [Int]](), always: [String: Int]()))

  public var calls: [Call] { state.withLock { $0.calls } }
  public func calls(to path: String) -> [Call] { calls.filter { $0.path == path } }

  /// What a path answers to its next calls; 200 after those.
  public func answer(_ path: String, _ statuses: Int...) {
    state.withLock { state in
      state.statuses[path] = statuses
      state.always[path] = nil
    }
  }

  public func answerAlways(_ path: String, _ status: Int) { state.withLock { $0.always[path] = status } }

  /// Runs one on a port of the system's choice; `body` gets it with the beginning of its URLs.
  public static func open(_ body: @Sendable (Receiver, String) async throws -> Void) async throws {
    let receiver = Receiver()
    let router = AppRouter()
    router.post("**") { request, _ in
      let bytes = try await request.bodyBytes(limit: 1 << 20)
      var headers: [String: String] = [:]
      for field in request.headers { headers[field.name.canonicalName] = field.value }
      let call = Call(path: request.uri.path, headers: headers, body: bytes)
      let status = receiver.state.withLock { state in
        state.calls.append(call)
        if let status = state.always[call.path] { return status }
        guard state.statuses[call.path]?.isEmpty == false else { return 200 }
        return state.statuses[call.path]?.removeFirst() ?? 200
      }
      // A receiver that sends on must be seen not to be followed.
      return Response(status: .init(code: status), headers: status / 100 == 3 ? [.location: "/elsewhere"] : [:])
    }
    try await withServer(router) { address in try await body(receiver, address.url) }
  }
}
