extension World {
  /// Makes a delivery of the event for every endpoint that hears it, with the faults that are switched on.
  func enqueue(_ eventID: String, of tenant: Tenant) {
    guard let event = tenant.event(eventID) else { return }
    var pending = 0
    for endpoint in post.endpoints where hears(endpoint, event, of: tenant) {
      switch faults.fate(of: event.type, account: tenant.account, &chance) {
      case .drop:
        post.add(delivery(event, tenant, endpoint, state: .dropped))
        tenant.editEvent(eventID) { $0.allDelivered = false }
      case .deliver(let copies, let wait):
        pending += 1
        for _ in 0..<copies {
          var new = delivery(event, tenant, endpoint, state: faults.holds(tenant.account) ? .held : .waiting)
          new.due = Monotonic.now() + wait
          post.add(new)
        }
      }
    }
    tenant.editEvent(eventID) { $0.pendingWebhooks = pending }
  }

  private func delivery(_ event: EventRecord, _ tenant: Tenant, _ endpoint: Endpoint, state: Delivery.State) -> Delivery
  {
    Delivery(id: 0, tenant: tenant.key, eventID: event.id, type: event.type, endpointID: endpoint.id, state: state)
  }

  /// Which environment's events arrive where (Stripe docs, Stripe Apps: build a backend): the test endpoint hears the test
  /// mode, the live endpoint hears the live mode, and the test mode too when the app is installed in both.
  private func hears(_ endpoint: Endpoint, _ event: EventRecord, of tenant: Tenant) -> Bool {
    guard endpoint.isEnabled, endpoint.connect, endpoint.wants(event.type) else { return false }
    if event.type == "invoice_payment.paid", !endpoint.version.hasInvoicePaymentEvents { return false }
    guard let own = installation(tenant.account, livemode: tenant.livemode), own.hears(event.type) else { return false }
    let isApplicationEvent = event.type.hasPrefix("account.application.")
    guard own.isActive || isApplicationEvent else { return false }
    if endpoint.livemode == tenant.livemode { return true }
    return endpoint.livemode && installation(tenant.account, livemode: true)?.isActive == true
  }

  /// Attempts that are due now, ready to be sent, and how long to wait for the next ones.
  func takeLetters() -> (letters: [Letter], wait: Int64?) {
    let now = Monotonic.now()
    let (due, next) = post.take(now: now)
    var letters: [Letter] = []
    for delivery in due {
      guard let tenant = tenants[delivery.tenant], let event = tenant.event(delivery.eventID),
        let endpoint = post.endpoint(delivery.endpointID)
      else {
        finishDelivery(
          delivery.id, Delivery.Attempt(at: self.now, status: 200, milliseconds: 0, error: "endpoint removed"))
        continue
      }
      // Application events carry the merchant's version, whatever the endpoint says (reported against Stripe Apps).
      let version = event.type.hasPrefix("account.application.") ? event.merchantVersion : endpoint.version
      letters.append(
        Letter(
          delivery: delivery.id, url: endpoint.url, body: event.body(version: version), secrets: endpoint.secrets,
          livemode: event.livemode, timeout: post.settings.timeout))
    }
    return (letters, next.map { max(0, $0 - now) })
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
