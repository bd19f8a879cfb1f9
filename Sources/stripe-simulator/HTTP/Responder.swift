import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Reads the request, lets the simulator answer it, and writes the answer.
struct Responder: HTTPResponder {
  typealias Context = BasicRequestContext

  let simulator: Simulator
  let logger: Logger

  @Sendable func respond(to request: Request, context: Context) async throws -> Response {
    var request = request
    let buffer: ByteBuffer
    do {
      buffer = try await request.collectBody(upTo: 4 << 20)
    } catch {
      return response(Answer(status: 413, contentType: "text/plain", body: "The body is too large.\n"))
    }
    var headers: [String: String] = [:]
    for field in request.headers { headers[field.name.canonicalName] = field.value }
    let call = Call(
      method: request.method.rawValue, path: request.uri.path, query: request.uri.query ?? "", headers: headers,
      body: Array(buffer.readableBytesView))
    let answer = await Dispatcher(simulator: simulator).answer(call)
    if answer.delay > 0 { try? await Task.sleep(for: .milliseconds(answer.delay)) }
    return response(answer)
  }

  private func response(_ answer: Answer) -> Response {
    var fields = HTTPFields()
    fields[.contentType] = answer.contentType
    for (name, value) in answer.headers {
      if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
    }
    return Response(
      status: .init(code: answer.status), headers: fields,
      body: ResponseBody(byteBuffer: ByteBuffer(string: answer.body)))
  }
}
