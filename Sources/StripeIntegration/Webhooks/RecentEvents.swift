import Identity
import Redis
import StripeAPI

/// Remembers for a while which events are in the inbox, so that most repeated deliveries never reach Postgres.
///
/// Only a shortcut: without Redis, Postgres alone decides. And a shortcut that a failure shuts: as soon as anything of a
/// tenant has failed, its deliveries go to the inbox again, so that a resend is never swallowed.
struct RecentEvents: Sendable {
  let redis: RedisClient?

  static let memory: Duration = .seconds(600)

  private static func seen(_ item: InboxItem) -> String { "event:\(item.key)" }
  private static func doubt(_ tenant: Tenant) -> String { "event-doubt:\(tenant)" }

  func isKnown(_ item: InboxItem) async -> Bool {
    guard let redis, redis.isAvailable else { return false }
    guard case .array(let values)? = try? await redis.send(["MGET", Self.seen(item), Self.doubt(item.tenant)]) else {
      return false
    }
    return values.count == 2 && !values[0].isNull && values[1].isNull
  }

  /// To be called after the commit, never before.
  func remember(_ item: InboxItem) async {
    guard let redis, redis.isAvailable else { return }
    _ = try? await redis.set(Self.seen(item), "1", expiry: Self.memory)
  }

  /// Something of the tenant has failed: for as long as anything is remembered, nothing is taken as known.
  func doubt(_ tenant: Tenant) async {
    _ = try? await redis?.set(Self.doubt(tenant), "1", expiry: Self.memory)
  }
}
