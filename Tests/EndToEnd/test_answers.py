"""Why there is a license or none, what happens after a failure, replays, and changed mappings that are applied to earlier
sales. The tests use the real commands from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from typing import Any

import pytest

from support.processes import binary, free_port
from support.product import Product, error_code, licenses_of, ok
from support.stack import Stack
from support.vendor import Vendor
from support.waiting import eventually


def tenant(vendor: Vendor) -> dict[str, str]:
    return {"account_id": vendor.account, "livemode": "false"}


def explain(vendor: Vendor, object_id: str, token: str | None = "operator") -> dict[str, Any]:
    query = tenant(vendor) | {"object": object_id}
    return ok(vendor.product.admin("GET", "/explain", token=token, params=query))["data"]


def code(explanation: dict[str, Any]) -> str:
    return explanation["verdict"]["code"]


def chain(explanation: dict[str, Any]) -> str:
    return "\n".join(reason["says"] for reason in explanation["chain"])


def command(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One run of the operator's command line, with the environment of the service."""
    inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return subprocess.run(
        [binary("licensekit"), *arguments], env=inherited | product.environment,
        capture_output=True, text=True, timeout=60, check=False,
    )


def of(vendor: Vendor) -> list[str]:
    return ["--account", vendor.account, "--test"]


# Why is there no license?


def test_a_payment_that_no_webhook_announced_is_explained_and_ingested(vendor: Vendor) -> None:
    item = vendor.offer_once()
    vendor.simulator.hold_deliveries(vendor.account)
    sale = vendor.sell(item)
    for object_id in [sale.payment_intent, sale.session] + ([sale.charge] if sale.charge else []):
        answer = explain(vendor, object_id)
        assert code(answer) == "not_seen", answer
        assert answer["asked_stripe"] is True and answer["fulfillments"] == []
        assert answer["if_taken_up"]["status"] == "fulfilled"
        assert any(step.startswith("Issue license 1") for step in answer["if_taken_up"]["steps"]), answer
    assert vendor.fulfillments() == [], "explaining writes nothing"

    query = tenant(vendor) | {"object": sale.payment_intent}
    ok(vendor.product.admin("POST", "/explain/fetch", params=query))
    [license] = licenses_of(vendor.fulfilled(sale.session))
    vendor.simulator.release_deliveries(vendor.account)
    vendor.settle()
    assert [each["id"] for each in vendor.licenses_at_licensekit(item)] == [license["id"]]

    answer = explain(vendor, license["id"])
    assert code(answer) == "licensed" and sale.payment_intent in chain(answer)


def test_a_refunded_payment_says_so_whether_it_is_known_or_not(vendor: Vendor) -> None:
    item = vendor.offer_once()
    heard = vendor.sell(item)
    vendor.fulfilled(heard.session)
    vendor.refund(heard)
    vendor.product.wait_for(vendor.account, heard.session, "ended")
    answer = explain(vendor, heard.payment_intent)
    assert code(answer) == "ended" and "refunded" in answer["verdict"]["sentence"], answer

    vendor.simulator.hold_deliveries(vendor.account)
    unheard = vendor.sell(item)
    vendor.refund(unheard)
    answer = explain(vendor, unheard.payment_intent)
    assert code(answer) == "ended" and "refunded" in answer["verdict"]["sentence"], answer
    vendor.simulator.release_deliveries(vendor.account)


def test_a_sale_without_a_mapping_names_what_has_none_and_heals(vendor: Vendor) -> None:
    item = vendor.offer_once(mapped=False)
    sale = vendor.sell(item)
    vendor.product.wait_for(vendor.account, sale.session, "waiting_mapping")
    answer = explain(vendor, sale.payment_intent)
    assert code(answer) == "waiting_mapping"
    assert f"{item.stripe_price} of {item.stripe_product}: no mapping." in chain(answer)
    catalog = explain(vendor, item.stripe_product)
    assert code(catalog) == "unmapped" and len(catalog["fulfillments"]) == 1
    shown = command(vendor.product, "explain", sale.payment_intent, *of(vendor))
    assert shown.returncode == 1 and "waiting_mapping:" in shown.stdout, shown
    vendor.map(item)
    vendor.fulfilled(sale.session)
    assert code(explain(vendor, item.stripe_product)) == "mapped"
    shown = command(vendor.product, "explain", sale.payment_intent, *of(vendor))
    assert shown.returncode == 0 and "licensed:" in shown.stdout and sale.session in shown.stdout, shown


def test_a_sale_of_a_blocked_vendor_says_who_must_act(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once()
    refusal = {
        "status": 403, "code": "more_permissions_required_for_application", "times": 1, "method": "GET",
        "path": "/v1/checkout/sessions", "account": vendor.account,
    }
    fresh_stack.simulator.control("POST", "/faults", {"api": [refusal]})
    first = vendor.sell(item)

    def connection() -> dict[str, Any]:
        return ok(vendor.product.admin("GET", "/connections", params=tenant(vendor)))["data"][0]

    eventually(connection, lambda found: found["parked_reason"] == "stripe_permission", "the vendor is blocked")
    second = vendor.sell(item)
    vendor.deliveries_settled()
    for sale in (first, second):
        answer = eventually(
            lambda: explain(vendor, sale.payment_intent), lambda it: code(it) == "parked", "it is explained")
        assert "permission" in answer["verdict"]["sentence"] and answer["what_to_do"], answer
        [shown] = vendor.fulfillments(object=sale.session)
        assert shown["status"] == "pending" and shown["reason"].startswith("Waiting: "), shown
        assert "What to do:" in shown["reason"]
    stands = command(vendor.product, "reconcile", *of(vendor))
    assert stands.returncode == 2 and "Waiting: The app lacks a permission" in stands.stdout, stands
    shown = command(vendor.product, "explain", second.session, *of(vendor))
    assert shown.returncode == 2 and "parked:" in shown.stdout, shown

    freed = ok(vendor.product.admin("POST", "/connections/unpark", json={"reason": "stripe_permission"}))
    assert freed["data"]["unparked"] == 1
    for sale in (first, second):
        vendor.fulfilled(sale.session)
    assert connection()["parked_reason"] is None


def test_ids_of_nobody_and_of_others_are_unknown_and_tell_nothing(vendor: Vendor, stack: Stack) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    vendor.fulfilled(sale.session)
    assert code(explain(vendor, "pi_nobody")) == "unknown_object"
    assert code(explain(vendor, "cs_live_other")) == "wrong_mode"
    other = stack.new_vendor()
    made = ok(stack.product.admin("POST", "/tokens", json={"account_id": other.account, "livemode": False, "name": "e2e"}))
    token = made["data"]["token"]
    for object_id in (sale.session, sale.payment_intent, sale.customer):
        for answer in (explain(other, object_id), explain(other, object_id, token=token)):
            assert code(answer) == "unknown_object", answer
            assert answer["fulfillments"] == [] and answer["events"] == []
    refused = stack.product.admin("GET", "/explain", token=token, params=tenant(vendor) | {"object": sale.session})
    assert error_code(refused, 403) == "FORBIDDEN"
    unknown = command(vendor.product, "explain", "pi_nobody", *of(vendor))
    assert unknown.returncode == 1 and "unknown_object:" in unknown.stdout


def test_the_timeline_of_a_purchase_is_in_plain_words(vendor: Vendor) -> None:
    item = vendor.offer_monthly()
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    entries = vendor.product.fulfillment(fulfillment["id"], vendor.account)["timeline"]
    text = "\n".join(f"{entry['title']} {entry['detail'] or ''}" for entry in entries)
    assert f"Stripe says: invoice {sale.invoice} was paid (invoice.paid, evt_" in text, text
    assert "Decided: the buyer has access." in text and "paid through" in text
    assert "Issue license 1" in text and "Stripe: req_" in text
    decisions = [entry for entry in entries if entry["kind"] == "decision"]
    vendor.redeliver_everything()
    vendor.settle()
    again = vendor.product.fulfillment(fulfillment["id"], vendor.account)["timeline"]
    assert [entry for entry in again if entry["kind"] == "decision"] == decisions, "an unchanged run adds no entry"


# Replays


def test_failed_sales_are_replayed_by_filter_from_the_routes_and_from_the_command_line(vendor: Vendor) -> None:
    item = vendor.offer_once(quantity="per_unit")
    sales = [vendor.sell(item, quantity=1001), vendor.sell(item, quantity=1002)]
    for sale in sales:
        vendor.product.wait_for(vendor.account, sale.session, "failed")
    body = {"account_id": vendor.account, "livemode": False}
    filter = {"status": "failed", "reason_contains": "at most"}
    dry = ok(vendor.product.admin("POST", "/fulfillments/replay", json=body | filter | {"dry_run": True}))["data"]
    assert dry["matched"] == 2 and dry["replayed"] == 0 and len(dry["items"]) == 2
    vendor.map(item, quantity="one")
    replayed = ok(vendor.product.admin("POST", "/fulfillments/replay", json=body | {"object": sales[0].session}))
    assert replayed["data"]["replayed"] == 1
    vendor.fulfilled(sales[0].session)
    assert vendor.fulfillments(object=sales[1].session)[0]["status"] == "failed"

    dry_run = command(vendor.product, "replay", *of(vendor), "--status", "failed", "--dry-run")
    assert dry_run.returncode == 0 and "1 fulfillments would be replayed." in dry_run.stdout, dry_run
    done = command(vendor.product, "replay", *of(vendor), "--status", "failed")
    assert done.returncode == 0 and "1 fulfillments are replayed." in done.stdout, done
    vendor.fulfilled(sales[1].session)
    nothing = command(vendor.product, "replay", *of(vendor), "--status", "failed")
    assert nothing.returncode == 1 and "Nothing matches." in nothing.stdout
    wrong = command(vendor.product, "replay", *of(vendor))
    assert wrong.returncode == 64 and "narrow" in wrong.stderr, wrong


def test_events_are_replayed_by_filter(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    vendor.fulfilled(sale.session)
    vendor.settle()
    body = {"account_id": vendor.account, "livemode": False, "type": "checkout.session.completed"}
    assert ok(vendor.product.admin("POST", "/events/replay", json=body | {"dry_run": True}))["data"]["matched"] == 1
    assert ok(vendor.product.admin("POST", "/events/replay", json=body))["data"]["replayed"] == 1
    vendor.settle()
    done = command(vendor.product, "replay", *of(vendor), "--type", "checkout.session.completed")
    assert done.returncode == 0 and "1 events are replayed." in done.stdout, done
    vendor.settle()
    assert len(vendor.licenses_at_licensekit(item)) == 1


def test_reconcile_does_here_and_now_what_a_worker_would_do(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once(mapped=False)
    sale = vendor.sell(item)
    vendor.product.wait_for(vendor.account, sale.session, "waiting_mapping")
    vendor.map(item)
    vendor.fulfilled(sale.session)
    fresh_stack.product.process.terminate()
    done = command(fresh_stack.product, "reconcile", sale.payment_intent, *of(vendor))
    assert done.returncode == 0 and "fulfilled" in done.stdout and "1 looked at." in done.stdout, done
    nobody = command(fresh_stack.product, "reconcile", "pi_nobody", *of(vendor))
    assert nobody.returncode == 1 and "No purchase" in nobody.stdout


# LicenseKit unavailable


class Line:
    """A connection to a server that a test can cut: it passes bytes on, or accepts no client."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def mend(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._open:
            connection.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_licensekit_away_and_back_costs_no_sale(vendor: Vendor) -> None:
    line = Line(vendor.product.port)
    line.mend()
    body = {
        "account_id": vendor.account, "livemode": False,
        "base_url": f"http://127.0.0.1:{line.port}", "token": vendor.product.secrets.api_token,
    }
    ok(vendor.product.admin("PUT", "/connections/licensekit", json=body))
    item = vendor.offer_once()
    line.cut()
    try:
        sales = [vendor.sell(item) for _ in range(6)]
        vendor.deliveries_settled()

        def waiting() -> list[Any]:
            return [fulfillment["reason"] for fulfillment in vendor.fulfillments()]

        eventually(
            waiting, lambda all: len(all) == 6 and any("LicenseKit does not answer" in (one or "") for one in all),
            "the outage is shown")
        answer = eventually(
            lambda: explain(vendor, sales[0].session), lambda it: code(it) in ("outage", "in_progress"), "it is explained")
        assert "LicenseKit does not answer" in answer["verdict"]["sentence"] + chain(answer), answer
        assert {fulfillment["status"] for fulfillment in vendor.fulfillments()} == {"pending"}
        line.mend()
        for sale in sales:
            vendor.fulfilled(sale.session, seconds=60)
        assert len(vendor.licenses_at_licensekit(item)) == 6
    finally:
        line.cut()


# A changed mapping


@pytest.mark.parametrize("change", [{"features": 10}, {"on_dispute": "keep"}, {"quantity": "one"}], ids=lambda c: next(iter(c)))
def test_a_changed_mapping_is_applied_as_its_dry_run_says(vendor: Vendor, change: dict[str, Any]) -> None:
    item = vendor.offer_once(quantity="per_unit")
    sale = vendor.sell(item, quantity=2)
    fulfillment = vendor.fulfilled(sale.session)
    vendor.settle()
    mapping = vendor.map(item, **change)
    assert mapping["id"] == fulfillment["lines"][0]["mapping_id"]
    path, body = f"/mappings/{mapping['id']}/apply", {"account_id": vendor.account, "livemode": False}
    page = ok(vendor.product.admin("POST", path, json=body | {"dry_run": True}))
    [plan] = page["data"]
    assert plan["outcome"] == "changed" and plan["id"] == fulfillment["id"] and page["page_info"]["next_cursor"] is None
    assert plan["lines"][0]["before"] != plan["lines"][0]["after"]

    def steps() -> list[str]:
        entries = vendor.product.fulfillment(fulfillment["id"], vendor.account)["timeline"]
        return [e["title"] for e in entries if e["kind"] == "step" and not e["title"].startswith("Write the")]

    before = steps()
    job = ok(vendor.product.admin("POST", path, json=body | {"dry_run": False}), 202)["data"]
    done = eventually(
        lambda: ok(vendor.product.admin("GET", f"/jobs/{job['id']}", params=tenant(vendor)))["data"],
        lambda job: job["state"] not in ("queued", "running"), "the job is done")
    assert done["state"] == "succeeded" and done["progress"]["changed"] == 1, done
    eventually(steps, lambda all: all[len(before):] == plan["steps"], "the steps of the dry run are taken")
    vendor.settle()
    assert steps()[len(before):] == plan["steps"]
    [again] = ok(vendor.product.admin("POST", path, json=body | {"dry_run": True}))["data"]
    assert again["outcome"] == "unchanged" and again["steps"] == []


# Metrics


def test_what_waits_is_counted_in_the_metrics(fresh_stack: Stack) -> None:
    import requests

    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once(mapped=False)
    sale = vendor.sell(item)
    vendor.product.wait_for(vendor.account, sale.session, "waiting_mapping")

    def metrics() -> dict[str, float]:
        text = requests.get(f"{fresh_stack.product.url}/metrics", timeout=10).text
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    shown = eventually(metrics, lambda all: all.get("stripe_purchases_waiting_mapping") == 1, "it is counted", 40)
    assert shown["stripe_purchases_failed"] == 0 and shown["stripe_events_waiting"] == 0
    assert shown['stripe_tenants_parked{reason="stripe_credential"}'] == 0
    assert vendor.account not in str(shown)
