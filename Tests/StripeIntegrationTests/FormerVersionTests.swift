import Foundation
import LicenseKitAPI
import Testing

@testable import StripeIntegration

@Suite("What the former version stored")
struct FormerVersionTests {
  /// Where the former version had the wrong licenses: entitlement was read off the newest snapshots.
  static let mistaken: Set<FormerVersion.Story> = [
    "bankdebitunderway", "invoicepaidlateterm", "manualcapturecheckout", "partialcaptureisnorefund",
    "pausedasdraftandresumed", "schedulereplacesitem", "seatsreducedwithoutcredit", "setupfeeofthesameproduct",
    "upgradeneverpaidpastdue",
  ]

  @Test("is migrated forward, and every purchase can be read with its licenses and their keys")
  func isRead() async throws {
    try await FormerVersion.open { former in
      #expect(former.stories.count == 25)
      #expect(Self.mistaken.isSubset(of: former.stories))
      var licenses = 0
      for story in former.stories {
        let purchase = try #require(try await former.purchases(of: story).first, "\(story) has no purchase")
        for license in try await former.licenses(of: purchase.id, in: story) {
          #expect(license.key != nil, "the key of \(story) cannot be told any more")
          licenses += 1
        }
      }
      #expect(licenses == 29)
    }
  }

  @Test("is taken up without a change of any license that was right")
  func isIngested() async throws {
    try await FormerVersion.open { former in
      for change in try await former.reconcileAll() where !Self.mistaken.contains(change.story) {
        #expect(change.before == change.after, "\(change.story): \(change.status) \(change.reason ?? "")")
      }
    }
  }
}
