"""Paid time, from outside: what a buyer may use follows the payments, not the status of the subscription or its newest
snapshot. Each test makes sales in the simulator and checks what LicenseKit answers."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest

from support.product import licenses_of
from support.simulator import Sale
from support.vendor import Item, Vendor
from support.waiting import eventually, stays

DAY = 86_400


def play(vendor: Vendor, name: str, **body: Any) -> Sale:
    return vendor.simulator.scenario(vendor.account, name, **body)


def usable(vendor: Vendor, item: Item) -> int:
    return sum(license["status"] == "active" for license in vendor.licenses_at_licensekit(item))


def becomes(vendor: Vendor, item: Item, count: int) -> None:
    """Checks that this many licenses are usable, and that the number stays."""
    vendor.deliveries_settled()
    eventually(lambda: usable(vendor, item), lambda now: now == count, f"{count} usable licenses")
    stays(lambda: usable(vendor, item), lambda now: now == count, f"{count} usable licenses, and no change later")


def another_price(vendor: Vendor, item: Item, **choices: Any) -> Item:
    """A Stripe product of its own for the same LicenseKit product and policy."""
    goods = vendor.stripe.v1.products.create({"name": "Editor Plus " + secrets.token_hex(3)})
    price = vendor.stripe.v1.prices.create(
        {"product": goods.id, "unit_amount": 9900, "currency": "eur", "recurring": {"interval": "month"}}
    )
    other = Item(goods.id, price.id, item.offer, item.choices | choices)
    vendor.map(other)
    return other


def test_an_upgrade_that_a_card_declines_is_no_upgrade_and_what_was_paid_goes_on(vendor: Vendor) -> None:
    basic, pro = vendor.offer_monthly(grace_days=0), vendor.offer_monthly(amount=9900, grace_days=0)
    sale = vendor.subscribe(basic)
    vendor.fulfilled(sale.subscription)
    play(vendor, "change", subscription=sale.subscription, price=pro.stripe_price, fails=True)
    becomes(vendor, pro, 0)
    becomes(vendor, basic, 1)

    vendor.recover(sale)
    becomes(vendor, pro, 1)
    becomes(vendor, basic, 0)


def test_an_item_that_a_schedule_replaces_keeps_its_key(vendor: Vendor) -> None:
    basic = vendor.offer_monthly()
    plus = another_price(vendor, basic, features=500)
    sale = vendor.subscribe(basic)
    fulfillment = vendor.fulfilled(sale.subscription)
    [before] = licenses_of(fulfillment)
    key = vendor.product.reveal(fulfillment, before["id"])

    play(vendor, "schedule", subscription=sale.subscription, price=plus.stripe_price)
    vendor.renew(sale)
    vendor.deliveries_settled()
    eventually(
        lambda: vendor.product.license(before["id"]),
        lambda license: license["status"] == "active" and license["expires_at"] > before["expires_at"],
        "the same license is renewed",
    )
    becomes(vendor, basic, 1)
    assert vendor.product.reveal(fulfillment, before["id"]) == key
    assert [license["id"] for license in vendor.licenses_at_licensekit(basic)] == [before["id"]]


@pytest.mark.parametrize(("prorations", "left"), [("none", 3), ("always_invoice", 1)])
def test_seats_that_are_given_up_stay_to_the_end_of_what_is_paid_unless_they_are_credited(
    vendor: Vendor, prorations: str, left: int
) -> None:
    item = vendor.offer_monthly(quantity="per_unit")
    sale = vendor.subscribe(item, quantity=3)
    vendor.fulfilled(sale.subscription)
    becomes(vendor, item, 3)
    play(vendor, "change", subscription=sale.subscription, quantity=1, prorations=prorations)
    becomes(vendor, item, left)


def test_a_bank_debit_under_way_is_not_overdue_and_a_failed_one_is(vendor: Vendor) -> None:
    item = vendor.offer_monthly(grace_days=0)
    clock = _clock(vendor, days_ago=30)
    sale = play(vendor, "subscribe", price=item.stripe_price, test_clock=clock)
    vendor.fulfilled(sale.subscription)
    play(vendor, "renew", subscription=sale.subscription, delayed=True)
    becomes(vendor, item, 1)
    play(vendor, "fail", subscription=sale.subscription)
    becomes(vendor, item, 0)
    vendor.recover(sale)
    becomes(vendor, item, 1)


def test_a_pause_that_was_asked_for_suspends_and_the_resumption_gives_the_same_key_back(vendor: Vendor) -> None:
    item = vendor.offer_monthly()
    sale = vendor.subscribe(item)
    [license] = licenses_of(vendor.fulfilled(sale.subscription))
    vendor.stripe.v1.subscriptions.pause(sale.subscription, {"bill_for": {"unused_time_from": {"type": "none"}}})
    vendor.wait_for_license(sale.subscription, lambda seen: seen["status"] == "suspended")
    vendor.stripe.v1.subscriptions.resume(sale.subscription, {"billing_cycle_anchor": {"type": "now"}})
    vendor.wait_for_license(sale.subscription, lambda seen: (seen["id"], seen["status"]) == (license["id"], "active"))
    becomes(vendor, item, 1)


def test_a_vendor_who_lets_pauses_run_does_so_for_those_that_were_asked_for(vendor: Vendor) -> None:
    item = vendor.offer_monthly(on_pause="keep")
    sale = vendor.subscribe(item)
    vendor.fulfilled(sale.subscription)
    play(vendor, "pause_subscription", subscription=sale.subscription, cause="pause_requested")
    becomes(vendor, item, 1)


def test_a_pause_for_a_payment_that_failed_for_good_is_the_end_of_dunning(vendor: Vendor) -> None:
    item = vendor.offer_monthly(on_pause="keep", grace_days=0)
    clock = _clock(vendor, days_ago=40)
    sale = play(vendor, "subscribe", price=item.stripe_price, test_clock=clock)
    vendor.fulfilled(sale.subscription)
    play(vendor, "fail", subscription=sale.subscription)
    play(vendor, "pause_subscription", subscription=sale.subscription, cause="final_payment_failure")
    becomes(vendor, item, 0)


def test_a_hold_on_a_card_sells_when_it_is_captured_also_in_part(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = play(vendor, "sell", price=item.stripe_price, customer="new", capture_method="manual")
    vendor.product.wait_for(vendor.account, sale.session, "waiting_payment")
    assert vendor.licenses_at_licensekit(item) == []
    play(vendor, "capture", session=sale.session, amount=1900)
    vendor.fulfilled(sale.session)
    becomes(vendor, item, 1)


def test_a_test_clock_that_is_advanced_past_a_cancellation_ends_the_license(vendor: Vendor) -> None:
    item = vendor.offer_monthly(grace_days=0)
    clock = _clock(vendor, days_ago=0)
    sale = play(vendor, "subscribe", price=item.stripe_price, test_clock=clock)
    vendor.fulfilled(sale.subscription)
    becomes(vendor, item, 1)
    vendor.cancel(sale, at_period_end=True)
    becomes(vendor, item, 1)
    vendor.stripe.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": int(time.time()) + 32 * DAY})
    assert vendor.stripe.v1.subscriptions.retrieve(sale.subscription).status == "canceled"
    becomes(vendor, item, 0)


def test_money_that_is_returned_outside_stripe_counts_as_returned(vendor: Vendor) -> None:
    item = vendor.offer_once()
    invoice = play(vendor, "invoice", price=item.stripe_price, then="out_of_band").invoice
    vendor.fulfilled(invoice)
    vendor.stripe.v1.credit_notes.create({"invoice": invoice, "amount": 4900, "out_of_band_amount": 4900})
    vendor.product.wait_for(vendor.account, invoice, "ended")
    becomes(vendor, item, 0)


def _clock(vendor: Vendor, days_ago: int) -> str:
    """A test clock of the vendor, this many days in the past."""
    made = vendor.stripe.v1.test_helpers.test_clocks.create({"frozen_time": int(time.time()) - days_ago * DAY})
    return made.id
