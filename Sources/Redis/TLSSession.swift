internal import COpenSSL

/// TLS on a connected socket. The server's certificate is verified against the system's authorities (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name others) and against the URL's host. Used by one thread.
final class TLSSession {
  private let session: OpaquePointer

  /// The result of a read.
  enum Read {
    case bytes([UInt8])
    /// Nothing for this client, such as a ticket of the session, or nothing in time.
    case nothing
    case closed
  }

  /// Does the handshake. The socket's own time limits bound each of its reads and writes.
  init(socket: Int32, host: String) throws(RedisError) {
    guard let context = SSL_CTX_new(TLS_client_method()) else { throw .unavailable("TLS: out of memory") }
    defer { SSL_CTX_free(context) }  // the session keeps its own reference
    SSL_CTX_set_default_verify_paths(context)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    guard copenssl_require_tls_1_2(context) == 1, let session = SSL_new(context) else {
      throw .unavailable("TLS: out of memory")
    }
    self.session = session
    guard copenssl_expect_host(session, host) == 1, SSL_set_fd(session, socket) == 1 else {
      throw .unavailable("TLS: the host cannot be verified")
    }
    ERR_clear_error()
    guard SSL_connect(session) == 1 else { throw .unavailable("TLS: " + reason()) }
  }

  deinit { SSL_free(session) }

  /// Whether bytes are waiting that were already read from the socket.
  var hasPending: Bool { SSL_pending(session) > 0 }

  func write(_ bytes: [UInt8]) throws(RedisError) {
    var written = 0
    while written < bytes.count {
      ERR_clear_error()
      let count = bytes.withUnsafeBytes { buffer in
        SSL_write(session, buffer.baseAddress.map { $0 + written }, Int32(clamping: bytes.count - written))
      }
      guard count > 0 else { throw hasTimedOut(count) ? .timeout : .unavailable("TLS: the connection broke") }
      written += Int(count)
    }
  }

  func read() -> Read {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    ERR_clear_error()
    let count = SSL_read(session, &buffer, Int32(buffer.count))
    if count > 0 { return .bytes(Array(buffer.prefix(Int(count)))) }
    return SSL_get_error(session, count) == SSL_ERROR_WANT_READ ? .nothing : .closed
  }

  private func hasTimedOut(_ result: Int32) -> Bool {
    let error = SSL_get_error(session, result)
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ
  }

  /// Why the handshake failed: OpenSSL's own words about the certificate or the handshake.
  private func reason() -> String {
    let verification = SSL_get_verify_result(session)
    if verification != Int(X509_V_OK), let text = X509_verify_cert_error_string(verification) {
      return "the certificate: " + String(cString: text)
    }
    let error = ERR_get_error()
    guard error != 0, let text = ERR_reason_error_string(error) else { return "the handshake failed" }
    return String(cString: text)
  }
}
