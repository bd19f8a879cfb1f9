/// A text of the listing as words: lower case, without punctuation, so that `Tamper-proof` and `tamper proof` are the same.
struct ListingText: Sendable {
  let words: [String]

  init(_ text: String) {
    var words: [String] = []
    var word = ""
    func end() {
      if !word.isEmpty { words.append(word) }
      word = ""
    }
    for character in text.lowercased() {
      if character.isLetter || character.isNumber {
        word.append(character)
      } else if !Self.joins.contains(character) {
        end()
        if character == "%" || character == "#" { words.append(String(character)) }
      }
    }
    end()
    self.words = words
  }

  /// An apostrophe is part of a word.
  private static let joins: Set<Character> = ["'", "’"]

  /// Whether the text contains these words, one after the other.
  func contains(_ phrase: String) -> Bool { contains(ListingText(phrase).words) }

  private func contains(_ sought: [String]) -> Bool {
    guard !sought.isEmpty, words.count >= sought.count else { return false }
    return (0...(words.count - sought.count)).contains { words[$0..<$0 + sought.count].elementsEqual(sought) }
  }

  /// Claims that no reviewer accepts, since nobody can keep them.
  var absolutes: [String] { Self.absolutes.filter { contains($0.words) }.map(\.phrase) }

  private static let absolutes: [(phrase: String, words: [String])] = [
    "all", "always", "completely", "everyone", "everything", "everywhere", "every", "never", "totally", "unlimited",
    "100 %", "100 percent", "100 per cent", "zero risk", "risk free", "no risk",
    "instant", "instantly", "instantaneous", "instantaneously", "immediately", "in no time",
    "guarantee", "guaranteed", "guarantees", "tamper proof", "tamperproof", "bulletproof", "bullet proof", "foolproof",
    "fool proof", "fail safe", "failsafe", "flawless", "perfect", "perfectly", "unbreakable", "uncrackable",
    "unhackable", "impossible to", "the best", "best in class", "world class", "world's best", "the fastest",
    "the easiest", "number one", "no 1", "# 1", "unrivalled", "unmatched",
  ].map { ($0, ListingText($0).words) }

  /// Whether it reads as English: nearly all letters are in the English alphabet, and it contains some of the words that
  /// every longer English sentence needs.
  static func isEnglish(_ text: String) -> Bool {
    let letters = text.filter(\.isLetter)
    let plain = letters.count { $0.isASCII }
    guard plain * 100 >= letters.count * 97 else { return false }
    let words = ListingText(text).words
    guard words.count >= 12 else { return true }
    return words.count { common.contains($0) } * 8 >= words.count
  }

  private static let common: Set = [
    "a", "an", "and", "are", "as", "at", "be", "by", "each", "for", "from", "has", "have", "how", "in", "is", "it",
    "its", "of", "on", "or", "so", "that", "the", "their", "them", "then", "there", "this", "to", "what", "when",
    "where", "which", "while", "who", "why", "with", "without", "you", "your",
  ]
}
