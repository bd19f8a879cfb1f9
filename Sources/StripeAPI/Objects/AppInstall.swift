public import Foundation
public import Identity
public import JSON

/// An installation of an app in a merchant's account (API reference, "Installs"): the developer's view of it, separate from
/// the merchant's tokens.
public struct AppInstall: Hashable, Sendable {
  /// What happened to an installation.
  public enum Change: String, Hashable, Sendable {
    case created, updated, deleted
  }

  /// The state of an installation, in Stripe's own word, which may be a new one.
  public struct Status: RawRepresentable, Hashable, Sendable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let installed = Status(rawValue: "installed")
  }

  /// The most entries that are read from a list, and the longest entry. Stripe's own are far below.
  static let mostEntries = 200

  public let id: String
  /// The app, by the id in its manifest.
  public let app: String
  public let account: Stripe.AccountID?
  public let livemode: Bool
  public let status: Status
  public let created: Date
  /// Stripe's own word, for example `public`.
  public let channel: String?
  public let permissionsGranted: [String]
  /// What a version of the app asks for and the merchant has not approved yet.
  public let permissionsPending: [String]
  public let endpointsPending: [String]
  /// Whether the merchant must act before the installation is in the state that the app wants.
  public let approvalRequired: Bool

  public init(_ value: JSONValue) throws(StripeObjectError) {
    let kind = "apps.install"
    let reader = try ObjectReader(value, kind: kind)
    guard let id = reader.string("id"), Stripe.isPlain(id) else {
      throw StripeObjectError(object: kind, field: "id")
    }
    guard let app = reader.string("app") ?? reader["app"]?["id"]?.string, Stripe.isPlain(app) else {
      throw StripeObjectError(object: kind, field: "app")
    }
    guard let livemode = reader["livemode"]?.bool else { throw StripeObjectError(object: kind, field: "livemode") }
    self.id = id
    self.app = app
    self.livemode = livemode
    account = reader.id("account")
    status = Status(rawValue: reader.string("status").flatMap { Stripe.isPlain($0) ? $0 : nil } ?? "unknown")
    created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    channel = reader.string("channel").flatMap { Stripe.isPlain($0) ? $0 : nil }
    func words(_ field: String) -> [String] {
      (reader[field]?.array ?? []).prefix(Self.mostEntries).compactMap { entry in
        entry.string.flatMap { Stripe.isPlain($0) ? $0 : nil }
      }
    }
    permissionsGranted = words("permissions_granted")
    permissionsPending = words("permissions_pending")
    endpointsPending = words("endpoints_pending")
    approvalRequired = reader["approval_required"]?.bool ?? false
  }

  /// Everything with a name that waits for the merchant's approval.
  public var pending: [String] { permissionsPending + endpointsPending }

  /// Whether something waits for the merchant's approval. Calls that need it fail until then.
  public var isApprovalPending: Bool { approvalRequired || !pending.isEmpty }
}
