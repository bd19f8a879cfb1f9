import JSON

/// What the Dashboard app has done when a person asks for it. The words are part of what is signed.
package enum AppOperation: String, Sendable, Hashable, CaseIterable, Codable {
  /// Mails the key to the buyer once more.
  case resendKey = "resend_key"
  /// Takes a device's seat away.
  case resetDevice = "reset_device"
  case suspendLicense = "suspend_license"
  case reinstateLicense = "reinstate_license"
  /// Puts evidence on a dispute, without submitting it.
  case stageEvidence = "stage_evidence"
  case saveSettings = "save_settings"
  /// Ends the connection of the account.
  case disconnect
}

/// A role that a person has in the merchant's account, as Stripe vouches for it: it refuses to sign one that the person
/// does not have (Stripe Apps docs, "Build a backend").
struct AppRole: Hashable, Sendable {
  /// Who made the role.
  enum Kind: Hashable, Sendable {
    /// Stripe: its name means the same in every account.
    case builtIn
    /// The account: its name means what the people there want, whatever it resembles. A kind that is not known is none of
    /// Stripe's either.
    case custom
  }

  let kind: Kind
  let name: String

  /// The roles in a signed payload: an array of objects with a `type` and a `name`. What is no such array holds no role.
  static func roles(in signed: JSONObject) -> [AppRole] {
    (signed["stripe_roles"]?.array ?? []).compactMap { role in
      role["name"]?.string.map { AppRole(kind: role["type"]?.string == "builtIn" ? .builtIn : .custom, name: $0) }
    }
  }
}

/// Which roles may do what. A role that is not named may read.
package struct AppRights: Sendable, Hashable {
  /// Who may do one kind of thing.
  private struct Holders: Sendable, Hashable {
    /// Names of Stripe's own roles.
    let builtIn: Set<String>
    /// Names that the operator has given the right to, of roles of either kind.
    let configured: Set<String>

    init(_ builtIn: Set<String>, _ configured: [String]) {
      self.builtIn = builtIn
      self.configured = Set(configured)
    }

    func include(_ role: AppRole) -> Bool {
      configured.contains(role.name) || role.kind == .builtIn && builtIn.contains(role.name)
    }
  }

  /// May look after licenses and devices.
  private let support: Holders
  /// May prepare evidence for disputes.
  private let disputes: Holders
  /// May do everything, the settings and the connection included.
  private let administration: Holders

  /// - Parameters: names of roles beside Stripe's own that have those rights, exactly as the account has them.
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
