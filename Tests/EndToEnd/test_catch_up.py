"""Catching up: what was sold before the app was installed, and what no webhook announced."""

from __future__ import annotations

import time
from typing import Any

from support.product import error_code, licenses_of, ok
from support.stack import Stack
from support.vendor import Vendor
from support.waiting import eventually, stays

EVERYTHING = {"subscriptions": "active", "paid_sessions_since": "2020-01-01T00:00:00Z", "paid_invoices": True}


def start(vendor: Vendor, what: str, **choice: Any) -> dict[str, Any]:
    """Asks for a backfill or an event sync ("sweep" in its route)."""
    body = {"account_id": vendor.account, "livemode": False, **choice}
    return ok(vendor.product.admin("POST", f"/{what}", json=body), 202)["data"]


def job(vendor: Vendor, job_id: str) -> dict[str, Any]:
    query = {"account_id": vendor.account, "livemode": "false"}
    return ok(vendor.product.admin("GET", f"/jobs/{job_id}", params=query))["data"]


def finished(vendor: Vendor, started: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
    return eventually(
        lambda: job(vendor, started["id"]), lambda j: j["state"] not in ("queued", "running"), "the job ends", seconds
    )


def report(vendor: Vendor, job_id: str) -> dict[str, dict[str, Any]]:
    """Every entry by the id of its object, read through all pages."""
    query: dict[str, Any] = {"account_id": vendor.account, "livemode": "false", "limit": 3}
    found: dict[str, dict[str, Any]] = {}
    while True:
        body = ok(vendor.product.admin("GET", f"/jobs/{job_id}/report", params=query))
        found |= {entry["stripe_id"]: entry for entry in body["data"]}
        cursor = body["page_info"]["next_cursor"]
        if cursor is None:
            return found
        query["cursor"] = cursor


def connection(vendor: Vendor) -> dict[str, Any]:
    query = {"account_id": vendor.account, "livemode": "false"}
    return ok(vendor.product.admin("GET", "/connections", params=query))["data"][0]


def lose_deliveries(stack: Stack, vendor: Vendor) -> None:
    stack.simulator.control("POST", "/faults", {"deliveries": {"drop": 1.0, "accounts": [vendor.account]}})


def deliver_again(stack: Stack) -> None:
    stack.simulator.control("DELETE", "/faults")


def calls(stack: Stack, vendor: Vendor, path: str) -> int:
    query = f"/requests?account={vendor.account}&method=GET&path={path}&limit=1000"
    return len(stack.simulator.control("GET", query)["data"])


def test_sales_whose_webhooks_are_lost_are_found_by_event_sync(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor()
    once, monthly = vendor.offer_once(quantity="per_unit"), vendor.offer_monthly()
    delivered = vendor.sell(once)
    vendor.fulfilled(delivered.session)
    # The times of events are whole seconds: event sync leaves out those of the second of the installation.
    time.sleep(1.1)
    lose_deliveries(fresh_stack, vendor)
    sale, subscription, refunded = vendor.sell(once, quantity=2), vendor.subscribe(monthly), vendor.sell(once, guest=True)
    vendor.refund(refunded)
    stays(lambda: vendor.fulfillments(object=sale.session), lambda found: not found, "nobody knows of the sale")

    synced = finished(vendor, start(vendor, "sweep"))
    assert synced["state"] == "succeeded" and synced["progress"]["found"] >= 4, synced
    assert len(licenses_of(vendor.fulfilled(sale.session))) == 2
    assert len(licenses_of(vendor.fulfilled(subscription.subscription))) == 1
    vendor.product.wait_for(vendor.account, refunded.session, "ended")
    assert connection(vendor)["sweep"]["found"] == synced["progress"]["found"]
    assert all(entry["outcome"] == "found" for entry in report(vendor, synced["id"]).values())

    # The webhooks arrive later, each twice, and another event sync runs: nothing changes.
    deliver_again(fresh_stack)
    fresh_stack.simulator.control("POST", "/deliveries/retry_failed", {"account": vendor.account})
    vendor.redeliver_everything()
    vendor.settle()
    again = finished(vendor, start(vendor, "sweep"))
    assert again["progress"]["found"] == 0, again
    vendor.settle()
    active = [license for license in vendor.licenses_at_licensekit(once) if license["status"] == "active"]
    assert len(active) == 3
    assert len(vendor.licenses_at_licensekit(monthly)) == 1


def test_what_was_sold_while_the_app_was_uninstalled_is_found_after_the_next_installation(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once()
    vendor.fulfilled(vendor.sell(item).session)
    time.sleep(1.1)  # An uninstall in the second of the installation would count as an earlier one.
    fresh_stack.simulator.uninstall(vendor.account)
    eventually(lambda: connection(vendor)["status"], lambda status: status == "disconnected", "the app is uninstalled")
    missed = vendor.sell(item)
    time.sleep(1.1)
    vendor.install()
    assert len(licenses_of(vendor.fulfilled(missed.session, seconds=60))) == 1
    assert len(vendor.licenses_at_licensekit(item)) == 2


def test_without_the_permission_to_read_events_the_vendor_is_told_and_sales_go_on(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once()
    refusal = {
        "status": 403, "code": "more_permissions_required_for_application", "path": "/v1/events", "probability": 1,
        "account": vendor.account,
    }
    fresh_stack.simulator.control("POST", "/faults", {"api": [refusal]})
    synced = finished(vendor, start(vendor, "sweep"))
    assert synced["state"] == "failed" and "event_read" in synced["reason"], synced
    shown = connection(vendor)
    assert "event_read" in shown["sweep"]["problem"] and shown["parked_reason"] is None, shown
    vendor.fulfilled(vendor.sell(item).session)


def test_existing_sales_are_ingested_as_the_vendor_chooses(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor(install=False)
    once, monthly = vendor.offer_once(mapped=False), vendor.offer_monthly(mapped=False)
    other = vendor.offer_once(mapped=False)
    simulator = fresh_stack.simulator

    paid = vendor.sell(once, quantity=2)
    guest = vendor.sell(once, guest=True)
    refunded = vendor.sell(once)
    vendor.refund(refunded)
    partly = vendor.sell(once)
    vendor.refund(partly, amount=1000)
    disputed = vendor.sell(once)
    simulator.scenario(vendor.account, "dispute", charge=disputed.charge)
    unpaid = vendor.sell(once, delayed=True)
    unmapped = vendor.sell(other)
    active = vendor.subscribe(monthly)
    canceled = vendor.subscribe(monthly)
    vendor.cancel(canceled, at_period_end=False)
    trial = simulator.scenario(vendor.account, "subscribe", price=monthly.stripe_price, trial_days=14)
    past_due = vendor.subscribe(monthly)
    vendor.fail_renewal(past_due)
    invoice = simulator.scenario(
        vendor.account, "invoice", price=once.stripe_price, customer=paid.customer, then="paid"
    )

    vendor.install()
    assert connection(vendor)["backfilled_at"] is None
    vendor.map(once, quantity="per_unit")
    vendor.map(monthly)

    dry = finished(vendor, start(vendor, "backfill", **EVERYTHING, dry_run=True))
    assert dry["state"] == "succeeded", dry
    assert vendor.fulfillments() == [] and connection(vendor)["backfilled_at"] is None
    outcomes = {stripe_id: entry["outcome"] for stripe_id, entry in report(vendor, dry["id"]).items()}
    expected = {
        paid.session: "licensed", guest.session: "licensed", refunded.session: "nothing", partly.session: "licensed",
        disputed.session: "suspended", unpaid.session: "nothing", unmapped.session: "no_mapping",
        active.subscription: "licensed", canceled.subscription: "nothing", trial.subscription: "licensed",
        past_due.subscription: "licensed", invoice.invoice: "licensed",
        active.session: "linked", canceled.session: "nothing", trial.session: "linked", past_due.session: "linked",
    }
    assert outcomes == expected
    assert dry["progress"]["licenses"] == 8, dry["progress"]

    real = finished(vendor, start(vendor, "backfill", **EVERYTHING))
    assert real["state"] == "succeeded" and real["progress"] == dry["progress"], (real["progress"], dry["progress"])
    assert {i: e["outcome"] for i, e in report(vendor, real["id"]).items()} == expected
    vendor.settle()
    assert connection(vendor)["backfilled_at"] is not None
    for stripe_id, count in {
        paid.session: 2, guest.session: 1, partly.session: 1, active.subscription: 1, trial.subscription: 1,
        past_due.subscription: 1, invoice.invoice: 1,
    }.items():
        licenses = licenses_of(vendor.fulfilled(stripe_id))
        assert [license["status"] for license in licenses] == ["active"] * count, stripe_id
    assert vendor.fulfillments(object=refunded.session) == []
    assert vendor.fulfillments(object=canceled.subscription) == []
    assert len(vendor.licenses_at_licensekit(once)) == 5
    assert len(vendor.licenses_at_licensekit(monthly)) == 3

    # From now on they are purchases like all others.
    vendor.map(other)
    vendor.fulfilled(unmapped.session)
    vendor.delayed_payment_arrives(unpaid)
    vendor.fulfilled(unpaid.session)
    vendor.recover(past_due)
    vendor.cancel(active, at_period_end=False)
    vendor.settle()
    again = finished(vendor, start(vendor, "backfill", **EVERYTHING))
    assert again["progress"]["licensed"] == 0 and again["progress"]["licenses"] == 0, again["progress"]
    vendor.settle()
    assert len(vendor.licenses_at_licensekit(once)) == 6
    assert len(vendor.licenses_at_licensekit(monthly)) == 3


def test_a_backfill_that_is_killed_goes_on_and_licenses_each_sale_once(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor(install=False)
    monthly = vendor.offer_monthly(mapped=False)
    sold = [vendor.subscribe(monthly) for _ in range(25)]
    vendor.install()
    vendor.map(monthly)
    started = start(vendor, "backfill", subscriptions="active", paid_sessions_since=None)
    assert error_code(
        vendor.product.admin("POST", "/backfill", json={"account_id": vendor.account, "livemode": False, "subscriptions": "active"}),
        409,
    ) == "CONFLICT"
    # A page has ten sales: this is in the middle of the second page.
    eventually(lambda: len(vendor.fulfillments()), lambda count: count > 12, "the second page has begun", 60)
    fresh_stack.product.process.kill()
    fresh_stack.product.start()
    # A sale made meanwhile is not lost either; the claim of the dead replica ends after 20 seconds.
    live = vendor.subscribe(monthly)
    vendor.fulfilled(live.subscription, seconds=60)
    done = finished(vendor, started, seconds=150)
    assert done["state"] == "succeeded", done
    assert done["progress"]["licensed"] + done["progress"]["known"] == done["progress"]["subscriptions"] in (25, 26)
    vendor.settle(60)
    for sale in sold:
        assert len(licenses_of(vendor.fulfilled(sale.subscription))) == 1
    assert len(vendor.licenses_at_licensekit(monthly)) == 26


def test_who_buys_during_a_backfill_is_not_kept_waiting_by_it(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor(install=False)
    item = vendor.offer_once(mapped=False)
    for _ in range(40):
        vendor.sell(item)
    vendor.install()
    vendor.map(item)
    started = start(vendor, "backfill", subscriptions="none", paid_sessions_since="2020-01-01T00:00:00Z")
    for number in (5, 15):
        eventually(lambda: len(vendor.licenses_at_licensekit(item)), lambda count: count >= number, "it is at work", 60)
        sale = vendor.sell(item)
        vendor.fulfilled(sale.session, seconds=15)
        assert job(vendor, started["id"])["state"] == "running", "the sale came before what was waiting"
    finished(vendor, started, seconds=120)
    vendor.settle(60)
    assert len(vendor.licenses_at_licensekit(item)) == 42


def test_a_backfill_can_be_cancelled(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor(install=False)
    item = vendor.offer_once(mapped=False)
    for _ in range(30):
        vendor.sell(item)
    vendor.install()
    started = start(vendor, "backfill", **EVERYTHING, dry_run=True)
    query = {"account_id": vendor.account, "livemode": "false"}
    eventually(lambda: job(vendor, started["id"])["progress"]["checkout_sessions"], bool, "it has begun", 60)
    ok(vendor.product.admin("POST", f"/jobs/{started['id']}/cancel", params=query))
    cancelled = job(vendor, started["id"])
    assert cancelled["state"] == "cancelled" and cancelled["reason"] == "Cancelled by operator.", cancelled
    time.sleep(2)  # The object that the backfill had reached.
    asked = calls(fresh_stack, vendor, "/v1/checkout/sessions")
    stays(lambda: calls(fresh_stack, vendor, "/v1/checkout/sessions"), lambda n: n == asked, "Stripe is left alone", 3)
    assert job(vendor, started["id"])["progress"] == cancelled["progress"]
