import Foundation
import JSON
import StripeAPI
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("Review before a submission to the marketplace")
struct SubmissionTests {
  @Test("this project's own app passes, once the operator has filled in what is his to say")
  func ownApp() throws {
    #expect(try Reviewed.complete().problems() == [])
    #expect(Set(try Reviewed().areas()) == ["Privacy", "Support", "Pricing", "Test plan", "Account"])
  }

  @Test("another address, another mode and a lax manifest are found")
  func wrongOnes() throws {
    var moved = try Reviewed.complete()
    moved.base = "http://localhost:8080"
    moved.live = nil
    #expect(Set(try moved.areas()) == ["OAuth", "Endpoints", "Defaults"])
    func areas(_ change: (inout JSONObject) -> Void) throws -> [String] {
      var reviewed = try Reviewed.complete()
      change(&reviewed.manifest)
      return try reviewed.areas()
    }
    #expect(try areas { $0["stripe_api_access_type"] = "platform" } == ["OAuth"])
    #expect(try areas { $0["distribution_type"] = "private" } == ["OAuth"])
    #expect(try areas { $0["sandbox_install_compatible"] = nil } == ["Sandbox"])
    #expect(try areas { $0["name"] = "Stripe Licenses" } == ["Listing", "Listing"])
    #expect(try areas { $0["icon"] = "./none.png" } == ["Listing"])
    #expect(try areas { $0["post_install_action"] = nil } == ["Settings"])
    #expect(try areas { $0["id"] = "com.example.other" } == ["Account", "Account"])
  }

  @Test(
    "the manifest lets sandboxes install the app exactly where the service can serve them", arguments: [true, false])
  func sandboxes(_ isConfigured: Bool) throws {
    var reviewed = try Reviewed.complete()
    reviewed.sandbox = isConfigured ? .init(clientID: "ca_box", secretKeys: ["sk_test_2"]) : nil
    for declared in [true, false] {
      reviewed.manifest["sandbox_install_compatible"] = .bool(declared)
      #expect(try reviewed.areas() == (declared == isConfigured ? [] : ["Sandbox"]))
    }
  }

  @Test("that the account publishes no other app is the owner's word")
  func onlyApp() throws {
    #expect(try Reviewed.problems { $0.listing["only_published_app"] = false }.map { $0.prefix(8) } == ["Account:"])
    let other = try Reviewed.problems { $0.sources["stripe-app.beta.json"] = #"{"id": "dev.licensekit.beta"}"# }
    #expect(other == ["Account: of another app: stripe-app.beta.json"])
  }

  @Test("a step of the test plan or of the setup has one main act")
  func oneAct() throws {
    func problems(_ act: JSONValue) throws -> [String] {
      try Reviewed.problems { reviewed in
        var plan = reviewed.listing["test_plan"]?.object ?? [:]
        var steps = plan["steps"]?.array ?? []
        steps[1] = ["do": act, "see": "The license."]
        plan["steps"] = .array(steps)
        reviewed.listing["test_plan"] = .object(plan)
      }
    }
    #expect(try problems("Press Suspend and confirm.") == [])
    let tooMany = ["Test plan: step 2 has more than one, or none"]
    #expect(try problems("Press Suspend, then Reinstate.") == tooMany)
    #expect(try problems("Press Suspend. Look at the badge.") == tooMany)
    #expect(try problems(["Press Suspend.", "Press Reinstate."]).contains(tooMany[0]))

    let setup = try Reviewed.source("src/views/Onboarding.tsx")
    let two = setup.replacing("</TaskListItem>", with: "<Button href={connectURL}>Skip</Button></TaskListItem>")
    #expect(
      try Reviewed.problems { $0.sources["src/views/Onboarding.tsx"] = two }
        == ["Onboarding: a step of src/views/Onboarding.tsx has 2"])
  }

  @Test("the size of a picture is read, and what is no picture is none")
  func pictures() {
    let header: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]
    #expect(PNGSize(header + [0, 0, 6, 64, 0, 0, 1, 0]) == PNGSize(width: 1_600, height: 256))
    #expect(PNGSize(header) == nil)
    #expect(PNGSize(Array(repeating: 0, count: 40)) == nil)
  }
}
