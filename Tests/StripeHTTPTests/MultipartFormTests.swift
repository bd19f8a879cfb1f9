import Testing

@testable import StripeHTTP

@Suite("Forms with a file")
struct MultipartFormTests {
  @Test("hold the fields and the file byte for byte, in the form of RFC 7578")
  func bytes() {
    let form = MultipartForm(
      fields: [("purpose", "p")], file: [0, 13, 10, 255], named: "a.pdf", type: "application/pdf")
    let head =
      "--\(form.boundary)\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\np\r\n--\(form.boundary)\r\n"
      + "Content-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n"
    #expect(form.body == Array(head.utf8) + [0, 13, 10, 255] + Array("\r\n--\(form.boundary)--\r\n".utf8))
    #expect(form.contentType == "multipart/form-data; boundary=\(form.boundary)")
  }

  @Test("have a boundary that is not in the file, and the same one for the same file")
  func boundary() {
    let plain = MultipartForm(fields: [], file: [], named: "a", type: "t").boundary
    let file = Array("--\(plain)--\(plain)-".utf8)
    let form = MultipartForm(fields: [], file: file, named: "a", type: "t")
    #expect(!file.contains(Array("--\(form.boundary)".utf8)))
    #expect(form == MultipartForm(fields: [], file: file, named: "a", type: "t"))
  }
}
