import JSON
import Synchronization

/// Collects the server's ids of the calls that are made while it is current, so that what was done can be found again in
/// the server's logs.
public final class LicenseKitTrace: Sendable {
  /// The trace of the calls that the current task makes.
  @TaskLocal public static var current: LicenseKitTrace?

  private let ids = Mutex<[String]>([])

  public init() {}

  /// The ids in the order of the calls; a server that gives none leaves it empty.
  public var requestIDs: [String] { ids.withLock { $0 } }

  package func note(_ requestID: String?) {
    guard let id = LicenseKitError.words.word(requestID), !id.isEmpty else { return }
    ids.withLock { ids in
      if ids.count < 20, !ids.contains(id) { ids.append(id) }
    }
  }
}
