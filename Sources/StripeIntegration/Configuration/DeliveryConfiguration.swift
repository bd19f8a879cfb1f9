package import HTTPTransport
package import Networks
package import ServerKit

/// How messages and mail leave this service.
package struct DeliveryConfiguration: Sendable {
  /// The operator's mail relay.
  package struct Mail: Sendable {
    package let relay: MailRelay
    package let from: MailAddress

    package init(relay: MailRelay, from: MailAddress) {
      self.relay = relay
      self.from = from
    }
  }

  /// Non-public addresses to which vendors may have messages sent.
  package let allowedNetworks: [NetworkBlock]
  /// Nil means no mail.
  package let mail: Mail?

  package init(allowedNetworks: [NetworkBlock] = [], mail: Mail? = nil) {
    self.allowedNetworks = allowedNetworks
    self.mail = mail
  }

  /// Which addresses vendors may choose.
  package var destinations: AddressPolicy { .publicOnly(besides: allowedNetworks) }
}

extension DeliveryConfiguration {
  static let variables = ["OUTGOING_ALLOWED_NETWORKS", "SMTP_URL", "SMTP_ENCRYPTION", "SMTP_CA_FILE", "MAIL_FROM"]

  /// Problems are recorded in the reader.
  static func read(from environment: inout EnvironmentReader) -> DeliveryConfiguration {
    let blocks = allowedNetworks(from: &environment)
    return DeliveryConfiguration(allowedNetworks: blocks, mail: mail(from: &environment))
  }

  /// Non-public addresses to which vendors may have anything sent. Problems are recorded in the reader.
  package static func allowedNetworks(from environment: inout EnvironmentReader) -> [NetworkBlock] {
    environment.networks("OUTGOING_ALLOWED_NETWORKS", example: "10.1.0.0/16")
  }

  private static func mail(from environment: inout EnvironmentReader) -> Mail? {
    let authorities = environment.optional("SMTP_CA_FILE")
    let encryption = environment.value(
      "SMTP_ENCRYPTION", expected: "required, or off for a relay on this machine", example: "required"
    ) { MailRelay.Encryption(rawValue: $0) }
    let relay = environment.value(
      "SMTP_URL",
      expected:
        "smtp:// or smtps://, user and password percent-encoded, host and port; unencrypted on this machine only",
      example: "smtp://user:secret@mail.example.com:587", isSecret: true
    ) { MailRelay(url: $0, encryption: encryption, certificateAuthorityFile: authorities) }
    let from = environment.value(
      "MAIL_FROM", expected: "the sender's address, with or without a name",
      example: "Example Licenses <licenses@example.com>"
    ) { MailAddress(parsing: $0) }
    guard let relay else { return nil }
    guard let from else {
      environment.report(
        "MAIL_FROM", expected: "the sender's address, required with SMTP_URL",
        example: "Example Licenses <licenses@example.com>")
      return nil
    }
    return Mail(relay: relay, from: from)
  }
}
