import Foundation

/// One migration on disk.
struct MigrationFile: Sendable, Equatable {
  var version: Int
  var name: String
  var sql: String

  /// The first line `-- no transaction` asks for statements one by one, as `CREATE INDEX CONCURRENTLY` needs.
  var runsInTransaction: Bool {
    sql.prefix { $0 != "\n" && $0 != "\r\n" }.trimmingCharacters(in: .whitespaces) != "-- no transaction"
  }

  /// All `NNNN_name.sql` of a directory, by version. Other files are ignored, except `.sql` files with another name and
  /// two files of one version, which are mistakes.
  static func all(in directory: String) throws(PostgresError) -> [MigrationFile] {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
      throw PostgresError(.migration, "the migrations folder \(directory) cannot be read")
    }
    var files: [Int: MigrationFile] = [:]
    for file in names where file.hasSuffix(".sql") && !file.hasPrefix(".") {
      let stem = file.dropLast(4)
      let digits = stem.prefix { $0.isASCII && $0.isNumber }
      guard digits.count == 4, let version = Int(digits), stem.dropFirst(4).first == "_", stem.count > 5 else {
        throw PostgresError(.migration, "\(file) is not named NNNN_name.sql")
      }
      guard let data = FileManager.default.contents(atPath: directory + "/" + file),
        let sql = String(validating: data, as: UTF8.self)
      else { throw PostgresError(.migration, "\(file) cannot be read as UTF-8") }
      if let other = files[version] {
        throw PostgresError(.migration, "\(file) and \(digits)_\(other.name).sql have the same version")
      }
      files[version] = MigrationFile(version: version, name: String(stem.dropFirst(5)), sql: sql)
    }
    return files.values.sorted { $0.version < $1.version }
  }
}

/// A migration that the database records.
struct MigrationRecord: Sendable, Equatable {
  var version: Int
  var name: String
  var checksum: String
}

/// Compares disk and database. Pure.
enum MigrationPlan {
  /// - Parameter files: with their checksums, by version.
  /// - Returns: the files to apply, in order.
  static func pending(
    files: [(file: MigrationFile, checksum: String)], recorded: [MigrationRecord]
  ) throws(PostgresError) -> [MigrationFile] {
    let byVersion = Dictionary(files.map { ($0.file.version, $0) }, uniquingKeysWith: { first, _ in first })
    for record in recorded {
      let title = "migration \(MigrationPlan.title(record.version, record.name))"
      guard let (file, checksum) = byVersion[record.version] else {
        throw PostgresError(
          .migration,
          "\(title) was applied to this database and is missing here: is this program older than the database?")
      }
      guard checksum == record.checksum else {
        throw PostgresError(
          .migration,
          "\(title) was changed after it was applied; put it back and write the change as a new migration")
      }
      guard file.name == record.name else {
        throw PostgresError(.migration, "\(title) was renamed to \(file.name) after it was applied")
      }
    }
    let last = recorded.map(\.version).max() ?? -1
    let recordedVersions = Set(recorded.map(\.version))
    let pending = files.map(\.file).filter { !recordedVersions.contains($0.version) }
    if let late = pending.first(where: { $0.version < last }) {
      throw PostgresError(
        .migration,
        "migration \(title(late.version, late.name)) is new, but a later one was applied before; give it a higher number"
      )
    }
    return pending
  }

  static func title(_ version: Int, _ name: String) -> String {
    let digits = String(version)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_" + name
  }
}
