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
  /// How many requests in a row each server let wait until their deadlines.
  private let hung = Mutex<[HTTPOrigin: Int]>([:])

  public init(_ transport: any HTTPSending) { self.transport = transport }

  public func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    guard let origin = HTTPOrigin(request.url) else { return try await transport.send(request) }
    var request = request
    let times = hung.withLock { $0[origin] ?? 0 }
    if times % Self.wholeTimeEvery != 0 { request.deadline = min(request.deadline, Self.shortDeadline) }
    do {
      let response = try await transport.send(request)
      if times > 0 { hung.withLock { $0[origin] = nil } }
      return response
    } catch {
      if error == .timeout || error == .connectTimeout { remember(origin) }
      throw error
    }
  }

  private func remember(_ origin: HTTPOrigin) {
    hung.withLock { hung in
      if hung.count >= Self.mostServers, hung[origin] == nil { hung = [:] }
      hung[origin] = (hung[origin] ?? 0) &+ 1
    }
  }
}
