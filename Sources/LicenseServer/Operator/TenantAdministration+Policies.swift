import Identity
package import LicenseKitAPI

extension TenantAdministration {
  /// A policy with all its limits.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a policy that the tenant does not have.
  package func policy(_ id: PolicyID, of tenant: TenantID) async throws -> Policy {
    try await policies.get(id, for: .operatorCaller(tenant))
  }

  /// Sets the limits of a policy that the contract leaves to the operator. They hold at once, for every license of the policy.
  /// - Throws: ``ServerKit/APIFailure``: 404 for a policy that the tenant does not have, 422 for a limit out of bounds.
  @discardableResult
  package func setLimits(_ limits: PolicyLimits, of policy: PolicyID, tenant: TenantID) async throws -> Policy {
    try await policies.setLimits(policy, limits, for: .operatorCaller(tenant))
  }
}
