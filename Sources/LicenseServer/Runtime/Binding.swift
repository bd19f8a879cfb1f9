import LicenseKitAPI
import ServerKit

/// Where an application runs, checked, with the one key by which it is recognised again. Pure.
struct Binding: Hashable, Sendable {
  var kind: DeviceBindingKind
  /// Unique per license. The parts of a container's place are escaped, so that no two places share a key.
  var key: String
  var request: RuntimeBindingRequest

  /// - Throws: 422 that names the field: hardware needs a fingerprint; a container needs at least one of its four fields.
  init(_ request: RuntimeBindingRequest) throws(APIFailure) {
    self.request = request
    let isContainer = request.isContainer ?? false
    for (field, value) in [
      ("hostname", request.hostname), ("os", request.os), ("container_id", request.containerID),
      ("cluster_id", request.clusterID), ("namespace", request.namespace), ("pod_name", request.podName),
    ] {
      try Checks.length(value, field, maximum: 512)
    }
    try Checks.length(request.fingerprint, "fingerprint", maximum: 1_024)
    if let version = request.appVersion { try Checks.version(version, "app_version") }

    if isContainer {
      let place = [request.clusterID, request.namespace, request.podName, request.containerID]
      guard place.contains(where: { $0?.isEmpty == false }) else {
        throw .validation("cluster_id: a container needs cluster_id, namespace, pod_name or container_id")
      }
      kind = .container
      key = "container:" + place.map { Self.escaped($0 ?? "") }.joined(separator: "/")
      guard key.utf8.count <= 2_048 else { throw .validation("cluster_id: the container's place is too long") }
    } else {
      guard let fingerprint = request.fingerprint, fingerprint.contains(where: { !$0.isWhitespace }) else {
        throw .validation(field: "fingerprint", "is required unless is_container is true")
      }
      kind = .hardware
      key = "hardware:" + fingerprint
    }
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
  /// The limit that the next binding of a kind meets, if it takes a seat beyond it.
  ///
  /// Containers are counted apart when the policy gives them their own limit, and else together with the devices.
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
