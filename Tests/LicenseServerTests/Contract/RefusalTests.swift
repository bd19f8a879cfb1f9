import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseServer
import Testing

/// What every operation refuses, and how: by the class of its table, with a detail that names what was wrong.
@Suite("What each operation refuses")
struct RefusalTests {
  /// A server with a license, so that runtime operations have somebody to ask on behalf of.
  private func withCallers(_ body: (Fixture, _ licenseKey: String) async throws -> Void) async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      try await body(fixture, try await fixture.admin.issue(catalog).licenseKey)
    }
  }

  /// A request of an operation about records that are not there.
  private func ask(
    _ operation: Contract.Operation, of fixture: Fixture, as authorization: String?, body: JSONValue? = nil,
    text: String? = nil, query: String = "", key: String? = "key"
  ) async throws -> Reply {
    let ids = (0..<operation.pathParameters).map { "none_\($0)" }
    return try await fixture.send(
      operation.method, operation.path(ids) + (query.isEmpty ? "" : "?" + query), text ?? body?.text(),
      authorization: authorization,
      headers: key.map { operation.needsIdempotencyKey ? [("Idempotency-Key", $0)] : [] } ?? [])
  }

  private func authorization(_ operation: Contract.Operation, licenseKey: String) -> String? {
    switch operation.authorization {
    case .management: "Bearer \(Fixture.adminToken)"
    case .license: "License \(licenseKey)"
    case .none: nil
    }
  }

  /// A body that has nothing wrong with it but the records it names.
  private func example(_ operation: Contract.Operation) throws -> JSONObject? {
    guard operation.body != nil else { return nil }
    let text = try #require(ContractStep.all.first { $0.operation == operation.id }?.body, "\(operation)")
    return try JSONValue(parsing: text.replacing(/\{[a-z.]+\}/, with: "none_0")).object
  }

  // MARK: Who asks

  @Test("nobody gets in without a credential, with one of another kind, or with one that is not known")
  func credentials() async throws {
    try await withCallers { fixture, licenseKey in
      for operation in Contract.operations where operation.authorization != .none {
        let own = operation.authorization == .management ? ("Bearer", Fixture.adminToken) : ("License", licenseKey)
        let other = operation.authorization == .management ? ("License", licenseKey) : ("Bearer", Fixture.adminToken)
        let wrong = [
          nil, "", own.0, own.1, "\(own.0) ", "Basic \(own.1)", "\(other.0) \(own.1)", "\(other.0) \(other.1)",
          "\(own.0) \(other.1)", "\(own.0) \(own.1)x", "\(own.0) \(own.1), \(own.0) \(own.1)", "\(own.0) é",
        ]
        for authorization in wrong {
          // The refusal of a stranger tells nothing of the rest, so that the rest is wrong, too.
          let reply = try await ask(
            operation, of: fixture, as: authorization, text: operation.body == nil ? nil : "{", query: "limit=x",
            key: nil)
          #expect(reply.status == 401, "\(operation) as \(authorization ?? "nobody"): \(reply.text)")
          #expect(reply.code == "UNAUTHORIZED", "\(operation)")
          #expect(reply.response.headers["Content-Type"] == "application/json", "\(operation)")
        }
      }
    }
  }

  @Test("a token does what its scope says and nothing else; admin does everything")
  func scopes() async throws {
    try await withLicenseServer { fixture in
      var tokens: [ManagementScope: String] = [:]
      for scope in ManagementScope.allCases {
        tokens[scope] = try await fixture.server.administration.createToken(
          for: .defaultTenant, name: scope.rawValue, scopes: [scope]
        ).token
      }
      for operation in Contract.operations where operation.authorization == .management {
        let body = try example(operation).map(JSONValue.object)
        for (scope, token) in tokens {
          let isAllowed = scope == .admin || scope.rawValue == operation.scope
          // Whoever is refused is refused before anything else of the request is looked at.
          let reply =
            isAllowed
            ? try await ask(operation, of: fixture, as: "Bearer \(token)", body: body, key: "by-\(scope.rawValue)")
            : try await ask(
              operation, of: fixture, as: "Bearer \(token)", text: body == nil ? nil : "{", query: "limit=x", key: nil)
          if isAllowed {
            #expect(
              operation.success.contains(reply.status) || [400, 404, 409, 422].contains(reply.status),
              "\(operation) by \(scope.rawValue): \(reply.text)")
          } else {
            #expect(reply.status == 403, "\(operation) by \(scope.rawValue): \(reply.text)")
            #expect(reply.code == "TOKEN_SCOPE_DENIED", "\(operation)")
            #expect(reply.detail == "requires \(operation.scope ?? "")", "\(operation)")
          }
        }
      }
    }
  }

  // MARK: What is asked

  private func expect(
    _ reply: Reply, _ status: Int, _ code: String, names field: String, _ operation: Contract.Operation,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(reply.status == status, "\(operation), \(field): \(reply.text)", sourceLocation: sourceLocation)
    #expect(reply.code == code, "\(operation), \(field): \(reply.text)", sourceLocation: sourceLocation)
    #expect(
      field.isEmpty ? reply.detail != nil : reply.detail?.contains(field) == true,
      "\(operation), \(field): \(reply.text)", sourceLocation: sourceLocation)
    #expect(reply.json?["error"]?["message"]?.string?.isEmpty == false, sourceLocation: sourceLocation)
    #expect(reply.json?["meta"]?["request_id"]?.string != nil, sourceLocation: sourceLocation)
    #expect(reply.json?["meta"]?["timestamp"]?.string != nil, sourceLocation: sourceLocation)
  }

  @Test("a body that is no JSON object, or has a field that nobody asked for, is 400")
  func bodies() async throws {
    try await withCallers { fixture, licenseKey in
      for operation in Contract.operations where operation.body != nil {
        let caller = authorization(operation, licenseKey: licenseKey)
        for text in ["", " ", "{", "{}x", #"{"name":"#, "\u{FEFF}{}", "nul", #"{"a":01}"#, "{'a':1}"] {
          let reply = try await ask(operation, of: fixture, as: caller, text: text)
          expect(reply, 400, "INVALID_JSON", names: "", operation)
        }
        for text in ["[]", "7", "null", #""text""#] {
          let reply = try await ask(operation, of: fixture, as: caller, text: text)
          expect(reply, 400, "INVALID_JSON", names: "", operation)
        }
        guard !operation.hasOpenBody else { continue }
        var body = try #require(try example(operation))
        body["colour"] = "red"
        let reply = try await ask(operation, of: fixture, as: caller, body: .object(body))
        expect(reply, 400, "INVALID_JSON", names: "colour", operation)
      }
    }
  }

  /// A value that is not of the type, and what a refusal calls it.
  private func wrong(_ type: String) -> (value: JSONValue, found: String) {
    switch type {
    case "integer": ("7", "a string")
    case "boolean": ("true", "a string")
    case "object": ([], "an array")
    case _ where type.hasPrefix("["): ([:], "an object")
    default: (7, "an integer")
    }
  }

  @Test("a field of a wrong type is 400: the detail names it, what was expected and what came")
  func types() async throws {
    try await withCallers { fixture, licenseKey in
      for operation in Contract.operations {
        guard let schema = operation.body else { continue }
        let caller = authorization(operation, licenseKey: licenseKey)
        let members = Contract.members(of: schema)
        #expect(!members.isEmpty, "\(operation)")
        for member in members {
          var body = try #require(try example(operation))
          let (value, found) = wrong(member.type)
          body[member.name] = value
          let reply = try await ask(operation, of: fixture, as: caller, body: .object(body))
          let code = operation.hasOpenBody ? "INVALID_QUERY" : "INVALID_JSON"
          expect(reply, 400, code, names: member.name, operation)
          #expect(reply.detail?.contains("must be ") == true, "\(operation), \(member.name): \(reply.text)")
          // A word that is none of the choices needs no kind.
          if !operation.hasOpenBody || Contract.words(of: member.type) == nil {
            #expect(reply.detail?.contains(found) == true, "\(operation), \(member.name): \(reply.text)")
          }
          if member.type.hasPrefix("[") {
            body[member.name] = .array([.integer(7)])
            let reply = try await ask(operation, of: fixture, as: caller, body: .object(body))
            expect(reply, 400, "INVALID_JSON", names: "\(member.name)[0]", operation)
          }
          if member.type == "integer" {
            for number in ["1.5", "1e2", "9223372036854775808"] {
              body[member.name] = .decimal(number)
              let reply = try await ask(operation, of: fixture, as: caller, body: .object(body))
              #expect([400, 422].contains(reply.status), "\(operation), \(member.name): \(number): \(reply.text)")
              #expect(reply.detail?.contains(member.name) == true, "\(operation), \(member.name): \(reply.text)")
            }
          }
        }
      }
    }
  }

  @Test(
    "a required field that is missing, a word that is none of the choices, a text that is no time: 422 with its name")
  func rules() async throws {
    try await withCallers { fixture, licenseKey in
      for operation in Contract.operations {
        guard let schema = operation.body else { continue }
        let caller = authorization(operation, licenseKey: licenseKey)
        // One operation declares no 422: its table has every fault of a body under 400.
        let statuses = operation.errors.contains(422) ? [422] : [400, 422]
        func expectRule(_ body: JSONObject, _ member: Contract.Schema.Member) async throws {
          let reply = try await ask(operation, of: fixture, as: caller, body: .object(body))
          #expect(statuses.contains(reply.status), "\(operation), \(member.name): \(reply.text)")
          #expect(reply.detail?.contains(member.name) == true, "\(operation), \(member.name): \(reply.text)")
        }
        for member in Contract.members(of: schema) {
          let whole = try #require(try example(operation))
          var body = whole
          if !member.isOptional {
            body[member.name] = nil
            try await expectRule(body, member)
          }
          body = whole
          if member.type == "time" || Contract.words(of: member.type) != nil {
            body[member.name] = "nothing of the kind"
            try await expectRule(body, member)
          }
          body = whole
          if member.type == "string" {
            body[member.name] = "a\u{0}b"
            try await expectRule(body, member)
          }
        }
      }
    }
  }

  @Test("a query that cannot be used is 400, and the detail names the parameter")
  func queries() async throws {
    try await withCallers { fixture, licenseKey in
      for operation in Contract.operations {
        let caller = authorization(operation, licenseKey: licenseKey)
        let others = operation.requiredQuery.map { "\($0)=none_0" }
        for (name, type) in operation.query.elements {
          let subject = operation.oneOfQuery.contains(name) ? [] : operation.oneOfQuery.prefix(1).map { "\($0)=none_0" }
          let values: [String] =
            switch type.string {
            case "integer": ["x", "1.5", "0", "-1", "9223372036854775808", "1&\(name)=1", "%00", "%FF", "%2"]
            case "time": ["yesterday", "2026-13-01T00:00:00Z", "%00"]
            case "string": ["a&\(name)=b", "%00", "%FF"]
            default: ["nothing"]
            }
          for value in values where !(name == "status_code" && ["0", "-1"].contains(value)) {
            let query = (others.filter { !$0.hasPrefix("\(name)=") } + subject + ["\(name)=\(value)"])
              .joined(separator: "&")
            let reply = try await ask(operation, of: fixture, as: caller, query: query)
            expect(reply, 400, "INVALID_QUERY", names: name, operation)
          }
        }
        for name in operation.requiredQuery {
          let query = others.filter { !$0.hasPrefix("\(name)=") }.joined(separator: "&")
          let reply = try await ask(operation, of: fixture, as: caller, query: query)
          expect(reply, 400, "INVALID_QUERY", names: name, operation)
        }
        if let one = operation.oneOfQuery.first {
          for query in ["", operation.oneOfQuery.map { "\($0)=none_0" }.joined(separator: "&")] {
            let reply = try await ask(operation, of: fixture, as: caller, query: query)
            expect(reply, 400, "INVALID_QUERY", names: one, operation)
          }
        }
      }
    }
  }

  @Test("the seven operations that need an idempotency key ask for it before they look at anything else")
  func idempotencyKeys() async throws {
    let operations = Contract.operations.filter(\.needsIdempotencyKey)
    #expect(operations.count == 7)
    try await withCallers { fixture, licenseKey in
      for operation in operations {
        let caller = authorization(operation, licenseKey: licenseKey)
        for key in [nil, "", String(repeating: "k", count: 256)] {
          let reply = try await ask(operation, of: fixture, as: caller, text: "{", key: key)
          expect(reply, 400, "IDEMPOTENCY_KEY_REQUIRED", names: "Idempotency-Key", operation)
        }
      }
    }
  }

  @Test(
    "an id that no record can have is not found, however it is written", arguments: ["%00", "a%00b", "%FF", "%C0%80"])
  func impossibleIDs(_ id: String) async throws {
    try await withLicenseServer { fixture in
      for operation in Contract.operations where operation.authorization == .management {
        for position in 0..<operation.pathParameters {
          var ids = (0..<operation.pathParameters).map { "none_\($0)" }
          ids[position] = id
          let reply = try await fixture.send(
            operation.method, operation.path(ids), try example(operation).map { JSONValue.object($0).text() },
            headers: [("Idempotency-Key", "key")])
          #expect([404, 422].contains(reply.status), "\(operation) \(id): \(reply.text)")
        }
      }
    }
  }
}
