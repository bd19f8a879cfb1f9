/// The mail address that vendors write to: a role's address on the product's domain, not that of one person.
struct SupportAddress: Hashable, Sendable {
  let mailbox: String
  let domain: String

  init?(_ text: String) {
    let parts = text.lowercased().split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, parts[1].contains("."), !text.contains(where: \.isWhitespace) else {
      return nil
    }
    mailbox = String(parts[0].prefix { $0 != "+" })
    domain = String(parts[1])
  }

  /// - Parameter hosts: where the product is found.
  func problem(hosts: [String]) -> String? {
    if Self.freeMail.contains(domain) { return "\(domain) gives an address to anybody; use the product's own domain" }
    if !mailbox.split(whereSeparator: { ".-_".contains($0) }).contains(where: { Self.roles.contains(String($0)) }) {
      return "\(mailbox)@ looks like a person's address; use a role such as support@ or help@"
    }
    guard hosts.contains(where: { Self.areRelated(domain, $0) }) else {
      return "\(domain) is not the product's domain (\(hosts.joined(separator: ", ")))"
    }
    return nil
  }

  private static let roles: Set = [
    "care", "contact", "customer", "customercare", "customers", "customerservice", "desk", "hello", "help", "helpdesk",
    "info", "licenses", "licensing", "mail", "office", "service", "support", "team",
  ]

  private static let freeMail: Set = [
    "aol.com", "fastmail.com", "free.fr", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hey.com",
    "hotmail.com", "icloud.com", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "orange.fr",
    "outlook.com", "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com", "t-online.de", "tuta.com",
    "tutanota.com", "web.de", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yandex.com", "yandex.ru", "ymail.com",
    "zoho.com", "163.com",
  ]

  /// Whether two names have the same owner: one contains the other, or they share their registrable part. Below a country's
  /// `co` or `com` that part has three labels.
  private static func areRelated(_ one: String, _ other: String) -> Bool {
    if one == other || one.hasSuffix("." + other) || other.hasSuffix("." + one) { return true }
    let (a, b) = (one.split(separator: ".").reversed(), other.split(separator: ".").reversed())
    let shared = Array(zip(a, b).prefix { $0 == $1 }.map(\.0))
    guard shared.count >= 2 else { return false }
    let isCountrys = shared[0].count == 2 && shared[1].count <= 3
    return shared.count >= (isCountrys ? 3 : 2)
  }
}
