import JSON

extension Tenant {
  /// Requests the end at the period's end, or withdraws the request: `customer.subscription.updated`.
  func setCancelAtPeriodEnd(_ id: String, _ cancels: Bool) {
    let end = periodEnd(id)
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) {
        $0.merge([
          "cancel_at_period_end": flag(cancels), "cancel_at": cancels ? .integer(end) : .null,
          "canceled_at": cancels ? .integer(now) : .null,
          "cancellation_details": object([
            "comment": .null, "feedback": .null, "reason": cancels ? "cancellation_requested" : .null,
          ]),
        ])
      }
    }
  }

  /// Changes the price or quantity of an item: the unused time of the former is credited, and the rest of the period is
  /// charged. A price with another interval starts a new period, which is charged as a whole and at once.
  func changeItem(
    _ item: String, price: String?, quantity: Int64?, _ prorating: Prorating
  ) throws(StripeFailure) {
    let former = try require(.subscriptionItem, item)
    if let price { _ = try require(.price, price, parameter: "items[0][price]") }
    let isOtherInterval = price.map { interval($0) != interval(former.text("_price")) } ?? false
    change(former.text("subscription") ?? "", isOtherInterval && prorating == .pending ? .invoice : prorating) {
      let credit = unusedTime(former)
      edit(.subscriptionItem, item) {
        if let price { $0["_price"] = .string(price) }
        if let quantity { $0["quantity"] = .integer(quantity) }
      }
      return [credit, isOtherInterval ? beginPeriod(item) : remainingTime(item)].compactMap { $0 }
    }
  }

  private func remainingTime(_ item: String) -> InvoiceLineDraft? {
    find(.subscriptionItem, item).flatMap(remainingTime)
  }

  /// A period from now on, and the line that bills it.
  private func beginPeriod(_ item: String) -> InvoiceLineDraft? {
    edit(.subscriptionItem, item) {
      $0.merge([
        "_period_start": .integer(now), "_period_end": .integer(endOfPeriod($0.text("_price") ?? "", from: now)),
      ])
    }
    return find(.subscriptionItem, item).map { recurringLine($0, subscription: $0.text("subscription") ?? "") }
  }

  private func interval(_ price: String?) -> JSONValue {
    let recurring = price.flatMap { find(.price, $0)?.object("recurring") }
    return object(["count": recurring?["interval_count"] ?? 1, "interval": recurring?["interval"] ?? .null])
  }

  /// Adds an item, to the end of the period of those with the same interval. With `trialDays` a trial offer runs on it
  /// inside the subscription, whatever the others are at.
  func addItem(
    _ line: LineDraft, to subscription: String, trialDays: Int64? = nil, _ prorating: Prorating = .none
  ) -> String {
    var id = ""
    change(subscription, prorating) {
      let peer = items(subscription).first { interval($0.text("_price")) == interval(line.price) }
      let trialEnd = trialDays.map { now + $0 * CalendarTime.day }
      id = insertItem(line, of: subscription, periodEnd: trialEnd ?? peer?.number("_period_end"))
      if let trialEnd {
        edit(.subscriptionItem, id) {
          $0["_trial"] = object([
            "start": .integer(now), "end": .integer(trialEnd), "offer": .string(world.newID("tofr_")),
          ])
        }
        return []
      }
      guard let peer else { return [beginPeriod(id)].compactMap { $0 } }
      // Its share of the peer's period, by the length of that.
      edit(.subscriptionItem, id) { $0["_period_start"] = peer["_period_start"] ?? .integer(now) }
      return [remainingTime(id)].compactMap { $0 }
    }
    return id
  }

  /// Removes an item.
  func removeItem(_ item: String, _ prorating: Prorating = .none) {
    guard let former = find(.subscriptionItem, item), let subscription = former.text("subscription") else { return }
    change(subscription, prorating) {
      let credit = unusedTime(former)
      remove(.subscriptionItem, item)
      return [credit].compactMap { $0 }
    }
  }

  /// Replaces an item by another in one change, as schedules, the portal and "delete and add" do.
  func replaceItem(_ item: String, by line: LineDraft, _ prorating: Prorating) throws(StripeFailure) -> String {
    let former = try require(.subscriptionItem, item)
    var id = ""
    change(former.text("subscription") ?? "", prorating) {
      let credit = unusedTime(former)
      id = putInPlace(of: former, line)
      let isOtherInterval = interval(former.text("_price")) != interval(line.price)
      return [credit, isOtherInterval ? beginPeriod(id) : remainingTime(id)].compactMap { $0 }
    }
    return id
  }

  private func putInPlace(of former: Fields, _ line: LineDraft) -> String {
    if let id = former.text("id") { remove(.subscriptionItem, id) }
    let id = insertItem(line, of: former.text("subscription") ?? "", periodEnd: former.number("_period_end"))
    edit(.subscriptionItem, id) { $0["_period_start"] = former["_period_start"] ?? .null }
    return id
  }

  /// Plans a phase: at the end of the running period the item is replaced by this line. `subscription_schedule.created`.
  func schedule(_ line: LineDraft, of subscription: String) -> String {
    let id = world.newID("sub_sched_")
    let end = periodEnd(subscription)
    update(.subscription, subscription, event: "customer.subscription.updated") {
      edit(.subscription, subscription) { $0.merge(["schedule": .string(id), "_phase": line.value]) }
    }
    emitSchedule("subscription_schedule.created", id, of: subscription, phaseStart: end)
    return id
  }

  /// Begins the planned phase, if there is one, while a period turns over.
  func beginPhase(of subscription: String) {
    guard let fields = find(.subscription, subscription), let line = fields["_phase"].flatMap({ LineDraft($0) }),
      let former = items(subscription).first
    else { return }
    _ = putInPlace(of: former, line)
    edit(.subscription, subscription) { $0["_phase"] = .some(.null) }
    if let id = fields.text("schedule") {
      emitSchedule("subscription_schedule.updated", id, of: subscription, phaseStart: periodEnd(subscription))
    }
  }

  private func emitSchedule(_ type: String, _ id: String, of subscription: String, phaseStart: Int64) {
    let schedule = fields([
      "id": .string(id), "object": "subscription_schedule",
      "customer": find(.subscription, subscription)?["customer"] ?? .null,
      "created": .integer(now), "current_phase": object(["start_date": .integer(phaseStart)]),
      "livemode": flag(livemode),
      "metadata": object([:]), "phases": [], "status": "active", "subscription": .string(subscription),
    ])
    var endive = schedule
    endive["pause_schedules"] = []
    emit(type, Rendering(id: id, old: schedule, new: schedule, endive: endive), previous: nil)
  }

  /// Moves the billing date to now: the unused time is credited and a whole period billed.
  func resetAnchor(_ id: String, _ prorating: Prorating) {
    change(id, prorating == .pending ? .invoice : prorating) {
      edit(.subscription, id) { $0["billing_cycle_anchor"] = .integer(now) }
      return items(id).flatMap { item in [unusedTime(item), beginPeriod(item.text("id") ?? "")].compactMap { $0 } }
    }
  }

  /// Ends a trial now.
  func endTrial(_ id: String) {
    guard find(.subscription, id)?.text("status") == "trialing" else { return }
    edit(.subscription, id) { $0["trial_end"] = .integer(now) }
    for item in items(id).compactMap({ $0.text("id") }) {
      edit(.subscriptionItem, item) { $0["_period_end"] = .integer(now) }
    }
    periodEnds(id)
  }
}
