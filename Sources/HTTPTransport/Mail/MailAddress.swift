/// A mailbox: an address, and the name that people see before it.
public struct MailAddress: Sendable, Hashable {
  /// `local@domain`, in ASCII: a domain in another alphabet is in the form that mail systems accept.
  public let address: String
  /// Any text; nil for none.
  public let name: String?

  /// Nil when the address is not one that every mail system takes: a local part of RFC 5322 "atext" and dots, at most 64
  /// bytes; a domain of letters, digits, hyphens and dots, or one in another alphabet that has such a form (RFC 5891); 254
  /// bytes in all (RFC 5321, 4.5.3.1). Quoted local parts, address literals and other alphabets before the `@` are refused,
  /// so that nothing in an address can end the line it stands in.
  public init?(_ address: String, name: String? = nil) {
    let parts = address.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, address.utf8.count <= Self.longest * 4, (1...64).contains(parts[0].utf8.count),
      parts[0].utf8.allSatisfy(Self.isLocalByte), parts[0].first != ".", parts[0].last != ".",
      let domain = DomainName.ascii(parts[1]), Self.isDomain(domain),
      parts[0].utf8.count + 1 + domain.utf8.count <= Self.longest
    else { return nil }
    self.address = "\(parts[0])@\(domain)"
    self.name = name.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Reads `ada@example.com` or `Ada Lovelace <ada@example.com>`.
  public init?(parsing text: String) {
    guard text.hasSuffix(">"), let open = text.lastIndex(of: "<") else {
      self.init(text)
      return
    }
    var name = text[..<open]
    while name.last == " " { name.removeLast() }
    if name.count >= 2, name.first == "\"", name.last == "\"" { name = name.dropFirst().dropLast() }
    self.init(String(text[text.index(after: open)...].dropLast()), name: String(name))
  }

  /// The part after the `@`.
  public var domain: String { String(address.drop { $0 != "@" }.dropFirst()) }

  private static func isLocalByte(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || "!#$%&'*+-/=?^_`{|}~.".utf8.contains(byte)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  private static let longest = 254

  private static func isDomain(_ text: String) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
          && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
      }
  }
}

extension MailAddress: CustomStringConvertible, CustomReflectable {
  /// Never the address: it is about a person, and descriptions end up in logs.
  public var description: String { "MailAddress" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
