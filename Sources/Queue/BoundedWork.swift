/// The work of one claim.
package enum BoundedWork {
  /// Nothing more is begun after this, so that a tenant whose calls all hang gives its place away soon.
  package static let time: Duration = .seconds(5)

  /// Works through the elements, a few at a time. After the time is over none is begun, nor once a result says so; what was
  /// begun is finished, since what stopped one element may not concern those beside it.
  /// - Parameters:
  ///   - width: elements at a time.
  ///   - goesOn: receives each result, one after the other.
  package static func run<Element: Sendable, Ended: Sendable>(
    through elements: [Element], width: Int, _ work: @escaping @Sendable (Element) async throws -> Ended,
    goesOn: (Ended) async throws -> Bool
  ) async throws {
    try await withThrowingTaskGroup(of: Ended.self) { group in
      var waiting = elements.makeIterator()
      for _ in 0..<width {
        guard let element = waiting.next() else { break }
        group.addTask { try await work(element) }
      }
      let begun = ContinuousClock.now
      var isOver = false
      while let ended = try await group.next() {
        if try await !goesOn(ended) { isOver = true }
        guard !isOver, !Task.isCancelled, begun.duration(to: .now) < time, let element = waiting.next() else {
          continue
        }
        group.addTask { try await work(element) }
      }
    }
  }
}
