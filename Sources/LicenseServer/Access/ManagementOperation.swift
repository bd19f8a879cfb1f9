import LicenseKitAPI

/// The management operations of the contract, by operation id. One table says what each needs; HTTP and in-process calls
/// are both checked against it.
enum ManagementOperation: String, CaseIterable, Sendable {
  case listProducts, createProduct, getProduct, updateProduct, deleteProduct
  case listProductVersions, createProductVersion
  case listPoliciesByProduct, createPolicy, getPolicy, updatePolicy, deletePolicy
  case listFeaturesByProduct, createFeature, getFeature
  case listCustomers, createCustomer, getCustomer, updateCustomer, deleteCustomer
  case listProductOrders, createOrder, getOrder, updateOrder
  case listProductSubscriptions, createSubscription, getSubscription, updateSubscription
  case listLicenses, createLicense, getLicense
  case renewLicense, suspendLicense, reinstateLicense, revokeLicense, transferLicense
  case listLicenseFeatures, assignLicenseFeature, removeLicenseFeature, resetLicenseUsage
  case listLicenseDevices, getLicenseDevice, resetLicenseDevice, blacklistLicenseDevice
  case listProductCustomFieldDefinitions, createProductCustomFieldDefinition, getProductCustomFieldDefinition
  case updateProductCustomFieldDefinition, deleteProductCustomFieldDefinition
  case listCustomerCustomFieldValues, upsertCustomerCustomFieldValue
  case listLicenseCustomFieldValues, upsertLicenseCustomFieldValue
  case listAPIKeys, createAPIKey
  case listEvents
  case listWebhookEndpoints, createWebhookEndpoint, getWebhookEndpoint, updateWebhookEndpoint, deleteWebhookEndpoint
  case listActivities, getUsageSummary, listUsageLedger, getLicenseAuditReport, getCustomerSummary
  case getSubscriptionSettlement, createReportExport, getReportExport, downloadReportExport
  case getOpsSummary, listRuntimeErrorGroups, getWebhookHealth
  // Extensions of this server's own.
  case listWebhookDeliveries, getWebhookDelivery, replayWebhookDelivery, testWebhookEndpoint

  /// The one scope that it needs (contract; `admin` stands for all).
  var scope: ManagementScope {
    switch self {
    case .listProducts, .getProduct, .listProductVersions, .listPoliciesByProduct, .getPolicy, .listFeaturesByProduct,
      .getFeature, .listProductOrders, .getOrder, .listProductSubscriptions, .getSubscription,
      .listProductCustomFieldDefinitions, .getProductCustomFieldDefinition:
      .productRead
    case .createProduct, .updateProduct, .deleteProduct, .createProductVersion, .createPolicy, .updatePolicy,
      .deletePolicy, .createFeature, .createOrder, .updateOrder, .createSubscription, .updateSubscription,
      .createProductCustomFieldDefinition, .updateProductCustomFieldDefinition, .deleteProductCustomFieldDefinition:
      .productWrite
    case .listLicenses, .getLicense, .listLicenseFeatures, .listLicenseDevices, .getLicenseDevice,
      .listLicenseCustomFieldValues:
      .licenseRead
    case .createLicense, .renewLicense, .suspendLicense, .reinstateLicense, .revokeLicense, .transferLicense,
      .assignLicenseFeature, .removeLicenseFeature, .resetLicenseUsage, .upsertLicenseCustomFieldValue:
      .licenseWrite
    case .resetLicenseDevice, .blacklistLicenseDevice:
      .deviceWrite
    case .listEvents:
      .eventRead
    case .listWebhookEndpoints, .createWebhookEndpoint, .getWebhookEndpoint, .updateWebhookEndpoint,
      .deleteWebhookEndpoint, .listWebhookDeliveries, .getWebhookDelivery, .replayWebhookDelivery,
      .testWebhookEndpoint:
      .webhookWrite
    case .listActivities, .getUsageSummary, .listUsageLedger, .getLicenseAuditReport, .getCustomerSummary,
      .getSubscriptionSettlement:
      .reportRead
    case .createReportExport, .getReportExport, .downloadReportExport:
      .reportExport
    case .getOpsSummary, .listRuntimeErrorGroups, .getWebhookHealth:
      .opsRead
    case .listCustomers, .createCustomer, .getCustomer, .updateCustomer, .deleteCustomer, .listAPIKeys, .createAPIKey,
      .listCustomerCustomFieldValues, .upsertCustomerCustomFieldValue:
      .admin
    }
  }
}
