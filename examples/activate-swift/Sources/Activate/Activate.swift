import Foundation

/// Activates a license on this machine and validates it, as a program does when it starts.
///
/// Ends with 0 when the license is good, with 1 when it is refused, and with 2 when this is unknown.
@main
struct Activate {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard let address = arguments.first, let server = URL(string: address), server.host != nil,
      let licenseKey = ProcessInfo.processInfo.environment["LICENSE_KEY"], !licenseKey.isEmpty
    else {
      end(.unknown, "usage: LICENSE_KEY=lsk_… Activate https://licenses.example.com [FINGERPRINT]")
    }
    do {
      let machine = Machine(fingerprint: try arguments.dropFirst().first ?? Machine.keptFingerprint())
      let license = try await LicenseClient(server: server, licenseKey: licenseKey, machine: machine)
      _ = try await license.activate()
      let answer = try await license.validate()
      if answer.signature == .notChecked {
        say("the signature was not checked: this build has no CryptoKit")
      }
      let entitlement = answer.entitlement
      print("license \(entitlement.licenseID) is \(entitlement.status)")
      print("device \(entitlement.deviceID)")
      print("check again at \(entitlement.nextCheckAt)")
    } catch LicenseError.refused(let code, let message) {
      end(.refused, "refused: \(code): \(message)")
    } catch LicenseError.notGenuine {
      end(.unknown, "not known: the answer is not signed by this server")
    } catch {
      end(.unknown, "not known: \(error)")
    }
  }

  private enum ExitStatus: Int32 {
    case refused = 1
    case unknown = 2
  }

  private static func end(_ status: ExitStatus, _ message: String) -> Never {
    say(message)
    exit(status.rawValue)
  }

  private static func say(_ message: String) {
    FileHandle.standardError.write(Data((message + "\n").utf8))
  }
}
