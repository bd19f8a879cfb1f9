/// Calendar arithmetic on unix seconds, UTC.
enum CalendarTime {
  static let hour: Int64 = 3600
  static let day: Int64 = 86_400

  /// The moment one billing interval later. A month keeps the day of the month and falls back to the month's last day.
  static func adding(_ count: Int64, _ interval: String, to moment: Int64) -> Int64 {
    switch interval {
    case "day": return moment + count * day
    case "week": return moment + count * 7 * day
    case "year": return addingMonths(count * 12, to: moment)
    default: return addingMonths(count, to: moment)
    }
  }

  static func addingMonths(_ months: Int64, to moment: Int64) -> Int64 {
    let days = Int64((Double(moment) / Double(day)).rounded(.down))
    let secondOfDay = moment - days * day
    let date = civil(fromDays: days)
    let month0 = date.year * 12 + (date.month - 1) + months
    let year = Int64((Double(month0) / 12).rounded(.down))
    let month = month0 - year * 12 + 1
    let lastDay = lengthOfMonth(year: year, month: month)
    return self.days(year: year, month: month, day: min(date.day, lastDay)) * day + secondOfDay
  }

  private static func lengthOfMonth(year: Int64, month: Int64) -> Int64 {
    switch month {
    case 2: return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: return 30
    default: return 31
    }
  }

  /// Days since 1970-01-01 of a date of the Gregorian calendar.
  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// A moment as API version 2 writes it, in UTC: `2026-11-18T09:30:00.042Z`.
  static func rfc3339(_ moment: Int64, milliseconds: Int64) -> String {
    let days = Int64((Double(moment) / Double(day)).rounded(.down))
    let second = moment - days * day
    let date = civil(fromDays: days)
    func padded(_ number: Int64, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
      + padded(second / hour, 2) + ":" + padded(second % hour / 60, 2) + ":" + padded(second % 60, 2) + "."
      + padded(milliseconds, 3) + "Z"
  }
}
