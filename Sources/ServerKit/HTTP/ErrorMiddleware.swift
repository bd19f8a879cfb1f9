public import Hummingbird
import Logging
import NIOCore
import NIOHTTP1

/// Turns every error of a handler into the error envelope. Nothing internal reaches the caller; an unexpected error is logged
/// under the request's id.
public struct ErrorMiddleware: RouterMiddleware {
  public typealias Context = AppContext

  let translate: @Sendable (any Error) -> APIFailure?

  /// - Parameter translate: gives the answer for errors of other modules, such as a database that is down; nil for an error
  ///   it does not know.
  public init(translate: @escaping @Sendable (any Error) -> APIFailure? = { _ in nil }) {
    self.translate = translate
  }

  public func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    do {
      let response = try await next(request, context)
      // A handler may answer with only a status, but callers are promised the envelope.
      if response.status.code >= 400, response.body.contentLength == 0 {
        return Answer.failure(.of(response.status), context: context)
      }
      return response
    } catch let error as HTTPParserError {
      // The bytes on the connection are not HTTP. The server answers 400 itself and closes.
      throw error
    } catch {
      let failure = Self.known(error) ?? translate(error)
      if let failure {
        if failure.status.code >= 500 {
          context.logger.warning(
            "The request failed", metadata: ["code": "\(failure.code)", "error": "\(Self.summary(error))"])
        }
        return Answer.failure(failure, context: context)
      }
      context.logger.error(
        "The request failed unexpectedly",
        metadata: ["error_type": "\(String(reflecting: type(of: error)))", "error": "\(Self.summary(error))"])
      return Answer.failure(.internalError, context: context)
    }
  }

  private static func known(_ error: any Error) -> APIFailure? {
    switch error {
    case let failure as APIFailure:
      return failure
    case let error as HTTPError:
      var failure = APIFailure.of(error.status, detail: error.status.code < 500 ? error.body : nil)
      failure.headers = error.headers.map { ($0.name.rawName, $0.value) }
      return failure
    case let cutOff as RequestCutOff:
      return cutOff.failure
    case is NIOTooManyBytesError:
      return .of(.contentTooLarge)
    case is CancellationError:
      return .unavailable("the request was given up")
    case let error as any HTTPResponseError:
      return .of(error.status)
    default:
      return nil
    }
  }

  private static func summary(_ error: any Error) -> String {
    String(String(describing: error).prefix(500))
  }
}
