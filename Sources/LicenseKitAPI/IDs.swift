public import Identity

/// The subject of ``ProductID``.
public enum ProductTag {}
/// The id of a product (this project's server makes ids that begin with `prod_`; to a client they are opaque).
public typealias ProductID = ID<ProductTag>

/// The subject of ``ProductVersionID``.
public enum ProductVersionTag {}
/// The id of a version of a product (this project's server makes ids that begin with `ver_`; to a client they are opaque).
public typealias ProductVersionID = ID<ProductVersionTag>

/// The subject of ``PolicyID``.
public enum PolicyTag {}
/// The id of a policy (this project's server makes ids that begin with `pol_`; to a client they are opaque).
public typealias PolicyID = ID<PolicyTag>

/// The subject of ``FeatureID``.
public enum FeatureTag {}
/// The id of a feature (this project's server makes ids that begin with `feat_`; to a client they are opaque).
public typealias FeatureID = ID<FeatureTag>

/// The subject of ``CustomerID``.
public enum CustomerTag {}
/// The id of a customer (this project's server makes ids that begin with `cust_`; to a client they are opaque).
public typealias CustomerID = ID<CustomerTag>

/// The subject of ``LicenseID``.
public enum LicenseTag {}
/// The id of a license (this project's server makes ids that begin with `lic_`; to a client they are opaque).
public typealias LicenseID = ID<LicenseTag>

/// The subject of ``DeviceID``.
public enum DeviceTag {}
/// The id of a device (this project's server makes ids that begin with `dev_`; to a client they are opaque).
public typealias DeviceID = ID<DeviceTag>

/// The subject of ``OrderID``.
public enum OrderTag {}
/// The id of a order (this project's server makes ids that begin with `ord_`; to a client they are opaque).
public typealias OrderID = ID<OrderTag>

/// The subject of ``SubscriptionID``.
public enum SubscriptionTag {}
/// The id of a subscription (this project's server makes ids that begin with `sub_`; to a client they are opaque).
public typealias SubscriptionID = ID<SubscriptionTag>

/// The subject of ``APIKeyID``.
public enum APIKeyTag {}
/// The id of a management token (this project's server makes ids that begin with `key_`; to a client they are opaque).
public typealias APIKeyID = ID<APIKeyTag>
