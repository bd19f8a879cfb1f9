import Foundation
import Hummingbird
import JSON
import ServerKit
import StripeAPI

// What Stripe says about the app's installations, for each environment. Only the operator sees it.

extension AdminRoutes {
  func listInstallLists(_ request: Request, _ context: AppContext) async throws -> Response {
    try await requireOperator(request)
    return try Answer.data(try await installLists.statuses().map(InstallListView.init), context: context)
  }

  /// Has the lists read at once; `GET` shows when that is done.
  func readInstallLists(_ request: Request, _ context: AppContext) async throws -> Response {
    try await requireOperator(request)
    try await installLists.askNow()
    return try Answer.data(
      try await installLists.statuses().map(InstallListView.init), status: .accepted, context: context)
  }

  private func requireOperator(_ request: Request) async throws {
    let caller = try await caller(of: request)
    try await countRequest(of: caller, about: nil)
    guard caller == .serviceOperator else {
      throw APIFailure.forbidden("only the operator sees the installations of all accounts")
    }
  }

  private var installLists: InstallListStore { InstallListStore(database: database) }

  private struct InstallListView: Encodable {
    let environment: String
    @OrNull var readAt: Date?
    let dueAt: Date
    @OrNull var problem: String?

    init(_ status: InstallListStore.Status) {
      environment = status.environment.rawValue
      _readAt = OrNull(wrappedValue: status.readAt)
      dueAt = status.dueAt
      _problem = OrNull(wrappedValue: status.problem)
    }
  }
}
