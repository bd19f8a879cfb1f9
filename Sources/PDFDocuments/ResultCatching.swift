extension Result {
  /// `Result(catching:)` whose error type the compiler need not infer from the closure.
  init(_ body: () throws(Failure) -> Success) {
    do { self = .success(try body()) } catch { self = .failure(error) }
  }
}
