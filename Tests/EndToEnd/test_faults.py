"""Faults around the product: events that cannot be stored, a database that is unavailable, an API that fails after it has
done its work, restarts in the middle of sales."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from support.databases import psql
from support.product import Product, error_code, licenses_of, ok
from support.signing import stripe_signature
from support.simulator import Sale
from support.stack import Stack
from support.vendor import Item, Vendor
from support.waiting import eventually


def deliver(product: Product, event: dict[str, Any]) -> requests.Response:
    """One signed delivery, as Stripe makes it."""
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": stripe_signature(product.webhook_secret, body)}
    return requests.post(f"{product.url}/stripe/webhook", data=body, headers=headers, timeout=30)


def customer_event(account: str, event_id: str, customer: str) -> dict[str, Any]:
    return {
        "id": event_id, "object": "event", "account": account, "livemode": False, "type": "customer.updated",
        "created": int(time.time()), "api_version": "2025-03-31.basil",
        "data": {"object": {"id": customer, "object": "customer", "email": "buyer@example.com"}},
    }


def test_an_event_that_cannot_be_stored_holds_up_nobody(stack: Stack) -> None:
    customer = "cus_" + os.urandom(4_000).hex()  # no index can hold it
    troubled, other = stack.new_vendor(), stack.new_vendor()
    items = [(vendor, vendor.offer_once()) for vendor in (troubled, other)]
    event_id = "evt_" + os.urandom(8).hex()
    assert deliver(stack.product, customer_event(troubled.account, event_id, customer)).status_code == 200
    for vendor, item in items:
        assert len(licenses_of(vendor.fulfilled(vendor.sell(item).session))) == 1
    query = {"account_id": troubled.account, "livemode": "false"}
    event = stack.product.admin("GET", f"/events/{event_id}", params=query).json()["data"]
    assert event["state"] == "failed" and event["outcome"].startswith("The event's content cannot be stored"), event


def test_while_the_database_is_away_stripe_is_told_to_come_again_and_nothing_is_lost(fresh_stack: Stack) -> None:
    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once()
    server, name = os.environ["DATABASE_URL"], urlsplit(fresh_stack.product.database).path.lstrip("/")
    psql(server, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        psql(server, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'")
        sales = [vendor.sell(item) for _ in range(5)]
        answer = deliver(fresh_stack.product, customer_event(vendor.account, "evt_away", "cus_away"))
        assert error_code(answer, 503) == "STORAGE_UNAVAILABLE"
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        psql(server, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    for sale in sales:
        assert len(licenses_of(vendor.fulfilled(sale.session, seconds=60))) == 1
    assert len(vendor.licenses_at_licensekit(item)) == len(sales)


def test_when_stripe_fails_after_doing_what_was_asked_it_is_asked_again(fresh_stack: Stack) -> None:
    """Stripe repeats the answer of an Idempotency-Key for a day, even if that answer was an error at Stripe."""
    vendor = fresh_stack.new_vendor()
    item = vendor.offer_once()
    failing = {"status": 500, "method": "POST", "times": 4, "takes_effect": True, "account": vendor.account}
    fresh_stack.simulator.control("POST", "/faults", {"api": [failing]})
    sale = vendor.sell(item)
    vendor.fulfilled(sale.session)

    def answers() -> list[int]:
        query = f"/requests?account={vendor.account}&method=POST&path=/v1/checkout/sessions/{sale.session}&limit=100"
        return [request["status"] for request in fresh_stack.simulator.control("GET", query)["data"]]

    eventually(answers, lambda statuses: 200 in statuses, "the license is written back to the session", 60)
    assert 500 in answers()
    assert len(vendor.licenses_at_licensekit(item)) == 1


def test_events_are_kept_for_thirty_days(fresh_stack: Stack) -> None:
    product, vendor = fresh_stack.product, fresh_stack.new_vendor()
    day = 86_400
    for name, age in [("evt_of_today", 0), ("evt_of_last_month", 29), ("evt_of_long_ago", 31)]:
        event = customer_event(vendor.account, name, "cus_1") | {"created": int(time.time()) - age * day}
        assert deliver(product, event).status_code == 200
    vendor.settle()
    # The service looks for old events at its start and every hour.
    product.process.terminate()
    product.start()

    def kept(name: str) -> bool:
        named = {"account_id": vendor.account, "livemode": "false"}
        return product.admin("GET", f"/events/{name}", params=named).status_code == 200

    eventually(lambda: kept("evt_of_long_ago"), lambda found: not found, "the oldest is gone")
    assert kept("evt_of_today") and kept("evt_of_last_month")


def test_replicas_that_are_restarted_during_sales_end_soon_and_cleanly_and_lose_nothing(fresh_stack: Stack) -> None:
    fresh_stack.add_replica()
    fresh_stack.simulator.disturb_deliveries(seed=11)
    vendors: list[Vendor] = [fresh_stack.new_vendor() for _ in range(3)]
    items = [vendor.offer_once(quantity="per_unit") for vendor in vendors]
    sold = [0] * len(vendors)
    for number in range(24):
        index = number % len(vendors)
        quantity = 1 + number % 3
        vendors[index].sell(items[index], quantity=quantity)
        sold[index] += quantity
        if number % 6 == 5:
            replica = fresh_stack.products[number // 6 % 2]
            assert replica.process.terminate(seconds=10) == 0
            replica.start()
    for vendor, item, units in zip(vendors, items, sold):
        vendor.settle(seconds=60)
        assert {fulfillment["status"] for fulfillment in vendor.fulfillments()} == {"fulfilled"}
        licenses = vendor.licenses_at_licensekit(item)
        assert len(licenses) == units and {license["status"] for license in licenses} == {"active"}


def test_vendors_whose_licensekit_hangs_keep_nobody_else_waiting(fresh_stack: Stack) -> None:
    # It accepts connections, reads nothing, and never answers.
    with socket.create_server(("127.0.0.1", 0), backlog=256) as hanging:
        quiet = fresh_stack.new_vendor()
        quiet_item = quiet.offer_once()
        stuck: list[tuple[Vendor, Item, list[Sale]]] = []
        for _ in range(12):
            vendor = fresh_stack.new_vendor()
            item = vendor.offer_once()
            use_licensekit(vendor, {"base_url": f"http://127.0.0.1:{hanging.getsockname()[1]}", "token": "lkm_" + "0" * 32})
            stuck.append((vendor, item, []))
        # The service remembers for a minute which LicenseKit a vendor has.
        fresh_stack.product.process.terminate()
        fresh_stack.product.start()
        for vendor, item, sales in stuck:
            sales += [vendor.sell(item) for _ in range(4)]
        # The service gives up a hanging call after 20 seconds.
        for _ in range(5):
            quiet.fulfilled(quiet.sell(quiet_item).session, seconds=10)
        for vendor, _, _ in stuck:
            assert "fulfilled" not in {fulfillment["status"] for fulfillment in vendor.fulfillments()}
    for vendor, _, _ in stuck:
        use_licensekit(vendor, {})
    fresh_stack.product.process.terminate()
    fresh_stack.product.start()
    for vendor, item, sales in stuck:
        for sale in sales:
            vendor.fulfilled(sale.session, seconds=90)
        assert len(vendor.licenses_at_licensekit(item)) == len(sales)


def use_licensekit(vendor: Vendor, body: dict[str, str]) -> None:
    named = {"account_id": vendor.account, "livemode": False}
    ok(vendor.product.admin("PUT", "/connections/licensekit", json=named | body))
