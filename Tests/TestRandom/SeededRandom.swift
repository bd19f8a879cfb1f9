/// Chance that repeats itself: its whole state is the seed, so that a test which names the seed of a failure fails again
/// (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
public struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// True once in `n` times.
  public mutating func once(in n: UInt64) -> Bool { next() % n == 0 }

  /// 0 up to `n`, without it.
  public mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }

  /// One of the values, of which there is at least one.
  public mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }

  /// So many bytes of any value.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}
