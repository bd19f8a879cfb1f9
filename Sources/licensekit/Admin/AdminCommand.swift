import ArgumentParser

/// `licensekit admin`: what the contract leaves to the operator.
struct Admin: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tenants of the LicenseKit server, their tokens, signing keys and policy limits.",
    discussion: """
      Exit code 0: done; 1: refused, and standard error says why; 64: the command is written wrong; 69: the database does \
      not answer; 78: the configuration is wrong.
      """,
    subcommands: [
      CreateTenant.self, UpdateTenant.self, ListTenants.self,
      CreateToken.self, ListTokens.self, RevokeToken.self,
      ListSigningKeys.self, RotateSigningKey.self,
      ShowPolicy.self, SetPolicyLimits.self,
      VerifyEvents.self,
    ])
}
