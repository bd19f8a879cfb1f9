import Foundation
import JSON
import StripeAPI
import StripeHTTP
import TestSupport
import Testing

@testable import StripeIntegration

/// What real apps were sent back for, one test or more for each reason.
@Suite("What apps were sent back for")
struct SubmissionReasonsTests {
  // MARK: The way in

  @Test(
    "the marketplace leads to the product itself, where the installation in live mode begins",
    arguments: [
      ("https://stripe.licensekit.dev/stripe/oauth/install?mode=live", true),
      ("https://stripe.licensekit.dev/stripe/oauth/install", true),
      ("https://stripe.licensekit.dev/stripe/console/", true),
      ("https://stripe.licensekit.dev/stripe/oauth/install?mode=test", false),
      ("https://stripe.licensekit.dev/", false),
      ("http://stripe.licensekit.dev/stripe/oauth/install", false),
      ("https://marketplace.stripe.com/apps/licensekit", false),
      ("https://marketplace.stripe.com/oauth/v2/authorize?client_id=ca_1", false),
      ("https://dashboard.stripe.com/apps/install", false),
      ("https://elsewhere.example/stripe/oauth/install", false),
      ("", false),
    ])
  func wayIn(_ address: String, _ isGood: Bool) throws {
    let problems = try Reviewed.problems(in: \.access) { $0.listing["install_url"] = .string(address) }
    #expect(problems.isEmpty == isGood, "\(problems)")
    #expect(problems.allSatisfy { $0.hasPrefix("OAuth: ") })
  }

  @Test("live mode goes through the public authorize page")
  func authorizePage() throws {
    #expect(
      try Reviewed.problems(in: \.access) { $0.live = nil } == [
        "OAuth: STRIPE_APP_CLIENT_ID and STRIPE_APP_CLIENT_SECRET are not set"
      ])
    let elsewhere = AuthorizeLink(base: "https://connect.stripe.com/oauth/authorize")
    let problems = try Reviewed.problems(in: \.access) {
      $0.live = .init(clientID: "ca_live", secretKeys: ["sk_live_1"], authorizeLink: elsewhere)
    }
    #expect(problems.map { $0.prefix(49) } == ["OAuth: STRIPE_AUTHORIZE_URL leads to https://conn"])
  }

  @Test("a link of a test channel is found wherever it is left")
  func channelLinks() throws {
    let link = "https://marketplace.stripe.com/oauth/v2/chnlink_1/authorize"
    func links(_ change: (inout Reviewed) -> Void) throws -> [String] {
      try Reviewed.problems(in: \.channelLinks, change).filter { $0.hasPrefix("Links: ") }
    }
    #expect(try links { $0.manifest["constants"] = ["INSTALL": .string(link)] } == ["Links: it has chnlink_"])
    #expect(try links { $0.listing["pricing"] = "See channel_link in the app" } == ["Links: it has channel_link"])
    #expect(try links { $0.listing["install_url"] = .string(link) } == ["Links: it has chnlink_"])
    #expect(
      try links {
        $0.live = .init(clientID: "ca_1", secretKeys: ["sk_live_1"], authorizeLink: AuthorizeLink(base: link))
      } == ["Links: STRIPE_AUTHORIZE_URL has chnlink_"])
    #expect(
      try links {
        $0.test = .init(clientID: "ca_1", secretKeys: ["sk_test_1"], authorizeLink: AuthorizeLink(base: link))
      } == ["Links: STRIPE_AUTHORIZE_URL_TEST has chnlink_"])
    #expect(
      try links { $0.sources["src/words/links.ts"] = "export const beta = '\(link.uppercased())';" }
        == ["Links: src/words/links.ts has chnlink_"])
    #expect(
      try links { $0.sources["stripe-app.dev.json"] = #"{"extends": "stripe-app.json", "link": "channellink_2"}"# }
        == ["Links: stripe-app.dev.json has channellink"])
  }

  // MARK: Views

  @Test("a view that the sources do not have, or do not export, is found")
  func missingViews() throws {
    let absent = try Reviewed.problems(in: \.views) {
      $0.register("DisputeView", at: "stripe.dashboard.dispute.detail")
    }
    #expect(absent == ["Views: src/views/DisputeView.tsx is not there"])
    let hidden = try Reviewed.problems(in: \.views) {
      $0.sources["src/views/InvoiceView.tsx"] =
        "import { ObjectPanel } from '../parts/ObjectPanel';\nexport const InvoiceView = () => <ObjectPanel kind=\"invoice\" />;"
    }
    #expect(hidden == ["Views: src/views/InvoiceView.tsx does not export InvoiceView by default"])
  }

  @Test("a view that reads something else than its page has is found")
  func mismatches() throws {
    func problems(_ component: String, at viewport: String) throws -> [String] {
      try Reviewed.problems(in: \.views) { $0.register(component, at: viewport) }
    }
    #expect(
      try problems("InvoiceView", at: "stripe.dashboard.product.detail")
        == ["Views: src/views/InvoiceView.tsx stands beside product and reads invoice"])
    #expect(
      try problems("CustomerView", at: "stripe.dashboard.home.overview")
        == ["Views: src/views/CustomerView.tsx reads an object, and stripe.dashboard.home.overview has none"])
    #expect(
      try problems("Onboarding", at: "stripe.dashboard.product.detail")
        == ["Views: src/views/Onboarding.tsx does not read the product that it stands beside"])
    #expect(try problems("AppSettings", at: "settings") == ["Views: settings is registered twice"])
    #expect(try problems("AppSettings", at: "stripe.dashboard.drawer.default") == [])
  }

  @Test(
    "a view that takes its context for granted is found",
    arguments: [
      ("const id = environment.objectContext?.id ?? '';", true),
      ("const id = environment?.objectContext?.id;", true),
      ("// environment.objectContext.id would crash", true),
      ("/* objectContext! */", true),
      ("const { id } = environment.objectContext ?? { id: '' };", true),
      ("const base = environment.constants?.['BASE_URL'];", true),
      ("const id = environment.objectContext.id;", false),
      ("const id = environment.objectContext!.id;", false),
      ("const id = environment?.objectContext['id'];", false),
      ("const { id } = environment.objectContext;", false),
      ("const { environment: { objectContext: { id } } } = props;", false),
      ("const base = environment.constants['BASE_URL'];", false),
      ("const list = appContext.authorizedPermissions;", false),
    ])
  func unguarded(_ line: String, _ isGood: Bool) throws {
    let panel = try Reviewed.source("src/parts/ObjectPanel.tsx")
    let problems = try Reviewed.problems(in: \.views) {
      $0.sources["src/parts/ObjectPanel.tsx"] = panel + "\n" + line + "\n"
    }
    #expect(problems.isEmpty == isGood, "\(problems)")
    #expect(problems.allSatisfy { $0.hasPrefix("Views: src/parts/ObjectPanel.tsx: ") })
  }

  @Test("an address is no comment, and an apostrophe no quotation mark")
  func comments() {
    let address = Script("const a = 'https://a'; // b")
    #expect(address.tokens == [.word("const"), .word("a"), .sign("="), .text("https://a"), .sign(";")])
    #expect(Script("a /* b\n c */ d").tokens == [.word("a"), .word("d")])
    #expect(Script("It's `${x}` at https://a").mentions("x"))
    #expect(Script("import { A } from './a';\nimport b from 'b';").imports == ["./a"])
  }

  // MARK: The listing

  @Test("absolutes are found in whatever a vendor reads before installing")
  func absolutesAnywhere() throws {
    #expect(
      try Reviewed.problems(in: \.texts) { $0.listing["subtitle"] = "A license for every sale" } == [
        "Listing: \"every\" in subtitle"
      ])
    let features = try Reviewed.problems(in: \.texts) { reviewed in
      var features = reviewed.listing["features"]?.array ?? []
      var first = features[0].object ?? [:]
      first["description"] = "Tamper-proof licenses, instantly."
      features[0] = .object(first)
      reviewed.listing["features"] = .array(features)
    }
    #expect(
      features == ["Listing: \"instantly\" in description of feature 1, \"tamper proof\" in description of feature 1"])
    #expect(
      try Reviewed.problems(in: \.texts) { $0.listing["subtitle"] = .string(String(repeating: "x", count: 81)) }.count
        == 1)
  }

  @Test(
    "a word of the listing is judged as a word",
    arguments: [
      ("A license for every sale", ["every"]), ("ALL sales", ["all"]), ("Instant keys", ["instant"]),
      ("works 100% of the time", ["100 %"]), ("100 % safe", ["100 %"]), ("Guaranteed delivery", ["guaranteed"]),
      ("a tamperproof key", ["tamperproof"]), ("the Best way", ["the best"]), ("It never fails", ["never"]),
      ("the world’s best licenses", ["world's best"]),
      ("Install it, and call us", []), ("Each customer shows its licenses", []), ("neverland, overall, instance", []),
      ("100 licenses", []), ("a better way", []),
    ])
  func absolutes(_ text: String, _ expected: [String]) {
    #expect(ListingText(text).absolutes == expected)
  }

  @Test("the listing is in English")
  func language() throws {
    #expect(
      try Reviewed.problems(in: \.texts) { $0.listing["language"] = "de" } == [
        "Listing: language in listing.json must be en"
      ])
    let german =
      "Verkaufen Sie Software mit Stripe und geben Sie Ihren Kunden Lizenzen, die der Zahlung folgen, mit Laufzeit und Plätzen."
    #expect(
      try Reviewed.problems(in: \.texts) { $0.listing["about"] = .string(german) } == [
        "Listing: about does not read as English"
      ])
    #expect(!ListingText.isEnglish("ソフトウェア"))
    #expect(ListingText.isEnglish("Software licenses that follow the payment"))
    #expect(ListingText.isEnglish("The café’s own licenses, for as long as you pay"))
  }

  @Test(
    "the support address is a role's, on the product's own domain",
    arguments: [
      ("support@licensekit.dev", true), ("help@stripe.licensekit.dev", true), ("stripe-support@licensekit.dev", true),
      ("Support+stripe@LicenseKit.dev", true),
      ("licensekit.support@gmail.com", false), ("support@outlook.com", false), ("jane.doe@licensekit.dev", false),
      ("jane@licensekit.dev", false), ("support@elsewhere.dev", false), ("support", false), ("@licensekit.dev", false),
    ])
  func support(_ address: String, _ isGood: Bool) throws {
    let problems = try Reviewed.problems(in: \.people) { $0.listing["support_email"] = .string(address) }
    #expect(problems.isEmpty == isGood, "\(problems)")
    #expect(problems.allSatisfy { $0.hasPrefix("Support: ") })
  }

  @Test("below a country's own commercial domain two names are of one owner only with three parts in common")
  func countries() {
    let address = SupportAddress("support@example.co.uk")
    #expect(address?.problem(hosts: ["licenses.example.co.uk"]) == nil)
    #expect(address?.problem(hosts: ["licenses.other.co.uk"]) != nil)
    #expect(SupportAddress("support@mail.abc.de")?.problem(hosts: ["abc.de"]) == nil)
  }

  // MARK: Permissions

  @Test("permissions that are used, asked for and described are the same")
  func permissions() throws {
    func problems(_ change: (inout [JSONValue]) -> Void) throws -> [String] {
      try Reviewed.problems(in: \.permissions) { reviewed in
        var listed = reviewed.manifest["permissions"]?.array ?? []
        change(&listed)
        reviewed.manifest["permissions"] = .array(listed)
      }
    }
    #expect(
      try problems { $0.append(["permission": "payout_write", "purpose": ""]) } == [
        "Permissions: not used: payout_write", "Permissions: without a purpose: payout_write",
        "Permissions: it does not describe payout_write",
      ])
    #expect(
      try problems { $0.removeAll { $0["permission"] == "file_write" } } == [
        "Permissions: missing: file_write", "Permissions: file_write for \"pdf\" is not requested",
        "Permissions: it describes file_write",
      ])
    #expect(try problems { $0.append($0[0]) } == ["Permissions: event_read stands there twice"])
    #expect(
      try Reviewed.problems(in: \.permissions) {
        $0.listing["subtitle"] = "Licenses that follow the payment and the payout"
      }
        == ["Permissions: payout_read for \"payout\" is not requested"])
  }

  @Test("the permissions that count as used are those of the calls that the client has")
  func usedPermissions() throws {
    let folder = PackageRoot.path + "/Sources/StripeHTTP/Client"
    var (read, written): (Set<String>, Set<String>) = ([], [])
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("StripeSession") {
      let code = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      // A path is an array of words; the first that is no word is an id.
      let calls = /(get|list|page|post)\(\s*\[((?:"[a-z_0-9]+")(?:,\s*"[a-z_0-9]+")*)/
      for call in code.matches(of: calls) {
        let path = Self.collection(call.2)
        if call.1 == "post" { written.insert(path) } else { read.insert(path) }
      }
      // Objects whose metadata is written.
      for entry in code.matches(of: /case \.\w+\(let id\): \[((?:"[a-z_]+",\s*)+)id/) {
        written.insert(Self.collection(entry.1))
      }
      if code.contains("MultipartForm(") { written.insert("files") }
    }
    #expect(read.subtracting(PermissionTable.developersOwn) == Set(PermissionTable.reading.keys))
    #expect(written == Set(PermissionTable.writing.keys))
  }

  /// Sub-lists such as the lines of an invoice come with their object.
  private static func collection(_ words: Substring) -> String {
    let path = words.matches(of: /[a-z_0-9]+/).map { String($0.0) }
    return path.prefix(["checkout", "apps"].contains(path.first) ? 2 : 1).joined(separator: "/")
  }

  // MARK: Uninstalling

  @Test("both events of an uninstall end the connection, and it is found when one does not")
  func uninstalling() throws {
    for type in SubmissionReview.uninstallEvents { #expect(SubmissionReview.uninstalls(type), "\(type)") }
    #expect(!SubmissionReview.uninstalls("account.application.authorized"))
    #expect(!SubmissionReview.uninstalls("invoice.paid"))
    let problems = try Reviewed.problems(in: \.uninstalling) {
      $0.endsConnection = { $0 == "account.application.deauthorized" }
    }
    #expect(problems == ["Uninstall: the service does nothing at this event"])
    let stuck = try Reviewed.source("src/views/AppSettings.tsx").replacing("'disconnect'", with: "'goodbye'")
    #expect(
      try Reviewed.problems(in: \.views) {
        $0.sources["src/views/AppSettings.tsx"] = stuck.replacing("disconnect(", with: "leave(")
      }
      .filter { $0.hasPrefix("Settings") } == ["Settings: AppSettings has nothing of disconnect"])
  }

  // MARK: Defaults

  @Test("a default that stands open is found")
  func defaults() throws {
    let webhooks = "Defaults: there is no STRIPE_WEBHOOK_SECRET for "
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.webhookSecrets = .init(live: [], test: ["whsec_2"]) } == [
        webhooks + "live mode"
      ])
    #expect(try Reviewed.problems(in: \.defaults) { $0.webhookSecrets = .init(live: [""]) } == [webhooks + "live mode"])
    let testOnly = try Reviewed.problems(in: \.defaults) {
      $0.live = nil
      $0.webhookSecrets = .init(live: [])
    }
    #expect(testOnly.contains(webhooks + "test mode"))
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.appSigningSecrets = .init(live: []) }
        == ["Defaults: there is no STRIPE_APP_SIGNING_SECRET for live mode"])
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.origins = ["null", "*"] } == [
        "Defaults: STRIPE_APP_ALLOWED_ORIGINS has *"
      ])
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.origins = ["https://*.stripe.com"] }
        == ["Defaults: STRIPE_APP_ALLOWED_ORIGINS has https://*.stripe.com"])
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.origins = [] } == ["Defaults: STRIPE_APP_ALLOWED_ORIGINS names none"])
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.stripeAPIBaseURL = "http://127.0.0.1:12111" }
        == ["Defaults: STRIPE_API_BASE_URL is http://127.0.0.1:12111"])
    #expect(
      try Reviewed.problems(in: \.defaults) { $0.base = "http://stripe.licensekit.dev" }.contains(
        "Defaults: STRIPE_PUBLIC_BASE_URL is not HTTPS"))
  }
}

extension Reviewed {
  mutating func register(_ component: String, at viewport: String) {
    var extensionPart = manifest["ui_extension"]?.object ?? [:]
    let view: JSONValue = ["viewport": .string(viewport), "component": .string(component)]
    extensionPart["views"] = .array((extensionPart["views"]?.array ?? []) + [view])
    manifest["ui_extension"] = .object(extensionPart)
  }
}
