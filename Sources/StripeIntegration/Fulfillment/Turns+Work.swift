extension Turns {
  /// Works through the elements of a turn, a few at a time. After the time of a turn none is begun, nor once a result says
  /// so; what was begun is finished, since what stopped one element may not concern those beside it.
  /// - Parameters:
  ///   - width: elements at a time.
  ///   - goesOn: is told of each result, one after the other.
  static func work<Element: Sendable, Ended: Sendable>(
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
