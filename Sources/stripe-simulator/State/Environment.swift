import JSON

/// Where developers, accounts, endpoints and objects live; nothing of one environment is found in another.
enum Environment: String, CaseIterable, Sendable {
  case live
  case test
  /// The developer's managed sandbox on one side, the merchants' sandboxes on the other. Its objects say `livemode: false`.
  case sandbox

  init(livemode: Bool) { self = livemode ? .live : .test }

  var livemode: Bool { self == .live }

  /// What a page calls it.
  var title: String {
    switch self {
    case .live: "live mode"
    case .test: "test mode"
    case .sandbox: "a sandbox"
    }
  }
}

extension Environment {
  /// As the state file has it. Files that were written before there were sandboxes say `livemode` alone.
  init(saved: Fields) {
    self =
      saved.text("environment").flatMap { Environment(rawValue: $0) } ?? Environment(livemode: saved.bool("livemode"))
  }

  var saved: JSONValue { .string(rawValue) }
}
