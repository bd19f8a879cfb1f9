extension Array where Element: Sendable {
  /// The results in the order of the elements, with a few running at a time. The first failure ends all.
  package func concurrently<T: Sendable>(
    _ width: Int, _ transform: @escaping @Sendable (Element) async throws -> T
  ) async throws -> [T] {
    try await withThrowingTaskGroup(of: (Int, T).self) { group in
      var results: [T?] = [T?](repeating: nil, count: count)
      var waiting = Swift.Array(enumerated()).makeIterator()
      for _ in 0..<width {
        guard let (index, element) = waiting.next() else { break }
        group.addTask { (index, try await transform(element)) }
      }
      while let (index, result) = try await group.next() {
        results[index] = result
        if let (index, element) = waiting.next() { group.addTask { (index, try await transform(element)) } }
      }
      return results.compactMap { $0 }
    }
  }
}
