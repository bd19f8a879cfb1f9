"""The simulator at Stripe's newest version, `2026-10-28.endive`, tested with the Python package of that version."""

from __future__ import annotations

import time

import pytest
import stripe

from test_simulator import NEW, OLD, Shop, client, control, shop  # noqa: F401

ENDIVE = "2026-10-28.endive"
DAY = 86_400


def subscribe(shop: Shop, price: str = "pro_monthly", **body: object) -> dict:
    return shop.scenario("subscribe", price=shop.prices[price], **body)["ids"]


def types(answer: dict) -> list[str]:
    return [each["type"] for each in answer["events"]]


def test_the_official_package_sends_the_version_that_is_newest_here(shop: Shop) -> None:
    assert stripe.api_version == ENDIVE
    made = subscribe(shop)
    assert client(shop.own_key, ENDIVE).v1.subscriptions.retrieve(made["subscription"]).last_response.headers[
        "stripe-version"
    ] == ENDIVE


def test_what_endive_adds_is_shown_since_endive_and_not_before(shop: Shop) -> None:
    made = subscribe(shop)
    new = shop.own(ENDIVE).v1.subscriptions.retrieve(made["subscription"]).to_dict()
    assert new["status_details"] is None and new["items"]["data"][0]["current_trial"] is None
    for version in (OLD, NEW, "2026-08-26.dahlia"):
        old = shop.own(version).v1.subscriptions.retrieve(made["subscription"]).to_dict()
        assert "status_details" not in old and "current_trial" not in old["items"]["data"][0]
    session = shop.own(ENDIVE).v1.checkout.sessions.retrieve(made["session"])
    assert session.managed_payments.enabled is False and session.allowed_payment_method_types is None


def test_a_requested_pause_stops_the_periods_and_a_resumption_bills_again(shop: Shop) -> None:
    made = subscribe(shop)
    api = shop.own(ENDIVE).v1.subscriptions
    paused = api.pause(made["subscription"], {"bill_for": {"unused_time_from": {"type": "none"}}})
    assert paused.status == "paused"
    assert paused.status_details.paused.subscription.type == "pause_requested"
    seen = control("POST", f"accounts/{shop.id}/advance", {"seconds": 40 * DAY})
    assert "invoice.created" not in types(seen)
    resumed = api.resume(made["subscription"], {"billing_cycle_anchor": {"type": "now"}})
    assert resumed.status == "active" and resumed.status_details is None
    assert resumed.latest_invoice != made["invoice"]
    assert shop.own(ENDIVE).v1.invoices.retrieve(resumed.latest_invoice).status == "paid"


def test_the_unused_time_of_a_pause_is_credited_on_the_next_invoice(shop: Shop) -> None:
    made = subscribe(shop)
    api = shop.own(ENDIVE).v1
    api.subscriptions.pause(made["subscription"])
    resumed = api.subscriptions.resume(made["subscription"])
    lines = api.invoices.retrieve(resumed.latest_invoice).lines.data
    assert sorted((line.amount > 0, line.parent.subscription_item_details.proration) for line in lines) == [
        (False, True), (True, False),
    ]


def test_a_resumption_may_wait_for_its_payment(shop: Shop) -> None:
    made = subscribe(shop)
    shop.scenario("pause_subscription", subscription=made["subscription"])
    waiting = shop.scenario("resume", subscription=made["subscription"], fails=True, waits_for_payment=True)
    assert waiting["ids"]["status"] == "paused" and "customer.subscription.resumed" not in types(waiting)
    paid = shop.scenario("recover", subscription=made["subscription"])
    assert paid["ids"]["status"] == "active" and "customer.subscription.resumed" in types(paid)


def test_a_trial_without_a_card_is_paused_for_that_reason(shop: Shop) -> None:
    made = subscribe(shop, trial_days=3, trial_end_behavior="pause")
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 4 * DAY})
    paused = shop.own(ENDIVE).v1.subscriptions.retrieve(made["subscription"])
    assert paused.status_details.paused.subscription.type == "trial_end_without_payment_method"


def test_an_invoice_that_was_given_up_says_why(shop: Shop) -> None:
    made = shop.scenario("invoice", price=shop.prices["perpetual"], then="uncollectible")["ids"]
    assert shop.own(ENDIVE).v1.invoices.retrieve(made["invoice"]).status_details.uncollectible.reason == "user_forgiven"


def test_payment_method_types_are_refused_since_endive(shop: Shop) -> None:
    session = {
        "mode": "payment", "success_url": "https://shop.example/thanks", "payment_method_types": ["card"],
        "line_items": [{"price": shop.prices["perpetual"], "quantity": 1}],
    }
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.own(ENDIVE).v1.checkout.sessions.create(session)
    assert refused.value.code == "payment_method_types_no_longer_supported"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.own(ENDIVE).v1.payment_intents.create({"amount": 100, "currency": "eur", "payment_method_types": ["card"]})
    assert refused.value.code == "payment_method_types_no_longer_supported"
    assert shop.own("2026-08-26.dahlia").v1.checkout.sessions.create(session).status == "open"


def test_a_billing_date_is_moved_by_an_object_since_endive_and_by_a_word_before(shop: Shop) -> None:
    made = subscribe(shop)
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 10 * DAY})
    new, old = shop.own(ENDIVE).v1.subscriptions, shop.own(NEW).v1.subscriptions
    with pytest.raises(stripe.InvalidRequestError):
        new.update(made["subscription"], {"billing_cycle_anchor": "now"})
    with pytest.raises(stripe.InvalidRequestError):
        old.update(made["subscription"], {"billing_cycle_anchor": {"type": "now"}})
    moved = new.update(made["subscription"], {"billing_cycle_anchor": {"type": "now"}}).to_dict()
    lines = shop.own(ENDIVE).v1.invoices.retrieve(moved["latest_invoice"]).lines.data
    assert sorted(line.amount > 0 for line in lines) == [False, True]
    assert moved["items"]["data"][0]["current_period_start"] >= made["now"] + 10 * DAY


def test_prorations_wait_for_the_next_invoice_unless_they_are_billed_at_once(shop: Shop) -> None:
    made = subscribe(shop)
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 10 * DAY})
    item = made["items"][0]
    api = shop.own(ENDIVE).v1
    changed = api.subscriptions.update(made["subscription"], {"items": [{"id": item, "quantity": 3}]})
    assert changed.latest_invoice == made["invoice"]
    renewed = shop.scenario("renew", subscription=made["subscription"])["ids"]
    lines = api.invoices.retrieve(renewed["invoice"]).lines.data
    seen = [(line.quantity, line.amount > 0, line.parent.subscription_item_details.proration) for line in lines]
    assert seen == [(1, False, True), (3, True, True), (3, True, False)]


def test_a_downgrade_goes_to_the_balance_which_pays_the_next_invoice(shop: Shop) -> None:
    made = subscribe(shop, price="team_monthly")
    api = shop.own(ENDIVE).v1
    changed = shop.scenario("change", subscription=made["subscription"], price=shop.prices["pro_monthly"])["ids"]
    invoice = api.invoices.retrieve(changed["invoice"])
    assert invoice.status == "paid" and invoice.total < 0 and invoice.amount_due == 0 and invoice.amount_paid == 0
    balance = api.customers.retrieve(made["customer"]).balance
    assert balance == invoice.total == invoice.ending_balance
    renewed = api.invoices.retrieve(shop.scenario("renew", subscription=made["subscription"])["ids"]["invoice"])
    assert renewed.starting_balance == balance and renewed.status == "paid" and renewed.amount_paid == 0
    assert api.customers.retrieve(made["customer"]).balance == balance + renewed.total


def test_an_upgrade_that_is_declined_leaves_an_open_invoice_of_prorations(shop: Shop) -> None:
    made = subscribe(shop)
    changed = shop.scenario("change", subscription=made["subscription"], price=shop.prices["team_monthly"], fails=True)
    assert changed["ids"]["status"] == "past_due" and changed["ids"]["invoice_status"] == "open"
    invoice = shop.own(ENDIVE).v1.invoices.retrieve(changed["ids"]["invoice"])
    assert invoice.billing_reason == "subscription_update" and invoice.attempted and invoice.attempt_count == 1
    assert invoice.collection_method == "charge_automatically" and invoice.status_transitions.finalized_at


def test_an_item_is_replaced_in_one_change(shop: Shop) -> None:
    made = subscribe(shop)
    [former] = made["items"]
    changed = shop.own(ENDIVE).v1.subscriptions.update(
        made["subscription"],
        {"items": [{"id": former, "deleted": True}, {"price": shop.prices["team_monthly"]}], "proration_behavior": "none"},
    ).to_dict()
    [item] = changed["items"]["data"]
    assert item["id"] != former and item["price"]["id"] == shop.prices["team_monthly"]
    assert changed["latest_invoice"] == made["invoice"]


def test_a_scheduled_phase_puts_a_new_item_in_the_place_of_the_old(shop: Shop) -> None:
    made = subscribe(shop)
    planned = shop.scenario("schedule", subscription=made["subscription"], price=shop.prices["team_monthly"])
    assert planned["ids"]["items"] == made["items"] and "subscription_schedule.created" in types(planned)
    renewed = shop.scenario("renew", subscription=made["subscription"])["ids"]
    assert renewed["items"] != made["items"]
    [line] = shop.own(ENDIVE).v1.invoices.retrieve(renewed["invoice"]).lines.data
    assert line.pricing.price_details.price == shop.prices["team_monthly"]
    assert line.parent.subscription_item_details.subscription_item == renewed["items"][0]


def test_a_renewal_by_bank_debit_is_under_way_for_a_while(shop: Shop) -> None:
    made = subscribe(shop)
    under_way = shop.scenario("renew", subscription=made["subscription"], delayed=True)["ids"]
    assert (under_way["status"], under_way["invoice_status"]) == ("active", "open")
    invoice = shop.own(ENDIVE).v1.invoices.retrieve(under_way["invoice"])
    assert invoice.attempted and invoice.attempt_count == 1 and invoice.next_payment_attempt is None
    assert shop.own(ENDIVE).v1.payment_intents.retrieve(under_way["payment_intent"]).status == "processing"
    assert shop.scenario("fail", subscription=made["subscription"])["ids"]["status"] == "past_due"
    assert shop.scenario("recover", subscription=made["subscription"])["ids"]["status"] == "active"


def test_a_trial_offer_runs_on_one_item_of_an_active_subscription(shop: Shop) -> None:
    made = subscribe(shop)
    shop.scenario(
        "change", subscription=made["subscription"], add={"price": shop.prices["team_monthly"], "trial_days": 5}
    )
    subscription = shop.own(ENDIVE).v1.subscriptions.retrieve(made["subscription"]).to_dict()
    trials = [item["current_trial"] for item in subscription["items"]["data"]]
    assert subscription["status"] == "active" and trials[0] is None
    assert trials[1]["end_date"] - trials[1]["start_date"] == 5 * DAY
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 6 * DAY})
    subscription = shop.own(ENDIVE).v1.subscriptions.retrieve(made["subscription"]).to_dict()
    assert [item["current_trial"] for item in subscription["items"]["data"]] == [None, None]
    [line] = shop.own(ENDIVE).v1.invoices.retrieve(subscription["latest_invoice"]).lines.data
    assert line.pricing.price_details.price == shop.prices["team_monthly"]


def test_a_hold_is_captured_in_part_and_the_rest_is_shown_as_refunded(shop: Shop) -> None:
    held = shop.scenario("sell", price=shop.prices["perpetual"], capture_method="manual")["ids"]
    api = shop.own(ENDIVE).v1
    assert api.checkout.sessions.retrieve(held["session"]).payment_status == "unpaid"
    charge = api.charges.retrieve(held["charge"])
    assert charge.paid and not charge.captured and charge.amount_captured == 0
    api.payment_intents.capture(held["payment_intent"], {"amount_to_capture": 1900})
    charge = api.charges.retrieve(held["charge"])
    assert (charge.amount, charge.amount_captured, charge.amount_refunded, charge.refunded) == (4900, 1900, 3000, False)
    assert api.checkout.sessions.retrieve(held["session"]).payment_status == "paid"


def test_a_credit_note_may_return_money_outside_stripe(shop: Shop) -> None:
    invoice = shop.scenario("invoice", price=shop.prices["perpetual"], then="out_of_band")["ids"]["invoice"]
    api = shop.own(ENDIVE).v1
    note = api.credit_notes.create({"invoice": invoice, "amount": 4900, "out_of_band_amount": 4900})
    assert (note.type, note.out_of_band_amount, note.refunds) == ("post_payment", 4900, [])
    assert [each.id for each in api.credit_notes.list({"invoice": invoice}).data] == [note.id]
    assert api.invoices.retrieve(invoice).post_payment_credit_notes_amount == 4900


def test_the_invoices_of_a_subscription_are_listed_page_by_page(shop: Shop) -> None:
    made = subscribe(shop)
    for _ in range(3):
        shop.scenario("renew", subscription=made["subscription"], alone=True)
    first = shop.own(ENDIVE).v1.invoices.list({"subscription": made["subscription"], "limit": 3})
    assert len(first.data) == 3 and first.has_more
    assert len(list(first.auto_paging_iter())) == 4


def test_a_customer_on_a_test_clock_lives_by_it(shop: Shop) -> None:
    api = shop.own(ENDIVE).v1
    start = int(time.time()) - 20 * DAY
    clock = api.test_helpers.test_clocks.create({"frozen_time": start, "name": "twenty days ago"})
    customer = api.customers.create({"email": "clock@example.com", "test_clock": clock.id})
    made = subscribe(shop, customer=customer.id)
    other = subscribe(shop)
    subscription = api.subscriptions.retrieve(made["subscription"])
    assert (subscription.test_clock, subscription.created) == (clock.id, start)
    advanced = control("POST", f"accounts/{shop.id}/test_clocks/{clock.id}", {"seconds": 40 * DAY})
    assert {"invoice.paid", "test_helpers.test_clock.ready"} <= set(types(advanced))
    seen = shop.app(ENDIVE).v1.events.list({"limit": 100}).data
    renewal = next(event for event in seen if event.type == "invoice.paid" and event.id in [e["id"] for e in advanced["events"]])
    assert start + 28 * DAY <= renewal.created <= start + 32 * DAY
    assert renewal.data.object.test_clock == clock.id
    assert api.test_helpers.test_clocks.retrieve(clock.id).frozen_time == start + 40 * DAY
    assert api.subscriptions.retrieve(other["subscription"]).latest_invoice == other["invoice"]
    api.test_helpers.test_clocks.delete(clock.id)
    assert api.subscriptions.retrieve(made["subscription"]).status == "canceled"


def test_a_session_of_managed_payments_says_so(shop: Shop) -> None:
    session = shop.own(ENDIVE).v1.checkout.sessions.create(
        {
            "mode": "payment", "success_url": "https://shop.example/thanks", "managed_payments": {"enabled": True},
            "line_items": [{"price": shop.prices["perpetual"], "quantity": 1}],
        }
    )
    assert session.managed_payments.enabled is True
