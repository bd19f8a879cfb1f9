import JSON

/// `health_alert`: Stripe failed to make an event and says so.
enum ControlHealth {
  static func raise(_ tenant: Tenant, _ body: Fields) throws(StripeFailure) -> Fields {
    guard let change = HealthAlert.Change(rawValue: body.text("type") ?? "raised") else {
      throw .invalid("type is raised, updated or resolved", parameter: "type")
    }
    let context = body["context"]?.asBool ?? true ? tenant.account : nil
    let subject = body.text("object") ?? tenant.table(.invoice).order.last ?? tenant.newID(.invoice)
    var impact = record(["event_type": .string(body.text("event_type") ?? "invoice.paid")])
    if let context { impact["context"] = .string(context) }
    let related = RelatedObject(type: Kind(id: subject)?.rawValue, id: subject)
    impact["related_object"] = related?.fields ?? .null
    let moment = CalendarTime.rfc3339(tenant.now, milliseconds: 0)
    let alertID = body.text("alert_id") ?? tenant.world.newID("halert_")
    var data = record([
      "alert_id": .string(alertID), "grouping_key": .string("_grouping_" + alertID.suffix(22)),
      "impact": .object(impact), "summary": "Stripe could not generate an event.",
    ])
    // Alerts from before 2026-11-18 have no severity: null leaves it out.
    if body["severity"]?.isAbsent != true { data["severity"] = .string(body.text("severity") ?? "critical") }
    data[change == .resolved ? "resolved_at" : "started_at"] = .string(moment)
    let alert = HealthAlert(
      id: tenant.world.newID("evt_"), serial: tenant.world.nextSerial(), change: change, created: tenant.now,
      environment: tenant.environment, context: context, data: data,
      isDataSent: body["data"]?.asBool ?? true)
    tenant.record(alert)
    return record(["event": .string(alert.id), "alert": .string(alertID)])
  }
}
