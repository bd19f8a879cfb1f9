"""What Stripe reports beside sales: thin events, installations, and alerts that it could not make events."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from support.databases import psql
from support.product import licenses_of, ok
from support.simulator import Simulator
from support.stack import Stack
from support.vendor import Vendor
from support.waiting import eventually


def states(vendor: Vendor) -> dict[str, str]:
    query = {"account_id": vendor.account, "livemode": "false", "limit": "100"}
    return {event["id"]: event["state"] for event in ok(vendor.product.admin("GET", "/events", params=query))["data"]}


def connection(vendor: Vendor) -> dict:
    query = {"account_id": vendor.account, "livemode": "false"}
    return ok(vendor.product.admin("GET", "/connections", params=query))["data"][0]


class TestThinEvents:
    @pytest.fixture
    def endpoint(self, stack: Stack) -> Iterator[Simulator]:
        """A second endpoint of the same service, an event destination with thin payloads."""
        simulator = stack.simulator
        made = simulator.control(
            "POST", "/webhook_endpoints",
            {"url": f"{stack.product.url}/stripe/webhook", "secret": stack.product.webhook_secret, "livemode": False,
             "connect": True, "enabled_events": ["*"], "payload": "thin"},
        )
        yield simulator
        simulator.control("DELETE", f"/webhook_endpoints/{made['id']}")

    @pytest.fixture
    def snapshots_are_off(self, stack: Stack) -> Iterator[None]:
        """The endpoint with snapshots gets no events for a while."""
        control = stack.simulator.control
        others = [one["id"] for one in control("GET", "/webhook_endpoints") if one.get("payload") != "thin"]
        for one in others:
            control("POST", f"/webhook_endpoints/{one}", {"enabled": False})
        yield
        for one in others:
            control("POST", f"/webhook_endpoints/{one}", {"enabled": True})

    def test_a_sale_and_its_refund_announced_by_thin_events_alone(
        self, stack: Stack, vendor: Vendor, endpoint: Simulator, snapshots_are_off: None
    ) -> None:
        once, monthly = vendor.offer_once(), vendor.offer_monthly()
        sale = vendor.sell(once, quantity=1)
        subscription = vendor.subscribe(monthly)
        bought = vendor.fulfilled(sale.session)
        assert licenses_of(vendor.fulfilled(subscription.subscription))[0]["status"] == "active"
        vendor.refund(sale)
        stack.product.wait_for(vendor.account, sale.session, "ended")
        assert len(licenses_of(bought)) == 1
        vendor.settle()
        # Each is stored under the id of the snapshot event, which is the id in Stripe's list.
        kept = eventually(
            lambda: states(vendor), lambda them: not {"new", "waiting"} & set(them.values()), "every object was asked for"
        )
        listed = {event.id for event in vendor.stripe.v1.events.list({"limit": 100}).data}
        assert kept and set(kept) <= listed and "failed" not in kept.values()

    def test_one_happening_in_both_forms_is_one_event(
        self, stack: Stack, vendor: Vendor, endpoint: Simulator
    ) -> None:
        item = vendor.offer_once()
        sales = [vendor.sell(item) for _ in range(4)]
        for sale in sales:
            assert len(licenses_of(vendor.fulfilled(sale.session))) == 1
        stack.simulator.wait_until_delivered(vendor.account)
        vendor.settle()
        assert len(vendor.licenses_at_licensekit(item)) == 4
        kept = set(states(vendor))
        assert kept <= {event.id for event in vendor.stripe.v1.events.list({"limit": 100}).data}


class TestInstallations:
    def test_what_the_app_waits_for_is_shown_before_a_call_fails(self, vendor: Vendor) -> None:
        vendor.simulator.ask_for_permissions(vendor.account, "dispute_write")
        pending = eventually(
            lambda: connection(vendor)["pending_approval"], lambda it: it is not None, "the pending permission is shown"
        )
        assert pending["permissions"] == ["dispute_write"]
        vendor.simulator.grant_permissions(vendor.account)
        eventually(lambda: connection(vendor)["pending_approval"], lambda it: it is None, "it is approved")

    def test_another_app_of_the_account_ends_nothing(self, vendor: Vendor) -> None:
        vendor.simulator.foreign_install(vendor.account, "deleted")
        vendor.simulator.wait_until_delivered(vendor.account)
        sale = vendor.sell(vendor.offer_once())
        vendor.fulfilled(sale.session)
        assert connection(vendor)["status"] == "connected"
        assert "ignored" in states(vendor).values()

    def test_a_lost_uninstallation_is_found_in_stripes_list(self, stack: Stack, vendor: Vendor) -> None:
        other = stack.new_vendor()
        # As if both were installed yesterday: the list says nothing about newer installations.
        database, accounts = stack.product.database, f"('{vendor.account}', '{other.account}')"
        eventually(
            lambda: psql(database, f"SELECT count(*) FROM stripe_integration.installs WHERE account_id IN {accounts}"),
            lambda count: count == "2", "both installations are known",
        )
        for table, column in [("connections", "installed_at"), ("installs", "as_of")]:
            psql(
                database,
                f"""
                UPDATE stripe_integration.{table}
                   SET {column} = {column} - interval '1 day'
                 WHERE account_id IN {accounts}
                """,
            )
        vendor.simulator.uninstall(vendor.account, silent=True)
        asked = stack.product.admin("POST", "/installs/read")
        assert asked.status_code == 202 and asked.json()["data"][0]["problem"] is None
        eventually(
            lambda: connection(vendor)["status"], lambda it: it == "disconnected", "the lost uninstallation is found", 40
        )
        assert connection(other)["status"] == "connected"
        other.fulfilled(other.sell(other.offer_once()).session)


def test_an_alert_that_events_could_not_be_made_has_the_list_read(stack: Stack, vendor: Vendor) -> None:
    item = vendor.offer_once()
    # The times of events are whole seconds: sales in the second of the installation need a backfill.
    time.sleep(1.5)
    lost = {"deliveries": {"drop": 1, "accounts": [vendor.account]}}
    stack.simulator.control("POST", "/faults", lost)
    sale = vendor.sell(item)
    stack.simulator.control("DELETE", "/faults")
    vendor.simulator.health_alert(vendor.account)
    vendor.fulfilled(sale.session, seconds=40)
