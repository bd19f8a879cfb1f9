import JSON

/// The world as one JSON value and back: accounts, credentials, objects, events, clocks and what is still to be delivered.
/// Logs and faults start empty.
enum Snapshot {
  struct Unreadable: Error, CustomStringConvertible {
    let part: String
    var description: String { "The state file cannot be read: \(part) is missing or wrong." }
  }

  static func fields(of world: World) -> Fields {
    record([
      "format": 1, "random": .string(String(world.random.state)), "serial": .integer(world.lastSerial),
      "clock_offset": .integer(world.clockOffset),
      "developers": .array(world.developers.map { .object($0.saved) }),
      "merchants": .array(world.merchantOrder.compactMap { world.merchants[$0] }.map { .object($0.saved) }),
      "installations": .array(world.installations.values.map { .object($0.saved) }),
      "grants": .object(world.grants.saved),
      "endpoints": .array(world.post.endpoints.map { .object($0.saved) }),
      "tenants": .array(world.tenants.values.map { .object(SavedTenant.fields(of: $0)) }),
      "deliveries": .array(undelivered(world)),
    ])
  }

  private static func undelivered(_ world: World) -> [JSONValue] {
    world.post.order.compactMap { world.post.deliveries[$0] }.filter { $0.isPending || $0.state == .held }.map {
      delivery in
      object([
        "account": .string(delivery.tenant.account), "environment": delivery.tenant.environment.saved,
        "event": .string(delivery.eventID), "type": .string(delivery.type), "endpoint": .string(delivery.endpointID),
        "held": flag(delivery.state == .held),
      ])
    }
  }

  static func restore(_ saved: Fields, into world: World) throws {
    guard saved.number("format") == 1, let state = saved.text("random").flatMap({ UInt64($0) }) else {
      throw Unreadable(part: "format")
    }
    world.random = SeededRandom(seed: state)
    world.clockOffset = saved.number("clock_offset") ?? 0
    world.developers = saved.objects("developers").map(Developer.init(saved:))
    for merchant in saved.objects("merchants").map(Merchant.init(saved:)) {
      world.merchants[merchant.id] = merchant
      world.merchantOrder.append(merchant.id)
    }
    for installation in saved.objects("installations").map(Installation.init(saved:)) {
      world.installations[installation.key] = installation
    }
    world.grants = OAuthGrants(saved: saved.object("grants") ?? Fields([]))
    world.post.endpoints = saved.objects("endpoints").map(Endpoint.init(saved:))
    for tenant in saved.objects("tenants") {
      guard let account = tenant.text("account") else { throw Unreadable(part: "tenants") }
      try SavedTenant.restore(tenant, into: world.tenant(account, Environment(saved: tenant)))
    }
    world.restoreSerial(saved.number("serial") ?? 0)
    for delivery in saved.objects("deliveries") {
      let key = Installation.Key(saved: delivery)
      if delivery.bool("held") { world.faults.heldAccounts.insert(key.account) }
      world.post.add(
        Delivery(
          id: 0, tenant: key, eventID: delivery.text("event") ?? "", type: delivery.text("type") ?? "",
          endpointID: delivery.text("endpoint") ?? "", state: delivery.bool("held") ? .held : .waiting))
    }
  }
}

/// One tenant in the snapshot.
enum SavedTenant {
  static func fields(of tenant: Tenant) -> Fields {
    var tables = Fields([])
    for (kind, table) in tenant.tables {
      tables[kind.rawValue] = .array(
        table.order.compactMap { table.entry($0) }.map { entry in
          object(["id": .string(entry.id), "serial": .integer(entry.serial), "fields": .object(entry.fields)])
        })
    }
    return record([
      "account": .string(tenant.account), "environment": tenant.environment.saved, "offset": .integer(tenant.offset),
      "invoice_number": .integer(tenant.invoiceNumber), "tables": .object(tables),
      "events": .array(tenant.events.map { .object($0.saved) }),
      "alerts": .array(tenant.alerts.map { .object($0.saved) }),
      "agenda": .array(([tenant.agenda] + tenant.clockAgendas.values).flatMap(\.heap).map(saved)),
      "replies": .array(
        tenant.replies.map { key, reply in
          object([
            "key": .string(key), "fingerprint": .string(reply.fingerprint), "status": .integer(Int64(reply.status)),
            "body": .string(reply.body), "request": .string(reply.requestID), "stored_at": .integer(reply.storedAt),
          ])
        }),
    ])
  }

  private static func saved(_ item: Agenda.Item) -> JSONValue {
    object([
      "at": .integer(item.at), "serial": .integer(item.serial), "task": .string(item.task.rawValue),
      "id": .string(item.id),
    ])
  }

  static func restore(_ saved: Fields, into tenant: Tenant) throws {
    tenant.offset = saved.number("offset") ?? 0
    tenant.invoiceNumber = saved.number("invoice_number") ?? 0
    for (name, value) in saved.object("tables") ?? Fields([]) {
      guard let kind = Kind(rawValue: name) else { throw Snapshot.Unreadable(part: "tables") }
      var table = ObjectTable(indexed: kind.indexed)
      for entry in (value.asArray ?? []).compactMap(\.asObject) {
        guard let id = entry.text("id"), let fields = entry.object("fields") else {
          throw Snapshot.Unreadable(part: name)
        }
        table.insert(id, serial: entry.number("serial") ?? 0, fields)
      }
      tenant.tables[kind] = table
    }
    for event in saved.objects("events") {
      tenant.keep(try EventRecord(saved: event, key: tenant.key))
    }
    tenant.alerts = saved.objects("alerts").compactMap { HealthAlert(saved: $0, environment: tenant.environment) }
    for item in saved.objects("agenda") {
      guard let task = item.text("task").flatMap({ Agenda.Task(rawValue: $0) }), let id = item.text("id") else {
        continue
      }
      let (at, serial) = (item.number("at") ?? 0, item.number("serial") ?? 0)
      if let clock = tenant.clock(of: id) {
        tenant.clockAgendas[clock, default: Agenda()].plan(task, id, at: at, serial: serial)
      } else {
        tenant.agenda.plan(task, id, at: at, serial: serial)
      }
    }
    for reply in saved.objects("replies") {
      tenant.replies[reply.text("key") ?? ""] = StoredReply(
        fingerprint: reply.text("fingerprint") ?? "", status: Int(reply.number("status") ?? 200),
        body: reply.text("body") ?? "", requestID: reply.text("request") ?? "", storedAt: reply.number("stored_at") ?? 0
      )
    }
  }
}

extension JSONObject {
  fileprivate func objects(_ key: String) -> [Fields] { array(key).compactMap(\.asObject) }
}
