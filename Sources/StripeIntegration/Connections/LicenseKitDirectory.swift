package import HTTPTransport
package import LicenseKitAPI
import LicenseKitHTTP
import Purchases
import ServerKit
package import StripeAPI

/// Finds the LicenseKit of a tenant: the connection's own, else the service's, to which no vendor can bind a connection.
package struct LicenseKitDirectory: LicenseKitAccess {
  private let store: ConnectionStore
  private let service: any LicenseKitClient
  private let serviceClient: @Sendable (String) -> (any LicenseKitClient)?
  private let transport: HangingServers
  private let destinations: AddressPolicy
  /// Clients of this process; each is used for a minute.
  private let cache = ExpiringCache<Tenant, any LicenseKitClient>(capacity: 5_000)

  /// - Parameters:
  ///   - service: the client for connections without a LicenseKit of their own; an in-process client if the server is
  ///     mounted.
  ///   - serviceClient: a client of the same server with another token, for connections with only a token; nil if none can be
  ///     made.
  ///   - transport: carries calls to connections' own servers.
  ///   - destinations: the addresses at which servers chosen by vendors may be.
  package init(
    store: ConnectionStore, service: any LicenseKitClient,
    serviceClient: @escaping @Sendable (_ token: String) -> (any LicenseKitClient)?, transport: any HTTPSending,
    destinations: AddressPolicy = .publicOnly()
  ) {
    self.store = store
    self.service = service
    self.serviceClient = serviceClient
    self.transport = HangingServers(transport)
    self.destinations = destinations
  }

  /// A directory whose service-wide LicenseKit is reached over HTTP.
  package init(store: ConnectionStore, baseURL: String, token: String, transport: any HTTPSending) {
    self.init(
      store: store, service: LicenseKitHTTPClient(baseURL: baseURL, token: token, transport: transport),
      serviceClient: { LicenseKitHTTPClient(baseURL: baseURL, token: $0, transport: transport) }, transport: transport)
  }

  /// - Throws: `TenantUnavailable` if the account has no connection, or one whose LicenseKit cannot be called.
  package func client(for tenant: Tenant) async throws -> any LicenseKitClient {
    if let client = cache[tenant] { return client }
    let client = try await makeClient(for: tenant)
    cache.insert(client, for: tenant, lasting: .seconds(60))
    return client
  }

  private func makeClient(for tenant: Tenant) async throws -> any LicenseKitClient {
    switch try await store.licenseKit(of: tenant) {
    case (nil, _, false):
      // Only the operator may give a connection the service's own LicenseKit.
      throw TenantUnavailable(
        .licensekitMissing,
        "The vendor has given up its LicenseKit, and the operator has not given it the service's.")
    case (nil, nil, true): return service
    case (nil, let token?, true):
      guard let client = serviceClient(token) else {
        throw TenantUnavailable(
          .licensekitMissing, "The connection has a LicenseKit token, but no address to use it at.")
      }
      return client
    case (.some, nil, _):
      // The service's own token is never sent to an address that somebody else chose.
      throw TenantUnavailable(.licensekitMissing, "The connection has a LicenseKit address, but no token for it.")
    case (let address?, let token?, let byOperator):
      guard let baseURL = ServiceURL.normalized(address) else {
        throw TenantUnavailable(.licensekitMissing, "The connection's LicenseKit address is not an https URL.")
      }
      let carrier: any HTTPSending =
        byOperator ? transport : BoundTransport(transport: transport, destinations: destinations)
      return LicenseKitHTTPClient(baseURL: baseURL, token: token, transport: carrier)
    }
  }
}

/// Carries requests to allowed addresses only.
private struct BoundTransport: HTTPSending {
  let transport: any HTTPSending
  let destinations: AddressPolicy

  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    var request = request
    request.destinations = destinations
    return try await transport.send(request)
  }
}
