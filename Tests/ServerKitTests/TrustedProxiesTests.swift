import HTTPTypes
import Hummingbird
import Networks
import Testing

@testable import ServerKit

@Suite("The address of a client")
struct TrustedProxiesTests {
  private let proxies = TrustedProxies(
    ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"].compactMap { NetworkBlock($0) })

  private func client(_ peer: String, _ fields: [(HTTPField.Name, String)], _ proxies: TrustedProxies) -> String? {
    var headers = HTTPFields()
    for (name, value) in fields { headers.append(HTTPField(name: name, value: value)) }
    return proxies.client(of: IPAddress(peer), headers)?.description
  }

  @Test(
    "is found behind the proxies that are trusted, and nowhere else",
    arguments: [
      // The headers of somebody who is no trusted proxy say nothing.
      ("198.51.100.9", ["203.0.113.7"], "198.51.100.9"),
      ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
      ("10.0.0.1", [], "10.0.0.1"),
      // Whatever the client wrote itself stands to the left of whom the proxy saw.
      ("10.0.0.1", ["1.2.3.4, 203.0.113.7"], "203.0.113.7"),
      ("10.0.0.1", ["evil, 203.0.113.7"], "203.0.113.7"),
      ("10.0.0.1", ["203.0.113.7, 10.9.9.9,2001:db8:1::5"], "203.0.113.7"),
      ("10.0.0.1", ["1.2.3.4", "203.0.113.7", "10.2.3.4"], "203.0.113.7"),
      ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
      ("10.0.0.1", ["203.0.113.7:51000"], "203.0.113.7"),
      ("10.0.0.1", ["[2001:db8:2::1]:443, 192.0.2.7"], "2001:db8:2::1"),
      ("10.0.0.1", ["2001:DB8:2:0::1"], "2001:db8:2::1"),
      ("10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
      // What cannot be read ends the walk at the last good one.
      ("10.0.0.1", ["203.0.113.7, unknown"], "10.0.0.1"),
      ("10.0.0.1", ["203.0.113.7, garbage, 10.5.5.5"], "10.5.5.5"),
      ("10.0.0.1", ["203.0.113.7:99999999, 10.5.5.5"], "10.5.5.5"),
      ("10.0.0.1", ["203.0.113.007"], "10.0.0.1"),
      ("10.0.0.1", ["[203.0.113.7]"], "10.0.0.1"),
      ("10.0.0.1", ["fe80::1%eth0"], "10.0.0.1"),
      ("10.0.0.1", [""], "10.0.0.1"),
      ("10.0.0.1", ["203.0.113.7, , "], "203.0.113.7"),
    ])
  func plain(_ peer: String, _ lines: [String], _ expected: String) throws {
    #expect(client(peer, lines.map { (.xForwardedFor, $0) }, proxies) == expected)
  }

  @Test(
    "is read from the standard's header where there is no other",
    arguments: [
      (["for=203.0.113.7"], "203.0.113.7"),
      (["For=\"203.0.113.7:4711\";proto=https;by=10.0.0.2"], "203.0.113.7"),
      (["for=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
      (["proto=http;for=\"[2001:db8:2::1]\" , for=10.3.3.3"], "2001:db8:2::1"),
      (["for=1.2.3.4", "for=203.0.113.7;by=_edge", "for=\"10.2.3.4:_port\""], "203.0.113.7"),
      (["for=\"203.0.\\113.7\""], "203.0.113.7"),
      (["for=_hidden, for=10.4.4.4"], "10.4.4.4"),
      (["for=unknown"], "10.0.0.1"),
      (["by=203.0.113.7"], "10.0.0.1"),
      (["for=203.0.113.7;for=1.2.3.4"], "10.0.0.1"),
      (["for=\"203.0.113.7"], "10.0.0.1"),
      (["for"], "10.0.0.1"),
      (["for=a, ;;, for=10.4.4.4"], "10.4.4.4"),
      // A quotation mark that a client left open takes in what the proxy wrote, but not its own line.
      (["for=\"x", "for=203.0.113.7"], "203.0.113.7"),
      (["secret=\"a,for=1.2.3.4\";for=203.0.113.7"], "203.0.113.7"),
    ])
  func standard(_ lines: [String], _ expected: String) throws {
    #expect(client("10.0.0.1", lines.map { (.forwarded, $0) }, proxies) == expected)
  }

  @Test("a header that the proxy passes on as the client sent it does not count beside its own")
  func both() throws {
    let fields = [(HTTPField.Name.forwarded, "for=1.2.3.4"), (.xForwardedFor, "203.0.113.7")]
    #expect(client("10.0.0.1", fields, proxies) == "203.0.113.7")
  }

  @Test("is the peer's while no proxy is trusted")
  func none() throws {
    #expect(client("10.0.0.1", [(.xForwardedFor, "203.0.113.7")], .none) == "10.0.0.1")
  }

  @Test("a server tells its routes the client's address")
  func throughServer() async throws {
    for (proxies, expected) in [(["127.0.0.0/8"], "203.0.113.7"), (["10.0.0.0/8"], "127.0.0.1"), ([], "127.0.0.1")] {
      let router = AppRouter(trustedProxies: TrustedProxies(proxies.compactMap { NetworkBlock($0) }))
      router.get("who") { _, context in try Answer.data(context.clientAddressText, context: context) }
      try await withServer(router) { server in
        let answer = try await server.send("GET", "/who", headers: [("X-Forwarded-For", "203.0.113.7")])
        #expect(answer.text.hasPrefix("{\"data\":\"\(expected)\""))
      }
    }
  }

  @Test("a network that is none stops the start with a message that names the variable")
  func configuration() {
    var reader = EnvironmentReader(["TRUSTED_PROXIES": "10.0.0.0/8, proxy.internal"])
    #expect(reader.networks("TRUSTED_PROXIES", example: "10.0.0.0/8").count == 1)
    #expect(throws: ConfigurationProblems.self) { try reader.finish() }
    var other = EnvironmentReader(["TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8,192.0.2.1"])
    #expect(other.networks("TRUSTED_PROXIES", example: "10.0.0.0/8").count == 3)
    #expect(throws: Never.self) { try other.finish() }
  }
}
