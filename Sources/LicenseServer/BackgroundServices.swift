package import HTTPTransport
import Logging
import Postgres
package import ServiceLifecycle

extension LicenseServer {
  /// What a replica that answers requests does beside them: it writes down what they left to be noted.
  package var requestServices: [any Service] {
    [ActivityWriter(client: client, recorder: services.activityRecorder, logger: services.store.logger)]
  }

  /// The work of a replica that is not asked for by requests: it links events, delivers them to endpoints, ends leases that
  /// ran out, and clears away what is kept for a while only. Any number of replicas may do it side by side, and no answer
  /// waits for it.
  ///
  /// - Parameters:
  ///   - transport: carries the deliveries; one of their own, so that receivers that hang take no connections from others.
  ///   - pollInterval: how long what another replica wrote may lie before it is looked for.
  package func backgroundServices(
    transport: any HTTPSending, pollInterval: Duration = .milliseconds(500)
  ) -> [any Service] {
    let (store, clock, logger) = (services.store, services.clock, services.store.logger)
    let wakeUp = services.webhookDeliveries.wakeUp
    return [
      EventLinker(store: store, deliveries: wakeUp, pollInterval: pollInterval, logger: logger),
      WebhookCourier(
        store: store, keyRing: services.webhooks.keyRing, clock: clock, transport: transport,
        destinations: services.webhooks.destinations, wakeUp: wakeUp, concurrency: 32, pollInterval: pollInterval,
        logger: logger),
      WebhookRetention(store: store, interval: .seconds(3_600), logger: logger),
      BacklogMetrics(store: store, interval: .seconds(15), logger: logger),
      LeaseSweep(client: client, store: store, clock: clock, logger: logger),
      IdempotencyCleaner(client: client, clock: clock, logger: logger),
      LedgerBackfill(client: client, logger: logger),
      ReportRetention(client: client, clock: clock, logger: logger),
    ]
  }
}
