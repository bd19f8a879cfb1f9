import Delivery
import Foundation
import HTTPTransport
import JSON
import ServerKit

/// The fields of a message endpoint in an admin request.
struct MessageEndpointFields: Codable, Sendable {
  var url: String
  var description: String?
  var eventTypes: [String]?
  var includesLicenseKey: Bool?
  var active: Bool?

  static let longestDescription = 200

  /// The endpoint's choices.
  /// - Throws: 422 that names the field.
  func checked(destinations: AddressPolicy) throws(APIFailure) -> MessageEndpointChoices {
    if let problem = DeliveryRequest.problem(withURL: url, destinations: destinations) {
      throw .validation(field: "url", problem)
    }
    if let description, description.count > Self.longestDescription || description.contains(where: \.isNewline) {
      throw .validation(field: "description", "must be one line of at most \(Self.longestDescription) characters")
    }
    let known = MessageType.allCases.map(\.rawValue)
    for (index, type) in (eventTypes ?? []).enumerated() where !known.contains(type) {
      throw .validation(field: "event_types[\(index)]", "must be one of " + known.joined(separator: ", "))
    }
    var types: [String] = []
    for type in eventTypes ?? [] where !types.contains(type) { types.append(type) }
    return MessageEndpointChoices(
      url: url, description: description, eventTypes: types, includesKey: includesLicenseKey ?? false,
      isActive: active ?? true)
  }
}

extension MessageEndpointFields {
  /// The fields that would write a stored endpoint again.
  init(_ endpoint: MessageEndpoint) {
    self.init(
      url: endpoint.url, description: endpoint.description, eventTypes: endpoint.eventTypes,
      includesLicenseKey: endpoint.includesKey, active: endpoint.isActive)
  }

  /// The endpoint with the fields of a patch applied; a field that is `null` in the patch is removed (RFC 7396).
  func patched(with patch: JSONObject) throws -> MessageEndpointFields {
    guard var merged = try JSONCoding.encode(self).object else { return self }
    for (key, value) in patch.elements { merged[key] = value.isNull ? nil : value }
    return try JSONBody.decode(MessageEndpointFields.self, from: merged)
  }
}

/// A message endpoint as the admin routes show it. Its secret is shown once, when it is made.
struct MessageEndpointView: Encodable, Sendable {
  let id: MessageEndpointID
  let url: String
  @OrNull var description: String?
  let eventTypes: [String]
  let includesLicenseKey: Bool
  let active: Bool
  /// `active`; `inactive` by the vendor's choice; `failing` while nothing arrives; `disabled` after that took too long.
  let status: String
  var secret: String?
  @OrNull var previousSecretUntil: Date?
  @OrNull var failingSince: Date?
  @OrNull var disabledAt: Date?
  @OrNull var disabledReason: String?
  let createdAt: Date
  let updatedAt: Date

  init(_ endpoint: MessageEndpoint, secret: String? = nil) {
    id = endpoint.id
    url = endpoint.url
    description = endpoint.description
    eventTypes = endpoint.eventTypes
    includesLicenseKey = endpoint.includesKey
    active = endpoint.isActive
    status =
      !endpoint.isActive
      ? "inactive" : endpoint.disabledAt != nil ? "disabled" : endpoint.failingSince != nil ? "failing" : "active"
    self.secret = secret
    previousSecretUntil = endpoint.previousSecretUntil
    failingSince = endpoint.failingSince
    disabledAt = endpoint.disabledAt
    disabledReason = endpoint.disabledReason
    createdAt = endpoint.createdAt
    updatedAt = endpoint.updatedAt
  }
}
