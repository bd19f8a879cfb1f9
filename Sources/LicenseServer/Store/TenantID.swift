package import Identity

/// The subject of ``TenantID``.
package enum TenantTag {}

/// One vendor's world on this server: its products, customers, licenses and keys. Nothing in the contract names it; it
/// follows from the credential or the host name.
package typealias TenantID = ID<TenantTag>

extension TenantID {
  /// The tenant of a server that serves one vendor, and of any host name that belongs to nobody else.
  package static var defaultTenant: TenantID { "default" }
}
