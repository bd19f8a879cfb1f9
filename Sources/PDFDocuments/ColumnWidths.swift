/// Shares a width among columns. Pure.
enum ColumnWidths {
  /// Each column gets what it wants if there is room for all, and what is left over is shared in proportion. Otherwise a
  /// column that wants less than an equal share gets what it wants, and the others share the rest equally.
  static func shared(wanted: [Double], available: Double) -> [Double] {
    guard !wanted.isEmpty else { return [] }
    let wanted = wanted.map { max(1, $0) }
    let total = wanted.reduce(0, +)
    if total <= available { return wanted.map { $0 * available / total } }
    var widths: [Double?] = Array(repeating: nil, count: wanted.count)
    while true {
      let given = widths.reduce(0) { $0 + ($1 ?? 0) }
      let open = widths.count { $0 == nil }
      guard open > 0 else { break }
      let share = (available - given) / Double(open)
      let modest = wanted.indices.filter { widths[$0] == nil && wanted[$0] <= share }
      if modest.isEmpty { return widths.map { $0 ?? share } }
      for index in modest { widths[index] = wanted[index] }
    }
    return widths.map { $0 ?? 0 }
  }
}
