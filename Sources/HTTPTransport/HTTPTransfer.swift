internal import CCurl
import Networks

/// One HTTP exchange on the multi thread: sets the options, collects the answer, and resumes the caller once.
final class HTTPTransfer: CurlTransfer {
  typealias Answer = Result<HTTPTransportResponse, HTTPTransportError>

  private let request: HTTPTransportRequest
  private let target: RequestCheck.Target
  private let configuration: HTTPTransportConfiguration
  private let resume: (Answer) -> Void
  private var collector: ResponseCollector
  /// libcurl keeps the address, not a copy, of the list of header lines.
  private var headerLines: UnsafeMutablePointer<curl_slist>?
  /// The request would have been sent to a forbidden address.
  private var metRefusedAddress = false

  init(
    request: HTTPTransportRequest,
    target: RequestCheck.Target,
    configuration: HTTPTransportConfiguration,
    resume: @escaping (Answer) -> Void
  ) {
    self.request = request
    self.target = target
    self.configuration = configuration
    self.resume = resume
    collector = ResponseCollector(
      maximumBodyBytes: request.maximumResponseBytes, maximumHeaderBytes: configuration.maximumHeaderBytes)
  }

  deinit { curl_slist_free_all(headerLines) }

  func prepare(_ easy: inout CurlEasy, timeLeft: Duration) {
    setTarget(&easy)
    setTimes(&easy, timeLeft: timeLeft)
    setTLS(&easy)
    setRequest(&easy)
    setCallbacks(&easy)
    if request.destinations != .anywhere { setAddressChecks(&easy) }
  }

  func end(_ outcome: CurlOutcome, _ easy: CurlEasy?, mayHaveSent: Bool) {
    resume(answer(outcome, easy, mayHaveSent: mayHaveSent))
  }

  // MARK: Options

  private func setTarget(_ easy: inout CurlEasy) {
    easy.set(CURLOPT_URL, request.url)
    easy.set(CURLOPT_PROTOCOLS_STR, target.isTLS ? "https" : "http")
    easy.set(CURLOPT_PATH_AS_IS, true)
    easy.set(CURLOPT_FOLLOWLOCATION, false)
    // The environment (http_proxy, ~/.netrc) must not decide where credentials travel.
    easy.set(CURLOPT_PROXY, "")
    easy.set(CURLOPT_NOPROXY, "*")
    easy.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
    easy.set(CURLOPT_DNS_CACHE_TIMEOUT, Int(configuration.dnsCacheTime.components.seconds))
    easy.set(CURLOPT_MAXAGE_CONN, Int(max(1, configuration.idleConnectionTime.components.seconds)))
    easy.set(CURLOPT_TCP_KEEPALIVE, true)
    easy.set(CURLOPT_NOSIGNAL, true)
    // Without this, ending a transfer during a name look-up would wait for the look-up and block the whole thread.
    easy.set(CURLOPT_QUICK_EXIT, true)
  }

  private func setTimes(_ easy: inout CurlEasy, timeLeft: Duration) {
    easy.set(CURLOPT_TIMEOUT_MS, milliseconds: timeLeft)
    easy.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds: min(request.connectTimeout, timeLeft))
  }

  private func setTLS(_ easy: inout CurlEasy) {
    easy.set(CURLOPT_SSL_VERIFYPEER, true)
    easy.set(CURLOPT_SSL_VERIFYHOST, 2)
    easy.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    if let file = configuration.certificateAuthorityFile { easy.set(CURLOPT_CAINFO, file) }
    let version = configuration.offersHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
    easy.set(CURLOPT_HTTP_VERSION, Int(version))
    // Wait for a connection being opened to learn whether it can carry several requests, before opening more.
    easy.set(CURLOPT_PIPEWAIT, target.isTLS && configuration.offersHTTP2)
  }

  private func setRequest(_ easy: inout CurlEasy) {
    if let agent = configuration.userAgent { easy.set(CURLOPT_USERAGENT, agent) }
    let impliesBody = ["POST", "PUT", "PATCH"].contains(request.method)
    if let body = request.body ?? (impliesBody ? [] : nil) {
      easy.set(CURLOPT_POST, true)
      easy.setBody(body)
      easy.set(CURLOPT_CUSTOMREQUEST, request.method)
    } else if request.method == "HEAD" {
      easy.set(CURLOPT_NOBODY, true)
    } else {
      easy.set(CURLOPT_HTTPGET, true)
      easy.set(CURLOPT_CUSTOMREQUEST, request.method)
    }
    for line in headerLineTexts() {
      guard let longer = curl_slist_append(headerLines, line) else { continue }
      headerLines = longer
    }
    easy.set(CURLOPT_HTTPHEADER, pointer: headerLines)
  }

  /// libcurl's notation: `Name: value`, `Name;` for an empty value, `Name:` to leave out a field it would add.
  private func headerLineTexts() -> [String] {
    var lines = request.headers.map { name, value in value.isEmpty ? "\(name);" : "\(name): \(value)" }
    // Waiting for "100 Continue" costs a round trip, or a second when the server does not know it.
    lines.append("Expect:")
    let namesContentType = request.headers.contains { asciiCaseInsensitiveEqual($0.0, "Content-Type") }
    if !namesContentType { lines.append("Content-Type:") }
    return lines
  }

  private func setCallbacks(_ easy: inout CurlEasy) {
    // The loop holds this object until the handle is removed, and the callbacks run only until then.
    let this = Unmanaged.passUnretained(self).toOpaque()
    easy.set(CURLOPT_HEADERDATA, pointer: this)
    easy.set(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      guard let context, let bytes else { return 0 }
      let transfer = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
      let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
      return transfer.collector.takeHeaderLine(line) ? line.count : 0
    }
    easy.set(CURLOPT_WRITEDATA, pointer: this)
    easy.set(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let context, let bytes else { return 0 }
      let transfer = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
      let chunk = UnsafeRawBufferPointer(start: bytes, count: size * count)
      // Returning any number other than the chunk's size makes libcurl abort the transfer.
      return transfer.collector.takeBody(chunk) ? chunk.count : 0
    }
  }

  /// Two checks: no connection is opened to a forbidden address, and a kept connection, which another request may have
  /// opened, is checked before it is used.
  private func setAddressChecks(_ easy: inout CurlEasy) {
    let this = Unmanaged.passUnretained(self).toOpaque()
    easy.set(CURLOPT_OPENSOCKETDATA, pointer: this)
    easy.set(openSocket: { context, _, address in
      guard let context, let address else { return CURL_SOCKET_BAD }
      let transfer = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
      guard transfer.allows(IPAddress(address.pointee)) else { return CURL_SOCKET_BAD }
      return ccurl_open_socket(address)
    })
    easy.set(CURLOPT_PREREQDATA, pointer: this)
    easy.set(beforeRequest: { context, address, _, _, _ in
      guard let context, let address else { return CURL_PREREQFUNC_ABORT }
      let transfer = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
      return transfer.allows(IPAddress(String(cString: address))) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
    })
  }

  private func allows(_ address: IPAddress?) -> Bool {
    if let address, request.destinations.allows(address) { return true }
    metRefusedAddress = true
    return false
  }

  // MARK: Result

  private func answer(_ outcome: CurlOutcome, _ easy: CurlEasy?, mayHaveSent: Bool) -> Answer {
    if let limit = collector.exceededLimit { return .failure(.tooLarge(limit: limit)) }
    switch outcome {
    case .cancelled: return .failure(.cancelled)
    case .deadlinePassed: return .failure(mayHaveSent ? .timeout : .connectTimeout)
    case .notStarted(let code): return .failure(.invalidRequest(code.text))
    case .finished(CURLE_OK):
      guard let easy, let response = collector.response(version: Self.version(of: easy)) else {
        return .failure(.invalidResponse("no status line"))
      }
      return .success(response)
    case .finished(CURLE_COULDNT_CONNECT) where metRefusedAddress,
      .finished(CURLE_ABORTED_BY_CALLBACK) where metRefusedAddress:
      return .failure(.addressRefused)
    case .finished(let code): return .failure(Self.error(for: code, mayHaveSent: mayHaveSent))
    }
  }

  private static func version(of easy: CurlEasy) -> HTTPProtocolVersion {
    switch ccurl_info_long(easy.handle, CURLINFO_HTTP_VERSION) {
    case Int(CURL_HTTP_VERSION_1_0): .http10
    case Int(CURL_HTTP_VERSION_2_0): .http2
    case Int(CURL_HTTP_VERSION_3): .http3
    default: .http11
    }
  }

  /// Codes are explained in libcurl's manual page `libcurl-errors(3)`.
  static func error(for code: CURLcode, mayHaveSent: Bool) -> HTTPTransportError {
    switch code {
    case CURLE_OPERATION_TIMEDOUT: mayHaveSent ? .timeout : .connectTimeout
    // An answer without a status line is "unsupported" too (HTTP/0.9), but by then the request is out.
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
      mayHaveSent ? .invalidResponse(code.text) : .invalidRequest(code.text)
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED: .connection(code.text)
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CRL_BADFILE:
      mayHaveSent ? .connectionLost(code.text) : .tls(code.text)
    case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2: .invalidResponse(code.text)
    default: mayHaveSent ? .connectionLost(code.text) : .connection(code.text)
    }
  }
}
