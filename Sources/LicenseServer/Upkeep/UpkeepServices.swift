public import ServiceLifecycle

extension LicenseServer {
  /// Background work that only saves space: it may run in any number of processes, and stand still for days.
  public var upkeepServices: [any Service] {
    [IdempotencyCleaner(client: client, clock: services.clock, logger: services.store.logger)]
  }
}
