import Delivery
package import HTTPTransport
import Logging
import Postgres
package import ServiceLifecycle

extension LicenseServer {
  /// What a replica that answers requests does in the background: it writes what the requests recorded.
  package var requestServices: [any Service] {
    [ActivityWriter(client: client, recorder: services.activityRecorder, logger: services.store.logger)]
  }

  /// The background work of a replica: it links events, delivers them to endpoints, ends expired leases, and removes what is
  /// kept only for a while. Any number of replicas may do it at the same time, and no answer waits for it.
  ///
  /// - Parameters:
  ///   - transport: carries the deliveries; a separate one, so that receivers that hang take no connections from others.
  ///   - pollInterval: how long something that another replica wrote may wait before this one looks for it.
  package func backgroundServices(
    transport: any HTTPSending, pollInterval: Duration = .milliseconds(500)
  ) -> [any Service] {
    let (store, clock, logger) = (services.store, services.clock, services.store.logger)
    let wakeUp = services.webhookDeliveries.wakeUp
    return [
      EventLinker(store: store, deliveries: wakeUp, pollInterval: pollInterval, logger: logger),
      MessageDispatcher(
        WebhookMessages(
          store: store, keyRing: services.webhooks.keyRing, clock: clock, transport: transport,
          destinations: services.webhooks.destinations),
        wakeUp: wakeUp, concurrency: 32, pollInterval: pollInterval, logger: logger),
      WebhookRetention(store: store, interval: .seconds(3_600), logger: logger),
      BacklogMetrics(store: store, interval: .seconds(15), logger: logger),
      LeaseExpiry(client: client, store: store, clock: clock, logger: logger),
      IdempotencyCleaner(client: client, clock: clock, logger: logger),
      LedgerBackfill(client: client, logger: logger),
      ReportRetention(client: client, clock: clock, logger: logger),
    ]
  }
}
