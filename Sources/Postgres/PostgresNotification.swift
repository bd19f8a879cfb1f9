/// What a listener hears.
public enum PostgresNotification: Sendable, Hashable {
  /// The listener is (again) connected and listening; notifications before this moment may have been missed.
  case connected
  case notification(payload: String)
}
