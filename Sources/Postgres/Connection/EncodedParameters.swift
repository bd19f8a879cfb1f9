/// The parameters of one statement as libpq takes them: all bytes in one buffer, each value followed by NUL.
struct EncodedParameters {
  let types: [UInt32]
  private var bytes: [UInt8] = []
  /// Where each value begins; -1 for NULL.
  private var offsets: [Int] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []

  /// The protocol counts parameters in 16 bits (PostgreSQL docs, 55.7 "Bind").
  static let maximumCount = 65_535

  var count: Int { types.count }

  init(_ parameters: [PostgresParameter]) throws(PostgresError) {
    guard parameters.count <= Self.maximumCount else {
      throw PostgresError(.encoding, "more than \(Self.maximumCount) parameters")
    }
    types = parameters.map(\.type.rawValue)
    offsets.reserveCapacity(parameters.count)
    lengths.reserveCapacity(parameters.count)
    formats.reserveCapacity(parameters.count)
    for parameter in parameters {
      let start = bytes.count
      switch parameter.value {
      case .null:
        offsets.append(-1)
        lengths.append(0)
        formats.append(0)
        continue
      case .refused(let reason):
        throw PostgresError(.encoding, reason)
      case .text(var text):
        let hasNUL = text.withUTF8 { utf8 in
          bytes.append(contentsOf: utf8)
          return utf8.contains(0)
        }
        if hasNUL { throw PostgresError(.encoding, PostgresQuery.textWithNUL) }
        formats.append(0)
      case .binary(let binary):
        bytes.append(contentsOf: binary)
        formats.append(1)
      }
      guard let length = Int32(exactly: bytes.count - start) else {
        throw PostgresError(.encoding, "a parameter is larger than 2 GiB")
      }
      offsets.append(start)
      lengths.append(length)
      bytes.append(0)
    }
  }

  func withPointers<R>(
    _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> R
  ) -> R {
    bytes.withUnsafeBytes { buffer in
      let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
      let pointers: [UnsafePointer<CChar>?] = offsets.map { offset in offset < 0 ? nil : start.map { $0 + offset } }
      return pointers.withUnsafeBufferPointer { values in
        lengths.withUnsafeBufferPointer { lengths in
          formats.withUnsafeBufferPointer { formats in
            body(values.baseAddress, lengths.baseAddress, formats.baseAddress)
          }
        }
      }
    }
  }
}
