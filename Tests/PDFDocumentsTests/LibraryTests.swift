import Testing

@testable import PDFDocuments

@Suite("The library that draws")
struct LibraryTests {
  @Test(
    "one that is not there, or is another, is named and is no crash", arguments: ["libnosuchthing.so.2", "libm.so.6"])
  func missing(_ name: String) {
    do throws(PDFRenderingError) {
      _ = try Cairo(loading: name)
      Issue.record("\(name) was taken")
    } catch {
      guard case .unavailable(let reason) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(reason.contains(name))
    }
  }

  @Test("where it is installed with a font, nothing is in the way")
  func installed() { #expect(PDFDocument.obstacle() == nil) }
}
