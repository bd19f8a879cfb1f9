import HTTPTransport
import Logging
import Networks
import Testing

@testable import HTTPTransport

@Suite("Where requests may go that other people choose the address of")
struct AddressPolicyTests {
  @Test(
    "Addresses that are not for the public are told",
    arguments: [
      "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
      "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.19.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255",
      "::", "::1", "fe80::1", "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "::ffff:10.0.0.1",
      "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "[::1]", "::127.0.0.1",
    ])
  func special(text: String) throws {
    let address = try #require(IPAddress(text))
    #expect(!address.isPublic)
    #expect(!AddressPolicy.publicOnly().allows(address))
    #expect(AddressPolicy.anywhere.allows(address))
  }

  @Test("Others are public", arguments: ["1.1.1.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"])
  func open(text: String) throws {
    #expect(AddressPolicy.publicOnly().allows(try #require(IPAddress(text))))
  }

  @Test("A block holds what begins like it, and an exception opens just that block")
  func blocks() throws {
    let block = try #require(NetworkBlock("10.1.16.0/20"))
    #expect(block.contains(try #require(IPAddress("10.1.31.255"))))
    #expect(!block.contains(try #require(IPAddress("10.1.32.0"))))
    let policy = AddressPolicy.publicOnly(besides: [block])
    #expect(policy.allows(try #require(IPAddress("10.1.17.1"))))
    #expect(policy.allows(try #require(IPAddress("::ffff:10.1.17.1"))))
    #expect(!policy.allows(try #require(IPAddress("10.2.0.1"))))
    for text in ["10.0.0.0/33", "10.0.0/8", "::/129", "x", "10.0.0.0/-1", "10.0.0.0/", ""] {
      #expect(NetworkBlock(text) == nil, "\(text)")
    }
    #expect(policy.refuses(host: "localhost") && policy.refuses(host: "[::1]") && policy.refuses(host: "127.1.1.1"))
    #expect(!policy.refuses(host: "example.com") && !policy.refuses(host: "10.1.17.1"))
  }

  @Test(
    "A request that may only go to the public never reaches this machine, by address or by name",
    arguments: ["127.0.0.1", "localhost"])
  func refused(host: String) async throws {
    let server = try RawServer { _, connection in connection.answer() }
    let transport = makeTransport()
    defer { transport.shutdown() }
    let url = "http://\(host):\(server.port)/"
    let error = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: url, destinations: .publicOnly()))
    }
    #expect(error == .addressRefused)
    #expect(error?.requestMayHaveBeenSent == false)
    #expect(server.accepted == 0)
    let allowed = HTTPTransportRequest(
      url: "http://127.0.0.1:\(server.port)/",
      destinations: .publicOnly(besides: ["127.0.0.0/8"].compactMap { NetworkBlock($0) }))
    #expect(try await transport.send(allowed).status == 200)
  }

  @Test("A connection that another request opened is no way around that")
  func keptConnection() async throws {
    let server = try RawServer { _, connection in connection.answer() }
    let transport = makeTransport()
    defer { transport.shutdown() }
    #expect(try await transport.send(.init(url: server.url())).status == 200)
    let error = await failure { () throws(HTTPTransportError) in
      try await transport.send(.init(url: server.url(), destinations: .publicOnly()))
    }
    #expect(error == .addressRefused)
    #expect(server.requests == 1)
    #expect(try await transport.send(.init(url: server.url())).status == 200)
  }
}
