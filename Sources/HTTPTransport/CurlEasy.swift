internal import CCurl

/// One libcurl easy handle, with typed setters that remember the first failure. Used on the multi thread only.
struct CurlEasy {
  let handle: UnsafeMutableRawPointer
  private(set) var firstFailure: CURLcode = CURLE_OK

  init(_ handle: UnsafeMutableRawPointer) {
    self.handle = handle
  }

  mutating func set(_ option: CURLoption, _ value: Int) {
    note(ccurl_set_long(handle, option, value))
  }

  mutating func set(_ option: CURLoption, _ value: Bool) {
    note(ccurl_set_long(handle, option, value ? 1 : 0))
  }

  /// Whole milliseconds, rounded up; at least one, because libcurl reads 0 as "for ever".
  mutating func set(_ option: CURLoption, milliseconds duration: Duration) {
    set(option, Int(duration.wholeMilliseconds(atLeast: 1)))
  }

  mutating func set(_ option: CURLoption, offset value: Int) {
    note(ccurl_set_offset(handle, option, curl_off_t(value)))
  }

  /// libcurl copies the text.
  mutating func set(_ option: CURLoption, _ value: String) {
    note(ccurl_set_string(handle, option, value))
  }

  mutating func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
    note(ccurl_set_pointer(handle, option, pointer))
  }

  mutating func set(_ option: CURLoption, callback: @escaping curl_write_callback) {
    note(ccurl_set_callback(handle, option, callback))
  }

  /// Called instead of `socket(2)`, with the address that is to be connected to.
  mutating func set(openSocket callback: @escaping curl_opensocket_callback) {
    note(ccurl_set_open_socket(handle, callback))
  }

  /// Called before each request, also over a connection that was kept, with the address it is connected to.
  mutating func set(beforeRequest callback: @escaping curl_prereq_callback) {
    note(ccurl_set_before_request(handle, callback))
  }

  /// Called for the bytes to send.
  mutating func set(read callback: @escaping curl_read_callback) {
    note(ccurl_set_read(handle, callback))
  }

  /// Has libcurl copy these bytes as the request's body.
  mutating func setBody(_ bytes: [UInt8]) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, offset: bytes.count)
    bytes.withUnsafeBytes { buffer in
      // A nil address would mean "read the body through a callback"; an empty body still needs an address.
      if let address = buffer.baseAddress, !buffer.isEmpty {
        note(ccurl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: address)))
      } else {
        set(CURLOPT_COPYPOSTFIELDS, "")
      }
    }
  }

  /// Whether bytes of a request can have left this machine: the handshakes are over (which libcurl notes just before it
  /// writes), or it counts bytes as written.
  var mayHaveSent: Bool {
    ccurl_info_offset(handle, CURLINFO_PRETRANSFER_TIME_T) > 0 || ccurl_info_long(handle, CURLINFO_REQUEST_SIZE) > 0
  }

  private mutating func note(_ code: CURLcode) {
    if firstFailure == CURLE_OK { firstFailure = code }
  }
}

extension CURLcode {
  /// libcurl's fixed English text for a code; it holds no address and no content.
  var text: String { String(cString: curl_easy_strerror(self)) }
}

extension Duration {
  /// Whole milliseconds, rounded up and kept within what every C interface here can take (24 days).
  func wholeMilliseconds(atLeast minimum: Int64 = 0) -> Int64 {
    let (seconds, attoseconds) = components
    guard seconds < 2_000_000 else { return 2_000_000_000 }
    guard seconds > -2_000_000 else { return minimum }
    return max(minimum, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
