/// Who serves a claim hears here that something of it was done.
package enum ClaimProgress {
  @TaskLocal package static var note: (@Sendable () -> Void)?
}
