import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// What a connection goes through: the framework's own parts, with ``ConnectionHandler`` before the place where the version
/// of HTTP is forgotten.
struct ConnectionChannel: HTTPChannelHandler {
  typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  let responder: Responder
  let limits: HTTPService.Limits
  let load: ServerLoad

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      var decoding = NIOHTTPDecoderLimitConfiguration()
      decoding.maxHeaderFieldSize = limits.maximumHeaderBytes
      decoding.maxHeaderListSize = limits.maximumHeaderBytes
      decoding.maxHeaderFieldCount = limits.maximumHeaderFields
      let pipeline = channel.pipeline.syncOperations
      // Requests that come ahead of their turn wait in the asynchronous channel; the responder answers what is malformed.
      try pipeline.configureHTTPServerPipeline(
        withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
        withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoding)
      try pipeline.addHandler(ConnectionHandler(limits: limits, load: load))
      try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
      try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: limits.idleTimeout, logger: logger))
      return try NIOAsyncChannel(
        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }
  }

  func handle(value: Value, logger: Logger) async {
    await handleHTTP(asyncChannel: value, logger: logger)
  }
}
