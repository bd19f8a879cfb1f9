import Foundation
import HTTPTransport

extension String {
  func components(lines separator: String) -> [String] { components(separatedBy: separator) }
}

func close(_ connection: RawServer.Connection) {
  shutdown(connection.descriptor, Int32(SHUT_RDWR))
}

/// The error a request ends with; `nil` when it is answered.
func failure(_ send: () async throws(HTTPTransportError) -> HTTPTransportResponse) async -> HTTPTransportError? {
  do throws(HTTPTransportError) {
    _ = try await send()
    return nil
  } catch {
    return error
  }
}
