import HTTPTransport
import Testing

@Suite("Which server a URL leads to")
struct HTTPOriginTests {
  @Test(
    "one server has many spellings",
    arguments: [
      [
        "https://kit.example.com", "HTTPS://KIT.example.com:443/",
        "https://kit.example.com./a/../b?c#d", " https://kit.example.com\n",
      ],
      ["https://93.184.216.34", "https://0x5db8d822", "https://[::ffff:93.184.216.34]"],
      ["https://[2001:db8::1]:8443", "https://[2001:0db8:0:0:0:0:0:1]:8443/x"],
      [
        "http://127.0.0.1:8080", "http://localhost:8080", "http://LOCALHOST.:8080",
        "http://a.localhost:8080",
        "http://127.1:8080", "http://2130706433:8080", "http://[::1]:8080", "http://[::]:8080",
        "http://0.0.0.0:8080",
        "https://127.255.255.254:8080", "http://[::ffff:7f00:1]:8080",
      ],
    ])
  func equal(_ urls: [String]) {
    #expect(Set(urls.map { HTTPOrigin($0) }).count == 1, "\(urls.map { HTTPOrigin($0) })")
    #expect(HTTPOrigin(urls[0]) != nil)
  }

  @Test("another name or port is another server")
  func different() {
    let urls = [
      "https://kit.example.com", "https://kit.example.com:8443", "https://kit.example.org",
      "https://a.kit.example.com",
      "https://127.0.0.1", "http://127.0.0.1", "https://128.0.0.1", "https://notlocalhost",
      "https://[::2]",
    ]
    #expect(Set(urls.map { HTTPOrigin($0) }).count == urls.count)
  }

  @Test(
    "what is not a URL of HTTP leads nowhere",
    arguments: ["", "kit.example.com", "ftp://kit.example.com", "https://", "https://\u{0}"])
  func none(_ url: String) {
    #expect(HTTPOrigin(url) == nil)
  }
}
