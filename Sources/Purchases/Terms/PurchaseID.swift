package import Identity

package enum PurchaseTag {}

/// `ful_…`: one purchase, which the admin API calls a fulfillment.
package typealias PurchaseID = ID<PurchaseTag>
