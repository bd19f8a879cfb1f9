import JSON

/// Values of our own in `jsonb` columns.
package enum StoredJSON {
  package static func text(_ value: some Encodable) throws -> String {
    String(decoding: try JSONCoding.encodedBytes(value), as: UTF8.self)
  }

  package static func value<T: Decodable>(_ type: T.Type = T.self, from text: String) throws -> T {
    try JSONCoding.decode(T.self, from: Array(text.utf8))
  }
}
