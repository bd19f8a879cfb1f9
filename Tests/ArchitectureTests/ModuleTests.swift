import Testing

/// Modules are rooms with doors in one direction. What stands here is the plan; a new arrow is put here first, with a
/// reason, and only if it points down.
@Suite("The rooms")
struct ModuleTests {
  /// What a module may import.
  struct Door {
    let module: String
    /// Modules of this package.
    let own: Set<String>
    /// Everything else.
    let outside: Set<String>

    init(_ module: String, _ own: Set<String>, outside: Set<String> = []) {
      self.module = module
      self.own = own
      self.outside = outside
    }
  }

  static let systemLibraries = ["CCurl", "CHiredis", "CLibpq", "COpenSSL"]
  static let commands = ["licensekit", "stripe-integration", "stripe-simulator"]

  /// From the bottom up: a module may import modules above it in this list only.
  static let doors = [
    Door("Identity", [], outside: []),
    // Addresses and blocks of them: whom others are, and where may be called.
    Door("Networks", [], outside: ["Foundation"]),
    Door("JSON", ["Identity"], outside: ["Foundation"]),
    Door("Cryptography", ["COpenSSL"], outside: ["Foundation"]),
    Door(
      "Postgres", ["CLibpq", "Identity"],
      outside: ["Foundation", "Glibc", "Logging", "ServiceLifecycle", "Synchronization"]),
    Door(
      "Redis", ["CHiredis", "COpenSSL"],
      outside: ["Dispatch", "Foundation", "Logging", "ServiceLifecycle", "Synchronization"]),
    Door("HTTPTransport", ["CCurl", "Networks"], outside: ["Foundation", "Logging", "Synchronization"]),
    Door("PDFDocuments", [], outside: ["Foundation", "Glibc", "Synchronization"]),
    Door(
      "ServerKit", ["JSON", "Cryptography", "Networks"],
      outside: [
        "Configuration", "CoreMetrics", "Foundation", "HTTPTypes", "Hummingbird", "HummingbirdCore", "Logging",
        "Metrics",
        "NIOCore", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOHTTP1", "ServiceLifecycle", "Synchronization",
        "UnixSignals",
      ]),
    // What both products share about Postgres and Redis: queues in tables, what a client is told when storage is in trouble,
    // whose keys are whose.
    Door("Storage", ["Postgres", "Redis", "ServerKit"], outside: ["Foundation", "Logging"]),
    // At-least-once delivery of messages to addresses that others choose.
    Door(
      "Delivery", ["Cryptography", "HTTPTransport", "Identity", "Postgres", "ServerKit", "Storage"],
      outside: ["Foundation", "Logging", "ServiceLifecycle", "Synchronization"]),
    // The two outside systems: what they say, and how they are spoken with.
    Door("StripeAPI", ["Identity", "JSON"], outside: ["Foundation"]),
    Door("LicenseKitAPI", ["Identity", "JSON"], outside: ["Foundation", "Synchronization"]),
    Door(
      "StripeHTTP", ["StripeAPI", "Identity", "JSON", "Cryptography", "HTTPTransport"],
      outside: ["Foundation", "Logging", "Synchronization"]),
    Door(
      "LicenseKitHTTP", ["LicenseKitAPI", "Identity", "JSON", "HTTPTransport"],
      outside: ["Foundation", "Synchronization"]),
    // What a purchase entitles to and what is done about it: pure, so that a rule is tested without a database or a network.
    Door("Purchases", ["StripeAPI", "LicenseKitAPI", "Identity", "JSON"], outside: ["Foundation"]),
    // One tenant's part of the database, and what every room above needs of it.
    Door(
      "Tenancy", ["StripeAPI", "Identity", "JSON", "Cryptography", "Postgres", "ServerKit", "Storage"],
      outside: ["Foundation", "Logging", "ServiceLifecycle"]),
    // Work of tenants: claim, extend, release, back off.
    Door(
      "Queue", ["Tenancy", "Purchases", "StripeAPI", "Identity", "Postgres", "ServerKit", "Storage"],
      outside: ["Foundation", "Synchronization"]),
    Door(
      "LicenseServer",
      [
        "Identity", "Networks", "JSON", "Cryptography", "Postgres", "HTTPTransport", "PDFDocuments", "ServerKit",
        "Delivery", "LicenseKitAPI", "Storage",
      ],
      outside: ["Foundation", "HTTPTypes", "Hummingbird", "Logging", "Metrics", "ServiceLifecycle", "Synchronization"]),
    Door(
      "StripeIntegration",
      [
        "Identity", "Networks", "JSON", "Cryptography", "Postgres", "Redis", "HTTPTransport", "PDFDocuments",
        "ServerKit", "Delivery", "StripeAPI", "StripeHTTP", "LicenseKitAPI", "LicenseKitHTTP", "Storage", "Purchases",
        "Tenancy", "Queue",
      ],
      outside: ["Foundation", "HTTPTypes", "Hummingbird", "Logging", "Metrics", "ServiceLifecycle", "Synchronization"]),
    // What the programs with the integration share: their parts and their commands.
    Door(
      "IntegrationCommands",
      [
        "Identity", "JSON", "Cryptography", "Postgres", "Redis", "HTTPTransport", "PDFDocuments", "ServerKit",
        "LicenseKitAPI", "LicenseKitHTTP", "StripeAPI", "StripeHTTP", "Purchases", "Tenancy", "Queue",
        "StripeIntegration", "Storage",
      ],
      outside: ["ArgumentParser", "Foundation", "Logging", "ServiceLifecycle"]),
    Door(
      "licensekit",
      [
        "Identity", "JSON", "Cryptography", "Postgres", "HTTPTransport", "ServerKit", "LicenseKitAPI",
        "LicenseServer", "StripeAPI", "StripeHTTP", "LicenseKitHTTP", "Purchases", "Tenancy", "StripeIntegration",
        "Storage", "IntegrationCommands",
      ],
      outside: ["ArgumentParser", "Foundation", "Logging", "ServiceLifecycle"]),
    Door(
      "stripe-integration",
      [
        "Cryptography", "Postgres", "ServerKit", "LicenseKitAPI", "LicenseKitHTTP", "StripeAPI", "Purchases", "Tenancy",
        "StripeIntegration", "IntegrationCommands",
      ],
      outside: ["ArgumentParser", "Logging", "ServiceLifecycle"]),
    // Stands in for Stripe, so it knows nothing of the product it is used to test.
    Door(
      "stripe-simulator", ["Identity", "JSON", "Cryptography", "HTTPTransport", "ServerKit"],
      outside: [
        "ArgumentParser", "Foundation", "HTTPTypes", "Hummingbird", "Logging", "NIOCore", "ServiceLifecycle",
        "Synchronization",
      ]),
  ]

  @Test("every module has a place in the plan")
  func plan() throws {
    #expect(Set(try SourceTree.folders(in: "Sources")) == Set(Self.doors.map(\.module) + Self.systemLibraries))
  }

  @Test("the plan's own arrows point down")
  func arrows() {
    var below = Set(Self.systemLibraries)
    for door in Self.doors {
      #expect(door.own.isSubset(of: below), "\(door.module) is allowed what stands above it")
      if !Self.commands.contains(door.module) { below.insert(door.module) }
    }
  }

  @Test("a module imports what its doors allow and nothing else", arguments: doors.map(\.module))
  func imports(_ module: String) throws {
    let door = try #require(Self.doors.first { $0.module == module })
    for file in try SourceTree.files(in: "Sources/\(module)") {
      let forbidden = file.imports.subtracting(door.own).subtracting(door.outside)
      #expect(forbidden.isEmpty, "\(file.path) imports \(forbidden.sorted().joined(separator: ", "))")
    }
  }

  @Test("the license server knows nothing of Stripe")
  func licenseServer() throws {
    for file in try SourceTree.files(in: "Sources/LicenseServer") {
      #expect(!file.imports.contains { $0.lowercased().contains("stripe") }, "\(file.path)")
      #expect(!file.code.contains(/\bStripe[A-Z]|\bstripe_/), "\(file.path) has something of Stripe's in its code")
    }
  }

  @Test("the integration reaches the license server only through the contract")
  func integration() throws {
    for file in try SourceTree.files(in: "Sources/StripeIntegration") {
      #expect(!file.imports.contains("LicenseServer"), "\(file.path)")
      #expect(!file.code.contains("license_server."), "\(file.path) reads the license server's tables")
    }
    for file in try SourceTree.files(in: "Sources/LicenseServer") {
      #expect(!file.code.contains("stripe_integration."), "\(file.path) reads the integration's tables")
    }
  }

  @Test("the core that decides is pure: no database, no network, no clock, no chance, no waiting")
  func pureCore() throws {
    let files = try SourceTree.files(in: "Sources/Purchases")
    #expect(!files.isEmpty)
    for file in files {
      for impure in [
        /\bDate\(\)/, /\bDate\.now\b/, /\bUUID\(\)/, /\brandom\b/, /\bTask\b/, /\basync\b/, /\bawait\b/,
        /\bFileManager\b/,
        /\bProcessInfo\b/, /\bURLSession\b/,
      ] {
        if let found = file.code.firstMatch(of: impure) {
          Issue.record("\(file.path) has \"\(file.code[found.range])\"")
        }
      }
    }
  }

  @Test(
    "a general module has no word of this product",
    arguments: [
      "Identity", "Networks", "JSON", "Cryptography", "Postgres", "Redis", "HTTPTransport", "PDFDocuments",
      "ServerKit", "Delivery",
    ]
      + systemLibraries
  )
  func generalModules(_ module: String) throws {
    for file in try SourceTree.files(in: "Sources/\(module)", kinds: ["swift", "h", "modulemap"]) {
      let words = file.text.matches(of: /(?i)stripe|licen[sc]e|vendor|buyer|invoice|fulfil|dashboard/).map {
        String($0.0)
      }
      #expect(words.isEmpty, "\(file.path) speaks of \(Set(words).sorted().joined(separator: ", "))")
    }
  }
}
