import JSON

extension World {
  /// Makes a delivery of the event for every endpoint that hears it, with the faults that are switched on.
  func enqueue(_ eventID: String, of tenant: Tenant) {
    guard let event = tenant.event(eventID) else { return }
    var pending = 0
    for endpoint in post.endpoints where hears(endpoint, event, of: tenant) {
      if enqueue(eventID, event.type, tenant, endpoint) {
        pending += 1
      } else {
        tenant.editEvent(eventID) { $0.allDelivered = false }
      }
    }
    tenant.editEvent(eventID) { $0.pendingWebhooks = pending }
  }

  /// The same for an alert, which goes to every endpoint of the environment, whatever it asked for.
  func enqueue(_ alert: HealthAlert, of tenant: Tenant) {
    for endpoint in post.endpoints where endpoint.isEnabled && endpoint.environment == tenant.environment {
      _ = enqueue(alert.id, alert.type, tenant, endpoint)
    }
  }

  /// One event for one endpoint; false when it is lost.
  private func enqueue(_ eventID: String, _ type: String, _ tenant: Tenant, _ endpoint: Endpoint) -> Bool {
    var delivery = Delivery(
      id: 0, tenant: tenant.key, eventID: eventID, type: type, endpointID: endpoint.id, state: .dropped)
    switch faults.fate(of: type, account: tenant.account, &chance) {
    case .drop:
      post.add(delivery)
      return false
    case .deliver(let copies, let wait):
      for _ in 0..<copies {
        delivery.state = faults.holds(tenant.account) ? .held : .waiting
        delivery.due = Monotonic.now() + wait
        post.add(delivery)
      }
      return true
    }
  }

  /// Whether the endpoint asked for such events, the app may read them, and they reach the endpoint's environment.
  private func hears(_ endpoint: Endpoint, _ event: EventRecord, of tenant: Tenant) -> Bool {
    guard endpoint.isEnabled, endpoint.connect, endpoint.wants(event.type) else { return false }
    if event.type == "invoice_payment.paid", !endpoint.version.hasInvoicePaymentEvents { return false }
    guard let own = installations[tenant.key], own.hears(event.type) else { return false }
    guard own.isActive || Installation.isAbout(event.type) else { return false }
    return endpoint.reaches(
      tenant.environment, isInstalledLive: installation(tenant.account, .live)?.isActive == true)
  }

  /// Attempts that are due now, ready to be sent, and how long to wait for the next ones.
  func takeDueEvents() -> (events: [OutgoingEvent], wait: Int64?) {
    let now = Monotonic.now()
    let (due, next) = post.take(now: now)
    var events: [OutgoingEvent] = []
    for delivery in due {
      guard let tenant = tenants[delivery.tenant], let endpoint = post.endpoint(delivery.endpointID),
        let body = body(of: delivery.eventID, tenant, endpoint)
      else {
        finishDelivery(
          delivery.id, Delivery.Attempt(at: self.now, status: 200, milliseconds: 0, error: "endpoint removed"))
        continue
      }
      events.append(
        OutgoingEvent(
          delivery: delivery.id, url: endpoint.url, body: body, secrets: endpoint.secrets,
          livemode: tenant.livemode, timeout: post.settings.timeout))
    }
    return (events, next.map { max(0, $0 - now) })
  }

  /// What this endpoint gets for the event.
  private func body(of eventID: String, _ tenant: Tenant, _ endpoint: Endpoint) -> String? {
    guard let event = tenant.event(eventID) else {
      return tenant.alert(eventID).map { PrettyJSON.text(.object($0.body)) }
    }
    switch endpoint.payload {
    case .thin: return PrettyJSON.text(.object(event.thin))
    case .snapshot:
      // Application events carry the merchant's version, whatever the endpoint says (reported against Stripe Apps).
      let isApplicationEvent = event.type.hasPrefix("account.application.")
      return event.body(version: isApplicationEvent ? event.merchantVersion : endpoint.version)
    }
  }

  func finishDelivery(_ id: Int64, _ attempt: Delivery.Attempt) {
    guard let delivery = post.finish(id, attempt, now: Monotonic.now()), !delivery.isPending else { return }
    tenants[delivery.tenant]?.editEvent(delivery.eventID) { event in
      event.pendingWebhooks = max(0, event.pendingWebhooks - 1)
      if delivery.state == .failed { event.allDelivered = false }
    }
  }

  /// Sends held deliveries: in the order they were made, shuffled, or in the order of the given events (the others after
  /// them). One goes out when the attempt before it has ended, so the order really is the order of arrival.
  func release(account: String?, order: [String], isShuffled: Bool, inParallel: Bool) -> Int {
    var held = post.held.filter { account == nil || $0.tenant.account == account }
    if isShuffled { held.shuffle(using: &chance) }
    if !order.isEmpty {
      var rank: [String: Int] = [:]
      for (position, id) in order.enumerated() { rank[id] = position }
      let ranked = held.enumerated().sorted { left, right in
        let leftKey = (rank[left.element.eventID] ?? Int.max, left.offset)
        let rightKey = (rank[right.element.eventID] ?? Int.max, right.offset)
        return leftKey < rightKey
      }
      held = ranked.map(\.element)
    }
    var predecessor: Int64?
    for delivery in held {
      post.requeue(delivery.id, due: Monotonic.now(), after: inParallel ? nil : predecessor)
      predecessor = delivery.id
    }
    return held.count
  }
}
