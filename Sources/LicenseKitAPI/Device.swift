public import Foundation
public import JSON

/// The state of a device binding.
public enum DeviceStatus: String, Codable, Hashable, Sendable, CaseIterable {
  /// Takes a seat, or runs by a floating lease.
  case active
  /// Gave its seat back itself.
  case deactivated
  /// May not activate again.
  case blacklisted
  /// Lost its seat; may activate again.
  case reset
  /// Ran by a floating lease that has run out.
  case expired
}

/// What a binding identifies.
public enum DeviceBindingKind: String, Codable, Hashable, Sendable, CaseIterable {
  /// A machine, by its fingerprint.
  case hardware
  /// A container, by its place in a cluster.
  case container
}

/// A device bound to a license.
public struct Device: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: DeviceID
  /// The license this belongs to.
  public var licenseID: LicenseID
  /// What the binding identifies.
  public var bindingKind: DeviceBindingKind
  /// The identity in one normalised string; unique per license.
  public var bindingKey: String
  /// The machine's identity, for a hardware binding.
  public var fingerprint: String?
  /// The machine's host name.
  public var hostname: String?
  /// The machine's operating system.
  public var os: String?
  /// The address it was last seen from.
  public var ipAddress: String?
  /// Whether the machine is virtual.
  public var isVM: Bool
  /// Whether the application runs in a container; chooses the kind of binding.
  public var isContainer: Bool
  /// Container id, for a container binding.
  public var containerID: String?
  /// Cluster id, for a container binding.
  public var clusterID: String?
  /// Namespace, for a container binding.
  public var namespace: String?
  /// Pod name, for a container binding.
  public var podName: String?
  /// The present state.
  public var status: DeviceStatus
  /// When it first activated.
  public var firstSeenAt: Date
  /// When it last activated, validated or consumed.
  public var lastSeenAt: Date
  /// When it last validated.
  public var lastValidatedAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: DeviceID,
    licenseID: LicenseID,
    bindingKind: DeviceBindingKind,
    bindingKey: String,
    fingerprint: String? = nil,
    hostname: String? = nil,
    os: String? = nil,
    ipAddress: String? = nil,
    isVM: Bool,
    isContainer: Bool,
    containerID: String? = nil,
    clusterID: String? = nil,
    namespace: String? = nil,
    podName: String? = nil,
    status: DeviceStatus,
    firstSeenAt: Date,
    lastSeenAt: Date,
    lastValidatedAt: Date? = nil,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.licenseID = licenseID
    self.bindingKind = bindingKind
    self.bindingKey = bindingKey
    self.fingerprint = fingerprint
    self.hostname = hostname
    self.os = os
    self.ipAddress = ipAddress
    self.isVM = isVM
    self.isContainer = isContainer
    self.containerID = containerID
    self.clusterID = clusterID
    self.namespace = namespace
    self.podName = podName
    self.status = status
    self.firstSeenAt = firstSeenAt
    self.lastSeenAt = lastSeenAt
    self.lastValidatedAt = lastValidatedAt
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}
