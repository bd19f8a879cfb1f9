internal import CCurl

/// One message on its way to the relay, on the multi thread.
final class SMTPTransfer: CurlTransfer {
  typealias Answer = Result<Void, MailTransportError>

  private let relay: MailRelay
  private let sender: String
  private let bytes: [UInt8]
  private var sent = 0
  /// The relay asked for the message: its sender and receiver were accepted.
  private var wasAsked = false
  private let resume: (Answer) -> Void
  private var handle: UnsafeMutableRawPointer?
  /// Seconds.
  private static let patienceAtTheEnd = 2
  /// libcurl keeps the address, not a copy, of the list.
  private var receivers: UnsafeMutablePointer<curl_slist>?

  init(message: MailMessage, relay: MailRelay, resume: @escaping (Answer) -> Void) {
    self.relay = relay
    self.resume = resume
    sender = "<\(message.from.address)>"
    bytes = message.bytes()
    receivers = curl_slist_append(nil, "<\(message.to.address)>")
  }

  deinit { curl_slist_free_all(receivers) }

  func prepare(_ easy: inout CurlEasy, timeLeft: Duration) {
    easy.set(CURLOPT_URL, relay.url)
    easy.set(CURLOPT_PROTOCOLS_STR, relay.isTLSFromStart ? "smtps" : "smtp")
    // Neither a proxy nor credentials come from the environment.
    easy.set(CURLOPT_PROXY, "")
    easy.set(CURLOPT_NOPROXY, "*")
    easy.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
    easy.set(CURLOPT_NOSIGNAL, true)
    easy.set(CURLOPT_QUICK_EXIT, true)
    easy.set(CURLOPT_TIMEOUT_MS, milliseconds: timeLeft)
    easy.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds: min(.seconds(10), timeLeft))
    easy.set(CURLOPT_SERVER_RESPONSE_TIMEOUT, 20)
    // A kept connection may be one that the relay is about to close, and its "idle for too long" would count as an answer.
    easy.set(CURLOPT_FORBID_REUSE, true)
    easy.set(CURLOPT_FRESH_CONNECT, true)

    easy.set(CURLOPT_SSL_VERIFYPEER, true)
    easy.set(CURLOPT_SSL_VERIFYHOST, 2)
    easy.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    if let file = relay.certificateAuthorityFile { easy.set(CURLOPT_CAINFO, file) }
    easy.set(CURLOPT_USE_SSL, Int(relay.encryption == .required ? CURLUSESSL_ALL.rawValue : CURLUSESSL_NONE.rawValue))
    if let user = relay.user {
      easy.set(CURLOPT_USERNAME, user)
      easy.set(CURLOPT_PASSWORD, relay.password ?? "")
      easy.set(CURLOPT_SASL_IR, true)
    }

    easy.set(CURLOPT_MAIL_FROM, sender)
    easy.set(CURLOPT_MAIL_RCPT, pointer: receivers)
    easy.set(CURLOPT_UPLOAD, true)
    easy.set(CURLOPT_INFILESIZE_LARGE, offset: bytes.count)
    let this = Unmanaged.passUnretained(self).toOpaque()
    easy.set(CURLOPT_READDATA, pointer: this)
    easy.set(read: { buffer, size, count, context in
      guard let context, let buffer else { return 0 }
      return Unmanaged<SMTPTransfer>.fromOpaque(context).takeUnretainedValue().read(into: buffer, size * count)
    })
    // The relay's text is discarded; otherwise libcurl would print it.
    easy.set(CURLOPT_WRITEFUNCTION) { _, size, count, _ in size * count }
    handle = easy.handle
    easy.set(CURLOPT_HEADERDATA, pointer: this)
    easy.set(CURLOPT_HEADERFUNCTION) { line, size, count, context in
      if let context, let line, size * count > 0 {
        Unmanaged<SMTPTransfer>.fromOpaque(context).takeUnretainedValue().heard(UInt8(bitPattern: line.pointee))
      }
      return size * count
    }
  }

  private func read(into buffer: UnsafeMutablePointer<CChar>, _ room: Int) -> Int {
    wasAsked = true
    let count = min(room, bytes.count - sent)
    let target = UnsafeMutableRawBufferPointer(start: buffer, count: room)
    target.copyBytes(from: bytes[sent..<(sent + count)])
    sent += count
    return count
  }

  /// A line of a reply. After a line that ends the conversation only QUIT follows, and while libcurl waits for the answer to
  /// it, the thread that drives all messages is blocked.
  private func heard(_ first: UInt8) {
    let isRefusal = first == UInt8(ascii: "4") || first == UInt8(ascii: "5")
    guard let handle, isRefusal || (wasAsked && sent == bytes.count) else { return }
    _ = ccurl_set_long(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, Self.patienceAtTheEnd)
  }

  func end(_ outcome: CurlOutcome, _ easy: CurlEasy?, mayHaveSent: Bool) {
    switch outcome {
    case .cancelled: resume(.failure(.cancelled))
    case .deadlinePassed: resume(.failure(.timeout))
    case .notStarted(let code): resume(.failure(.connection(code.text)))
    case .finished(CURLE_OK): resume(.success(()))
    case .finished(let code):
      let reply = easy.map { ccurl_info_long($0.handle, CURLINFO_RESPONSE_CODE) } ?? 0
      resume(.failure(Self.error(for: code, reply: reply, wasAsked: wasAsked)))
    }
  }

  /// libcurl reports what failed and remembers the relay's last reply. Which of the two decides depends on how far the
  /// transfer came.
  static func error(for code: CURLcode, reply: Int, wasAsked: Bool) -> MailTransportError {
    switch code {
    case CURLE_OPERATION_TIMEDOUT: return .timeout
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: return .connection(code.text)
    case CURLE_USE_SSL_FAILED, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE,
      CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
      return .tls(code.text)
    case CURLE_LOGIN_DENIED:
      // A relay that temporarily cannot check passwords answers 4xx.
      return (400..<500).contains(reply) ? .later(reply: reply) : .authentication(reply: reply)
    // Something came instead of a reply, or nothing: the earlier reply decides nothing.
    case CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: return .connectionLost(code.text)
    default: break
    }
    switch reply {
    case 421, 400..<500: return .later(reply: reply)
    case 530, 535: return .authentication(reply: reply)
    // Before sender and recipient were checked, a refusal is not about the message.
    case 500..<600: return code == CURLE_SEND_ERROR || wasAsked ? .refused(reply: reply) : .later(reply: reply)
    default: return .connectionLost(code.text)
    }
  }
}
