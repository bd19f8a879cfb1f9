import ArgumentParser
import Identity
import LicenseKitAPI
import LicenseServer

extension Admin {
  /// `licensekit admin verify-events`: whether the audit trail is as it was written.
  struct VerifyEvents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check that no event was changed, deleted, put in or moved.",
      discussion: """
        Prints the end of each tenant's chain as POSITION:HASH. Keep it somewhere else: with --expect-head it also shows \
        a chain that was written anew as a whole. Exit status 1 when anything is wrong.
        """)

    @Option(help: "The tenant's id; all tenants unless given.") var tenant: String?
    @Option(help: "The position to begin at; what stands before it is trusted.") var fromPosition: Int64 = 1
    @Option(help: "POSITION:HASH, noted down before, that must be in the chain. Of the tenant default unless --tenant.")
    var expectHead: EventChainHead?

    func validate() throws {
      guard fromPosition >= 1 else {
        throw ValidationError("--from-position must be at least 1, and is \(fromPosition)")
      }
    }

    func run() async throws {
      var isIntact = true
      try await withAdministration { administration in
        let tenants: [TenantID]
        if let tenant {
          tenants = [TenantID(tenant)]
        } else if expectHead != nil {
          tenants = [.defaultTenant]
        } else {
          tenants = try await administration.tenants().map(\.id)
        }
        for tenant in tenants {
          let report = try await administration.verifyEvents(of: tenant, from: fromPosition, expecting: expectHead)
          isIntact = isIntact && report.isIntact
          Self.show(report)
        }
      }
      guard isIntact else { throw ExitCode(1) }
    }

    private static func show(_ report: EventVerification) {
      let waiting = report.waiting > 0 ? ", \(report.waiting) events wait for their link" : ""
      let verdict = report.isIntact ? "intact" : "\(report.findingCount) FOUND"
      print("\(report.tenant)\t\(report.head)\t\(verdict)\t\(report.checked) links checked\(waiting)")
      for finding in report.findings { print("  \(finding)") }
      let more = report.findingCount - report.findings.count
      if more > 0 { print("  and \(more) more") }
    }
  }
}

extension EventChainHead: ExpressibleByArgument {
  public init?(argument: String) { self.init(parsing: argument) }
}
