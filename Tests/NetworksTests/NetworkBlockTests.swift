import Networks
import Testing

@Suite("Addresses and networks")
struct NetworkBlockTests {
  @Test(
    "a network contains its addresses and no others",
    arguments: [
      ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.128/25", "192.0.2.127", false),
      ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false), ("0.0.0.0/0", "203.0.113.9", true),
      ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
      ("::/0", "10.1.2.3", false), ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::ffff:10.1.2.3", "10.1.2.3", true),
      ("::ffff:10.0.0.0/104", "11.1.2.3", false), ("[2001:db8::1]", "2001:db8::1", true),
    ])
  func networks(_ network: String, _ address: String, _ isInside: Bool) throws {
    let block = try #require(NetworkBlock(network))
    #expect(block.contains(try #require(IPAddress(address))) == isInside)
  }

  @Test(
    "what is no network is refused",
    arguments: [
      "", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8/8", "::/129", "10.0.0.0/+8", "example.com",
      "10.0.0.1\0/8",
    ])
  func notNetworks(_ text: String) {
    #expect(NetworkBlock(text) == nil)
  }

  @Test(
    "an address is shown as people write it, and an IPv4 address inside of IPv6 is found",
    arguments: [
      ("192.0.2.7", "192.0.2.7", nil), ("2001:0DB8:0:0::1", "2001:db8::1", nil), ("::1", "::1", nil),
      ("::ffff:192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7"),
    ])
  func texts(_ text: String, _ shown: String, _ inner: String?) throws {
    let address = try #require(IPAddress(text))
    #expect(address.description == shown)
    #expect(address.mappedIPv4?.description == inner)
  }
}
