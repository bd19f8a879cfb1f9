import Testing

/// Where the test program begins. All tests are Swift Testing's, which finds them by itself; without this file the package
/// manager looks for tests of another kind in an index that the builds here leave out.
@main
struct TestProgram {
  static func main() async {
    await Testing.__swiftPMEntryPoint() as Never
  }
}
