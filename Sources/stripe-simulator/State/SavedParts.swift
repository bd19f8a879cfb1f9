import JSON

// How each part of the world is written to the state file and read back.

private func permissionsValue(_ permissions: Set<String>?) -> JSONValue {
  permissions.map { strings($0.sorted()) } ?? .null
}

extension JSONObject {
  fileprivate func permissions() -> Set<String>? { self["permissions"]?.asArray.map { Set($0.compactMap(\.asText)) } }
}

extension Developer {
  var saved: Fields {
    fields([
      "environment": environment.saved, "secret_key": .string(secretKey), "client_id": .string(clientID),
      "app_id": .string(appID), "name": .string(name),
      "redirect_uris": strings(redirectURIs), "permissions": permissionsValue(permissions),
    ])
  }

  init(saved: Fields) {
    self.init(
      environment: Environment(saved: saved), secretKey: saved.text("secret_key") ?? "",
      clientID: saved.text("client_id") ?? "", appID: saved.text("app_id") ?? Developer.defaultAppID,
      name: saved.text("name") ?? "", redirectURIs: saved.texts("redirect_uris"), permissions: saved.permissions())
  }
}

extension Merchant {
  var saved: Fields {
    fields([
      "id": .string(id), "name": .string(name), "email": .string(email), "country": .string(country),
      "currency": .string(currency), "api_version": .string(apiVersion.text),
      "dunning": .string(dunning.outcome.rawValue),
      "retry_days": .array(dunning.retryDays.map { .integer($0) }),
      "environments": strings(environments.map(\.rawValue)),
      "live_key": .string(liveKey), "test_key": .string(testKey),
    ])
  }

  init(saved: Fields) {
    let environments = saved.texts("environments").compactMap { Environment(rawValue: $0) }
    self.init(
      id: saved.text("id") ?? "", name: saved.text("name") ?? "", email: saved.text("email") ?? "",
      country: saved.text("country") ?? "DE", currency: saved.text("currency") ?? "eur",
      apiVersion: saved.text("api_version").flatMap { APIVersion($0) } ?? .newest,
      dunning: Dunning(
        outcome: saved.text("dunning").flatMap { Dunning.Outcome(rawValue: $0) } ?? .canceled,
        retryDays: saved.array("retry_days").compactMap(\.asInt)),
      environments: environments.isEmpty ? Merchant.bothModes : environments, liveKey: saved.text("live_key") ?? "",
      testKey: saved.text("test_key") ?? "")
  }
}

extension Installation {
  var saved: Fields {
    fields([
      "account": .string(key.account), "environment": key.environment.saved, "id": .string(id),
      "serial": .integer(serial), "client_id": .string(clientID), "app": .string(appID),
      "permissions": permissionsValue(permissions), "pending": strings(pending.sorted()),
      "approval": flag(isApprovalRequired), "active": flag(isActive), "installed_at": .integer(installedAt),
    ])
  }

  init(saved: Fields) {
    let key = Key(saved: saved)
    self.init(
      key: key, id: saved.text("id") ?? Self.prefix(key.environment) + key.account.dropFirst("acct_".count),
      serial: saved.number("serial") ?? 0, clientID: saved.text("client_id") ?? "",
      appID: saved.text("app") ?? Developer.defaultAppID, permissions: saved.permissions(),
      pending: Set(saved.texts("pending")), isApprovalRequired: saved.bool("approval"),
      isActive: saved.bool("active"), installedAt: saved.number("installed_at") ?? 0)
  }
}

extension Installation.Key {
  init(saved: Fields) { self.init(account: saved.text("account") ?? "", environment: Environment(saved: saved)) }
}

extension Endpoint {
  var saved: Fields {
    fields([
      "id": .string(id), "url": .string(url), "secrets": strings(secrets),
      "environment": environment.saved, "api_version": str(apiVersion?.text), "payload": .string(payload.rawValue),
      "connect": flag(connect), "hears_sandbox": flag(hearsSandbox), "enabled_events": strings(enabledEvents),
      "enabled": flag(isEnabled),
    ])
  }

  init(saved: Fields) {
    self.init(
      id: saved.text("id") ?? "", url: saved.text("url") ?? "", secrets: saved.texts("secrets"),
      environment: Environment(saved: saved), apiVersion: saved.text("api_version").flatMap { APIVersion($0) },
      payload: saved.text("payload").flatMap { Payload(rawValue: $0) } ?? .snapshot, connect: saved.bool("connect"),
      hearsSandbox: saved.bool("hears_sandbox"), enabledEvents: saved.texts("enabled_events"),
      isEnabled: saved.bool("enabled"))
  }
}

extension OAuthGrants {
  var saved: Fields {
    func entry(_ secret: String, _ key: Installation.Key, _ client: String, _ expires: Int64, _ isOver: Bool)
      -> JSONValue
    {
      object([
        "secret": .string(secret), "account": .string(key.account), "environment": key.environment.saved,
        "client_id": .string(client), "expires_at": .integer(expires), "over": flag(isOver),
      ])
    }
    return fields([
      "codes": .array(codes.map { entry($0, $1.installation, $1.clientID, $1.expiresAt, $1.isUsed) }),
      "access": .array(access.map { entry($0, $1.installation, $1.clientID, $1.expiresAt, $1.isRevoked) }),
      "refresh": .array(refresh.map { entry($0, $1.installation, $1.clientID, $1.expiresAt, $1.isRevoked) }),
    ])
  }

  init(saved: Fields) {
    self.init()
    for entry in saved.array("codes").compactMap(\.asObject) {
      codes[entry.text("secret") ?? ""] = Code(
        installation: Installation.Key(saved: entry), clientID: entry.text("client_id") ?? "",
        expiresAt: entry.number("expires_at") ?? 0, isUsed: entry.bool("over"))
    }
    access = Self.tokens(saved, "access")
    refresh = Self.tokens(saved, "refresh")
  }

  private static func tokens(_ saved: Fields, _ name: String) -> [String: Token] {
    var result: [String: Token] = [:]
    for entry in saved.array(name).compactMap(\.asObject) {
      result[entry.text("secret") ?? ""] = Token(
        installation: Installation.Key(saved: entry), clientID: entry.text("client_id") ?? "",
        expiresAt: entry.number("expires_at") ?? 0, isRevoked: entry.bool("over"))
    }
    return result
  }
}

extension EventRecord {
  var saved: Fields {
    record([
      "id": .string(id), "thin": .string(thinID), "serial": .integer(serial), "type": .string(type),
      "created": .integer(created),
      "version": .string(merchantVersion.text), "request": str(cause?.requestID), "key": str(cause?.idempotencyKey),
      "object": .string(objectID), "related_type": str(related?.type), "related_id": str(related?.id),
      "old": str(data[.old]), "new": str(data[.new]), "endive": str(data[.endive]),
      "pending": .integer(Int64(pendingWebhooks)), "delivered": flag(allDelivered),
    ])
  }

  init(saved: Fields, key: Installation.Key) throws {
    guard let id = saved.text("id"), let type = saved.text("type"), let old = saved.text("old"),
      let new = saved.text("new")
    else { throw Snapshot.Unreadable(part: "events") }
    let objectID = saved.text("object") ?? ""
    // Files of former versions name the object by its id alone.
    let kind = saved.text("thin") == nil ? Kind(id: objectID)?.rawValue : saved.text("related_type")
    self.init(
      id: id, thinID: saved.text("thin") ?? id + "_thin", serial: saved.number("serial") ?? 0, type: type,
      created: saved.number("created") ?? 0, environment: key.environment, account: key.account,
      merchantVersion: saved.text("version").flatMap { APIVersion($0) } ?? .newest,
      cause: saved.text("request").map { Cause(requestID: $0, idempotencyKey: saved.text("key")) },
      objectID: objectID, related: RelatedObject(type: kind, id: saved.text("related_id") ?? objectID),
      data: [.old: old, .new: new, .endive: saved.text("endive") ?? new],
      pendingWebhooks: Int(saved.number("pending") ?? 0), allDelivered: saved.bool("delivered"))
  }
}
