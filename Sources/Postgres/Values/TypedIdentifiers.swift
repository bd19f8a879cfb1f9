public import Identity

/// Typed ids travel as `text`.
extension ID: PostgresEncodable {}
extension ID: PostgresDecodable {}
extension ID: PostgresArrayElement {}
