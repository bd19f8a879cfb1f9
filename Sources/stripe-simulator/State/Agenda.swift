/// What happens by itself when a merchant's clock reaches a moment.
struct Agenda {
  enum Task: String, Sendable {
    case subscriptionPeriodEnds = "period_end"
    case trialWillEnd = "trial_will_end"
    case invoiceIsUpcoming = "upcoming"
    case invoiceIsFinalized = "finalize"
    case invoiceIsRetried = "retry"
    case sessionExpires = "session_expires"
    case pauseResumes = "pause_resumes"
    case firstPaymentExpires = "first_payment_expires"
  }

  struct Item: Sendable {
    let at: Int64
    let serial: Int64
    let task: Task
    let id: String
  }

  /// A binary heap, the earliest first; equal moments in the order they were planned.
  private(set) var heap: [Item] = []

  var next: Item? { heap.first }

  mutating func plan(_ task: Task, _ id: String, at moment: Int64, serial: Int64) {
    heap.append(Item(at: moment, serial: serial, task: task, id: id))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popNext() -> Item? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[child], heap[smallest]) {
        smallest = child
      }
      if smallest == parent { return first }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }

  private func precedes(_ left: Item, _ right: Item) -> Bool {
    (left.at, left.serial) < (right.at, right.serial)
  }
}
