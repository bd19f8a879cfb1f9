package import Identity

/// The subject of ``TenantID``.
package enum TenantTag {}

/// One vendor's data on this server: its products, customers, licenses and keys. Nothing in the contract names the tenant;
/// the credential or the host name determines it.
package typealias TenantID = ID<TenantTag>

extension TenantID {
  /// The tenant of a server that serves one vendor, and of any host name that belongs to no other tenant.
  package static var defaultTenant: TenantID { "default" }
}
