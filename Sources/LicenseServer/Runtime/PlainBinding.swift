import JSON
import LicenseKitAPI

extension RuntimeBindingRequest {
  /// Reads a body of the usual form, several times faster than the general decoder. For anything unusual it returns nil, and
  /// the decoder then reports what is wrong.
  init?(plainly bytes: [UInt8]) {
    guard let value = try? JSONValue(parsing: bytes), case .object(let object) = value else { return nil }
    self.init()
    for (key, value) in object.elements {
      switch (key, value) {
      case ("fingerprint", .string(let text)): fingerprint = text
      case ("hostname", .string(let text)): hostname = text
      case ("os", .string(let text)): os = text
      case ("is_vm", .bool(let flag)): isVM = flag
      case ("is_container", .bool(let flag)): isContainer = flag
      case ("container_id", .string(let text)): containerID = text
      case ("cluster_id", .string(let text)): clusterID = text
      case ("namespace", .string(let text)): namespace = text
      case ("pod_name", .string(let text)): podName = text
      case ("app_version", .string(let text)): appVersion = text
      default: return nil
      }
    }
  }
}
