import Delivery
import Foundation
import HTTPTransport
import Logging
import ServerKit
import Tenancy

/// What the admin routes need to arrange deliveries.
struct DeliverySettings: Sendable {
  let endpoints: MessageEndpointStore
  /// Where messages may go.
  let destinations: AddressPolicy
  /// Nil: no relay is configured.
  let mailer: Mailer?
  /// Of the service that delivers, if it is in this process.
  let wakeUp: WakeUp

  init(
    database: TenantDatabase, configuration: IntegrationConfiguration, mailer: Mailer? = nil,
    wakeUp: WakeUp = WakeUp()
  ) {
    endpoints = MessageEndpointStore(database: database, keyRing: configuration.keyRing)
    destinations = configuration.delivery.destinations
    self.mailer = mailer
    self.wakeUp = wakeUp
  }
}

/// Key delivery, put together: what sends, and what the admin routes need of it.
struct DeliveryParts: Sendable {
  let settings: DeliverySettings
  let service: MessageDispatcher<VendorMessages>
  private let transport: HTTPTransport
  private let mail: MailTransport?

  /// Messages have a transport of their own: receivers that hang take no connections away from Stripe and LicenseKit.
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, vault: KeyVault,
    licenseKit: any LicenseKitAccess, clock: @escaping @Sendable () -> Date, logger: Logger
  ) {
    transport = HTTPTransport(
      .init(userAgent: IntegrationConfiguration.userAgent, maximumConnectionsPerHost: 16), logger: logger)
    mail = configuration.delivery.mail.map { MailTransport($0.relay, logger: logger) }
    var mailer: Mailer?
    if let mail, let from = configuration.delivery.mail?.from { mailer = Mailer(transport: mail, from: from) }
    settings = DeliverySettings(database: database, configuration: configuration, mailer: mailer)
    let work = configuration.backgroundWork
    let messages = VendorMessages(
      database: database,
      messages: MessageSender(
        database: database, vault: vault, endpoints: settings.endpoints, transport: transport,
        destinations: settings.destinations, clock: clock),
      mail: MailSender(database: database, vault: vault, licenseKit: licenseKit, mailer: mailer, clock: clock),
      logger: logger)
    service = MessageDispatcher(
      messages, wakeUp: settings.wakeUp, concurrency: work.endpoints, width: work.messagesPerEndpoint,
      pollInterval: work.pollInterval, logger: logger)
  }

  func shutdown() {
    transport.shutdown()
    mail?.shutdown()
  }
}
