import Foundation
import LicenseKitAPI
import ServerKit

/// What a custom field holds: one value of one type.
enum CustomFieldContent: Hashable, Sendable {
  case string(String)
  case integer(Int64)
  case boolean(Bool)
  case datetime(Date)
  case option(String)

  /// The most bytes of a text.
  static let maximumText = 4_096

  var type: CustomFieldValueType {
    switch self {
    case .string: .string
    case .integer: .integer
    case .boolean: .boolean
    case .datetime: .datetime
    case .option: .enum
    }
  }

  /// Refuses what the field cannot hold: 422, naming the member of the request.
  func check(for field: CustomFieldDefinition) throws(APIFailure) {
    let member = Self.member(type)
    guard type == field.valueType else {
      throw .validation(
        field: member, "the field holds \(field.valueType.rawValue): give \(Self.member(field.valueType))")
    }
    switch self {
    case .string(let text):
      try Checks.length(text, member, maximum: Self.maximumText)
      if field.isRequired { try Checks.required(text, member, maximum: Self.maximumText) }
    case .integer(let number):
      try Checks.range(number, member, -Checks.maximumInteger...Checks.maximumInteger)
    case .option(let option):
      guard field.enumOptions.contains(option) else {
        throw .validation(field: member, "must be one of " + field.enumOptions.joined(separator: ", "))
      }
    case .boolean, .datetime: break
    }
  }

  /// The member of a request that carries a type.
  static func member(_ type: CustomFieldValueType) -> String { "\(type.rawValue)_value" }
}

/// What a request asks of a value.
enum CustomFieldChange: Hashable, Sendable {
  case set(CustomFieldContent)
  case clear

  /// - Throws: 422 unless there is exactly one value, or `clear` alone.
  init(_ request: CustomFieldValueUpsertRequest) throws(APIFailure) {
    var given: [CustomFieldContent] = []
    if let text = request.stringValue { given.append(.string(text)) }
    if let number = request.integerValue { given.append(.integer(number)) }
    if let flag = request.booleanValue { given.append(.boolean(flag)) }
    if let moment = request.datetimeValue { given.append(.datetime(moment.wholeSeconds)) }
    if let option = request.enumValue { given.append(.option(option)) }
    switch (request.clear ?? false, given.count) {
    case (true, 0): self = .clear
    case (false, 1): self = .set(given[0])
    case (true, _):
      throw .validation(field: CustomFieldContent.member(given[0].type), "must not come together with clear")
    case (false, 0):
      let members = CustomFieldValueType.allCases.map(CustomFieldContent.member).joined(separator: ", ")
      throw .validation("clear: give true, or one of \(members)")
    case (false, _):
      throw .validation(field: CustomFieldContent.member(given[1].type), "must be the only value given")
    }
  }
}

/// The rules of `enum_options`.
enum CustomFieldOptions {
  static let maximum = 100

  /// Options that make sense for a type: 422 otherwise, naming the option.
  static func checked(_ options: [String], for type: CustomFieldValueType) throws(APIFailure) -> [String] {
    guard type == .enum else {
      guard options.isEmpty else {
        throw .validation(field: "enum_options", "is only allowed for enum, and this is \(type.rawValue)")
      }
      return []
    }
    try Checks.range(options.count, "enum_options", 1...maximum)
    for (index, option) in options.enumerated() {
      try Checks.code(option, "enum_options[\(index)]")
      guard !options[..<index].contains(option) else {
        throw .validation(field: "enum_options[\(index)]", "must not be there twice")
      }
    }
    return options
  }
}
