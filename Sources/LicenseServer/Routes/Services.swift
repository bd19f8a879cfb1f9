import Cryptography
import HTTPTransport
import ServerKit

/// The rules of the server, wired once.
struct Services: Sendable {
  let store: TenantStore
  let clock: ServerClock
  let authenticator: Authenticator
  let signingKeys: SigningKeys
  let products: Products
  let productVersions: ProductVersions
  let policies: Policies
  let features: Features
  let customers: Customers
  let orders: Orders
  let subscriptions: Subscriptions
  let licenses: Licenses
  let issuing: LicenseIssuing
  let renewal: LicenseRenewal
  let licenseFeatures: LicenseFeatures
  let devices: Devices
  let customFieldDefinitions: CustomFieldDefinitions
  let customFieldValues: CustomFieldValues
  let apiKeys: APIKeys
  let events: Events
  let runtime: Runtime
  let floating: Floating
  let offline: OfflineLicenses
  let webhooks: WebhookEndpoints
  let webhookDeliveries: WebhookDeliveries
  let webhookHealth: WebhookHealth
  let activityRecorder: ActivityRecorder
  let activities: Activities
  let usageReports: UsageReports
  let subjectReports: SubjectReports
  let reportExports: ReportExports
  let operationsReports: OperationsReports

  init(store: TenantStore, clock: ServerClock, keyRing: KeyRing, destinations: AddressPolicy = .publicOnly()) {
    self.store = store
    self.clock = clock
    authenticator = Authenticator(store: store, clock: clock)
    signingKeys = SigningKeys(keyRing: keyRing)
    products = Products(store: store, clock: clock)
    productVersions = ProductVersions(store: store, clock: clock)
    policies = Policies(store: store, clock: clock)
    features = Features(store: store, clock: clock)
    customers = Customers(store: store, clock: clock)
    orders = Orders(store: store, clock: clock)
    subscriptions = Subscriptions(store: store, clock: clock)
    licenses = Licenses(store: store, clock: clock)
    issuing = LicenseIssuing(store: store, clock: clock, keyRing: keyRing)
    renewal = LicenseRenewal(store: store, clock: clock)
    licenseFeatures = LicenseFeatures(store: store, clock: clock)
    devices = Devices(store: store, clock: clock)
    customFieldDefinitions = CustomFieldDefinitions(store: store, clock: clock)
    customFieldValues = CustomFieldValues(store: store, clock: clock)
    apiKeys = APIKeys(store: store, clock: clock)
    events = Events(store: store)
    runtime = Runtime(
      store: store, clock: clock, signingKeys: signingKeys,
      validations: ValidationBatch(client: store.client, logger: store.logger))
    floating = Floating(runtime: runtime, keyRing: keyRing)
    offline = OfflineLicenses(runtime: runtime)
    webhooks = WebhookEndpoints(store: store, clock: clock, keyRing: keyRing, destinations: destinations)
    webhookDeliveries = WebhookDeliveries(store: store, wakeUp: WakeUp())
    webhookHealth = WebhookHealth(store: store, clock: clock)
    activityRecorder = ActivityRecorder(clock: clock)
    activities = Activities(store: store)
    usageReports = UsageReports(store: store, clock: clock)
    subjectReports = SubjectReports(store: store, clock: clock)
    reportExports = ReportExports(store: store, clock: clock, usage: usageReports, subjects: subjectReports)
    operationsReports = OperationsReports(store: store, clock: clock)
  }
}
