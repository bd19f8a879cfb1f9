import Testing

@testable import ServerKit

@Suite("A connection, as a value")
struct ConversationTests {
  private let plain = Conversation.Head(isOld: false, staysOpen: true)
  private let last = Conversation.Head(isOld: false, staysOpen: false)

  private func after(_ head: Conversation.Head, isRead: Bool = true) -> Conversation {
    var conversation = Conversation(freeBytes: 10)
    #expect(conversation.received(head) == true)
    if isRead { #expect(conversation.receivedEnd() == true) }
    conversation.readIsComplete()
    return conversation
  }

  @Test("goes on after an answer unless one of the two sides wants it to end")
  func persistence() {
    typealias Row = (head: Conversation.Head, hasLength: Bool, saysClose: Bool, Conversation.Persistence, closes: Bool)
    let old = Conversation.Head(isOld: true, staysOpen: false)
    let oldKept = Conversation.Head(isOld: true, staysOpen: true)
    let rows: [Row] = [
      (plain, true, false, .asItIs, false), (plain, false, false, .asItIs, false), (plain, true, true, .close, true),
      (last, true, false, .close, true), (old, true, false, .close, true), (oldKept, true, false, .keepAlive, false),
      (oldKept, false, false, .close, true), (oldKept, true, true, .close, true),
    ]
    for row in rows {
      var conversation = after(row.head)
      #expect(conversation.answers(hasLength: row.hasLength, saysClose: row.saysClose) == row.3)
      _ = conversation.isAnswered()
      #expect(conversation.isClosing == row.closes)
      #expect(conversation.waiting == (row.closes ? .goodbye : .nothing))
    }
  }

  @Test(
    "is kept open as HTTP says: not after any close, and by an old client only when it asks",
    arguments: [
      (false, [], true), (false, ["close"], false), (false, ["Upgrade, CLOSE"], false), (false, ["keep-alive"], true),
      (true, [], false), (true, ["Keep-Alive"], true), (true, ["keep-alive, close"], false),
      (true, ["keep-alive", "close"], false),
    ] as [(Bool, [String], Bool)])
  func options(isOld: Bool, connection: [String], staysOpen: Bool) {
    #expect(Conversation.Head(isOld: isOld, connection: connection, expect: []).staysOpen == staysOpen)
  }

  @Test("takes nothing after the request that the client ends it with")
  func afterTheLast() {
    var conversation = after(last)
    #expect(conversation.received(plain) == false)
    #expect(conversation.received(bytes: 3) == nil)
    #expect(conversation.receivedEnd() == false)
    #expect(conversation.waiting == .nothing)
  }

  @Test("tells the client to send its body once, when it is wanted and not there yet")
  func expectation() {
    let expecting = Conversation.Head(isOld: false, staysOpen: true, expectsContinue: true)
    var conversation = after(expecting, isRead: false)
    #expect(conversation.wantsBody() == true)
    #expect(conversation.wantsBody() == false)
    #expect(conversation.answers(hasLength: true, saysClose: false) == .asItIs)

    // The body came unasked.
    conversation = after(expecting, isRead: false)
    _ = conversation.received(bytes: 1)
    #expect(conversation.wantsBody() == false)
    #expect(conversation.answers(hasLength: true, saysClose: false) == .asItIs)

    // Nobody asked for it: whether it still comes is not known, so nothing can follow on this connection.
    conversation = after(expecting, isRead: false)
    #expect(conversation.answers(hasLength: true, saysClose: false) == .close)
    #expect(conversation.wantsBody() == false)

    // HTTP/1.0 knows no such thing, and a client that expects nothing gets nothing.
    conversation = after(.init(isOld: true, staysOpen: true, expectsContinue: true), isRead: false)
    #expect(conversation.wantsBody() == false)
    conversation = after(plain, isRead: false)
    #expect(conversation.wantsBody() == false)
  }

  @Test("waits for the head, then for the body, then for nothing while the server works")
  func waiting() {
    var conversation = Conversation(freeBytes: 10)
    #expect(conversation.waiting == .head)
    conversation.readIsComplete()
    #expect(conversation.waiting == .head)
    _ = conversation.received(plain)
    conversation.readIsComplete()
    #expect(conversation.waiting == .body(1))
    _ = conversation.receivedEnd()
    conversation.readIsComplete()
    #expect(conversation.waiting == .nothing)
    _ = conversation.answers(hasLength: true, saysClose: false)
    _ = conversation.isAnswered()
    #expect(conversation.waiting == .nothing)
    // A part of the next head.
    conversation.readIsComplete()
    #expect(conversation.waiting == .head)
    #expect(conversation.timeIsUp() == .close)
  }

  @Test("a body that is too slow is refused while it can be, else the connection ends")
  func overdue() {
    var conversation = after(plain, isRead: false)
    #expect(conversation.timeIsUp() == .refuse)
    #expect(conversation.received(bytes: 4) == nil)
    #expect(conversation.answers(hasLength: true, saysClose: false) == .close)

    conversation = after(plain, isRead: false)
    _ = conversation.answers(hasLength: true, saysClose: false)
    #expect(conversation.timeIsUp() == .close)
    _ = conversation.isAnswered()
    #expect(conversation.waiting == .body(1))
    #expect(conversation.timeIsUp() == .close)

    conversation = after(plain)
    #expect(conversation.timeIsUp() == .nothing)
  }

  @Test("holds what is beyond the free bytes of each body until it is answered")
  func bytes() {
    var conversation = after(plain, isRead: false)
    #expect(conversation.received(bytes: 8) == 0)
    #expect(conversation.received(bytes: 8) == 6)
    #expect(conversation.received(bytes: 8) == 8)
    _ = conversation.receivedEnd()
    _ = conversation.received(plain)
    #expect(conversation.received(bytes: 12) == 2)
    #expect(conversation.held == 16)
    _ = conversation.answers(hasLength: true, saysClose: false)
    #expect(conversation.isAnswered() == 14)
    #expect(conversation.held == 2)
  }

  @Test("an answer to what is no request ends the connection")
  func noRequest() {
    var conversation = Conversation(freeBytes: 10)
    #expect(conversation.answers(hasLength: true, saysClose: false) == .close)
    #expect(conversation.isAnswered() == 0)
    #expect(conversation.isClosing)
  }

  @Test(
    "connections leave files for everything else",
    arguments: [(10_000, nil, 10_000), (10_000, 20_000, 10_000), (10_000, 1_024, 832), (10_000, 256, 128), (4, 256, 4)]
      as [(Int, Int?, Int)])
  func openFiles(wanted: Int, limit: Int?, connections: Int) {
    #expect(OpenFiles.connections(wanted: wanted, limit: limit, reserved: 192) == connections)
  }
}
