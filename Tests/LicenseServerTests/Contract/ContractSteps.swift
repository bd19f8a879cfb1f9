/// One successful call of an operation. `{name}` in the body or query stands for what an earlier answer put there.
struct ContractStep: Sendable {
  let operation: String
  /// Names of the ids in the path, in order.
  let ids: [String]
  let query: String
  let body: String?
  /// Where to keep the id of the answer; the license key in it is kept as `name.key`.
  let keep: String?
  /// Whose license key a runtime call has.
  let license: String
  /// Of several success statuses.
  let status: Int?
  /// A list that may have nothing in it yet.
  let mayBeEmpty: Bool

  init(
    _ operation: String, of ids: [String] = [], query: String = "", _ body: String? = nil, keep: String? = nil,
    license: String = "license", status: Int? = nil, mayBeEmpty: Bool = false
  ) {
    self.operation = operation
    self.ids = ids
    self.query = query
    self.body = body
    self.keep = keep
    self.license = license
    self.status = status
    self.mayBeEmpty = mayBeEmpty
  }
}

extension ContractStep {
  /// Every operation of the contract at least once, from nothing. An answer is as full as can be: optional members are
  /// there wherever a request can bring them about.
  static let all: [ContractStep] =
    system + catalog + commerce + issuing + customFields + runtime + floating + feeds + webhooks + reports + endings

  static let system: [ContractStep] = [
    .init("health"), .init("healthz"), .init("readyz"), .init("getMetrics"), .init("listPublicKeys"),
  ]

  static let catalog: [ContractStep] = [
    .init(
      "createProduct", #"{"name":"Editor é","code":"editor","metadata":{"b":1,"a":[{"é":null}]}}"#, keep: "product"),
    .init("listProducts", query: "limit=1000"),
    .init("getProduct", of: ["product"]),
    .init("updateProduct", of: ["product"], #"{"name":"Editor 2"}"#),
    .init(
      "createPolicy", of: ["product"],
      #"""
      {"name":"Pro","code":"pro","license_type":"subscription","max_floating_users":5,"floating_timeout_minutes":30,
       "require_heartbeat":false,"metadata":{}}
      """#, keep: "policy"),
    .init("listPoliciesByProduct", of: ["product"]),
    .init("getPolicy", of: ["policy"]),
    .init("updatePolicy", of: ["policy"], #"{"name":"Pro 2"}"#),
    .init("createFeature", of: ["product"], #"{"name":"API calls","code":"api_calls","metadata":{}}"#, keep: "feature"),
    .init("listFeaturesByProduct", of: ["product"]),
    .init("getFeature", of: ["feature"]),
    .init(
      "createProductVersion", of: ["product"],
      #"{"version":"1.4.0","released_at":"2026-01-01T01:00:00.5+01:00","metadata":{}}"#),
    .init("listProductVersions", of: ["product"]),
  ]

  static let commerce: [ContractStep] = [
    .init(
      "createCustomer", #"{"name":"Ada","code":"ada","email":"ada@example.com","metadata":{}}"#, keep: "customer"),
    .init("listCustomers"),
    .init("getCustomer", of: ["customer"]),
    .init("updateCustomer", of: ["customer"], #"{"name":"Ada L."}"#),
    .init(
      "createSubscription", of: ["product"],
      #"""
      {"customer_id":"{customer}","external_system":"shop","external_id":"s1","status":"active",
       "current_period_start":"2026-03-24T00:00:00Z","current_period_end":"2026-04-24T00:00:00Z",
       "cancel_at_period_end":false,"metadata":{}}
      """#, keep: "subscription"),
    .init("listProductSubscriptions", of: ["product"]),
    .init("getSubscription", of: ["subscription"]),
    .init(
      "updateSubscription", of: ["subscription"], #"{"status":"canceled","canceled_at":"2026-03-25T00:00:00Z"}"#),
    .init(
      "createOrder", of: ["product"],
      #"""
      {"customer_id":"{customer}","subscription_id":"{subscription}","external_system":"shop","external_id":"o1",
       "status":"paid","period_start":"2026-03-24T00:00:00Z","period_end":"2026-04-24T00:00:00Z","metadata":{}}
      """#, keep: "order"),
    .init("listProductOrders", of: ["product"]),
    .init("getOrder", of: ["order"]),
    .init("updateOrder", of: ["order"], #"{"status":"fulfilled"}"#),
  ]

  static let issuing: [ContractStep] = [
    .init(
      "createLicense",
      #"""
      {"product_id":"{product}","policy_id":"{policy}","customer_id":"{customer}","order_id":"{order}",
       "subscription_id":"{subscription}","customer_email":"ada@example.com","customer_name":"Ada",
       "starts_at":"2026-03-24T00:00:00Z","expires_at":"2026-04-24T00:00:00Z","metadata":{}}
      """#, keep: "license"),
    .init("listLicenses", query: "order_id={order}&status=active&expires_after=2026-03-25T00:00:00%2B00:00"),
    .init("getLicense", of: ["license"]),
    .init(
      "assignLicenseFeature", of: ["license"],
      #"""
      {"feature_id":"{feature}","enabled":true,"max_consumptions":1000,"expires_at":"2026-04-24T00:00:00Z",
       "metadata":{}}
      """#),
    .init("listLicenseFeatures", of: ["license"]),
  ]

  static let customFields: [ContractStep] = [
    .init(
      "createProductCustomFieldDefinition", of: ["product"],
      #"""
      {"resource_type":"license","code":"region","name":"Region","value_type":"enum","is_required":false,
       "enum_options":["eu","us"],"metadata":{}}
      """#, keep: "field"),
    .init(
      "createProductCustomFieldDefinition", of: ["product"],
      #"{"resource_type":"customer","code":"since","name":"Since","value_type":"datetime"}"#, keep: "since"),
    .init("listProductCustomFieldDefinitions", of: ["product"]),
    .init("getProductCustomFieldDefinition", of: ["product", "field"]),
    .init("updateProductCustomFieldDefinition", of: ["product", "field"], #"{"name":"Sales region"}"#),
    .init("upsertLicenseCustomFieldValue", of: ["license", "field"], #"{"enum_value":"eu"}"#, status: 200),
    .init("listLicenseCustomFieldValues", of: ["license"]),
    .init("upsertLicenseCustomFieldValue", of: ["license", "field"], #"{"clear":true}"#, status: 204),
    .init(
      "upsertCustomerCustomFieldValue", of: ["customer", "since"], #"{"datetime_value":"2026-03-24T00:00:00Z"}"#,
      status: 200),
    .init("listCustomerCustomFieldValues", of: ["customer"]),
    .init("upsertCustomerCustomFieldValue", of: ["customer", "since"], #"{"clear":true}"#, status: 204),
    .init("deleteProductCustomFieldDefinition", of: ["product", "field"]),
  ]

  static let runtime: [ContractStep] = [
    .init(
      "activateLicense", #"{"fingerprint":"m1","hostname":"host","os":"linux","is_vm":false,"app_version":"1.4.0"}"#,
      keep: "device"),
    .init("validateLicense", #"{"fingerprint":"m1","app_version":"1.4.0"}"#),
    .init("checkLicense", #"{"fingerprint":"m1","app_version":"1.4.0"}"#),
    .init("consumeLicense", #"{"fingerprint":"m1","feature_code":"api_calls","amount":3,"event_id":"e1"}"#),
    .init("issueOfflineLicense", #"{"fingerprint":"m1","app_version":"1.4.0"}"#),
    .init(
      "resetLicenseUsage", of: ["license"],
      #"{"feature_code":"api_calls","reset_consumed":true,"add_credits":5}"#),
    .init("listLicenseDevices", of: ["license"]),
    .init("getLicenseDevice", of: ["license", "device"]),
    .init("deactivateLicense", #"{"fingerprint":"m1"}"#),
    .init("resetLicenseDevice", of: ["license", "device"]),
    .init("blacklistLicenseDevice", of: ["license", "device"]),
  ]

  static let floating: [ContractStep] = [
    .init(
      "createLicense",
      #"{"product_id":"{product}","policy_id":"{policy}","expires_at":"2026-04-24T00:00:00Z"}"#, keep: "floater"),
    .init(
      "checkoutFloatingLicense", #"{"fingerprint":"f1","app_version":"1.4.0"}"#, keep: "lease", license: "floater"),
    .init("heartbeatFloatingLicense", #"{"lease_token":"{lease}"}"#, license: "floater"),
    .init("checkinFloatingLicense", #"{"lease_token":"{lease}"}"#, license: "floater"),
  ]

  static let feeds: [ContractStep] = [
    .init("renewLicense", of: ["license"], #"{"extend_by_days":30,"order_id":"{order}"}"#),
    .init("transferLicense", of: ["license"], #"{"customer_name":"Grace","reset_devices":true}"#),
    .init("suspendLicense", of: ["license"]),
    .init("reinstateLicense", of: ["license"]),
    .init(
      "createAPIKey",
      #"""
      {"name":"reader","scopes":["license:read"],"allowed_cidrs":["203.0.113.0/24"],
       "expires_at":"2026-12-31T00:00:00Z"}
      """#),
    .init("listAPIKeys"),
    .init("listEvents", query: "limit=3&actor_type=api_key"),
  ]

  static let webhooks: [ContractStep] = [
    .init(
      "createWebhookEndpoint",
      #"{"name":"shop","url":"https://hooks.example.com/licenses","event_types":["license.created"],"is_active":false}"#,
      keep: "webhook"),
    .init("listWebhookEndpoints"),
    .init("getWebhookEndpoint", of: ["webhook"]),
    .init("updateWebhookEndpoint", of: ["webhook"], #"{"event_types":[]}"#),
    .init("updateWebhookEndpoint", of: ["webhook"], #"{"rotate_secret":true}"#),
    .init("getWebhookHealth", query: "endpoint_id={webhook}"),
    .init("deleteWebhookEndpoint", of: ["webhook"]),
  ]

  static let reports: [ContractStep] = [
    .init("listActivities", query: "license_id={license}", mayBeEmpty: true),
    .init("getUsageSummary", query: "group_by=feature_code&bucket=1d"),
    .init("listUsageLedger", query: "license_id={license}"),
    .init("getLicenseAuditReport", query: "license_id={license}"),
    .init("getCustomerSummary", query: "customer_id={customer}"),
    .init("getSubscriptionSettlement", query: "subscription_id={subscription}"),
    .init("createReportExport", #"{"report_kind":"usage-summary","format":"csv","filters":{}}"#, keep: "export"),
    .init("getReportExport", of: ["export"]),
    .init("downloadReportExport", of: ["export"]),
    .init("getOpsSummary"),
    .init("listRuntimeErrorGroups", query: "group_by=endpoint,reason_code&bucket=1h&endpoint=validate"),
  ]

  static let endings: [ContractStep] = [
    .init("removeLicenseFeature", of: ["license", "feature"]),
    .init("revokeLicense", of: ["license"]),
    .init("createProduct", #"{"name":"Doomed","code":"doomed"}"#, keep: "doomed"),
    .init(
      "createPolicy", of: ["doomed"], #"{"name":"P","code":"p","license_type":"perpetual"}"#, keep: "doomedPolicy"),
    .init("deletePolicy", of: ["doomedPolicy"]),
    .init("deleteProduct", of: ["doomed"]),
    .init("createCustomer", #"{"name":"Nobody","code":"nobody"}"#, keep: "nobody"),
    .init("deleteCustomer", of: ["nobody"]),
  ]
}
