import CoreMetrics
import Hummingbird
import ServerKit
import Testing

@Suite("Metrics")
struct MetricsTests {
  @Test("Counters, gauges and timers are written in the text format, sorted by name")
  func exposition() {
    let registry = MetricsRegistry(help: ["jobs_total": "Jobs\ndone."], buckets: ["wait_seconds": [0.1, 1]])
    Counter(label: "jobs", dimensions: [("kind", "a\"b\\c\nd")], factory: registry).increment(by: 3)
    Gauge(label: "queue.depth", factory: registry).record(2.5)
    let timer = Timer(label: "wait", dimensions: [("z", "1"), ("a", "2")], factory: registry)
    timer.recordNanoseconds(50_000_000)
    timer.recordNanoseconds(500_000_000)
    timer.recordNanoseconds(5_000_000_000)
    #expect(
      registry.exposition() == #"""
        # HELP jobs_total Jobs\ndone.
        # TYPE jobs_total counter
        jobs_total{kind="a\"b\\c\nd"} 3
        # TYPE queue_depth gauge
        queue_depth 2.5
        # TYPE wait_seconds histogram
        wait_seconds_bucket{a="2",z="1",le="0.1"} 1
        wait_seconds_bucket{a="2",z="1",le="1"} 2
        wait_seconds_bucket{a="2",z="1",le="+Inf"} 3
        wait_seconds_sum{a="2",z="1"} 5.55
        wait_seconds_count{a="2",z="1"} 3

        """#)
  }

  @Test("The same name and labels are the same series, in whatever order labels are given")
  func sameSeries() {
    let registry = MetricsRegistry()
    Counter(label: "n", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
    Counter(label: "n_total", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
    #expect(registry.exposition().contains("n_total{a=\"1\",b=\"2\"} 2\n"))
  }

  @Test("Beyond the limit of series everything is counted together, so that labels cannot fill the memory")
  func overflow() {
    let registry = MetricsRegistry(maximumSeries: 2)
    for visitor in 1...10 {
      Counter(label: "visits", dimensions: [("visitor", "\(visitor)")], factory: registry).increment()
    }
    let text = registry.exposition()
    #expect(text.contains("visits_total{visitor=\"2\"} 1\n"))
    #expect(text.contains("visits_total{overflow=\"true\"} 8\n"))
  }

  @Test("A name used with two types keeps both apart")
  func types() {
    let registry = MetricsRegistry()
    Gauge(label: "x", factory: registry).record(1)
    Recorder(label: "x", factory: registry).record(2)
    let text = registry.exposition()
    #expect(text.contains("# TYPE x gauge\nx 1\n"))
    #expect(text.contains("# TYPE x_histogram histogram\n"))
  }

  @Test("Requests are counted by route template; paths without a route share one label")
  func requests() async throws {
    let registry = MetricsRegistry()
    let router = AppRouter(metrics: registry)
    router.get("orders/{id}") { _, context in try Answer.data(1, context: context) }
    router.addMetricsRoute(registry)
    try await withServer(router) { server in
      for path in ["/orders/1", "/orders/2", "/made/up", "/other"] { _ = try await server.send("GET", path) }
      let answer = try await server.send("GET", "/metrics")
      #expect(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
      #expect(answer.text.contains("http_requests_total{method=\"GET\",route=\"/orders/{id}\",status=\"200\"} 2\n"))
      #expect(answer.text.contains("http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 2\n"))
      #expect(
        answer.text.contains("http_request_duration_seconds_count{method=\"GET\",route=\"/orders/{id}\"} 2\n"))
      #expect(answer.text.contains("http_requests_in_flight 1\n"))
    }
  }
}
