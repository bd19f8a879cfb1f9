/// Hexadecimal text, two digits a byte.
public enum Hex {
  private static let digits = Array("0123456789abcdef".utf8)

  /// Lower-case digits of `bytes`.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { output in
      var position = 0
      for byte in bytes {
        output[position] = digits[Int(byte >> 4)]
        output[position + 1] = digits[Int(byte & 15)]
        position += 2
      }
      return position
    }
  }

  /// The bytes of `text`, or nil when its length is odd or it holds anything but hexadecimal digits.
  ///
  /// `allowUppercase: false` refuses `A` to `F`, for signatures whose one spelling is lower case.
  public static func decode(_ text: some StringProtocol, allowUppercase: Bool = true) -> [UInt8]? {
    let count = text.utf8.count
    guard count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count / 2)
    var high: UInt8?
    for character in text.utf8 {
      guard let digit = value(of: character, allowUppercase: allowUppercase) else { return nil }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return bytes
  }

  private static func value(of character: UInt8, allowUppercase: Bool) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): allowUppercase ? character - UInt8(ascii: "A") + 10 : nil
    default: nil
    }
  }
}
