import JSON

/// All objects of one kind of one tenant, in order of creation, with an index over the fields that lists filter by.
struct ObjectTable {
  struct Entry {
    let id: String
    let serial: Int64
    var fields: Fields
  }

  let indexed: [String]
  private(set) var order: [String] = []
  private var entries: [String: Entry] = [:]
  private var index: [String: [String]] = [:]

  init(indexed: [String]) { self.indexed = indexed }

  var count: Int { order.count }

  func entry(_ id: String) -> Entry? { entries[id] }

  subscript(id: String) -> Fields? { entries[id]?.fields }

  mutating func insert(_ id: String, serial: Int64, _ fields: Fields) {
    entries[id] = Entry(id: id, serial: serial, fields: fields)
    order.append(id)
    for field in indexed { addToIndex(field, fields, id) }
  }

  mutating func replace(_ id: String, _ fields: Fields) {
    guard var entry = entries[id] else { return }
    for field in indexed where entry.fields.text(field) != fields.text(field) {
      if let old = entry.fields.text(field) { index[key(field, old)]?.removeAll { $0 == id } }
      addToIndex(field, fields, id)
    }
    entry.fields = fields
    entries[id] = entry
  }

  /// Forgets an object entirely (a subscription item that was taken away, for example).
  mutating func remove(_ id: String) {
    guard let entry = entries.removeValue(forKey: id) else { return }
    order.removeAll { $0 == id }
    for field in indexed {
      if let value = entry.fields.text(field) { index[key(field, value)]?.removeAll { $0 == id } }
    }
  }

  /// Ids whose indexed field has this value, oldest first.
  func ids(_ field: String, _ value: String) -> [String] { index[key(field, value)] ?? [] }

  /// Objects whose indexed field has this value, oldest first.
  func all(_ field: String, _ value: String) -> [Fields] { ids(field, value).compactMap { entries[$0]?.fields } }

  private mutating func addToIndex(_ field: String, _ fields: Fields, _ id: String) {
    if let value = fields.text(field) { index[key(field, value), default: []].append(id) }
  }

  private func key(_ field: String, _ value: String) -> String { field + "\u{0}" + value }
}
