import StripeAPI

extension EventTable {
  static let installation: [EventRow] = [
    .application(
      "account.application.authorized", .authorized,
      does: """
        announces the connection as `pending`; tokens come through the browser. With `STRIPE_APP_API_ACCESS=platform` it is \
        the connection
        """),
    .application(
      "account.application.deauthorized", .deauthorized,
      does: """
        ends the connection and wipes its tokens, unless the app was installed again after the event was made. Licenses stay \
        as they are
        """),
    .install("apps.install.created", formerly: "app.install.created", .created, does: installed),
    .install("apps.install.updated", formerly: "app.install.updated", .updated, does: installed),
    .install(
      "apps.install.deleted", formerly: "app.install.deleted", .deleted,
      does: """
        as `account.application.deauthorized`. Both tell the same happening, and either is enough. An installation of another \
        app in the account is ignored (`STRIPE_APP_ID`). Before 2026-09-30 the names begin with `app.install`
        """),
  ]

  private static let installed = """
    as `account.application.authorized`; and what the app asks for and the vendor has not approved is shown with the \
    connection: see [operating.md](operating.md#installations)
    """
}
