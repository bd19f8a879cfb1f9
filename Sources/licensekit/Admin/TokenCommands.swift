import ArgumentParser
import Foundation
import Identity
import IntegrationCommands
import JSON
import LicenseKitAPI
import LicenseServer

extension Admin {
  struct CreateToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Create a management token; it is shown once.")
    @OptionGroup var tenant: TenantOption
    @Option(help: "What the token is for.") var name: String
    @Option(help: "A scope, for example license:read; may be given several times. None is admin.")
    var scope: [String] = []
    @Option(help: "A network it may be used from, for example 192.0.2.0/24; may be given several times. None is any.")
    var cidr: [String] = []
    @Option(help: "When it ends, for example 2027-01-31T00:00:00Z.", transform: parseTime) var expires: Date?
    @OptionGroup var output: OutputOption

    func validate() throws {
      _ = try scopes
      if let expires, expires <= Date() { throw ValidationError("--expires must be in the future") }
    }

    private var scopes: [ManagementScope] {
      get throws {
        try scope.map { text in
          guard let scope = ManagementScope(rawValue: text) else {
            let known = ManagementScope.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(text)' is no scope; expected one of \(known)")
          }
          return scope
        }
      }
    }

    func run() async throws {
      let scopes = try scopes
      let created = try await withAdministration {
        try await $0.createToken(
          for: tenant.id, name: name, scopes: scopes.isEmpty ? [.admin] : scopes, allowedCIDRs: cidr,
          expiresAt: expires)
      }
      try output.print(created) { [created.token] }
    }
  }

  struct ListTokens: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the tokens of a tenant: id, name, beginning, state, scopes. Never a token itself.")
    @OptionGroup var tenant: TenantOption
    @OptionGroup var output: OutputOption

    func run() async throws {
      let tokens = try await withAdministration { try await $0.tokens(of: tenant.id) }
      try output.print(tokens) { tokens.map { $0.line(at: Date()) } }
    }
  }

  struct RevokeToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Switch a token off, at once and for good.")
    @Argument(help: "The token's id, key_…; list-tokens has it.") var id: String
    @OptionGroup var tenant: TenantOption
    @OptionGroup var output: OutputOption

    private struct Revoked: Encodable { var id: String, isActive: Bool }

    func run() async throws {
      let isThere = try await withAdministration { try await $0.deactivateToken(APIKeyID(id), of: tenant.id) }
      guard isThere else { throw AdminTrouble.notThere("token") }
      try output.print(Revoked(id: id, isActive: false)) { ["Token \(id) is switched off."] }
    }
  }
}

extension APIKey {
  fileprivate func line(at now: Date) -> String {
    let isOver = expiresAt.map { $0 <= now } ?? false
    let state = !isActive ? "revoked" : isOver ? "expired" : "active"
    return "\(id)\t\(name)\t\(keyPrefix)\t\(state)\t\(scopes.map(\.rawValue).joined(separator: ","))"
  }
}
