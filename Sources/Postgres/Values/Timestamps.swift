public import Foundation

/// `timestamptz`, kept to the microsecond, as the server does.
extension Date: PostgresCodable, PostgresArrayElement {
  public static var postgresType: PostgresType { .timestamptz }
  public var postgresValue: PostgresValue {
    guard let microseconds = TimestampFormat.microseconds(self) else {
      return .refused(reason: TimestampFormat.refusal)
    }
    return .binary(ArrayFormat.bigEndian(microseconds))
  }

  public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Date {
    guard let date = try cell.withBytes({ TimestampFormat.parse($0) }) else {
      throw cell.failure(expected: "a finite timestamp")
    }
    return date
  }

  public static var postgresArrayType: PostgresType { .timestamptzArray }
  public static func encodeArray(_ elements: [Date]) -> PostgresValue {
    var encoded: [[UInt8]] = []
    encoded.reserveCapacity(elements.count)
    for element in elements {
      guard let microseconds = TimestampFormat.microseconds(element) else {
        return .refused(reason: TimestampFormat.refusal)
      }
      encoded.append(ArrayFormat.bigEndian(microseconds))
    }
    return ArrayFormat.encode(elementType: .timestamptz, encoded)
  }

  public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Date] {
    try decodeElements(cell, expected: "an array of finite timestamps") { TimestampFormat.parse($0) }
  }
}

/// The server counts microseconds from 2000-01-01 UTC and writes `2026-11-23 15:30:14.123456+00` under datestyle ISO.
enum TimestampFormat {
  static let refusal = "a date out of the range of timestamptz"

  /// 2001-01-01, where `Date` counts from, in the server's count.
  private static let referenceDate: Int64 = 366 * 86_400 * 1_000_000

  static func microseconds(_ date: Date) -> Int64? {
    let value = (date.timeIntervalSinceReferenceDate * 1_000_000).rounded()
    // Years 4713 BC to 294276 AD (PostgreSQL docs, table 8.9).
    guard value.isFinite, value > -2.1e17, value < 9.2e18 else { return nil }
    let (sum, overflow) = Int64(value).addingReportingOverflow(referenceDate)
    return overflow ? nil : sum
  }

  static func date(microseconds: Int64) -> Date {
    Date(timeIntervalSinceReferenceDate: Double(microseconds - referenceDate) / 1_000_000)
  }

  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Date? {
    var scanner = Scanner(text)
    guard let writtenYear = scanner.number(4...7), scanner.skip("-"), let month = scanner.number(2...2),
      scanner.skip("-"),
      let day = scanner.number(2...2), (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    var seconds: Int64 = 0
    var microseconds: Int64 = 0
    if scanner.skip(" ") {
      guard let hour = scanner.number(2...2), scanner.skip(":"), let minute = scanner.number(2...2),
        scanner.skip(":"), let second = scanner.number(2...2)
      else { return nil }
      seconds += hour * 3600 + minute * 60 + second
      if scanner.skip(".") {
        guard let (fraction, digits) = scanner.digits(1...6) else { return nil }
        microseconds = fraction
        for _ in digits..<6 { microseconds *= 10 }
      }
      if let sign: Int64 = scanner.skip("+") ? 1 : scanner.skip("-") ? -1 : nil {
        guard let hours = scanner.number(2...2) else { return nil }
        var offset = hours * 3600
        if scanner.skip(":") {
          guard let minutes = scanner.number(2...2) else { return nil }
          offset += minutes * 60
          if scanner.skip(":") {
            guard let rest = scanner.number(2...2) else { return nil }
            offset += rest
          }
        }
        seconds -= sign * offset
      }
    }
    // The year before 1 AD is 1 BC.
    let isBC = scanner.skip(" ") && scanner.skip("B") && scanner.skip("C")
    guard scanner.isAtEnd else { return nil }
    seconds += daysFromEpoch(year: isBC ? 1 - writtenYear : writtenYear, month: month, day: day) * 86_400
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    return overflow ? nil : date(microseconds: product + microseconds)
  }

  /// Days from 2000-01-01 in the proleptic Gregorian calendar. Years are counted from March so that the leap day is last.
  private static func daysFromEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 730_425
  }

  private struct Scanner {
    private var rest: Slice<UnsafeBufferPointer<UInt8>>
    init(_ text: UnsafeBufferPointer<UInt8>) { rest = text[...] }
    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: character) else { return false }
      rest.removeFirst()
      return true
    }

    mutating func number(_ lengths: ClosedRange<Int>) -> Int64? { digits(lengths)?.value }

    mutating func digits(_ lengths: ClosedRange<Int>) -> (value: Int64, count: Int)? {
      var value: Int64 = 0
      var count = 0
      while count < lengths.upperBound, let byte = rest.first, byte >= 48, byte <= 57 {
        value = value * 10 + Int64(byte - 48)
        count += 1
        rest.removeFirst()
      }
      return count >= lengths.lowerBound ? (value, count) : nil
    }
  }
}
