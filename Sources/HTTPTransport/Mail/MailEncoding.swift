/// Texts in the forms that mail allows: whatever a text contains, it cannot end its field or line.
enum MailEncoding {
  /// A field body of RFC 5322 "unstructured" text: as it is when it is short printable ASCII, else as encoded words of
  /// RFC 2047, folded.
  /// - Parameter used: how much of the line the field's name takes.
  static func unstructured(_ text: String, after used: Int) -> String {
    let isPlain =
      text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.count + used <= 78 && !text.contains("=?")
      && text.first != " " && text.last != " "
    return isPlain ? text : encodedWords(text, after: used)
  }

  /// `<address>`, with the name before it.
  static func mailbox(_ mailbox: MailAddress, after used: Int) -> String {
    guard let name = mailbox.name else { return mailbox.address }
    let isPlain = name.utf8.allSatisfy { (0x20...0x7E).contains($0) } && name.utf8.count + used <= 60
    guard isPlain, !name.contains("=?") else { return "\(encodedWords(name, after: used))\r\n <\(mailbox.address)>" }
    let quoted = name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(quoted)\" <\(mailbox.address)>"
  }

  static func isFieldName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }
  }

  /// RFC 2047, section 2: no word is longer than 75 characters, and none splits a character of the text. Control characters
  /// become blanks.
  private static func encodedWords(_ text: String, after used: Int) -> String {
    var words: [String] = []
    var piece: [UInt8] = []
    // "=?utf-8?B?" and "?=" take 12; Base64 makes 4 of every 3 bytes.
    var room = max(12, (75 - max(0, used - 1) - 12) / 4 * 3)
    for scalar in text.unicodeScalars {
      let bytes = Array(String(isControl(scalar) ? " " : scalar).utf8)
      if piece.count + bytes.count > room {
        words.append("=?utf-8?B?\(base64(piece))?=")
        piece = []
        room = 45
      }
      piece += bytes
    }
    words.append("=?utf-8?B?\(base64(piece))?=")
    return words.joined(separator: "\r\n ")
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
  }

  /// A text body with CRLF line ends: 7bit when all lines are short ASCII, else quoted-printable (RFC 2045, 6.7).
  static func body(_ text: String) -> (coding: String, bytes: [UInt8]) {
    let lines = Self.lines(text)
    let isPlain = lines.allSatisfy { line in
      line.count <= 900 && line.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x09 }
    }
    var bytes: [UInt8] = []
    for line in lines {
      if isPlain { bytes += line } else { appendQuotedPrintable(line, to: &bytes) }
      bytes += [0x0D, 0x0A]
    }
    return (isPlain ? "7bit" : "quoted-printable", bytes)
  }

  /// The lines of a text, whatever ends them. An empty line at the very end does not count.
  private static func lines(_ text: String) -> [ArraySlice<UInt8>] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var afterReturn = false
    for byte in text.utf8 {
      if byte == 0x0D {
        bytes.append(0x0A)
      } else if byte != 0x0A || !afterReturn {
        bytes.append(byte)
      }
      afterReturn = byte == 0x0D
    }
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    while lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }

  private static func appendQuotedPrintable(_ line: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    var column = 0
    for (index, byte) in zip(line.indices, line) {
      let isLast = index == line.endIndex - 1
      let isBlank = byte == 0x20 || byte == 0x09
      let isPlain = (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "=") || isBlank && !isLast
      if column + (isPlain ? 1 : 3) > 75 {
        bytes += [UInt8(ascii: "="), 0x0D, 0x0A]
        column = 0
      }
      if isPlain {
        bytes.append(byte)
        column += 1
      } else {
        bytes += [UInt8(ascii: "="), hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
        column += 3
      }
    }
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let number = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for place in 0..<4 {
        text.append(place <= group.count ? alphabet[number >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static let hexadecimal = Array("0123456789ABCDEF".utf8)
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
