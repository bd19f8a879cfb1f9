import JSON

/// What the Dashboard app can do when a person asks for it. These words are part of what is signed.
package enum AppOperation: String, Sendable, Hashable, CaseIterable, Codable {
  /// Mails the key to the buyer once more.
  case resendKey = "resend_key"
  /// Frees a device's seat.
  case resetDevice = "reset_device"
  case suspendLicense = "suspend_license"
  case reinstateLicense = "reinstate_license"
  /// Adds evidence to a dispute, without submitting it.
  case stageEvidence = "stage_evidence"
  case saveSettings = "save_settings"
  /// Ends the connection of the account.
  case disconnect
}

/// A role that a person has in the merchant's account. Stripe vouches for it: it refuses to sign a role that the person does
/// not have (Stripe Apps docs, "Build a backend").
struct AppRole: Hashable, Sendable {
  /// Who made the role.
  enum Kind: Hashable, Sendable {
    /// Stripe: the name means the same in every account.
    case builtIn
    /// The account: the name means whatever its people want, even if it resembles one of Stripe's. An unknown kind counts as
    /// this one.
    case custom
  }

  let kind: Kind
  let name: String

  /// The roles in a signed payload: an array of objects with a `type` and a `name`. Anything else contains no role.
  static func roles(in signed: JSONObject) -> [AppRole] {
    (signed["stripe_roles"]?.array ?? []).compactMap { role in
      role["name"]?.string.map { AppRole(kind: role["type"]?.string == "builtIn" ? .builtIn : .custom, name: $0) }
    }
  }
}

/// Which roles may do what. Any other role may read.
package struct AppRights: Sendable, Hashable {
  /// The roles that may do one kind of thing.
  private struct Holders: Sendable, Hashable {
    /// Names of Stripe's own roles.
    let builtIn: Set<String>
    /// Names that the operator has given the right to, for roles of either kind.
    let configured: Set<String>

    init(_ builtIn: Set<String>, _ configured: [String]) {
      self.builtIn = builtIn
      self.configured = Set(configured)
    }

    func include(_ role: AppRole) -> Bool {
      configured.contains(role.name) || role.kind == .builtIn && builtIn.contains(role.name)
    }
  }

  /// May manage licenses and devices.
  private let support: Holders
  /// May prepare evidence for disputes.
  private let disputes: Holders
  /// May do everything, including the settings and the connection.
  private let administration: Holders

  /// - Parameters: names of further roles that have those rights, spelled exactly as in the account.
  package init(support: [String] = [], disputes: [String] = [], administration: [String] = []) {
    self.support = Holders(Self.supportRoles, support)
    self.disputes = Holders(Self.disputeRoles, disputes)
    self.administration = Holders(Self.administrators, administration)
  }

  // Stripe's own roles (Stripe docs, "User roles"), with the ids that single sign-on has for them.
  private static let administrators: Set = ["Administrator", "admin", "Super Administrator", "super_admin", "Owner"]
  private static let supportRoles: Set = ["Support Specialist", "support_specialist", "Support Associate"]
  private static let disputeRoles: Set = ["Dispute Analyst", "dispute_analyst", "Support Specialist"]

  /// Everything that a person with these roles may do.
  func operations(of roles: [AppRole]) -> [AppOperation] { AppOperation.allCases.filter { may($0, roles) } }

  func may(_ operation: AppOperation, _ roles: [AppRole]) -> Bool {
    let holders: Holders? =
      switch operation {
      case .resendKey, .resetDevice, .suspendLicense, .reinstateLicense: support
      case .stageEvidence: disputes
      case .saveSettings, .disconnect: nil
      }
    return roles.contains { administration.include($0) || holders?.include($0) ?? false }
  }
}
