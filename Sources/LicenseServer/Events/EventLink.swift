import Cryptography
import Identity
import Postgres

/// An event with every stored column, exactly as stored: the content that a link protects.
struct StoredEvent: Hashable, Sendable {
  var eventType: String
  var actorType: String
  var actorID: String
  var resourceType: String
  var resourceID: String?
  /// The text as it was written.
  var metadata: String
  var ipAddress: String?
  /// Microseconds since 1970, UTC: all that a timestamp of the database holds.
  var createdAt: Int64

  /// The columns to select for `init(row:)`, of the table `e`.
  static let columns: PostgresQuery = """
    e.event_type, e.actor_type, e.actor_id, e.resource_type, e.resource_id, e.metadata::text AS metadata, e.ip_address,
    (extract(epoch FROM e.created_at) * 1000000)::bigint AS created_at_microseconds
    """

  /// Nil when the outer join found no event.
  init?(row: PostgresRow) throws {
    guard let eventType = try row.get("event_type", as: String?.self) else { return nil }
    self.init(
      eventType: eventType, actorType: try row.get("actor_type"), actorID: try row.get("actor_id"),
      resourceType: try row.get("resource_type"), resourceID: try row.get("resource_id"),
      metadata: try row.get("metadata"), ipAddress: try row.get("ip_address"),
      createdAt: try row.get("created_at_microseconds"))
  }

  init(
    eventType: String, actorType: String, actorID: String, resourceType: String, resourceID: String? = nil,
    metadata: String, ipAddress: String? = nil, createdAt: Int64
  ) {
    self.eventType = eventType
    self.actorType = actorType
    self.actorID = actorID
    self.resourceType = resourceType
    self.resourceID = resourceID
    self.metadata = metadata
    self.ipAddress = ipAddress
    self.createdAt = createdAt
  }
}

/// One place in a tenant's chain of events.
///
/// Its hash is the SHA-256 of these fields in this order: `licensekit-event-link-1`, the hash before it (32 bytes; all zero
/// at position 1), position, tenant, sequence, event type, actor type, actor id, resource type, resource id, metadata,
/// address, time. Each field is its length in bytes (eight bytes, big-endian) and its bytes; a NULL is the length
/// 2^64 - 1 and nothing. Texts are UTF-8, numbers decimal digits, the time is in microseconds since 1970. An event that
/// was gone before it could be linked has no field after the sequence.
struct EventLink: Hashable, Sendable {
  static let firstPrevious = [UInt8](repeating: 0, count: 32)
  private static let format = "licensekit-event-link-1"

  /// The hash of the link at `position`.
  static func hash(
    after previous: [UInt8], position: Int64, tenant: TenantID, sequence: Int64, event: StoredEvent?
  ) -> [UInt8] {
    var fields = Fields()
    fields.append(format)
    fields.append(previous)
    fields.append(String(position))
    fields.append(tenant.rawValue)
    fields.append(String(sequence))
    if let event {
      fields.append(event.eventType)
      fields.append(event.actorType)
      fields.append(event.actorID)
      fields.append(event.resourceType)
      fields.append(event.resourceID)
      fields.append(event.metadata)
      fields.append(event.ipAddress)
      fields.append(String(event.createdAt))
    }
    return SHA256.hash(fields.bytes)
  }

  private struct Fields {
    var bytes: [UInt8] = []

    mutating func append(_ text: String?) {
      guard let text else {
        bytes.append(contentsOf: repeatElement(0xFF, count: 8))
        return
      }
      append(Array(text.utf8))
    }

    mutating func append(_ field: [UInt8]) {
      withUnsafeBytes(of: UInt64(field.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: field)
    }
  }
}
