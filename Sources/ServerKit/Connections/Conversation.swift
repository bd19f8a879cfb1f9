/// One connection as a value: parts of requests come in, parts of answers go out, and it says what to do next (RFC 9112,
/// section 9). It knows no clock and no socket.
struct Conversation {
  /// The parts of a request's head that matter to its connection.
  struct Head: Equatable {
    /// HTTP/1.0: it understands neither chunks nor `100 Continue`.
    var isOld: Bool
    /// The client wants the connection to stay open after the answer.
    var staysOpen: Bool
    /// `Expect: 100-continue`.
    var expectsContinue = false

    init(isOld: Bool, staysOpen: Bool, expectsContinue: Bool = false) {
      self.isOld = isOld
      self.staysOpen = staysOpen
      self.expectsContinue = expectsContinue
    }

    /// - Parameters:
    /// - connection: the values of `Connection`. If one of them is `close`, it overrides all others.
    ///   - expect: the values of `Expect`.
    init(isOld: Bool, connection: [String], expect: [String]) {
      let options = RequestAdmission.tokens(connection)
      self.init(
        isOld: isOld, staysOpen: !options.contains("close") && (!isOld || options.contains("keep-alive")),
        expectsContinue: RequestAdmission.expectsContinue(expect))
    }
  }

  /// What the connection waits for; each kind has its own time limit.
  enum Waiting: Equatable {
    /// Nothing is under way, or the server must answer.
    case nothing
    /// The rest of a request's head, or the first one of a new connection.
    case head
    /// The rest of the body of the request with this number.
    case body(Int)
    /// That the client closes its side.
    case goodbye
  }

  /// What an answer's head says about the connection.
  enum Persistence: Equatable { case asItIs, keepAlive, close }

  /// What to do when the time is up.
  enum Overdue: Equatable { case nothing, refuse, close }

  private struct Exchange {
    let number: Int
    let head: Head
    var staysOpen: Bool
    var isContinued = false
    var isAnswering = false
    var hasBody = false
    var isRead = false
    var received = 0
    var held = 0
  }

  /// How many bytes of each body do not count toward the common limit.
  let freeBytes: Int

  /// Requests that are not answered yet, the oldest first.
  private var exchanges: [Exchange] = []
  private var lastNumber = 0
  /// The number of the request whose body is being read; it may have its answer already.
  private var reading: Int?
  private var awaitsHead = true
  private var sawPart = false
  /// A request was read after which the client sends no more, or a request was refused.
  private var isLastRead = false
  private var isRefused = false
  /// The answer that ends the connection was written.
  private(set) var isClosing = false

  init(freeBytes: Int) { self.freeBytes = freeBytes }

  /// See ``Waiting``.
  var waiting: Waiting {
    if isClosing { return .goodbye }
    if isRefused { return .nothing }
    if let reading { return .body(reading) }
    return awaitsHead && !isLastRead ? .head : .nothing
  }

  /// Bytes that count toward the common limit, for all requests together.
  var held: Int { exchanges.reduce(0) { $0 + $1.held } }

  // MARK: What comes in

  /// - Returns: whether it is for the application. What follows the last request of a connection is ignored.
  mutating func received(_ head: Head) -> Bool {
    sawPart = true
    guard !isLastRead, !isRefused, !isClosing else { return false }
    lastNumber += 1
    awaitsHead = false
    reading = lastNumber
    isLastRead = !head.staysOpen
    exchanges.append(Exchange(number: lastNumber, head: head, staysOpen: head.staysOpen))
    return true
  }

  /// - Returns: nil if nobody takes the bytes; otherwise how many more count toward the common limit.
  mutating func received(bytes count: Int) -> Int? {
    sawPart = true
    guard let reading, !isRefused, !isClosing else { return nil }
    guard let index = exchanges.firstIndex(where: { $0.number == reading }) else { return 0 }
    exchanges[index].hasBody = true
    exchanges[index].received += count
    let more = max(0, exchanges[index].received - freeBytes) - exchanges[index].held
    exchanges[index].held += more
    return more
  }

  /// The body is complete.
  /// - Returns: whether it is for the application.
  mutating func receivedEnd() -> Bool {
    sawPart = true
    guard let number = reading, !isRefused, !isClosing else { return false }
    reading = nil
    if let index = exchanges.firstIndex(where: { $0.number == number }) { exchanges[index].isRead = true }
    return true
  }

  /// All bytes that had arrived were processed. Bytes that made no part belong to the head of a request.
  mutating func readIsComplete() {
    if !sawPart, reading == nil { awaitsHead = true }
    sawPart = false
  }

  /// The application wants the body of the request that it is answering.
  /// - Returns: whether the client must be told to send it: only once, and not if it sends already (RFC 9110, section
  ///   10.1.1).
  mutating func wantsBody() -> Bool {
    guard let first = exchanges.first, first.head.expectsContinue, !first.head.isOld, !first.isContinued,
      !first.isAnswering, !first.hasBody, !first.isRead, !isRefused
    else { return false }
    exchanges[0].isContinued = true
    return true
  }

  /// The time limit has passed.
  mutating func timeIsUp() -> Overdue {
    switch waiting {
    case .nothing: .nothing
    case .head, .goodbye: .close
    // A client that has its answer and still sends gets no further answer.
    case .body: refuse() ? .refuse : .close
    }
  }

  /// Takes nothing more of the request that is being read.
  /// - Returns: whether it can still be answered with a refusal.
  mutating func refuse() -> Bool {
    guard let last = exchanges.indices.last, exchanges[last].number == reading, !exchanges[last].isAnswering else {
      return false
    }
    isRefused = true
    isLastRead = true
    exchanges[last].staysOpen = false
    return true
  }

  // MARK: What goes out

  /// An answer begins.
  ///
  /// - Parameters:
  ///   - hasLength: its head says where it ends, by a length or by having no body.
  ///   - saysClose: the application wants the connection to end.
  mutating func answers(hasLength: Bool, saysClose: Bool) -> Persistence {
    // An answer to bytes that are not a request.
    guard let first = exchanges.first else { return .close }
    let bodyIsUnasked = first.head.expectsContinue && !first.isContinued && !first.hasBody && !first.isRead
    // Only the end of the connection shows an HTTP/1.0 client where an answer of unknown length ends.
    if saysClose || bodyIsUnasked || (first.head.isOld && !hasLength) { exchanges[0].staysOpen = false }
    exchanges[0].isAnswering = true
    guard exchanges[0].staysOpen else { return .close }
    return first.head.isOld ? .keepAlive : .asItIs
  }

  /// The client of the next answer speaks HTTP/1.0.
  var answersOldClient: Bool { exchanges.first?.head.isOld ?? false }

  /// The answer is written.
  /// - Returns: how many bytes no longer count. ``isClosing`` says whether the connection ends with this answer.
  mutating func isAnswered() -> Int {
    guard let first = exchanges.first else {
      isClosing = true
      return 0
    }
    exchanges.removeFirst()
    if !first.staysOpen { isClosing = true }
    return first.held
  }
}
