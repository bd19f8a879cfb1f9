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
  case listAPIKeys, createAPIKey
  case listEvents

  /// The one scope that it needs (contract; `admin` stands for all).
  var scope: ManagementScope {
    switch self {
    case .listProducts, .getProduct, .listProductVersions, .listPoliciesByProduct, .getPolicy, .listFeaturesByProduct,
      .getFeature, .listProductOrders, .getOrder, .listProductSubscriptions, .getSubscription:
      .productRead
    case .createProduct, .updateProduct, .deleteProduct, .createProductVersion, .createPolicy, .updatePolicy,
      .deletePolicy, .createFeature, .createOrder, .updateOrder, .createSubscription, .updateSubscription:
      .productWrite
    case .listLicenses, .getLicense, .listLicenseFeatures, .listLicenseDevices, .getLicenseDevice:
      .licenseRead
    case .createLicense, .renewLicense, .suspendLicense, .reinstateLicense, .revokeLicense, .transferLicense,
      .assignLicenseFeature, .removeLicenseFeature, .resetLicenseUsage:
      .licenseWrite
    case .resetLicenseDevice, .blacklistLicenseDevice:
      .deviceWrite
    case .listEvents:
      .eventRead
    case .listCustomers, .createCustomer, .getCustomer, .updateCustomer, .deleteCustomer, .listAPIKeys, .createAPIKey:
      .admin
    }
  }
}
