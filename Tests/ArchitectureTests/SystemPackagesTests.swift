import Foundation
import Testing

/// The build needs the headers of four libraries and of the C library, and no other.
@Suite("What the build needs from the system")
struct SystemPackagesTests {
  private static let packages = ["libcurl4-openssl-dev", "libhiredis-dev", "libpq-dev", "libssl-dev"]

  @Test("four system libraries are declared, from the packages that the README names")
  func declared() throws {
    let manifest = try SourceTree.text("Package.swift")
    let named = manifest.matches(of: /\.apt\(\["([^"]+)"\]\)/).map { String($0.1) }
    #expect(named.sorted() == Self.packages)
    #expect(manifest.matches(of: /\.systemLibrary\(/).count == Self.packages.count)
    let readme = try SourceTree.text("README.md")
    for package in Self.packages { #expect(readme.contains(package), "README.md does not name \(package)") }
  }

  @Test(
    "the scripts and the image install these packages for the build and no other",
    arguments: ["script/lib/packages.sh", "deploy/Containerfile"])
  func installed(_ path: String) throws {
    let named = Set(try SourceTree.text(path).matches(of: /lib[a-z0-9-]+-dev\b/).map { String($0.0) })
    #expect(named.sorted() == Self.packages)
  }

  @Test("a header is one of the four libraries or of the C library")
  func headers() throws {
    let libraries = ["curl/", "hiredis/", "libpq-fe.h", "openssl/"]
    let libc = [
      "arpa/inet.h", "errno.h", "fcntl.h", "netinet/in.h", "poll.h", "pthread.h", "signal.h", "stdbool.h", "string.h",
      "sys/socket.h", "sys/time.h", "unistd.h",
    ]
    for file in try SourceTree.files(in: "Sources", kinds: ["h", "c", "modulemap"]) {
      for header in file.text.matches(of: /(?:#include|header) *[<"]([^>"]+)[>"]/).map({ String($0.1) }) {
        #expect(
          header == "shim.h" || libc.contains(header) || libraries.contains { header.hasPrefix($0) },
          "\(file.path) needs \(header)")
      }
      for library in file.text.matches(of: /link "([^"]+)"/).map({ String($0.1) }) {
        #expect(["crypto", "curl", "hiredis", "pq", "ssl"].contains(library), "\(file.path) links \(library)")
      }
    }
  }
}
