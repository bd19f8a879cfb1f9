import Identity
package import LicenseKitAPI
import ServerKit

/// The caller of an operation: known before any rule is checked, and written into the audit trail.
package struct Caller: Sendable {
  /// The tenant whose data it concerns.
  package var tenant: TenantID
  /// Who acts.
  package var actor: Actor
  /// What the actor may do.
  package var scopes: Set<ManagementScope>
  /// Where the request came from; nil inside the process.
  package var address: String?
  /// The request it is done for; nil inside the process.
  package var requestID: String?

  /// Who acts.
  package enum Actor: Hashable, Sendable {
    /// A management token.
    case apiKey(APIKeyID)
    /// An application, by its license.
    case license(LicenseID)
    /// This process.
    case system(String)

    var type: AuditActorType {
      switch self {
      case .apiKey: .apiKey
      case .license: .license
      case .system: .system
      }
    }

    var id: String {
      switch self {
      case .apiKey(let id): id.rawValue
      case .license(let id): id.rawValue
      case .system(let name): name
      }
    }
  }

  /// Refuses an operation that the scopes do not cover: 403 `TOKEN_SCOPE_DENIED`, naming the scope.
  func authorize(_ operation: ManagementOperation) throws(APIFailure) {
    guard scopes.contains(operation.scope) || scopes.contains(.admin) else {
      throw .scopeDenied(operation.scope)
    }
  }
}
