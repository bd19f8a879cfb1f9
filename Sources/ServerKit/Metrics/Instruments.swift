import CoreMetrics
import Synchronization

/// One series: a value that can write itself in the Prometheus text format.
protocol Instrument: AnyObject, Sendable {
  func write(to text: inout String, name: String, labels: String)
}

final class CounterInstrument: Instrument, CounterHandler {
  private let value = Atomic<Int64>(0)

  func increment(by amount: Int64) {
    value.wrappingAdd(amount, ordering: .relaxed)
  }

  func reset() { value.store(0, ordering: .relaxed) }

  func write(to text: inout String, name: String, labels: String) {
    MetricText.sample(to: &text, name, labels, String(value.load(ordering: .relaxed)))
  }
}

final class FloatingPointCounterInstrument: Instrument, FloatingPointCounterHandler {
  private let value = Mutex<Double>(0)

  func increment(by amount: Double) {
    guard amount.isFinite, amount >= 0 else { return }
    value.withLock { $0 += amount }
  }

  func reset() { value.withLock { $0 = 0 } }

  func write(to text: inout String, name: String, labels: String) {
    MetricText.sample(to: &text, name, labels, MetricText.number(value.withLock { $0 }))
  }
}

final class GaugeInstrument: Instrument, MeterHandler, RecorderHandler {
  private let value = Mutex<Double>(0)

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.withLock { $0 = value } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }

  func write(to text: inout String, name: String, labels: String) {
    MetricText.sample(to: &text, name, labels, MetricText.number(value.withLock { $0 }))
  }
}

final class HistogramInstrument: Instrument, RecorderHandler {
  private struct State {
    /// One more than there are bounds: the last is for everything above them.
    var counts: [UInt64]
    var sum = 0.0
  }

  private let bounds: [Double]
  private let state: Mutex<State>

  /// - Parameter bounds: the upper bound of each bucket; sorted here.
  init(bounds: [Double]) {
    self.bounds = bounds.sorted()
    state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    guard value.isFinite else { return }
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.counts[bucket] += 1
      state.sum += value
    }
  }

  func write(to text: inout String, name: String, labels: String) {
    let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
    let prefix = labels.isEmpty ? "" : labels + ","
    var total: UInt64 = 0
    for (bound, count) in zip(bounds.map(MetricText.number) + ["+Inf"], counts) {
      total += count
      MetricText.sample(to: &text, name + "_bucket", "\(prefix)le=\"\(bound)\"", String(total))
    }
    MetricText.sample(to: &text, name + "_sum", labels, MetricText.number(sum))
    MetricText.sample(to: &text, name + "_count", labels, String(total))
  }
}

/// A histogram of seconds that is fed nanoseconds.
final class TimerInstrument: Instrument, TimerHandler {
  private let histogram: HistogramInstrument

  init(_ histogram: HistogramInstrument) { self.histogram = histogram }

  func recordNanoseconds(_ duration: Int64) {
    histogram.record(Double(duration) / 1e9)
  }

  func write(to text: inout String, name: String, labels: String) {
    histogram.write(to: &text, name: name, labels: labels)
  }
}
