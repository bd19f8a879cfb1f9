import Testing

@testable import Purchases

@Suite("Sums of amounts from outside")
struct SaturatedSumTests {
  @Test(
    "a sum beyond what can be counted is held at the end, from where it can be negated",
    arguments: [
      (1, 2, 3), (.max, 1, .max), (.min, -1, -.max), (-.max, -1, -.max), (.min, 0, -.max), (.min, .max, -1),
    ] as [(Int64, Int64, Int64)])
  func held(_ left: Int64, _ right: Int64, _ sum: Int64) {
    #expect(left.addingSaturated(right) == sum)
    #expect(0 - left.addingSaturated(right) == -sum)
  }
}
