/// A queue: append at the end, take from the front, both in constant time on average.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : elements[head] }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head]
    elements[head] = nil
    head += 1
    if head > 32, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  /// Removes the first element for which the condition holds; the order of the others stays.
  mutating func removeFirst(where condition: (Element) -> Bool) -> Element? {
    for index in head..<elements.count {
      if let element = elements[index], condition(element) {
        elements.remove(at: index)
        return element
      }
    }
    return nil
  }
}

extension FIFO: Sendable where Element: Sendable {}
