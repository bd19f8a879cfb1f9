import ArgumentParser
import Identity
import LicenseKitAPI
import LicenseServer
import Logging
import ServerKit

/// `licensekit admin`: what the contract leaves to the operator.
struct Admin: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tenants of the LicenseKit server, their tokens and signing keys.",
    subcommands: [
      CreateTenant.self, ListTenants.self, CreateToken.self, RotateSigningKey.self, VerifyEvents.self,
    ])

  struct CreateTenant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Create a tenant.")
    @Argument(help: "The id: lower-case letters, digits and dashes.") var id: String
    @Option(help: "What people call it.") var name: String
    @Option(help: "The host name that leads to it, without port.") var host: String?

    func run() async throws {
      try await withServer { server in
        try await server.administration.createTenant(TenantID(id), name: name, hostName: host)
        print("Tenant \(id) is created.")
      }
    }
  }

  struct ListTenants: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the tenants.")

    func run() async throws {
      try await withServer { server in
        for tenant in try await server.administration.tenants() {
          print("\(tenant.id)\t\(tenant.name)\t\(tenant.hostName ?? "-")")
        }
      }
    }
  }

  struct CreateToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Create a management token; it is shown once.")
    @Option(help: "The tenant's id.") var tenant = "default"
    @Option(help: "What the token is for.") var name: String
    @Option(help: "A scope, for example license:read; may be given several times. None is admin.") var scope: [String] =
      []

    func run() async throws {
      let scopes = try scope.map { text in
        guard let scope = ManagementScope(rawValue: text) else {
          let known = ManagementScope.allCases.map(\.rawValue).joined(separator: ", ")
          throw ValidationError("'\(text)' is no scope; expected one of \(known)")
        }
        return scope
      }
      try await withServer { server in
        let created = try await server.administration.createToken(
          for: TenantID(tenant), name: name, scopes: scopes.isEmpty ? [.admin] : scopes)
        print(created.token)
      }
    }
  }

  struct RotateSigningKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a new signing key; the old one stays listed as retired.")
    @Option(help: "The tenant's id.") var tenant = "default"

    func run() async throws {
      try await withServer { server in
        let key = try await server.administration.rotateSigningKey(of: TenantID(tenant))
        print("\(key.kid)\t\(key.publicKey)")
      }
    }
  }
}

/// Runs a command against the server's database, without serving anything.
func withServer(_ body: (LicenseServer) async throws -> Void) async throws {
  let settings = try ServerSettings.readOrExit()
  bootstrapLogging(level: .error, format: settings.process.logFormat)
  let parts = try Parts(settings, logger: Logger(label: "licensekit"))
  do {
    try await body(parts.server)
  } catch {
    await parts.close()
    throw error
  }
  await parts.close()
}
