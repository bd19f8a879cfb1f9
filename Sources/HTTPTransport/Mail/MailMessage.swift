public import Foundation

/// A plain text message to one mailbox.
public struct MailMessage: Sendable {
  public var from: MailAddress
  public var to: MailAddress
  public var replyTo: MailAddress?
  public var subject: String
  /// Any text, with any line ends.
  public var text: String
  public var date: Date
  /// Names the message: the same for every attempt to send it, so that mail systems can tell a repetition. ASCII without
  /// blanks or brackets; the sender's domain is added.
  public var id: String
  /// Further fields, such as `Auto-Submitted`. Names are tokens; values are encoded where they need it.
  public var headers: [(String, String)]

  public init(
    from: MailAddress, to: MailAddress, replyTo: MailAddress? = nil, subject: String, text: String, date: Date,
    id: String, headers: [(String, String)] = []
  ) {
    self.from = from
    self.to = to
    self.replyTo = replyTo
    self.subject = subject
    self.text = text
    self.date = date
    self.id = id
    self.headers = headers
  }

  /// The message in the form of RFC 5322 and MIME, with CRLF line ends. The transport handles dots at the start of lines.
  public func bytes() -> [UInt8] {
    var lines = [
      "Date: \(Self.dateText(date))",
      "From: \(MailEncoding.mailbox(from, after: "From: ".count))",
      "To: \(MailEncoding.mailbox(to, after: "To: ".count))",
    ]
    if let replyTo { lines.append("Reply-To: \(MailEncoding.mailbox(replyTo, after: "Reply-To: ".count))") }
    lines.append("Subject: \(MailEncoding.unstructured(subject, after: "Subject: ".count))")
    // By scalars: CR and LF together are one character, and other than either.
    let name = String(
      String.UnicodeScalarView(
        id.unicodeScalars.filter { ("!"..."~").contains($0) && !"<>@".unicodeScalars.contains($0) }))
    lines.append("Message-ID: <\(name)@\(from.domain)>")
    for (name, value) in headers where MailEncoding.isFieldName(name) {
      lines.append("\(name): \(MailEncoding.unstructured(value, after: name.utf8.count + 2))")
    }
    lines.append("MIME-Version: 1.0")
    lines.append("Content-Type: text/plain; charset=utf-8")
    let (coding, body) = MailEncoding.body(text)
    lines.append("Content-Transfer-Encoding: \(coding)")
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
  }

  /// RFC 5322, 3.3: `Mon, 23 Nov 2026 18:26:06 +0000`.
  static func dateText(_ date: Date) -> String {
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let seconds = Int(date.timeIntervalSince1970.rounded(.down))
    let (day, time) = (
      seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400, ((seconds % 86_400) + 86_400) % 86_400
    )
    // The civil calendar from a count of days, in eras of 400 years that begin on 1 March.
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let ofEra = shifted - era * 146_097
    let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * ofYear + 2) / 153
    let dayOfMonth = ofYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 2 : shiftedMonth - 10
    let year = yearOfEra + era * 400 + (month < 2 ? 1 : 0)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(days[((day % 7) + 7) % 7]), \(two(dayOfMonth)) \(months[month]) \(year) "
      + "\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60)) +0000"
  }
}

extension MailMessage: CustomStringConvertible, CustomReflectable {
  /// Contains neither the content nor the recipient.
  public var description: String { "MailMessage(\(id))" }
  public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}
