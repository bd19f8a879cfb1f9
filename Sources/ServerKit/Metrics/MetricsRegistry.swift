public import CoreMetrics
import Synchronization

/// A backend for swift-metrics that Prometheus can read. Bootstrap the metrics system with one of these at the start
/// of a program; a test makes its own.
///
/// Labels of swift-metrics become names of Prometheus: counters end in `_total`, timers in `_seconds`. Asking for the
/// same instrument again gives the same handler.
public final class MetricsRegistry: MetricsFactory, Sendable {
  /// The content type of ``exposition()``.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// Upper bounds for timers, in seconds: from a cached answer to a call that has hung.
  public static let durationBuckets: [Double] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]

  /// Upper bounds for recorders that aggregate, such as sizes and counts.
  public static let sizeBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000, 1_000_000]

  private let families = Mutex<[String: MetricFamily]>([:])
  private let help: [String: String]
  private let buckets: [String: [Double]]
  private let maximumSeries: Int

  /// - Parameters:
  ///   - help: a line of explanation by exposed name.
  ///   - buckets: upper bounds by exposed name, where the defaults do not fit.
  ///   - maximumSeries: how many combinations of labels one name may have. Whatever comes beyond is counted together
  ///     under `overflow="true"`, so that a mistake with labels cannot fill the memory.
  public init(help: [String: String] = [:], buckets: [String: [Double]] = [:], maximumSeries: Int = 2_000) {
    self.help = help
    self.buckets = buckets
    self.maximumSeries = maximumSeries
  }

  /// Makes this registry the one that swift-metrics uses in this process. At most once in a program.
  public func bootstrap() { MetricsSystem.bootstrap(self) }

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    instrument(label, suffix: "_total", .counter, dimensions) { CounterInstrument() }
  }

  public func makeFloatingPointCounter(
    label: String, dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    instrument(label, suffix: "_total", .floatingPointCounter, dimensions) { FloatingPointCounterInstrument() }
  }

  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    instrument(label, suffix: "", .gauge, dimensions) { GaugeInstrument() }
  }

  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    guard aggregate else { return instrument(label, suffix: "", .gauge, dimensions) { GaugeInstrument() } }
    return instrument(label, suffix: "", .histogram, dimensions) { name in
      HistogramInstrument(bounds: buckets[name] ?? Self.sizeBuckets)
    }
  }

  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    instrument(label, suffix: "_seconds", .timer, dimensions) { name in
      TimerInstrument(HistogramInstrument(bounds: buckets[name] ?? Self.durationBuckets))
    }
  }

  // Series stay for the life of the process: a counter that disappeared and came back from zero would look like a reset.
  public func destroyCounter(_ handler: any CounterHandler) {}
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
  public func destroyMeter(_ handler: any MeterHandler) {}
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  public func destroyTimer(_ handler: any TimerHandler) {}

  /// Everything in the Prometheus text format, version 0.0.4, sorted by name.
  public func exposition() -> String {
    let snapshot = families.withLock { $0 }
    var text = ""
    for (name, family) in snapshot.sorted(by: { $0.key < $1.key }) {
      family.write(to: &text, name: name, help: help[name])
    }
    return text
  }

  private func instrument<I: Instrument>(
    _ label: String, suffix: String, _ kind: MetricKind, _ dimensions: [(String, String)], make: () -> I
  ) -> I {
    instrument(label, suffix: suffix, kind, dimensions) { _ in make() }
  }

  private func instrument<I: Instrument>(
    _ label: String, suffix: String, _ kind: MetricKind, _ dimensions: [(String, String)], make: (String) -> I
  ) -> I {
    var name = MetricText.name(label)
    if !name.hasSuffix(suffix) { name += suffix }
    return families.withLock { families in
      // One name has one type. A second use with another type gets its own name and does not spoil the first.
      if let family = families[name], family.kind != kind { name += "_\(kind.rawValue)" }
      var family = families[name] ?? MetricFamily(kind: kind)
      var labels = MetricText.labels(dimensions)
      if family.series[labels] == nil, family.series.count >= maximumSeries { labels = MetricText.overflow }
      if let known = family.series[labels] as? I { return known }
      let made = make(name)
      family.series[labels] = made
      families[name] = family
      return made
    }
  }
}

enum MetricKind: String, Sendable {
  case counter
  case floatingPointCounter = "float"
  case gauge
  case histogram
  case timer

  /// The type in the text format.
  var type: String {
    switch self {
    case .counter, .floatingPointCounter: "counter"
    case .gauge: "gauge"
    case .histogram, .timer: "histogram"
    }
  }
}

/// All series of one name.
struct MetricFamily: Sendable {
  let kind: MetricKind
  /// By their labels as they are written, without braces.
  var series: [String: any Instrument] = [:]

  func write(to text: inout String, name: String, help: String?) {
    if let help { text += "# HELP \(name) \(MetricText.help(help))\n" }
    text += "# TYPE \(name) \(kind.type)\n"
    for (labels, instrument) in series.sorted(by: { $0.key < $1.key }) {
      instrument.write(to: &text, name: name, labels: labels)
    }
  }
}
