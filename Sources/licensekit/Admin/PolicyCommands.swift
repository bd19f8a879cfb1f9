import ArgumentParser
import Identity
import JSON
import LicenseKitAPI
import LicenseServer

extension Admin {
  struct ShowPolicy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a policy with all its limits.")
    @Argument(help: "The policy's id, pol_…") var id: String
    @OptionGroup var tenant: TenantOption
    @OptionGroup var output: OutputOption

    func run() async throws {
      let policy = try await withAdministration { try await $0.policy(PolicyID(id), of: tenant.id) }
      try output.print(policy) { policy.lines }
    }
  }

  struct SetPolicyLimits: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set the limits of a policy that the API cannot set; those that are not given stay.",
      discussion: "They hold at once for every license of the policy.")
    @Argument(help: "The policy's id, pol_…") var id: String
    @OptionGroup var tenant: TenantOption
    @Option(help: "Devices that may be active at once.") var maxActivations: Int?
    @Option(help: "Containers that may be active at once, apart from devices; 'none' to count them with the devices.")
    var maxContainerInstances: ContainerLimit?
    @Option(help: "Days after the expiry during which a license still works.") var gracePeriodDays: Int?
    @Option(help: "Minutes until an application should ask again.") var validationIntervalMinutes: Int?
    @Option(help: "true or false: whether offline envelopes may be issued.") var allowOfflineActivation: Bool?
    @Option(help: "Days an offline envelope stays good.") var offlineGraceDays: Int?
    @Option(help: "true or false: whether virtual machines may be bound.") var allowVM: Bool?
    @Option(help: "true or false: whether containers may be bound.") var allowContainer: Bool?
    @Option(help: "How often a license may change hands; 0 for as often as wanted.") var maxTransfers: Int?
    @OptionGroup var output: OutputOption

    enum ContainerLimit: ExpressibleByArgument {
      case own(Int)
      case shared

      init?(argument: String) {
        if argument == "none" {
          self = .shared
        } else if let number = Int(argument) {
          self = .own(number)
        } else {
          return nil
        }
      }
    }

    private var limits: PolicyLimits {
      var limits = PolicyLimits()
      limits.maxActivations = maxActivations
      switch maxContainerInstances {
      case nil: break
      case .own(let number): limits.maxContainerInstances = number
      case .shared: limits.containersShareActivations = true
      }
      limits.gracePeriodDays = gracePeriodDays
      limits.validationIntervalMinutes = validationIntervalMinutes
      limits.allowOfflineActivation = allowOfflineActivation
      limits.offlineGraceDays = offlineGraceDays
      limits.allowVM = allowVM
      limits.allowContainer = allowContainer
      limits.maxTransfers = maxTransfers
      return limits
    }

    func validate() throws {
      guard limits != PolicyLimits() else { throw ValidationError("give at least one limit to change") }
    }

    func run() async throws {
      let limits = limits
      let policy = try await withAdministration {
        try await $0.setLimits(limits, of: PolicyID(id), tenant: tenant.id)
      }
      try output.print(policy) { policy.lines }
    }
  }
}

extension Policy {
  /// Name and value of every field that says something to an operator, a line each.
  fileprivate var lines: [String] {
    let fields: [(String, String)] = [
      ("id", id.rawValue), ("product_id", productID.rawValue), ("name", name), ("code", code),
      ("license_type", licenseType.rawValue), ("max_activations", "\(maxActivations)"),
      ("max_container_instances", maxContainerInstances.map { "\($0)" } ?? "none"),
      ("max_floating_users", maxFloatingUsers.map { "\($0)" } ?? "none"),
      ("floating_timeout_minutes", "\(floatingTimeoutMinutes)"), ("require_heartbeat", "\(requireHeartbeat)"),
      ("grace_period_days", "\(gracePeriodDays)"), ("validation_interval_minutes", "\(validationIntervalMinutes)"),
      ("allow_offline_activation", "\(allowOfflineActivation)"), ("offline_grace_days", "\(offlineGraceDays)"),
      ("allow_vm", "\(allowVM)"), ("allow_container", "\(allowContainer)"), ("max_transfers", "\(maxTransfers)"),
    ]
    return fields.map { "\($0.0)\t\($0.1)" }
  }
}
