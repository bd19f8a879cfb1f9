import Configuration
import ServerKit
import Testing

@Suite("Reading the environment")
struct EnvironmentTests {
  private enum Mode: String, CaseIterable {
    case web, worker, all
  }

  @Test("Values are read with their type; white space is dropped and empty means not set")
  func types() throws {
    var environment = EnvironmentReader([
      "NAME": "  shop ", "EMPTY": "  ", "PORT": "8080", "ON": "Yes", "OFF": "0", "LIST": " a, b ,c",
      "URL": "https://api.example.com/v1/ ", "LOCAL": "http://127.0.0.1:9000", "ADDRESS": "[::1]:0", "MODE": "Worker",
      "WAIT": "5m", "SECRETS": " one ,\n two\n",
    ])
    #expect(environment.optional("NAME") == "shop")
    #expect(environment.optional("EMPTY") == nil)
    #expect(environment.int("PORT", in: 1...65535, default: 1) == 8080)
    #expect(environment.int("ABSENT", in: 1...65535, default: 7) == 7)
    #expect(environment.bool("ON", default: false) == true)
    #expect(environment.bool("OFF", default: true) == false)
    #expect(environment.list("LIST") == ["a", "b", "c"])
    #expect(environment.requiredURL("URL", example: "https://x") == "https://api.example.com/v1")
    #expect(environment.url("LOCAL", default: "https://x") == "http://127.0.0.1:9000")
    #expect(environment.address("ADDRESS", default: .anyLoopbackPort) == ServerAddress(host: "::1", port: 0))
    #expect(environment.choice("MODE", default: Mode.all) == .worker)
    #expect(environment.duration("WAIT", default: .seconds(1)) == .seconds(300))
    #expect(environment.secrets("SECRETS", expected: "secrets", example: "x") == ["one", "two"])
    try environment.finish()
  }

  @Test("All problems come at once; each names the variable, what was expected, an example and what came")
  func problems() throws {
    var environment = EnvironmentReader([
      "PORT": "99999", "ON": "perhaps", "URL": "http://api.example.com", "ADDRESS": "8080", "MODE": "both",
      "SIGNING": "whsec_hidden,,", "WAIT": "5",
    ])
    _ = environment.required("DATABASE_URL", expected: "a database URL", example: "postgres://user@host/name")
    _ = environment.int("PORT", in: 1...65535, default: 1)
    _ = environment.bool("ON", default: false)
    _ = environment.requiredURL("URL", example: "https://api.example.com")
    _ = environment.address("ADDRESS", default: .anyLoopbackPort)
    _ = environment.choice("MODE", default: Mode.all)
    _ = environment.secrets("SIGNING", expected: "signing secrets", example: "whsec_…", isRequired: true)
    _ = environment.duration("WAIT", default: .seconds(1))
    let error = try #require(throws: ConfigurationProblems.self) { try environment.finish() }
    #expect(
      error.problems.map(\.name) == ["DATABASE_URL", "PORT", "ON", "URL", "ADDRESS", "MODE", "SIGNING", "WAIT"])
    let text = "\(error)"
    #expect(
      text.contains(
        "DATABASE_URL: expected a database URL, for example postgres://user@host/name; it is not set"))
    #expect(text.contains("PORT: expected a whole number from 1 to 65535, for example 1; found \"99999\""))
    #expect(text.contains("MODE: expected one of web, worker, all"))
    #expect(text.contains("SIGNING: expected signing secrets, for example whsec_…; one of its entries is empty"))
    #expect(!text.contains("hidden"))
  }

  @Test("Any provider of configuration will do")
  func providers() throws {
    var environment = EnvironmentReader(provider: InMemoryProvider(values: ["HTTP_ADDRESS": "127.0.0.1:1"]))
    #expect(environment.address("HTTP_ADDRESS", default: .anyLoopbackPort).port == 1)
    try environment.finish()
  }

  @Test(
    "Only HTTPS is a service's address, or HTTP on this machine",
    arguments: [
      ("https://a.example", true), ("http://localhost:1/", true), ("http://[::1]:1", true), ("http://a.example", false),
      ("http://127.evil.example", false), ("http://localhost.evil.example", false), ("ftp://a", false), ("a", false),
      ("https://user:pw@a.example", false), ("https://", false), ("https://a b", false),
    ])
  func serviceURLs(text: String, isGood: Bool) {
    #expect((ServiceURL.normalized(text) != nil) == isGood)
  }

  @Test("An address is a host and a port", arguments: [":80", "a:", "a:x", "a:70000", "::1:80", "a/b:1", "80"])
  func badAddresses(text: String) {
    #expect(ServerAddress(parsing: text) == nil)
  }

  @Test("Resources are found in the package, or only where an override says")
  func resources() throws {
    #expect(try ResourceLocator.find("Package.swift").hasSuffix("/Package.swift"))
    #expect(throws: ResourceLocator.NotFound.self) {
      try ResourceLocator.find("Package.swift", environmentOverride: "HERE", environment: ["HERE": "/nonexistent"])
    }
  }
}
