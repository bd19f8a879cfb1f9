"""Vendors' sandboxes: separate accounts beside test mode, which the app reaches with separate credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from support.product import error_code, licenses_of, ok
from support.signing import app_headers, stripe_signature
from support.stack import Stack
from support.vendor import Vendor
from support.waiting import eventually


@pytest.fixture
def sandbox(stack: Stack) -> Vendor:
    return stack.new_vendor(environment="sandbox")


def deliver(vendor: Vendor, event: dict[str, Any], secret: str) -> int:
    """Sends an event as Stripe does, signed with this secret."""
    body = json.dumps(event | {"account": vendor.account}).encode()
    headers = {"Stripe-Signature": stripe_signature(secret, body), "Content-Type": "application/json"}
    return requests.post(f"{vendor.product.url}/stripe/webhook", data=body, headers=headers, timeout=20).status_code


def events_of(vendor: Vendor, **filters: str) -> list[dict[str, Any]]:
    query = {"account_id": vendor.account, "livemode": "false"} | filters
    return ok(vendor.product.admin("GET", "/events", params=query))["data"]


def test_a_sandbox_installs_sells_and_is_licensed(sandbox: Vendor) -> None:
    found = ok(sandbox.product.admin("GET", "/connections", params={"environment": "sandbox", "limit": "100"}))["data"]
    [connection] = [one for one in found if one["account_id"] == sandbox.account]
    assert (connection["environment"], connection["livemode"], connection["status"]) == ("sandbox", False, "connected")
    other = ok(sandbox.product.admin("GET", "/connections", params={"environment": "test", "limit": "100"}))["data"]
    assert sandbox.account not in [one["account_id"] for one in other]

    item = sandbox.offer_monthly()
    sale = sandbox.subscribe(item)
    [license] = licenses_of(sandbox.fulfilled(sale.subscription))
    assert license["status"] == "active"
    view = {"customer": sale.customer, "livemode": "false"}
    own = app_headers(sandbox.product.secrets.sandbox_signing_secret, "usr_e2e", sandbox.account)
    shown = ok(requests.get(f"{sandbox.product.url}/stripe/app/customer", params=view, headers=own, timeout=20))["data"]
    assert [one["id"] for one in shown["licenses"]] == [license["id"]]


def test_what_the_sandbox_has_signed_has_no_effect_in_test_mode(stack: Stack) -> None:
    vendor = stack.new_vendor()
    secrets = vendor.product.secrets
    item = vendor.offer_once()
    vendor.simulator.hold_deliveries(vendor.account)
    sale = vendor.sell(item, guest=True)
    listed = vendor.stripe.v1.events.list({"limit": 50}).to_dict()["data"]
    [completed] = [event for event in listed if event["type"] == "checkout.session.completed"]
    removal = completed | {
        "id": completed["id"] + "x", "type": "account.application.deauthorized", "created": completed["created"] + 3600,
        "data": {"object": {"id": "ca_1", "object": "application"}},
    }
    for event in (completed, removal):
        assert deliver(vendor, event, secrets.sandbox_webhook_secret) == 200
    refused = eventually(
        lambda: events_of(vendor, state="ignored"), lambda events: len(events) == 2, "both are refused"
    )
    assert {event["id"] for event in refused} == {completed["id"] + ".sandbox", removal["id"] + ".sandbox"}
    assert all("the sandbox alone" in event["outcome"] for event in refused)
    assert vendor.fulfillments(object=sale.session) == []
    signed = app_headers(secrets.sandbox_signing_secret, "usr_e2e", vendor.account)
    query = {"payment": sale.payment_intent, "livemode": "false"}
    view = requests.get(f"{vendor.product.url}/stripe/app/payment", params=query, headers=signed, timeout=20)
    assert error_code(view, 403) == "ACCOUNT_NOT_CONNECTED"
    # Stripe's own events about the same sale count.
    vendor.simulator.release_deliveries(vendor.account)
    assert len(licenses_of(vendor.fulfilled(sale.session))) == 1
