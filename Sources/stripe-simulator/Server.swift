import Foundation
import HTTPTransport
import Hummingbird
import JSON
import Logging
import NIOCore
import ServerKit
import ServiceLifecycle

/// The composition: the world, the dispatcher, the clock, the snapshot and the HTTP server.
struct SimulatorServer {
  let configuration: SimulatorConfiguration

  init(_ configuration: SimulatorConfiguration) { self.configuration = configuration }

  func run() async throws {
    var logger = Logger(label: "stripe-simulator")
    logger.logLevel = .warning
    let configuration = configuration
    let snapshot = configuration.stateFile.map { SnapshotFile(path: $0) }
    let saved = try snapshot?.read()
    let simulator = try Simulator(seed: configuration.seed) { world in
      if let saved { try Snapshot.restore(saved, into: world) }
      configuration.prepare(world, isFresh: saved == nil)
    }
    let transport = HTTPTransport(HTTPTransportConfiguration(), logger: logger)
    let host = configuration.address.host
    let application = Application(
      responder: Responder(simulator: simulator, logger: logger),
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: configuration.address.port), serverName: nil),
      onServerRunning: { channel in
        let bound = ServerAddress(host: host, port: channel.localAddress?.port ?? 0)
        await simulator.with { $0.post.baseURL = bound.url }
        report(bound, portFile: configuration.portFile)
      },
      logger: logger)
    var services: [any Service] = [
      EventDispatcher(simulator: simulator, transport: transport, logger: logger), ClockTicker(simulator: simulator),
    ]
    if let snapshot { services.insert(SnapshotWriter(simulator: simulator, file: snapshot, logger: logger), at: 0) }
    services.append(application)
    defer { transport.shutdown() }
    try await ServerKit.runService(services, gracefulShutdownTimeout: .seconds(10), logger: logger)
  }
}

/// Tells where the server listens, on standard output and in the port file (the port alone).
private func report(_ bound: ServerAddress, portFile: String?) {
  FileHandle.standardOutput.write(Data("stripe-simulator listens on \(bound.url)\n".utf8))
  if let portFile {
    try? Data("\(bound.port)\n".utf8).write(to: URL(fileURLWithPath: portFile), options: .atomic)
  }
}

extension SimulatorConfiguration {
  /// Puts what the options say into the world. Options win over a snapshot for credentials and endpoints.
  func prepare(_ world: World, isFresh: Bool) {
    world.developers =
      developers
      + world.developers.filter { saved in
        !developers.contains { $0.clientID == saved.clientID || $0.environment == saved.environment }
      }
    world.post.settings = settings
    for endpoint in endpoints {
      world.post.endpoints.removeAll { $0.url == endpoint.url && $0.environment == endpoint.environment }
      world.post.endpoints.append(endpoint)
    }
    for account in accounts where world.merchants[account.id] == nil {
      let merchant = world.addMerchant(id: account.id, name: account.name)
      for environment in merchant.environments {
        _ = ControlAccounts.makeCatalogue(world.tenant(merchant.id, environment))
      }
    }
  }
}

/// Lets simulated time pass by itself: whatever is due on any merchant's clock happens within a second.
struct ClockTicker: Service {
  let simulator: Simulator

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
        let isDue = await simulator.read { world in world.tenants.values.contains { $0.hasDueTask } }
        guard isDue else { continue }
        await simulator.with { world in
          for tenant in world.tenants.values where tenant.hasDueTask { tenant.advance(to: tenant.now) }
        }
      }
    }
  }
}
