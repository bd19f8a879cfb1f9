public import LicenseKitAPI

// API keys, audit trail, system.
extension LicenseKitHTTPClient {
  /// Operation `listAPIKeys` of the contract.
  public func listAPIKeys(limit: Int?) async throws(LicenseKitError) -> [APIKey] {
    try await send(.list("api-keys", limit: limit))
  }

  /// Operation `createAPIKey` of the contract.
  public func createAPIKey(_ body: APIKeyCreateRequest) async throws(LicenseKitError) -> APIKeyCreateResponse {
    try await send(.create("api-keys"), body)
  }

  /// Operation `listPublicKeys` of the contract.
  public func listPublicKeys() async throws(LicenseKitError) -> [PublicKey] {
    try await send(.get("system", "public-keys"))
  }

  /// Operation `listEvents` of the contract.
  public func listEvents(_ filter: EventFilter) async throws(LicenseKitError) -> EventPage {
    let response = try await exchange(.list("events", query: filter.query), body: nil)
    let events = try decode([Event].self, from: response, field: "data")
    let page = try decode(PageInfo.self, from: response, field: "page_info")
    return EventPage(events: events, nextCursor: page.nextCursor)
  }
}

private struct PageInfo: Decodable {
  var nextCursor: Int64?
}

extension EventFilter {
  /// The filter as query items.
  var query: [(name: String, value: String)] {
    let items: [(String, String?)] = [
      ("cursor", cursor.map { String($0) }), ("limit", limit.map { String($0) }), ("event_type", eventType),
      ("resource_type", resourceType), ("resource_id", resourceID), ("actor_type", actorType?.rawValue),
    ]
    return items.compactMap { name, value in value.map { (name, $0) } }
  }
}
