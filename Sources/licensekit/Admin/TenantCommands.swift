import ArgumentParser
import Identity
import JSON
import LicenseServer
import StripeAPI

extension Admin {
  struct CreateTenant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Create a tenant, with its first signing key.")
    @Argument(help: "The id, which never changes: letters, digits and dashes.") var id: String
    @Option(help: "What people call it.") var name: String
    @Option(help: "The host name that leads to it, without port.") var host: String?
    @OptionGroup var output: OutputOption

    func run() async throws {
      let tenant = try await withAdministration {
        try await $0.createTenant(TenantID(id), name: name, hostName: host)
      }
      try output.print(tenant) { ["Tenant \(tenant.id) is created."] }
    }
  }

  struct UpdateTenant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give a tenant another name or host name.",
      discussion: "Requests under a host name see its tenant's public keys, and admit only that tenant's credentials.")
    @Argument(help: "The tenant's id.") var id: String
    @Option(help: "What people call it from now on.") var name: String?
    @Option(help: "The host name that leads to it from now on, without port.") var host: String?
    @Flag(help: "Take its host name away: it is then reached by credential only.") var noHost = false
    @OptionGroup var output: OutputOption

    func validate() throws {
      guard host == nil || !noHost else { throw ValidationError("give --host or --no-host, not both") }
      guard name != nil || host != nil || noHost else { throw ValidationError("give --name, --host or --no-host") }
    }

    func run() async throws {
      let change = host.map { TenantAdministration.HostNameChange.set($0) } ?? (noHost ? .remove : .keep)
      let tenant = try await withAdministration {
        try await $0.updateTenant(TenantID(id), name: name, hostName: change)
      }
      try output.print(tenant) { [tenant.line] }
    }
  }

  struct ListTenants: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the tenants: id, name, host name.")
    @OptionGroup var output: OutputOption

    func run() async throws {
      let tenants = try await withAdministration { try await $0.tenants() }
      try output.print(tenants) { tenants.map(\.line) }
    }
  }
}

extension TenantAdministration.Tenant {
  fileprivate var line: String { "\(id)\t\(name)\t\(hostName ?? "-")" }
}
