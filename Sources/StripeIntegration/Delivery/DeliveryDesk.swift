import Foundation
import HTTPTransport
import Logging
import ServerKit
import Tenancy

/// What the admin routes need to arrange deliveries.
struct DeliveryDesk: Sendable {
  let endpoints: NoticeEndpointStore
  /// Where notices may go.
  let destinations: AddressPolicy
  /// Nil: no relay is configured.
  let office: MailOffice?
  /// Of the service that delivers, if it is in this process.
  let wakeUp: WakeUp

  init(
    database: TenantDatabase, configuration: IntegrationConfiguration, office: MailOffice? = nil,
    wakeUp: WakeUp = WakeUp()
  ) {
    endpoints = NoticeEndpointStore(database: database, keyRing: configuration.keyRing)
    destinations = configuration.delivery.destinations
    self.office = office
    self.wakeUp = wakeUp
  }
}

/// Key delivery, put together: what sends, and what the admin routes need of it.
struct DeliveryParts: Sendable {
  let desk: DeliveryDesk
  let service: Deliveries
  private let transport: HTTPTransport
  private let mail: MailTransport?

  /// Notices have a transport of their own: receivers that hang take no connections away from Stripe and LicenseKit.
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, vault: KeyVault,
    licenseKit: any LicenseKitAccess, clock: @escaping @Sendable () -> Date, logger: Logger
  ) {
    transport = HTTPTransport(
      .init(userAgent: IntegrationConfiguration.userAgent, maximumConnectionsPerHost: 16), logger: logger)
    mail = configuration.delivery.mail.map { MailTransport($0.relay, logger: logger) }
    var office: MailOffice?
    if let mail, let from = configuration.delivery.mail?.from { office = MailOffice(transport: mail, from: from) }
    desk = DeliveryDesk(database: database, configuration: configuration, office: office)
    service = Deliveries(
      turns: DeliveryTurns(database: database),
      notices: NoticeCourier(
        database: database, vault: vault, endpoints: desk.endpoints, transport: transport,
        destinations: desk.destinations, clock: clock),
      mail: MailCourier(database: database, vault: vault, licenseKit: licenseKit, office: office, clock: clock),
      wakeUp: desk.wakeUp, concurrency: 32, concurrencyPerLane: 4, pollInterval: .milliseconds(500), logger: logger)
  }

  func shutdown() {
    transport.shutdown()
    mail?.shutdown()
  }
}
