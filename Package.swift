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

/// `TEST_TARGETS=PurchasesTests swift build --build-tests` builds only these test targets and what they need: a rule of what is
/// sold is tested without libpq, libcurl and every package. Unset: everything.
let chosenTests = Context.environment["TEST_TARGETS"].map { Set($0.split(separator: ",").map(String.init)) }

/// What only `loadtest/` builds: `LOADTEST=1`.
let loadTests: [Target] =
  Context.environment["LOADTEST"] == nil
  ? []
  : [.executableTarget(name: "empty-route", dependencies: [hummingbird], path: "loadtest/empty-route")]

let products: [Product] = [
  .executable(name: "licensekit", targets: ["licensekit"]),
  .executable(name: "stripe-integration", targets: ["stripe-integration"]),
  .executable(name: "stripe-simulator", targets: ["stripe-simulator"]),
]

let packages: [Package.Dependency] = [
  .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
  .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
  .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
  .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
]

let targets: [Target] =
  [
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
    module(
      "Delivery",
      ["Cryptography", "HTTPTransport", "Identity", "Postgres", "ServerKit", "Storage", logging, lifecycle]),

    // The two outside systems: what they say, and how they are spoken with.
    module("StripeAPI", ["Identity", "JSON"]),
    module("LicenseKitAPI", ["Identity", "JSON"]),
    module("StripeHTTP", ["StripeAPI", "Identity", "JSON", "Cryptography", "HTTPTransport", logging]),
    module("LicenseKitHTTP", ["LicenseKitAPI", "Identity", "JSON", "HTTPTransport"]),

    // What is sold: pure, so that a change of one rule is built and tested without a database and a network.
    module("Purchases", ["StripeAPI", "LicenseKitAPI", "Identity", "JSON"]),

    // The product, from the bottom up: what others must not reach into is a module of its own.
    module(
      "Tenancy",
      ["StripeAPI", "Identity", "JSON", "Cryptography", "Postgres", "ServerKit", "Storage", logging, lifecycle]),
    module("Queue", ["Tenancy", "Purchases", "StripeAPI", "Identity", "Postgres", "ServerKit", "Storage"]),

    module(
      "LicenseServer",
      [
        "LicenseKitAPI", "Identity", "Networks", "JSON", "Postgres", "Cryptography", "HTTPTransport", "ServerKit",
        "Delivery", "PDFDocuments", "Storage", logging, lifecycle, hummingbird, metrics,
      ]),
    module(
      "StripeIntegration",
      [
        "Queue", "Purchases", "Tenancy", "StripeAPI", "StripeHTTP", "LicenseKitAPI", "LicenseKitHTTP", "Identity",
        "Networks", "JSON", "Postgres", "Redis",
        "HTTPTransport", "Cryptography", "ServerKit", "Delivery", "PDFDocuments", "Storage",
        logging, lifecycle, hummingbird, metrics,
      ]),

    // What the two programs with the Stripe integration share.
    module(
      "IntegrationCommands",
      [
        "StripeIntegration", "Queue", "Purchases", "Tenancy", "StripeAPI", "StripeHTTP", "LicenseKitAPI",
        "LicenseKitHTTP", "Identity", "JSON", "Cryptography",
        "Postgres", "Redis", "Storage", "HTTPTransport", "PDFDocuments", "ServerKit", arguments, logging, lifecycle,
      ]),

    // The commands.
    command(
      "licensekit",
      [
        "IntegrationCommands", "LicenseServer", "StripeIntegration", "Tenancy", "Purchases", "LicenseKitAPI",
        "StripeHTTP", "Postgres", "Storage",
        "HTTPTransport", "Cryptography", "ServerKit", "JSON", "Identity", logging, lifecycle, hummingbird,
      ]),
    command(
      "stripe-integration",
      [
        "IntegrationCommands", "StripeIntegration", "Tenancy", "Purchases", "LicenseKitAPI", "LicenseKitHTTP",
        "Postgres", "Cryptography",
        "ServerKit", logging, lifecycle, hummingbird,
      ]),
    command(
      "stripe-simulator",
      ["Identity", "JSON", "Cryptography", "HTTPTransport", "ServerKit", logging, lifecycle, hummingbird]),

    // Tests: one target a module, and the whole product driven from outside in script/test (Tests/EndToEnd, Python).
    .target(name: "TestRandom", path: "Tests/TestRandom", swiftSettings: strict),
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
    tests("PostgresTests", ["Postgres", "TestRandom", "TestSupport", logging]),
    tests("RedisTests", ["Redis", "TestSupport", logging]),
    tests("StorageTests", ["Storage", "Postgres", "Redis", "ServerKit", "TestSupport", hummingbird]),
    tests("PDFDocumentsTests", ["PDFDocuments"]),
    tests("HTTPTransportTests", ["HTTPTransport", "Networks", hummingbird, logging]),
    tests("ServerKitTests", ["ServerKit", "JSON", "Networks", "HTTPTransport", hummingbird, logging]),
    tests("DeliveryTests", ["Delivery", "HTTPTransport", "Networks", "Cryptography", "ServerKit", logging]),
    tests("StripeAPITests", ["TestRandom", "StripeAPI", "JSON", "Identity"]),
    tests(
      "StripeHTTPTests",
      [
        "TestRandom", "StripeHTTP", "StripeAPI", "JSON", "Cryptography", "HTTPTransport", "ServerKit", "Identity",
        hummingbird, logging,
      ]),
    tests(
      "LicenseServerTests",
      [
        "LicenseServer", "LicenseKitAPI", "LicenseKitHTTP", "JSON", "Postgres", "Cryptography", "HTTPTransport",
        "ServerKit", "Identity", "Networks", "Delivery", "PDFDocuments", "TestRandom", "TestSupport", hummingbird,
        logging, lifecycle,
      ]),
    tests("PurchasesTests", ["TestRandom", "Purchases", "StripeAPI", "LicenseKitAPI", "JSON", "Identity"]),
    tests(
      "StripeIntegrationTests",
      [
        "StripeIntegration", "Queue", "Purchases", "Tenancy", "LicenseServer", "StripeAPI", "StripeHTTP",
        "LicenseKitAPI", "LicenseKitHTTP", "JSON",
        "Postgres", "Redis", "HTTPTransport", "Cryptography", "ServerKit", "Delivery",
        "Identity", "Networks", "TestSupport", hummingbird, logging, lifecycle,
      ], exclude: ["Fixtures"]),
    tests("ArchitectureTests", []),
  ]
  + loadTests

/// The targets and packages that a target names.
func needs(_ target: Target) -> (targets: [String], packages: [String]) {
  var found: (targets: [String], packages: [String]) = ([], [])
  for dependency in target.dependencies {
    switch dependency {
    case .targetItem(let name, _), .byNameItem(let name, _): found.targets.append(name)
    case .productItem(_, let package, _, _): found.packages += package.map { [$0] } ?? []
    @unknown default: break
    }
  }
  return found
}

/// The names of the chosen tests and of all that they need.
func closure(of chosen: Set<String>, in targets: [Target]) -> Set<String> {
  var known = chosen
  var open = Array(chosen)
  while let name = open.popLast() {
    for target in targets where target.name == name {
      for needed in needs(target).targets where known.insert(needed).inserted { open.append(needed) }
    }
  }
  return known
}

/// Whether a package is one of these, by the last part of its address.
func isNamed(_ package: Package.Dependency, in names: Set<String>) -> Bool {
  guard case .sourceControl(_, let location, _) = package.kind else { return false }
  return location.split(separator: "/").last.map { names.contains(String($0)) } ?? false
}

let wanted = chosenTests.map { closure(of: $0, in: targets) }
let built = targets.filter { wanted?.contains($0.name) ?? true }
let used = Set(built.flatMap { needs($0).packages })

let package = Package(
  name: "licensekit-stripe",
  products: wanted == nil ? products : [],
  dependencies: packages.filter { isNamed($0, in: used) },
  targets: built
)
