import JSON

/// Everything the simulator knows. A plain object graph that only the `Simulator` actor touches; nothing in it does I/O.
final class World {
  /// The source of ids; never reset, so that no id comes twice.
  var random: SeededRandom
  /// The source of random faults; a control request can set its seed.
  var chance: SeededRandom
  private let wallClock: () -> Int64
  /// Seconds that the simulated time is ahead of the machine's.
  var clockOffset: Int64 = 0
  private var serial: Int64 = 0

  var developers: [Developer] = []
  var merchants: [String: Merchant] = [:]
  var merchantOrder: [String] = []
  var installations: [Installation.Key: Installation] = [:]
  var tenants: [Installation.Key: Tenant] = [:]
  var grants = OAuthGrants()
  var post = DeliveryQueue()
  var faults = Faults()
  var requests = RequestLog()
  /// Every event since the start, newest last: scenarios answer with the part they caused.
  var emitted: [(id: String, type: String)] = []

  init(seed: UInt64, wallClock: @escaping () -> Int64) {
    random = SeededRandom(seed: seed)
    chance = SeededRandom(seed: ~seed)
    self.wallClock = wallClock
  }

  var now: Int64 { wallClock() + clockOffset }
  var lastSerial: Int64 { serial }

  func nextSerial() -> Int64 {
    serial += 1
    return serial
  }

  func restoreSerial(_ value: Int64) { serial = value }

  /// A new id: random looking, repeatable by seed, never the same twice in one run.
  func newID(_ prefix: String) -> String { prefix + "1S" + random.letters(22) }

  func developer(_ environment: Environment) -> Developer? { developers.first { $0.environment == environment } }
  func developer(secretKey: String) -> Developer? { developers.first { $0.secretKey == secretKey } }
  func developer(clientID: String) -> Developer? { developers.first { $0.clientID == clientID } }

  /// The merchant, with default settings when the account is unknown (only a broken snapshot makes that happen).
  func merchant(_ id: String) -> Merchant {
    merchants[id]
      ?? Merchant(
        id: id, name: id, email: "", country: "US", currency: "usd", apiVersion: .newest, dunning: Dunning(),
        liveKey: "",
        testKey: "")
  }

  func tenant(_ account: String, _ environment: Environment) -> Tenant {
    tenant(Installation.Key(account: account, environment: environment))
  }

  func tenant(_ key: Installation.Key) -> Tenant {
    if let tenant = tenants[key] { return tenant }
    let tenant = Tenant(key: key, world: self)
    tenants[key] = tenant
    return tenant
  }

  func installation(_ account: String, _ environment: Environment) -> Installation? {
    installations[Installation.Key(account: account, environment: environment)]
  }

  /// Adds a merchant account.
  func addMerchant(
    id: String? = nil, name: String, email: String? = nil, country: String = "DE", currency: String = "eur",
    apiVersion: APIVersion = .newest, dunning: Dunning = Dunning(), environments: [Environment] = Merchant.bothModes
  ) -> Merchant {
    let id = id ?? "acct_1S" + random.letters(14)
    let tail = id.dropFirst("acct_".count)
    let merchant = Merchant(
      id: id, name: name, email: email ?? "owner@\(id.lowercased().replacing("_", with: "-")).example.com",
      country: country,
      currency: currency, apiVersion: apiVersion, dunning: dunning, environments: environments,
      liveKey: "sk_live_\(tail)", testKey: "sk_test_\(tail)")
    if merchants[id] == nil { merchantOrder.append(id) }
    merchants[id] = merchant
    return merchant
  }
}
