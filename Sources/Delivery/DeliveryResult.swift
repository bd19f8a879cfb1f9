/// How an attempt to deliver something ended.
public enum DeliveryResult: Hashable, Sendable {
  /// The receiver took it.
  case arrived(status: Int?)
  /// - isFinal: another attempt is pointless.
  /// - isGone: the receiver will not be there again.
  /// - isOfReceiver: it says something about the receiver, not about this delivery alone.
  /// - retryAfter: how long the receiver asked to be left alone.
  case failed(
    String, status: Int? = nil, isFinal: Bool = false, isGone: Bool = false, isOfReceiver: Bool = true,
    retryAfter: Duration? = nil)
  /// It is too early: the next attempt comes after so many seconds, even if the time for attempts is over by then.
  case postponed(String, seconds: Double)
  /// There is nothing left to deliver.
  case pointless(String)
  /// This process is ending.
  case cutOff

  /// What was to be sent could not be put together. That is this service's own trouble, and may pass.
  public static func unprepared(_ error: any Error) -> DeliveryResult {
    error is CancellationError
      ? .cutOff : .failed("It could not be prepared: \(type(of: error))", isOfReceiver: false)
  }

  /// What an attempt is remembered by: the status of the answer, and the reason why it did not arrive. The reason holds
  /// nothing of what was sent or answered.
  public var record: (status: Int?, error: String?) {
    switch self {
    case .arrived(let status): (status, nil)
    case .failed(let error, let status, _, _, _, _): (status, error)
    case .pointless(let reason), .postponed(let reason, _): (nil, reason)
    case .cutOff: (nil, "cut off")
    }
  }
}
