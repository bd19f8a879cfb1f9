internal import Synchronization

/// Carries requests to servers that others choose. One that let a request wait until its deadline gets less time from then on,
/// until it answers: its callers are many, and each would wait for it anew.
public final class HangingServers: HTTPSending {
  /// How much time a server gets that hung before.
  public static let shortDeadline: Duration = .seconds(5)
  /// One request in so many has its whole time all the same: a server that is slow is not taken for one that hangs for ever.
  static let wholeTimeEvery = 4
  /// Servers that are remembered; at one more, all are forgotten and found out again.
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
