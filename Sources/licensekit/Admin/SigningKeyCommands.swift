import ArgumentParser
import JSON
import LicenseKitAPI
import LicenseServer

extension Admin {
  struct ListSigningKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the public keys of a tenant: id, key, state. Retired ones stay, since answers they signed do.")
    @OptionGroup var tenant: TenantOption
    @OptionGroup var output: OutputOption

    func run() async throws {
      let keys = try await withAdministration { try await $0.publicKeys(of: tenant.id) }
      try output.print(keys) { keys.map { "\($0.kid)\t\($0.publicKey)\t\($0.status.rawValue)" } }
    }
  }

  struct RotateSigningKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a new signing key; the old one stays listed as retired.")
    @OptionGroup var tenant: TenantOption
    @OptionGroup var output: OutputOption

    func run() async throws {
      let key = try await withAdministration { try await $0.rotateSigningKey(of: tenant.id) }
      try output.print(key) { ["\(key.kid)\t\(key.publicKey)"] }
    }
  }
}
