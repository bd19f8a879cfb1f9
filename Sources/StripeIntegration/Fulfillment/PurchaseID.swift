public import Identity

public enum PurchaseTag {}

/// `ful_…`: one purchase, which the admin API calls a fulfillment.
public typealias PurchaseID = ID<PurchaseTag>
