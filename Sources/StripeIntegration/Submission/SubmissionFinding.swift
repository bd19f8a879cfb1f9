/// One point that Stripe's review checks (Stripe Apps docs, "App review requirements", "Listing guidelines").
package struct SubmissionFinding: Hashable, Sendable {
  /// The part of the review: `OAuth`, `Permissions`, `Listing`, …
  package let area: String
  /// What the review requires.
  package let requirement: String
  /// What is missing or wrong; nil if all is well.
  package let problem: String?

  init(_ area: String, _ requirement: String, problem: String?) {
    self.area = area
    self.requirement = requirement
    self.problem = problem
  }

  init(_ area: String, _ requirement: String, _ problem: () -> String?) {
    self.init(area, requirement, problem: problem())
  }
}
