import Foundation

/// How many connections a process can have without running out of file descriptors: it also needs some for its database, for
/// outgoing calls, and for files.
enum OpenFiles {
  /// The limit of this process; nil where the system sets none.
  static var limit: Int? {
    var limits = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0, limits.rlim_cur != rlim_t.max else {
      return nil
    }
    return Int(exactly: limits.rlim_cur)
  }

  /// The most connections to accept.
  ///
  /// - Parameters:
  ///   - wanted: the configured maximum.
  ///   - limit: of open files; nil for none.
  ///   - reserved: what the rest of the process needs. If the limit is too low for that, half of the limit.
  static func connections(wanted: Int, limit: Int?, reserved: Int) -> Int {
    guard let limit else { return wanted }
    return max(1, min(wanted, max(limit - reserved, limit / 2)))
  }
}
