// swift-tools-version: 6.1
import PackageDescription

/// Every module is compiled with the same strictness: the Swift 6 language mode (from the tools version), imports that
/// are internal unless they are part of a public signature, and members visible only through a direct import.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func command(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies + [arguments], swiftSettings: strict)
}

/// - Parameter exclude: folders that hold no sources, and are read where they lie.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

/// `TEST_TARGETS=JSONTests,PostgresTests swift build --build-tests` compiles only the named test targets; unset, all.
let chosenTests = Context.environment["TEST_TARGETS"].map { Set($0.split(separator: ",").map(String.init)) }

/// What only `loadtest/` builds: `LOADTEST=1`.
let loadTests: [Target] =
  Context.environment["LOADTEST"] == nil
  ? []
  : [.executableTarget(name: "empty-route", dependencies: [hummingbird], path: "loadtest/empty-route")]

let package = Package(
  name: "licensekit-stripe",
  products: [
    .executable(name: "licensekit", targets: ["licensekit"]),
    .executable(name: "stripe-integration", targets: ["stripe-integration"]),
    .executable(name: "stripe-simulator", targets: ["stripe-simulator"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // System libraries, one target each.
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

    // General modules: no product words.
    module("Identity", []),
    module("Networks", []),
    module("JSON", ["Identity"]),
    module("Cryptography", ["COpenSSL"]),
    module("Postgres", ["CLibpq", "Identity", logging, lifecycle]),
    module("Redis", ["CHiredis", "COpenSSL", logging]),
    module("HTTPTransport", ["CCurl", "Networks", logging]),
    module("PDFDocuments", []),
    module(
      "ServerKit",
      ["JSON", "Cryptography", "Networks", hummingbird, logging, metrics, lifecycle, unixSignals, configuration]),

    module("Storage", ["Postgres", "Redis", "ServerKit", logging]),
    module("Delivery", ["Cryptography", "HTTPTransport", "ServerKit", logging]),

    // The two outside systems.
    module("StripeAPI", ["Identity", "JSON", "Cryptography", "HTTPTransport", logging]),
    module("LicenseKitAPI", ["Identity", "JSON", "HTTPTransport"]),

    // The products.
    module(
      "LicenseServer",
      [
        "LicenseKitAPI", "Identity", "Networks", "JSON", "Postgres", "Cryptography", "HTTPTransport", "ServerKit",
        "Delivery", "PDFDocuments", "Storage", logging, lifecycle, hummingbird, metrics,
      ]),
    module(
      "StripeIntegration",
      [
        "StripeAPI", "LicenseKitAPI", "Identity", "Networks", "JSON", "Postgres", "Redis", "HTTPTransport",
        "Cryptography", "ServerKit", "Delivery", "PDFDocuments", "Storage",
        logging, lifecycle, hummingbird, metrics,
      ]),

    // What the two programs with the Stripe integration share.
    module(
      "IntegrationCommands",
      [
        "StripeIntegration", "LicenseKitAPI", "Identity", "JSON", "Cryptography", "Postgres", "Redis", "Storage",
        "HTTPTransport", "PDFDocuments", "ServerKit", arguments, logging, lifecycle,
      ]),

    // The commands.
    command(
      "licensekit",
      [
        "IntegrationCommands", "LicenseServer", "StripeIntegration", "LicenseKitAPI", "Postgres", "Storage",
        "HTTPTransport", "Cryptography", "ServerKit", "JSON", "Identity", logging, lifecycle, hummingbird,
      ]),
    command(
      "stripe-integration",
      [
        "IntegrationCommands", "StripeIntegration", "LicenseKitAPI", "Postgres", "Cryptography", "ServerKit", logging,
        lifecycle, hummingbird,
      ]),
    command(
      "stripe-simulator",
      ["Identity", "JSON", "Cryptography", "HTTPTransport", "ServerKit", logging, lifecycle, hummingbird]),

    // Tests: one target a module, and the whole product driven from outside in script/test (Tests/EndToEnd, Python).
    .target(
      name: "TestSupport",
      dependencies: ["Postgres", "Redis", "ServerKit", "JSON", "Cryptography", hummingbird, logging],
      path: "Tests/TestSupport",
      swiftSettings: strict),
  ]
    + [
      tests("JSONTests", ["JSON", "Identity"]),
      tests("NetworksTests", ["Networks"]),
      tests("CryptographyTests", ["Cryptography"]),
      tests("PostgresTests", ["Postgres", "TestSupport", logging]),
      tests("RedisTests", ["Redis", "TestSupport", logging]),
      tests("StorageTests", ["Storage", "Postgres", "Redis", "ServerKit", hummingbird]),
      tests("PDFDocumentsTests", ["PDFDocuments"]),
      tests("HTTPTransportTests", ["HTTPTransport", "Networks", hummingbird, logging]),
      tests("ServerKitTests", ["ServerKit", "JSON", "Networks", "HTTPTransport", hummingbird, logging]),
      tests("DeliveryTests", ["Delivery", "HTTPTransport", "Networks", "Cryptography", "ServerKit", logging]),
      tests(
        "StripeAPITests",
        ["StripeAPI", "JSON", "Cryptography", "HTTPTransport", "ServerKit", "Identity", hummingbird, logging]),
      tests(
        "LicenseServerTests",
        [
          "LicenseServer", "LicenseKitAPI", "JSON", "Postgres", "Cryptography", "HTTPTransport", "ServerKit",
          "Identity", "Networks", "Delivery", "PDFDocuments", "TestSupport", hummingbird, logging, lifecycle,
        ]),
      tests("PurchasesTests", ["StripeIntegration", "StripeAPI", "LicenseKitAPI", "JSON", "Identity"]),
      tests(
        "StripeIntegrationTests",
        [
          "StripeIntegration", "LicenseServer", "StripeAPI", "LicenseKitAPI", "JSON", "Postgres", "Redis",
          "HTTPTransport", "Cryptography", "ServerKit", "Delivery",
          "Identity", "Networks", "TestSupport", hummingbird, logging, lifecycle,
        ], exclude: ["Fixtures"]),
      tests("ArchitectureTests", []),
    ].filter { chosenTests?.contains($0.name) ?? true } + loadTests
)
