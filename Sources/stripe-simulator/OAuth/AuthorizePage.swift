import JSON
import ServerKit

/// The page on which a merchant grants the app: `/oauth/v2/authorize`, also with a channel segment before `authorize`.
/// `?auto=acct_…` grants at once, `?auto=deny` refuses.
enum AuthorizePage {
  static func answer(_ call: Call, _ world: World) -> Answer {
    guard call.segments.last == "authorize", call.method == "GET" || call.method == "POST" else {
      return .html(
        HTMLPage(title: "Not found", body: "<main><h1>Not found</h1></main>", stylesheet: StyleSheet.path).rendered,
        status: 404)
    }
    var query = FormDecoding.decode(call.query) ?? Fields([])
    if call.method == "POST" {
      for (key, value) in FormDecoding.decode(String(decoding: call.body, as: UTF8.self)) ?? Fields([]) {
        query[key] = value
      }
    }
    guard let developer = query.text("client_id").flatMap({ world.developer(clientID: $0) }) else {
      return invalidLink("No application matches the supplied client identifier.")
    }
    guard let redirect = redirectURI(query.text("redirect_uri"), developer) else {
      return invalidLink("The redirect_uri is not one of the addresses that the app allows.")
    }
    switch query.text("auto") ?? query.text("decision") {
    case "deny":
      return .redirect(
        appending(
          [("error", "access_denied"), ("error_description", "The user denied your request")],
          state: query.text("state"),
          to: redirect))
    case .some(let account):
      guard let merchant = world.merchants[account] else {
        return invalidLink("There is no merchant account \(account).")
      }
      guard merchant.environments.contains(developer.environment) else {
        return invalidLink("The account \(account) does not exist in \(developer.environment.title).")
      }
      let code = world.install(account, developer: developer)
      return .redirect(appending([("code", code)], state: query.text("state"), to: redirect))
    case nil:
      return page(developer, redirect: redirect, state: query.text("state"), path: call.path, world)
    }
  }

  /// The address to go back to: the given one if the app lists it, else the first one listed.
  private static func redirectURI(_ given: String?, _ developer: Developer) -> String? {
    guard let given else { return developer.redirectURIs.first }
    guard given.hasPrefix("https://") || given.hasPrefix("http://") else { return nil }
    if developer.redirectURIs.isEmpty || developer.redirectURIs.contains(given) { return given }
    return nil
  }

  static func appending(_ items: [(String, String)], state: String?, to address: String) -> String {
    var items = items.map { (name: $0.0, value: $0.1) }
    if let state { items.append((name: "state", value: state)) }
    return address + (address.contains("?") ? "&" : "?") + PercentCoding.query(items)
  }

  private static func invalidLink(_ reason: String) -> Answer {
    let body: HTML = "<main><h1>The provided OAuth link is invalid</h1><p>\(reason)</p></main>"
    return .html(HTMLPage(title: "Invalid link", body: body, stylesheet: StyleSheet.path).rendered, status: 400)
  }

  private static func page(
    _ developer: Developer, redirect: String, state: String?, path: String, _ world: World
  ) -> Answer {
    let stateField: HTML = state.map { "<input type=\"hidden\" name=\"state\" value=\"\($0)\">" } ?? ""
    let merchants = world.merchantOrder.compactMap { world.merchants[$0] }
    let rows: [HTML] = merchants.filter { $0.environments.contains(developer.environment) }.map { merchant in
      """
      <li><button name="decision" value="\(merchant.id)">Install</button> \(merchant.name) <small>\(merchant.id)</small></li>
      """
    }
    let permissions = developer.permissions.map { $0.sorted().joined(separator: ", ") } ?? "everything"
    let body: HTML = """
      <main><h1>Install \(developer.name)</h1><p>Simulated Stripe, \(developer.environment.title). The app asks for: \(permissions).</p>\
      <form method="post" action="\(path)"><input type="hidden" name="client_id" value="\(developer.clientID)">\
      <input type="hidden" name="redirect_uri" value="\(redirect)">\(stateField)\
      <ul>\(rows)</ul><p><button name="decision" value="deny">Deny</button></p></form></main>
      """
    return .html(HTMLPage(title: "Install \(developer.name)", body: body, stylesheet: StyleSheet.path).rendered)
  }
}
