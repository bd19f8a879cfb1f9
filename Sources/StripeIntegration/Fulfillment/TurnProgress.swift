/// Whoever serves a turn hears here that something of it was done.
enum TurnProgress {
  @TaskLocal static var note: (@Sendable () -> Void)?
}
