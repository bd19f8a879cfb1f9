import JSON
import LicenseKitAPI
import ServerKit

/// Where an application runs, checked, and the one key that identifies the place. Pure.
///
/// Invisible characters at both ends of a value are dropped: one version of an application reads a machine's id with the line
/// end of a file, and the next without. Between the ends every byte counts.
struct Binding: Hashable, Sendable {
  var kind: DeviceBindingKind
  /// Unique per license. The parts of a container's place are escaped, so that no two places share a key.
  var key: String
  /// The key of the place, byte for byte as the application sent it. Devices that were bound when this form was used are
  /// recognised by it.
  var writtenKey: String
  var request: RuntimeBindingRequest

  /// - Throws: 422 that names the field: hardware needs a fingerprint; a container needs at least one of its four fields.
  init(_ written: RuntimeBindingRequest) throws(APIFailure) {
    for (field, value) in [
      ("hostname", written.hostname), ("os", written.os), ("container_id", written.containerID),
      ("cluster_id", written.clusterID), ("namespace", written.namespace), ("pod_name", written.podName),
    ] {
      try Checks.length(value, field, maximum: 512)
    }
    try Checks.length(written.fingerprint, "fingerprint", maximum: 1_024)
    if let version = written.appVersion { try Checks.version(version, "app_version") }

    request = written
    request.fingerprint = BlankText.said(written.fingerprint)
    request.hostname = BlankText.said(written.hostname)
    request.os = BlankText.said(written.os)
    request.containerID = BlankText.said(written.containerID)
    request.clusterID = BlankText.said(written.clusterID)
    request.namespace = BlankText.said(written.namespace)
    request.podName = BlankText.said(written.podName)
    if written.isContainer ?? false {
      guard let key = Self.containerKey(request), let writtenKey = Self.containerKey(written) else {
        throw .validation("cluster_id: a container needs cluster_id, namespace, pod_name or container_id")
      }
      guard writtenKey.utf8.count <= 2_048 else { throw .validation("cluster_id: the container's place is too long") }
      (kind, self.key, self.writtenKey) = (.container, key, writtenKey)
    } else {
      guard let fingerprint = request.fingerprint, let whole = written.fingerprint else {
        throw .validation(field: "fingerprint", "is required unless is_container is true")
      }
      (kind, key, writtenKey) = (.hardware, "hardware:" + fingerprint, "hardware:" + whole)
    }
  }

  /// Every key that a device in this place may have: the present one, the one as sent, or the one with the line end of a
  /// file.
  var keys: [String] {
    var keys = [key]
    for former in [writtenKey, key + "\n", key + "\r\n"]
    where !keys.contains(where: { $0.utf8.elementsEqual(former.utf8) }) {
      keys.append(former)
    }
    return keys
  }

  /// Nil for a container that says nothing about its place.
  private static func containerKey(_ request: RuntimeBindingRequest) -> String? {
    let place = [request.clusterID, request.namespace, request.podName, request.containerID].map { $0 ?? "" }
    guard place.contains(where: { !$0.isEmpty }) else { return nil }
    return "container:" + place.map(escaped).joined(separator: "/")
  }

  private static func escaped(_ part: String) -> String {
    var result = ""
    for character in part.unicodeScalars {
      switch character {
      case "%": result += "%25"
      case "/": result += "%2F"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}

/// How many bindings of a license may be active at once. Pure.
enum Seats {
  /// The limit that prevents another binding of this kind, if there is one.
  ///
  /// If the policy gives containers their own limit they are counted separately, otherwise together with the devices.
  static func limitReached(by kind: DeviceBindingKind, hardware: Int, containers: Int, policy: Policy) -> Int? {
    let limit: Int
    let taken: Int
    if let own = policy.maxContainerInstances {
      (limit, taken) = kind == .container ? (own, containers) : (policy.maxActivations, hardware)
    } else {
      (limit, taken) = (policy.maxActivations, hardware + containers)
    }
    return taken >= limit ? limit : nil
  }
}

extension ConsumeLicenseRequest {
  /// The part that says where the application runs.
  var binding: RuntimeBindingRequest {
    RuntimeBindingRequest(
      fingerprint: fingerprint, hostname: hostname, os: os, isVM: isVM, isContainer: isContainer,
      containerID: containerID,
      clusterID: clusterID, namespace: namespace, podName: podName, appVersion: appVersion)
  }
}
