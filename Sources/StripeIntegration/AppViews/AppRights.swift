import JSON

/// What the Dashboard app has done when a person asks for it. The words are part of what is signed.
public enum AppOperation: String, Sendable, Hashable, CaseIterable, Codable {
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
  let name: String

  /// The roles in a signed payload: an array of objects with a `name`. What is no such array holds no role.
  static func roles(in signed: JSONObject) -> [AppRole] {
    (signed["stripe_roles"]?.array ?? []).compactMap { role in role["name"]?.string.map(AppRole.init(name:)) }
  }
}

/// Which roles may do what. A role that is not named may read.
public struct AppRights: Sendable, Hashable {
  /// May look after licenses and devices.
  let support: Set<String>
  /// May prepare evidence for disputes.
  let disputes: Set<String>
  /// May do everything, the settings and the connection included.
  let administration: Set<String>

  /// - Parameters: names of roles beside Stripe's own that have those rights. How a name is written does not matter: case,
  ///   spaces and signs are not looked at.
  public init(support: [String] = [], disputes: [String] = [], administration: [String] = []) {
    self.support = Set((Self.supportRoles + support).map(Self.plain))
    self.disputes = Set((Self.disputeRoles + disputes).map(Self.plain))
    self.administration = Set((Self.administrators + administration).map(Self.plain))
  }

  // Stripe's own roles (Stripe docs, "User roles"), with the ids that single sign-on has for them.
  private static let administrators = ["Administrator", "admin", "Super Administrator", "super_admin", "Owner"]
  private static let supportRoles = ["Support Specialist", "support_specialist", "Support Associate"]
  private static let disputeRoles = ["Dispute Analyst", "dispute_analyst", "Support Specialist"]

  /// Everything that a person with these roles may do.
  func operations(of roles: [AppRole]) -> [AppOperation] { AppOperation.allCases.filter { may($0, roles) } }

  func may(_ operation: AppOperation, _ roles: [AppRole]) -> Bool {
    let allowed: Set<String> =
      switch operation {
      case .resendKey, .resetDevice, .suspendLicense, .reinstateLicense: support
      case .stageEvidence: disputes
      case .saveSettings, .disconnect: []
      }
    return roles.contains { role in
      let name = Self.plain(role.name)
      return administration.contains(name) || allowed.contains(name)
    }
  }

  private static func plain(_ name: String) -> String { name.lowercased().filter { $0.isLetter || $0.isNumber } }
}
