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
      "livemode": flag(livemode), "secret_key": .string(secretKey), "client_id": .string(clientID),
      "name": .string(name),
      "redirect_uris": strings(redirectURIs), "permissions": permissionsValue(permissions),
    ])
  }

  init(saved: Fields) {
    self.init(
      livemode: saved.bool("livemode"), secretKey: saved.text("secret_key") ?? "",
      clientID: saved.text("client_id") ?? "",
      name: saved.text("name") ?? "", redirectURIs: saved.texts("redirect_uris"), permissions: saved.permissions())
  }
}

extension Merchant {
  var saved: Fields {
    fields([
      "id": .string(id), "name": .string(name), "email": .string(email), "country": .string(country),
      "currency": .string(currency), "api_version": .string(apiVersion.text),
      "dunning": .string(dunning.outcome.rawValue),
      "retry_days": .array(dunning.retryDays.map { .integer($0) }), "live_key": .string(liveKey),
      "test_key": .string(testKey),
    ])
  }

  init(saved: Fields) {
    self.init(
      id: saved.text("id") ?? "", name: saved.text("name") ?? "", email: saved.text("email") ?? "",
      country: saved.text("country") ?? "DE", currency: saved.text("currency") ?? "eur",
      apiVersion: saved.text("api_version").flatMap { APIVersion($0) } ?? .newest,
      dunning: Dunning(
        outcome: saved.text("dunning").flatMap { Dunning.Outcome(rawValue: $0) } ?? .canceled,
        retryDays: saved.array("retry_days").compactMap(\.asInt)), liveKey: saved.text("live_key") ?? "",
      testKey: saved.text("test_key") ?? "")
  }
}

extension Installation {
  var saved: Fields {
    fields([
      "account": .string(key.account), "livemode": flag(key.livemode), "client_id": .string(clientID),
      "permissions": permissionsValue(permissions), "active": flag(isActive), "installed_at": .integer(installedAt),
    ])
  }

  init(saved: Fields) {
    self.init(
      key: Key(saved: saved), clientID: saved.text("client_id") ?? "", permissions: saved.permissions(),
      isActive: saved.bool("active"), installedAt: saved.number("installed_at") ?? 0)
  }
}

extension Installation.Key {
  fileprivate init(saved: Fields) { self.init(account: saved.text("account") ?? "", livemode: saved.bool("livemode")) }
}

extension Endpoint {
  var saved: Fields {
    fields([
      "id": .string(id), "url": .string(url), "secrets": strings(secrets), "livemode": flag(livemode),
      "api_version": str(apiVersion?.text), "connect": flag(connect), "enabled_events": strings(enabledEvents),
      "enabled": flag(isEnabled),
    ])
  }

  init(saved: Fields) {
    self.init(
      id: saved.text("id") ?? "", url: saved.text("url") ?? "", secrets: saved.texts("secrets"),
      livemode: saved.bool("livemode"), apiVersion: saved.text("api_version").flatMap { APIVersion($0) },
      connect: saved.bool("connect"), enabledEvents: saved.texts("enabled_events"), isEnabled: saved.bool("enabled"))
  }
}

extension OAuthGrants {
  var saved: Fields {
    func entry(_ secret: String, _ key: Installation.Key, _ client: String, _ expires: Int64, _ isOver: Bool)
      -> JSONValue
    {
      object([
        "secret": .string(secret), "account": .string(key.account), "livemode": flag(key.livemode),
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
      "id": .string(id), "serial": .integer(serial), "type": .string(type), "created": .integer(created),
      "version": .string(merchantVersion.text), "request": str(cause?.requestID), "key": str(cause?.idempotencyKey),
      "object": .string(objectID), "old": str(data[.old]), "new": str(data[.new]),
      "endive": str(data[.endive]),
      "pending": .integer(Int64(pendingWebhooks)), "delivered": flag(allDelivered),
    ])
  }

  init(saved: Fields, account: String, livemode: Bool) throws {
    guard let id = saved.text("id"), let type = saved.text("type"), let old = saved.text("old"),
      let new = saved.text("new")
    else { throw Snapshot.Unreadable(part: "events") }
    self.init(
      id: id, serial: saved.number("serial") ?? 0, type: type, created: saved.number("created") ?? 0,
      livemode: livemode,
      account: account, merchantVersion: saved.text("version").flatMap { APIVersion($0) } ?? .newest,
      cause: saved.text("request").map { Cause(requestID: $0, idempotencyKey: saved.text("key")) },
      objectID: saved.text("object") ?? "", data: [.old: old, .new: new, .endive: saved.text("endive") ?? new],
      pendingWebhooks: Int(saved.number("pending") ?? 0), allDelivered: saved.bool("delivered"))
  }
}
