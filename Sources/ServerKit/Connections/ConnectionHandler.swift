import NIOCore
import NIOHTTP1

/// Sits between the HTTP decoder and everything else in a connection, and does what its ``Conversation`` says: keeps time,
/// answers expectations, and closes the connection when it is over.
///
/// Every callback runs on the connection's event loop.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// The event that a handler sends down the channel when it begins to read the body of its request.
  struct BodyWanted: Sendable {}

  private let limits: HTTPService.Limits
  private let load: ServerLoad
  private var conversation: Conversation
  private var timer: Scheduled<Void>?
  private var timed = Conversation.Waiting.nothing
  /// Whether the request whose body is awaited counts as unfinished.
  private var isCounted = false
  private var isInputClosed = false
  private var isOutputClosed = false

  init(limits: HTTPService.Limits, load: ServerLoad) {
    self.limits = limits
    self.load = load
    conversation = Conversation(freeBytes: limits.freeBodyBytes)
  }

  // MARK: The connection

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { keepTime(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    keepTime(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    letGo()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { letGo() }

  /// Releases everything, once.
  private func letGo() {
    timer?.cancel()
    timer = nil
    if isCounted { load.end() }
    isCounted = false
    load.release(conversation.held)
    conversation = Conversation(freeBytes: 0)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event {
      isInputClosed = true
      if isOutputClosed { context.close(promise: nil) }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    guard event is BodyWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
    if conversation.wantsBody() {
      let head = HTTPResponseHead(version: .http1_1, status: .continue)
      context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }
    promise?.succeed()
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let isTaken: Bool
    switch unwrapInboundIn(data) {
    case .head(let head):
      isTaken = conversation.received(
        .init(
          isOld: head.version == .http1_0 || head.version == .http0_9, connection: head.headers["connection"],
          expect: head.headers["expect"]))
    case .body(let bytes):
      guard let held = conversation.received(bytes: bytes.readableBytes) else { return }
      guard load.hold(held) else { return cutOff(.bodiesFull, context) }
      isTaken = true
    case .end:
      isTaken = conversation.receivedEnd()
    }
    if isTaken { context.fireChannelRead(data) }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    conversation.readIsComplete()
    countUnfinished(context)
    keepTime(context)
    context.fireChannelReadComplete()
    // The remaining bytes are discarded, so nothing else asks for them.
    if conversation.isClosing { context.read() }
  }

  /// Only requests that do not arrive in one piece count: short requests are served whatever else is running.
  private func countUnfinished(_ context: ChannelHandlerContext) {
    guard case .body = conversation.waiting else {
      if isCounted { load.end() }
      isCounted = false
      return
    }
    guard !isCounted else { return }
    if load.begin() {
      isCounted = true
    } else {
      cutOff(.tooManyRequests, context)
    }
  }

  private func cutOff(_ reason: RequestCutOff, _ context: ChannelHandlerContext) {
    if conversation.refuse() {
      context.fireErrorCaught(reason)
    } else {
      context.close(promise: nil)
    }
  }

  // MARK: Time

  private func keepTime(_ context: ChannelHandlerContext) {
    let waiting = conversation.waiting
    guard waiting != timed else { return }
    timer?.cancel()
    timer = nil
    timed = waiting
    let limit: Duration
    switch waiting {
    case .nothing: return
    case .head: limit = limits.headTimeout
    case .body: limit = limits.requestTimeout
    case .goodbye: limit = limits.lingerTimeout
    }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: .nanoseconds(Int64(limit / .nanoseconds(1)))) {
      let (handler, context) = bound.value
      handler.timeIsUp(context)
    }
  }

  private func timeIsUp(_ context: ChannelHandlerContext) {
    timer = nil
    switch conversation.timeIsUp() {
    case .nothing: break
    case .close: context.close(promise: nil)
    case .refuse:
      context.fireErrorCaught(RequestCutOff.tooSlow)
      countUnfinished(context)
      keepTime(context)
    }
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard !conversation.isClosing else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    switch unwrapOutboundIn(data) {
    case .head(let head) where (100..<200).contains(head.status.code):
      context.write(data, promise: promise)
    case .head(let head):
      context.write(wrapOutboundOut(.head(answering(head))), promise: promise)
    case .body:
      context.write(data, promise: promise)
    case .end:
      load.release(conversation.isAnswered())
      guard conversation.isClosing else { return context.write(data, promise: promise) }
      let written = promise ?? context.eventLoop.makePromise()
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      written.futureResult.whenComplete { _ in
        let (handler, context) = bound.value
        handler.sayGoodbye(context)
      }
      context.writeAndFlush(data, promise: written)
    }
  }

  private func answering(_ head: HTTPResponseHead) -> HTTPResponseHead {
    var head = head
    let saysClose = !head.isKeepAlive
    let hasLength = head.headers.contains(name: "content-length") || !head.status.mayHaveResponseBody
    // The encoder sends chunks unless the answer has version HTTP/1.0, whose clients do not understand them.
    if conversation.answersOldClient, !hasLength { head.version = .http1_0 }
    switch conversation.answers(hasLength: hasLength, saysClose: saysClose) {
    case .asItIs: break
    case .keepAlive: head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
    case .close: head.headers.replaceOrAdd(name: "Connection", value: "close")
    }
    return head
  }

  /// Closes this side only, and reads on for a while. If a connection is closed with unread bytes, it is reset and the answer
  /// is lost (RFC 9112, section 9.6).
  private func sayGoodbye(_ context: ChannelHandlerContext) {
    guard !isInputClosed else { return context.close(promise: nil) }
    isOutputClosed = true
    context.close(mode: .output, promise: nil)
    countUnfinished(context)
    keepTime(context)
    context.read()
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if mode == .output {
      // This side closes by itself after the answer was sent.
      guard !conversation.isClosing, !isOutputClosed else {
        promise?.succeed()
        return
      }
      isOutputClosed = true
    }
    context.close(mode: mode, promise: promise)
  }
}

@available(*, unavailable)
extension ConnectionHandler: Sendable {}
