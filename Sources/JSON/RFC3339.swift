public import Foundation

/// Dates and times as RFC 3339 writes them.
public enum RFC3339 {
  /// `2026-03-24T09:05:00Z`: always UTC, whole seconds, rounded down. Dates before year 0 and after 9999, which the
  /// format cannot express, become its first and last second.
  public static func string(from date: Date) -> String {
    let seconds = Int64(date.timeIntervalSince1970.rounded(.down).clamped(to: -62_167_219_200, 253_402_300_799))
    let (days, second) = (seconds.quotient(by: 86_400), seconds.remainder(by: 86_400))
    let (year, month, day) = civil(fromDays: days)
    var output: [UInt8] = []
    output.reserveCapacity(20)
    func append(_ value: Int64, digits: Int) {
      var divisor: Int64 = digits == 4 ? 1000 : 10
      while divisor > 0 {
        output.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
        divisor /= 10
      }
    }
    append(year, digits: 4)
    output.append(UInt8(ascii: "-"))
    append(month, digits: 2)
    output.append(UInt8(ascii: "-"))
    append(day, digits: 2)
    output.append(UInt8(ascii: "T"))
    append(second / 3600, digits: 2)
    output.append(UInt8(ascii: ":"))
    append(second / 60 % 60, digits: 2)
    output.append(UInt8(ascii: ":"))
    append(second % 60, digits: 2)
    output.append(UInt8(ascii: "Z"))
    return String(decoding: output, as: UTF8.self)
  }

  /// The moment a text names, or nil when it is not `YYYY-MM-DDThh:mm:ss[.fraction][offset]`. Any offset is understood;
  /// without one the time is UTC. A small `t` or a space may stand for `T`, a small `z` for `Z` (RFC 3339 section 5.6).
  /// A leap second (`:60`) is the second after it.
  public static func date(from text: String) -> Date? {
    var reader = DateReader(text)
    guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"),
      let day = reader.digits(2), reader.take("Tt "), let hour = reader.digits(2), reader.take(":"),
      let minute = reader.digits(2), reader.take(":"), let second = reader.digits(2), let fraction = reader.fraction(),
      let offset = reader.offset(), reader.isAtEnd,
      (1...12).contains(month), (1...lastDay(of: month, year: year)).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    let seconds = days(fromCivil: year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    return Date(timeIntervalSince1970: Double(seconds) + fraction)
  }

  private static func lastDay(of month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  // The calendar is counted in years that begin in March, so that the leap day is the last of its year, and in eras of
  // 400 years, which all have 146 097 days. 719 468 days lie between the first era's start and 1970.

  private static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let era = marchYear.quotient(by: 400)
    let yearOfEra = marchYear.remainder(by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted.quotient(by: 146_097)
    let dayOfEra = shifted.remainder(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }
}

/// Takes a date apart, from left to right.
private struct DateReader {
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = text[...].utf8 }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func digits(_ count: Int) -> Int64? {
    var value: Int64 = 0
    for _ in 0..<count {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// Whether the next character is one of `characters`; it is read then.
  mutating func take(_ characters: StaticString) -> Bool {
    guard let next = rest.first else { return false }
    for offset in 0..<characters.utf8CodeUnitCount where characters.utf8Start[offset] == next {
      rest.removeFirst()
      return true
    }
    return false
  }

  /// The fraction of a second, 0 when there is none, nil when a point has no digit behind it.
  mutating func fraction() -> Double? {
    guard take(".") else { return 0 }
    guard let first = digit() else { return nil }
    var value = Double(first)
    var scale = 10.0
    while let next = digit() {
      // Beyond nanoseconds a digit is read and means nothing to a Date.
      guard scale < 1e9 else { continue }
      value = value * 10 + Double(next)
      scale *= 10
    }
    return value / scale
  }

  /// Seconds east of UTC, 0 when nothing follows, nil when what follows is no offset.
  mutating func offset() -> Int64? {
    if rest.isEmpty || take("Zz") { return 0 }
    let isWest = rest.first == UInt8(ascii: "-")
    guard take("+-"), let hours = digits(2), take(":"), let minutes = digits(2), hours < 24, minutes < 60 else {
      return nil
    }
    return (isWest ? -1 : 1) * (hours * 3600 + minutes * 60)
  }

  private mutating func digit() -> Int64? {
    guard let next = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) else { return nil }
    rest.removeFirst()
    return Int64(next - UInt8(ascii: "0"))
  }
}

extension Int64 {
  /// Division rounded down, for a positive divisor.
  fileprivate func quotient(by divisor: Int64) -> Int64 { (self - remainder(by: divisor)) / divisor }

  /// The rest of that division, never negative.
  fileprivate func remainder(by divisor: Int64) -> Int64 { (self % divisor + divisor) % divisor }
}

extension Double {
  fileprivate func clamped(to low: Double, _ high: Double) -> Double { isNaN ? low : min(max(self, low), high) }
}
