/// The operations of the runtime, as reports name them (contract: the parameter `endpoint` of `listRuntimeErrorGroups`).
enum RuntimeEndpoint: String, CaseIterable, Hashable, Sendable {
  case activate, validate, check, consume, offline, deactivate
  case floatingCheckout = "floating_checkout"
  case floatingCheckin = "floating_checkin"
  case floatingHeartbeat = "floating_heartbeat"

  /// The operation at a path of the contract: what follows `/api/v1/license/`.
  init?(path: String) {
    let prefix = "/api/v1/license/"
    guard path.hasPrefix(prefix) else { return nil }
    self.init(rawValue: path.dropFirst(prefix.count).map { $0 == "/" ? "_" : String($0) }.joined())
  }

  /// The name of an activity: that of the event it causes, if it causes one.
  var action: String {
    switch self {
    case .activate: "license.activated"
    case .validate: "license.validated"
    case .check: "license.checked"
    case .consume: "usage.consumed"
    case .offline: "license.offline_issued"
    case .deactivate: "license.deactivated"
    case .floatingCheckout: "floating.checked_out"
    case .floatingCheckin: "floating.checked_in"
    case .floatingHeartbeat: "floating.heartbeat"
    }
  }

  /// Whether a success gets an entry of its own. The others happen at every start of an application and are only counted.
  var isRecordedOnSuccess: Bool {
    switch self {
    case .activate, .consume, .offline, .deactivate, .floatingCheckout, .floatingCheckin: true
    case .validate, .check, .floatingHeartbeat: false
    }
  }
}

/// How a request ended, in classes that a vendor can act on.
enum ResultClass: String, CaseIterable, Hashable, Sendable {
  /// 2xx.
  case success
  /// 401 and 403: license, device, policy or version forbids it.
  case denied
  /// 400, 413, 422: the request itself is wrong.
  case invalid
  /// 409.
  case conflict
  /// 404: the device is not bound, the feature not given.
  case notFound = "not_found"
  /// 5xx: this server's own failures.
  case error

  init(status: Int) {
    switch status {
    case ..<400: self = .success
    case 401, 403: self = .denied
    case 404: self = .notFound
    case 409: self = .conflict
    case 400..<500: self = .invalid
    default: self = .error
    }
  }
}
