public import Foundation

/// The date of an HTTP header, for example `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7; the two obsolete
/// forms are not read).
public enum HTTPDate {
  /// The moment that a text names; nil for none.
  public static func date(_ text: String) -> Date? {
    let parts = text.split(separator: " ")
    guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), (1...31).contains(day),
      let month = months.firstIndex(of: parts[2]), let year = Int(parts[3]), (1970...9999).contains(year)
    else { return nil }
    let time = parts[4].split(separator: ":").compactMap { $0.count == 2 ? Int($0) : nil }
    guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else {
      return nil
    }
    let seconds =
      daysSince1970(year: year, month: month + 1, day: day) * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
    return Date(timeIntervalSince1970: TimeInterval(seconds))
  }

  private static let months: [Substring] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Days of the Gregorian calendar, counted in years that begin in March so that the leap day comes last.
  private static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let monthFromMarch = (month + 9) % 12
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
    return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
  }
}

/// How long the other side asks us to wait (RFC 9110, section 10.2.3).
public enum RetryAfter {
  /// Longer times than a day are not believed.
  public static let longest: Duration = .seconds(86_400)

  /// Reads the header: seconds, or a date. A date is counted from the answer's own `Date`, so that the two clocks need not
  /// agree; a date in the past means no time at all.
  /// - Returns: nil if there is no such header, or it cannot be understood.
  public static func duration(_ headers: HTTPHeaderList, now: Date = Date()) -> Duration? {
    guard let text = headers["Retry-After"] else { return nil }
    if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      // More digits than a number can hold mean a long time too.
      return min(.seconds(Int64(text.prefix(10)) ?? 0), longest)
    }
    guard let moment = HTTPDate.date(text) else { return nil }
    let begun = headers["Date"].flatMap(HTTPDate.date) ?? now
    return min(max(.seconds(moment.timeIntervalSince(begun)), .zero), longest)
  }
}
