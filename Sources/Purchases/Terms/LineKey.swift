package import LicenseKitAPI

/// A line of a purchase under one LicenseKit product.
package struct LineKey: Hashable, Sendable, Codable {
  package let line: String
  package let product: ProductID

  package init(line: String, product: ProductID) {
    self.line = line
    self.product = product
  }
}
