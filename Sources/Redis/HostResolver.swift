internal import Dispatch
internal import Foundation
internal import Synchronization

/// Looks up a host's address within a time limit. The system's look-up has no limit, so it runs on a thread of its own. A
/// late look-up is awaited by the next attempt instead of being started twice.
final class HostResolver: Sendable {
  private final class Lookup: Sendable {
    let host: String
    let result = Mutex<[String]?>(nil)
    let isDone = DispatchSemaphore(value: 0)

    init(host: String) { self.host = host }
  }

  private struct State {
    var pending: Lookup?
    /// Attempts use the addresses of a host in turn.
    var attempts = 0
  }

  private let state = Mutex(State())

  /// An address of the host, as digits. One that is already an address comes back unchanged.
  func address(of host: String, within limit: Duration) throws(RedisError) -> String {
    if Self.lookUp(host, onlyNumeric: true).first != nil { return host }
    let lookup = state.withLock { state in
      if let pending = state.pending { return pending }
      let lookup = Lookup(host: host)
      state.pending = lookup
      Thread.detachNewThread {
        let addresses = Self.lookUp(lookup.host, onlyNumeric: false)
        lookup.result.withLock { $0 = addresses }
        lookup.isDone.signal()
      }
      return lookup
    }
    _ = lookup.isDone.wait(timeout: .now() + .milliseconds(Int(clamping: limit.positiveMilliseconds)))
    guard let addresses = lookup.result.withLock({ $0 }) else {
      throw .unavailable("looking up the host takes too long")
    }
    return try state.withLock { state throws(RedisError) in
      state.pending = nil
      guard !addresses.isEmpty else { throw .unavailable("the host has no address") }
      defer { state.attempts += 1 }
      return addresses[state.attempts % addresses.count]
    }
  }

  private static func lookUp(_ host: String, onlyNumeric: Bool) -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = onlyNumeric ? AI_NUMERICHOST : 0
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var addresses: [String] = []
    var next = list
    while let entry = next?.pointee {
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      if getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
        addresses.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
      }
      next = entry.ai_next
    }
    return addresses
  }
}
