import Foundation
import HTTPTransport
import Testing

@Suite("How long the other side asks to be left alone")
struct RetryAfterTests {
  private let now = Date(timeIntervalSince1970: 784_111_777)

  private func asked(_ text: String?, at date: String? = nil) -> Duration? {
    var fields: [(String, String)] = []
    if let text { fields.append(("retry-after", text)) }
    if let date { fields.append(("Date", date)) }
    return RetryAfter.duration(HTTPHeaderList(fields), now: now)
  }

  @Test("is told in seconds or by a date, and a day at most")
  func forms() {
    #expect(asked("14") == .seconds(14))
    #expect(asked("0") == .zero)
    #expect(asked("86401") == .seconds(86_400))
    #expect(asked("99999999999999999999") == .seconds(86_400))
    #expect(asked("Sun, 06 Nov 1994 08:50:37 GMT") == .seconds(60))
    #expect(asked("Sun, 06 Nov 1994 08:49:30 GMT") == .zero)
    #expect(asked("Fri, 31 Dec 9999 23:59:59 GMT") == .seconds(86_400))
  }

  @Test("a date is counted from the other side's own clock, where it tells it")
  func clocks() {
    #expect(asked("Sun, 06 Nov 1994 10:00:20 GMT", at: "Sun, 06 Nov 1994 10:00:00 GMT") == .seconds(20))
    #expect(asked("Sun, 06 Nov 1994 08:50:37 GMT", at: "yesterday") == .seconds(60))
  }

  @Test("what cannot be understood says nothing", arguments: ["", "-1", "1.5", "1e3", "soon", "0x10", "+5", "\u{664}"])
  func nothing(_ text: String) {
    #expect(asked(text) == nil)
    #expect(asked(nil) == nil)
  }
}
