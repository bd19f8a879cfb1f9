import Cryptography
import JSON

/// What merchants do with the app: installing and removing it, and agreeing to a new version of it.
enum ControlInstalls {
  /// An install that begins in the Dashboard: the callback address carries a code and no state.
  static func install(
    _ merchant: Merchant, _ environment: Environment, _ call: ControlCall, _ world: World
  ) throws(StripeFailure) -> JSONValue {
    guard let developer = world.developer(environment) else {
      throw .invalid("There is no developer in \(environment.title).", parameter: "livemode")
    }
    let before = world.emitted.count
    let code = world.install(
      merchant.id, developer: developer, permissions: ControlSettings.permissions(call.body))
    let redirect = call.body.text("redirect_uri") ?? developer.redirectURIs.first
    return object([
      "code": .string(code),
      "callback_url": str(
        redirect.map { AuthorizePage.appending([("code", code)], state: call.body.text("state"), to: $0) }),
      "events": .array(world.emitted[before...].map { object(["id": .string($0.id), "type": .string($0.type)]) }),
    ])
  }

  /// `install_update`: a new version of the app asks for more, or the merchant agrees to what it asks for (`granted`).
  static func update(_ tenant: Tenant, _ body: Fields) throws(StripeFailure) -> Fields {
    let world = tenant.world
    let install = try active(tenant)
    if body.bool("granted") {
      world.changeInstallation(tenant.key) { $0.grantPending() }
    } else {
      let asked = Set(body.texts("permissions_pending"))
      let isApprovalRequired = body["approval_required"]?.asBool ?? !asked.isEmpty
      world.changeInstallation(tenant.key) { $0.ask(for: asked, isApprovalRequired: isApprovalRequired) }
    }
    return record(["install": .string(install.id)])
  }

  private static func active(_ tenant: Tenant) throws(StripeFailure) -> Installation {
    guard let install = tenant.world.installations[tenant.key], install.isActive else {
      throw .invalid("The app is not installed there.", parameter: nil)
    }
    return install
  }

  private enum ForeignChange: String {
    case created, updated, deleted
  }

  /// `foreign_install`: the same account does something with another developer's app.
  static func foreign(_ tenant: Tenant, _ body: Fields) throws(StripeFailure) -> Fields {
    guard let change = ForeignChange(rawValue: body.text("event") ?? "created") else {
      throw .invalid("event is created, updated or deleted", parameter: "event")
    }
    let app = body.text("app") ?? "com.example.other"
    // The other app's install keeps its id from one event to the next.
    let id =
      Installation.prefix(tenant.environment)
      + SHA256.hexHash("\(tenant.account) \(tenant.environment.rawValue) \(app)").prefix(24)
    func rendering(_ granted: Set<String>) -> Rendering {
      let fields = Installation.shown(
        id: id, account: tenant.account, app: app, created: tenant.now, environment: tenant.environment,
        granted: granted, status: change == .deleted ? .uninstalling : .installed)
      return Rendering(id: id, old: fields, new: fields)
    }
    tenant.emit(
      "apps.install.\(change.rawValue)", rendering(["customer_read"]),
      previous: change == .updated ? rendering([]) : nil)
    return record(["install": .string(id)])
  }
}
