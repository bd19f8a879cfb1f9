import Foundation

/// The server's time, in whole seconds: so stored times are exactly what the contract's timestamps show, both over HTTP and
/// in the process.
struct ServerClock: Sendable {
  let read: @Sendable () -> Date

  func now() -> Date { read().wholeSeconds }
}

extension Date {
  /// The same time without its fraction of a second.
  var wholeSeconds: Date { Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down)) }

  /// A day is 24 hours here: what was paid for does not change with daylight saving.
  func addingDays(_ days: Int) -> Date { addingTimeInterval(Double(days) * 86_400) }
}
