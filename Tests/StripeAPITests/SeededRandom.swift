/// Chance that repeats itself: a failing seed is named by the test and fails again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }

  /// A text of characters that matter to the parser more often than chance would have it.
  mutating func headerNoise() -> String {
    let alphabet = Array("tv01=,,  abcdef0123456789ABCxyz.+-%\u{0}é\u{1F600}\n")
    return String((0..<Int.random(in: 0...200, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? "t" })
  }
}
