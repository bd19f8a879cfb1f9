internal import Synchronization

/// Carries requests to servers that others choose. If a server lets a request wait until its deadline, the next requests to
/// it get a short deadline until it answers, so that not every caller waits the whole time.
public final class HangingServers: HTTPSending {
  /// The deadline of a request to a server that hung.
  public static let shortDeadline: Duration = .seconds(5)
  /// One request in this many keeps its own deadline, so that a server that is only slow can still answer.
  static let wholeTimeEvery = 4
  /// The most servers that are remembered. One more clears the memory.
  static let mostServers = 10_000

  private let transport: any HTTPSending
  /// How many requests were sent to each server since it hung.
  private let hung = Mutex<[HTTPOrigin: Int]>([:])

  public init(_ transport: any HTTPSending) { self.transport = transport }

  public func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    guard let origin = HTTPOrigin(request.url) else { return try await transport.send(request) }
    var request = request
    if isShort(origin) { request.deadline = min(request.deadline, Self.shortDeadline) }
    do {
      let response = try await transport.send(request)
      hung.withLock { $0[origin] = nil }
      return response
    } catch {
      if error == .timeout || error == .connectTimeout { remember(origin) }
      throw error
    }
  }

  private func isShort(_ origin: HTTPOrigin) -> Bool {
    hung.withLock { hung in
      guard let asked = hung[origin] else { return false }
      hung[origin] = asked &+ 1
      return (asked &+ 1) % Self.wholeTimeEvery != 0
    }
  }

  private func remember(_ origin: HTTPOrigin) {
    hung.withLock { hung in
      guard hung[origin] == nil else { return }
      if hung.count >= Self.mostServers { hung = [:] }
      hung[origin] = 0
    }
  }
}
