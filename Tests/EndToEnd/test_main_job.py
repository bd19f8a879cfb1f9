"""The main job, from outside: a vendor installs the app, sells through Stripe, and buyers' programs get licenses that
the official client validates. Everything runs as real processes and speaks HTTP only."""

from __future__ import annotations

import json
import random
import re
import time

import licensekit
import pytest
import requests

from support.product import Product, error_code, licenses_of, ok
from support.signing import app_headers, stripe_signature
from support.vendor import Vendor
from support.waiting import eventually, stays

DAY = 86_400


def days_from_now(text: str) -> float:
    """How many days from now a time of an answer is."""
    return (_seconds(text) - time.time()) / DAY


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# One-time sales


def test_a_guest_who_pays_a_payment_link_gets_exactly_one_license(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item, guest=True)
    fulfillment = vendor.fulfilled(sale.session)
    assert fulfillment["purchase"]["kind"] == "checkout", fulfillment
    assert {sale.session, sale.payment_intent} <= {fulfillment["purchase"]["stripe_id"], *fulfillment["purchase"]["aliases"]}
    [license] = licenses_of(fulfillment)
    assert license["status"] == "active" and license["ordinal"] == 1
    assert vendor.product.license(license["id"])["product_id"] == item.offer.product_id
    stays(lambda: len(vendor.licenses_at_licensekit(item)), lambda count: count == 1, "one license, and no second one later")


def test_a_revealed_key_activates_and_validates_with_signed_answers(vendor: Vendor) -> None:
    item = vendor.offer_once(features=1000)
    fulfillment = vendor.fulfilled(vendor.sell(item, guest=True).session)
    [license] = licenses_of(fulfillment)
    key = vendor.product.reveal(fulfillment, license["id"])
    prefix, last = license["key_hint"].split("…")
    assert key.startswith(prefix) and key.endswith(last)

    buyer = vendor.product.buyer(key)
    activated = buyer.activate()
    assert activated["license_id"] == license["id"] and activated["status"] == "active"
    assert [f["quota"] for f in activated["features"] if f["code"] == item.offer.feature_code] == [1000]
    assert buyer.validate()["device_id"] == activated["device_id"]
    assert buyer.check()["device_id"] == activated["device_id"]
    assert vendor.product.license(license["id"])["active_device_count"] == 1


def test_a_key_is_only_revealed_by_the_audited_call(vendor: Vendor) -> None:
    item = vendor.offer_once()
    fulfillment = vendor.fulfilled(vendor.sell(item, guest=True).session)
    [license] = licenses_of(fulfillment)
    key = vendor.product.reveal(fulfillment, license["id"])
    audit = ok(vendor.product.admin("GET", "/audit", params={"account_id": vendor.account, "livemode": "false"}))["data"]
    assert [entry["target"] for entry in audit if entry["action"] == "license.reveal"] == [license["id"]], audit
    shown = vendor.product.fulfillment(fulfillment["id"], vendor.account)
    assert key not in json.dumps(shown)
    assert key not in vendor.product.process.log()


def test_a_customer_who_takes_three_gets_three_licenses_when_sold_per_unit(vendor: Vendor) -> None:
    item = vendor.offer_once(quantity="per_unit")
    sale = vendor.sell(item, quantity=3)
    fulfillment = vendor.fulfilled(sale.session)
    licenses = licenses_of(fulfillment)
    assert [license["ordinal"] for license in licenses] == [1, 2, 3]
    assert len({license["id"] for license in licenses}) == 3
    keys = {vendor.product.reveal(fulfillment, license["id"]) for license in licenses}
    assert len(keys) == 3
    assert fulfillment["customer"]["stripe_id"] == sale.customer
    assert fulfillment["customer"]["licensekit_id"]


def test_by_default_a_quantity_of_three_is_one_license(vendor: Vendor) -> None:
    item = vendor.offer_once()
    fulfillment = vendor.fulfilled(vendor.sell(item, quantity=3).session)
    assert len(licenses_of(fulfillment)) == 1


def test_the_same_customer_may_buy_the_same_thing_twice(vendor: Vendor) -> None:
    item = vendor.offer_once()
    first = vendor.sell(item)
    second = vendor.sell(item, customer=first.customer)
    both = [vendor.fulfilled(first.session), vendor.fulfilled(second.session)]
    assert both[0]["id"] != both[1]["id"]
    assert len({license["id"] for fulfillment in both for license in licenses_of(fulfillment)}) == 2


def test_a_full_refund_takes_the_license_back(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    fulfillment = vendor.fulfilled(sale.session)
    [license] = licenses_of(fulfillment)
    buyer = vendor.product.buyer(vendor.product.reveal(fulfillment, license["id"]))
    buyer.activate()

    vendor.refund(sale)
    vendor.product.wait_for(vendor.account, sale.session, "ended")
    assert vendor.product.license(license["id"])["status"] == "revoked"
    with pytest.raises(licensekit.ApiError) as refused:
        buyer.validate()
    assert refused.value.status == 403 or refused.value.status == 401


def test_a_partial_refund_leaves_the_license_alone(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    [license] = licenses_of(vendor.fulfilled(sale.session))
    vendor.refund(sale, amount=100)
    vendor.settle()
    assert vendor.product.license(license["id"])["status"] == "active"


# Subscriptions


def test_a_subscription_starts_with_one_license_that_lasts_the_paid_period_and_the_grace(vendor: Vendor) -> None:
    item = vendor.offer_monthly(grace_days=3)
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    assert fulfillment["purchase"]["kind"] == "subscription"
    [license] = licenses_of(fulfillment)
    assert 28 + 3 - 0.1 <= days_from_now(license["expires_at"]) <= 31 + 3 + 0.1
    assert vendor.product.license(license["id"])["subscription_id"]
    for stripe_id in (sale.session, sale.invoice):
        if stripe_id:
            assert vendor.product.wait_for(vendor.account, stripe_id)["id"] == fulfillment["id"]


def test_a_renewal_extends_the_same_key(vendor: Vendor) -> None:
    item = vendor.offer_monthly()
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    [before] = licenses_of(fulfillment)
    key = vendor.product.reveal(fulfillment, before["id"])
    buyer = vendor.product.buyer(key)
    buyer.activate()

    vendor.renew(sale)
    renewed = vendor.wait_for_license(sale.subscription, lambda license: license["expires_at"] > before["expires_at"])
    assert renewed["id"] == before["id"]
    assert days_from_now(renewed["expires_at"]) > 28 + 28
    assert vendor.product.reveal(fulfillment, before["id"]) == key
    assert buyer.validate()["status"] == "active"
    assert len(vendor.licenses_at_licensekit(item)) == 1


def test_a_failed_renewal_keeps_the_license_through_the_grace_and_a_late_payment_extends_it(vendor: Vendor) -> None:
    item = vendor.offer_monthly(grace_days=5)
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    [before] = licenses_of(fulfillment)

    vendor.fail_renewal(sale)
    vendor.settle()
    [during] = licenses_of(vendor.product.fulfillment(fulfillment["id"], vendor.account))
    assert (during["status"], during["expires_at"]) == ("active", before["expires_at"])

    vendor.recover(sale)
    after = vendor.wait_for_license(sale.subscription, lambda license: license["expires_at"] > before["expires_at"])
    assert after["id"] == before["id"] and after["status"] == "active"


def test_a_cancellation_at_the_period_end_lets_the_paid_time_run_out(vendor: Vendor) -> None:
    item = vendor.offer_monthly()
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    [before] = licenses_of(fulfillment)
    vendor.cancel(sale, at_period_end=True)
    vendor.settle()
    [after] = licenses_of(vendor.product.fulfillment(fulfillment["id"], vendor.account))
    assert after["status"] == "active"
    assert after["expires_at"] <= before["expires_at"]


@pytest.mark.parametrize("choice,status", [("suspend", "suspended"), ("revoke", "revoked")])
def test_a_cancellation_at_once_does_what_the_vendor_chose(vendor: Vendor, choice: str, status: str) -> None:
    item = vendor.offer_monthly(on_cancel=choice)
    sale = vendor.subscribe(item)
    [license] = licenses_of(vendor.fulfilled(sale.subscription))
    vendor.cancel(sale, at_period_end=False)
    vendor.wait_for_license(sale.subscription, lambda license: license["status"] == status)
    assert vendor.product.license(license["id"])["status"] == status


def test_a_canceled_subscription_whose_time_is_paid_keeps_it_by_default(vendor: Vendor) -> None:
    item = vendor.offer_monthly()
    sale = vendor.subscribe(item)
    [license] = licenses_of(vendor.fulfilled(sale.subscription))
    vendor.cancel(sale, at_period_end=False)
    vendor.settle()
    assert vendor.product.license(license["id"])["status"] == "active"


# Both shapes of Stripe's objects


@pytest.mark.parametrize("fresh_stack", ["2016-07-06", "2024-06-20", "2025-03-31.basil", "2026-10-28.endive"], indirect=True)
def test_every_kind_of_sale_works_in_both_shapes_of_stripes_objects(fresh_stack) -> None:
    vendor = fresh_stack.new_vendor()
    once, monthly = vendor.offer_once(), vendor.offer_monthly()
    sale, subscription = vendor.sell(once, guest=True), vendor.subscribe(monthly)
    assert len(licenses_of(vendor.fulfilled(sale.session))) == 1
    [before] = licenses_of(vendor.fulfilled(subscription.subscription))
    vendor.renew(subscription)
    vendor.wait_for_license(subscription.subscription, lambda license: license["expires_at"] > before["expires_at"])


# Any order, any repetition


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_deliveries_twice_late_and_out_of_order_end_in_the_same_licenses(fresh_stack, seed: int) -> None:
    vendor = fresh_stack.new_vendor()
    once, monthly = vendor.offer_once(quantity="per_unit"), vendor.offer_monthly()
    vendor.simulator.disturb_deliveries(seed=seed)
    sales = [vendor.sell(once, quantity=2, guest=True), vendor.sell(once)]
    subscription = vendor.subscribe(monthly)
    first_end = None

    for sale in sales:
        vendor.fulfilled(sale.session, seconds=60)
    [license] = licenses_of(vendor.fulfilled(subscription.subscription, seconds=60))
    first_end = license["expires_at"]
    vendor.renew(subscription)
    vendor.refund(sales[1])
    vendor.wait_for_license(subscription.subscription, lambda license: license["expires_at"] > first_end, seconds=60)
    vendor.product.wait_for(vendor.account, sales[1].session, "ended", seconds=60)
    vendor.settle(seconds=60)

    assert [license["status"] for license in vendor.licenses_at_licensekit(monthly)] == ["active"]
    assert sorted(license["status"] for license in vendor.licenses_at_licensekit(once)) == ["active", "active", "revoked"]
    assert len(vendor.fulfillments()) == 3


def test_an_event_that_is_delivered_ten_times_at_once_has_one_effect(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    vendor.fulfilled(sale.session)
    for _ in range(10):
        vendor.redeliver_everything()
    vendor.settle()
    assert len(vendor.licenses_at_licensekit(item)) == 1


# What needs a person, and heals when the person acted


def test_a_sale_without_a_mapping_waits_and_heals_when_the_mapping_appears(vendor: Vendor) -> None:
    item = vendor.offer_once(mapped=False)
    sale = vendor.sell(item, guest=True)
    waiting = vendor.product.wait_for(vendor.account, sale.session, "waiting_mapping")
    assert waiting["reason"]
    assert licenses_of(waiting) == []
    vendor.map(item)
    assert len(licenses_of(vendor.fulfilled(sale.session))) == 1


def test_events_of_an_account_that_is_not_connected_yet_wait_for_the_connection(stack) -> None:
    vendor = stack.new_vendor(install=False)
    item = vendor.offer_once(mapped=False)
    vendor.install_without_callback()
    sale = vendor.sell(item, guest=True)
    vendor.deliveries_settled()
    vendor.install()
    vendor.map(item)
    assert len(licenses_of(vendor.fulfilled(sale.session))) == 1


def test_a_payment_that_arrives_days_later_is_fulfilled_then_and_not_before(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item, delayed=True)
    vendor.product.wait_for(vendor.account, sale.session, "waiting_payment")
    assert vendor.licenses_at_licensekit(item) == []
    vendor.delayed_payment_arrives(sale)
    assert len(licenses_of(vendor.fulfilled(sale.session))) == 1


# What is written back


def test_the_ids_are_written_back_to_stripe_as_metadata(vendor: Vendor) -> None:
    item = vendor.offer_monthly()
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    [license] = licenses_of(fulfillment)
    metadata = eventually(
        lambda: vendor.stripe.v1.subscriptions.retrieve(sale.subscription).metadata.to_dict(),
        lambda metadata: "licensekit_license_id" in metadata,
        "the license's id is in the subscription's metadata",
    )
    assert metadata["licensekit_license_id"] == license["id"]
    assert metadata["licensekit_customer_id"] == fulfillment["customer"]["licensekit_id"]
    assert metadata["licensekit_order_id"]
    assert not any("lsk_" in value for value in metadata.values())


# Receiving webhooks


def send(product: Product, payload: bytes, signature: str | None) -> requests.Response:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if signature is not None:
        headers["Stripe-Signature"] = signature
    return requests.post(f"{product.url}/stripe/webhook", data=payload, headers=headers, timeout=20)


EVENT = (
    b'{\n  "id": "evt_door_%d",\n  "object": "event",\n  "account": "acct_door",\n  "api_version": "2025-03-31.basil",\n'
    b'  "created": 1700000000,\n  "livemode": false,\n  "type": "customer.updated",\n'
    b'  "data": {"object": {"id": "cus_door", "object": "customer"}}\n}'
)


def test_a_signed_webhook_is_accepted(product: Product) -> None:
    payload = EVENT % random.getrandbits(60)
    answer = send(product, payload, stripe_signature(product.webhook_secret, payload))
    assert ok(answer, 200)["data"] == {"received": True}


@pytest.mark.parametrize("what", ["missing", "empty", "of another secret", "of other bytes", "too old", "from the future"])
def test_a_webhook_whose_signature_is_wrong_is_refused(product: Product, what: str) -> None:
    payload, now = EVENT % random.getrandbits(60), int(time.time())
    signature = {
        "missing": None,
        "empty": "",
        "of another secret": stripe_signature("whsec_other", payload),
        "of other bytes": stripe_signature(product.webhook_secret, payload + b" "),
        "too old": stripe_signature(product.webhook_secret, payload, at=now - 330),
        "from the future": stripe_signature(product.webhook_secret, payload, at=now + 330),
    }[what]
    assert error_code(send(product, payload, signature), 400) == "SIGNATURE_INVALID"


def test_a_signed_body_that_is_not_an_event_is_refused(product: Product) -> None:
    for payload in (b"", b"not json", b"[]", b'{"id": 1}'):
        answer = send(product, payload, stripe_signature(product.webhook_secret, payload))
        assert error_code(answer, 400) == "INVALID_JSON", payload


def test_a_body_over_the_limit_is_refused(product: Product) -> None:
    payload = EVENT % 1 + b" " * (2 * 1024 * 1024 + 1)
    answer = send(product, payload, stripe_signature(product.webhook_secret, payload))
    assert error_code(answer, 413) == "PAYLOAD_TOO_LARGE"


# The Dashboard's views


def test_the_dashboard_shows_the_license_beside_each_object_of_the_purchase(vendor: Vendor) -> None:
    item = vendor.offer_monthly(features=50)
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    [license] = licenses_of(fulfillment)
    buyer = vendor.product.buyer(vendor.product.reveal(fulfillment, license["id"]))
    buyer.activate()
    shown = {"customer": sale.customer, "subscription": sale.subscription, "invoice": sale.invoice}
    for kind, stripe_id in shown.items():
        view = ok(vendor.product.app_view(kind, vendor.account, stripe_id))["data"]
        assert view["object"] == {"id": stripe_id, "type": kind}
        assert [f["id"] for f in view["fulfillments"]] == [fulfillment["id"]], kind
        [row] = view["licenses"]
        assert row["id"] == license["id"] and row["key_hint"] == license["key_hint"]
        assert row["product"]["id"] == item.offer.product_id and row["policy"]["id"] == item.offer.policy_id
        assert row["active_device_count"] == 1 and row["devices"][0]["hostname"] == "laptop"
        assert {"feature_code": item.offer.feature_code, "consumed": 0, "quota": 50} in row["usage"]


def test_a_payment_is_found_by_its_intent_and_by_its_charge(vendor: Vendor) -> None:
    sale = vendor.sell(vendor.offer_once(), guest=True)
    [license] = licenses_of(vendor.fulfilled(sale.session))
    for stripe_id in (sale.payment_intent, sale.charge):
        view = ok(vendor.product.app_view("payment", vendor.account, stripe_id))["data"]
        assert [row["id"] for row in view["licenses"]] == [license["id"]], stripe_id


def test_an_object_without_a_license_says_why(vendor: Vendor) -> None:
    item = vendor.offer_once(mapped=False)
    sale = vendor.sell(item)
    vendor.product.wait_for(vendor.account, sale.session, "waiting_mapping")
    view = ok(vendor.product.app_view("payment", vendor.account, sale.payment_intent))["data"]
    assert view["licenses"] == []
    assert [f["status"] for f in view["fulfillments"]] == ["waiting_mapping"]
    assert view["fulfillments"][0]["reason"]


def test_a_view_without_a_right_signature_is_refused_with_an_answer_the_frame_can_read(vendor: Vendor) -> None:
    signed = app_headers(vendor.simulator.app.signing_secret, "usr_e2e", vendor.account)
    wrong = {
        "unsigned": {"Stripe-Signature": ""},
        "of another secret": app_headers("absec_other", "usr_e2e", vendor.account),
        "for another account": {"Stripe-Account-Id": "acct_somebody_else"},
        "old": app_headers(vendor.simulator.app.signing_secret, "usr_e2e", vendor.account, at=int(time.time()) - 330),
    }
    for name, change in wrong.items():
        answer = vendor.product.app_view("customer", vendor.account, "cus_1", headers=signed | change)
        assert error_code(answer, 401) == "SIGNATURE_INVALID", name
        assert answer.headers["Access-Control-Allow-Origin"] == "null", name


def test_a_view_for_an_account_that_never_installed_is_refused(product: Product) -> None:
    assert error_code(product.app_view("customer", "acct_never_seen", "cus_1"), 403) == "ACCOUNT_NOT_CONNECTED"


def test_the_sandboxed_frame_may_call_and_other_sites_may_not(vendor: Vendor) -> None:
    url = f"{vendor.product.url}/stripe/app/customer"
    asks = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "stripe-signature,stripe-user-id,stripe-account-id",
    }
    for origin in ("null", "https://dashboard.stripe.com"):
        preflight = requests.options(url, headers=asks | {"Origin": origin}, timeout=20)
        assert preflight.status_code in (200, 204)
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in preflight.headers["Vary"]
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
        assert all(name in allowed for name in asks["Access-Control-Request-Headers"].split(","))
        assert "Access-Control-Allow-Credentials" not in preflight.headers
    refused = requests.options(url, headers=asks | {"Origin": "https://evil.example"}, timeout=20)
    assert "Access-Control-Allow-Origin" not in refused.headers
    answer = vendor.product.app_view("customer", vendor.account, "cus_1", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


# The admin routes


def test_admin_routes_ask_for_the_operators_token(vendor: Vendor) -> None:
    query = {"account_id": vendor.account, "livemode": "false"}
    for path in ("/fulfillments", "/mappings", "/catalog", "/licensekit/catalog", "/connections"):
        assert vendor.product.admin("GET", path, token=None, params=query).status_code == 401, path
        assert vendor.product.admin("GET", path, token="wrong", params=query).status_code == 401, path
        ok(vendor.product.admin("GET", path, params=query), 200)


def test_wrong_admin_input_is_answered_by_naming_the_field(vendor: Vendor) -> None:
    query = {"account_id": vendor.account, "livemode": "false"}
    item = vendor.offer_once(mapped=False)
    right = vendor.mapping_of(item)

    def post(**changes) -> requests.Response:
        return vendor.product.admin("POST", "/mappings", json={k: v for k, v in (right | changes).items() if v is not ...})

    assert error_code(vendor.product.admin("GET", "/fulfillments", params=query | {"limit": "many"}), 400) == "INVALID_QUERY"
    assert error_code(vendor.product.admin("GET", "/fulfillments", params=query | {"status": "odd"}), 400) == "INVALID_QUERY"
    assert error_code(post(quantity="several"), 422) == "VALIDATION_ERROR"
    assert "quantity" in post(quantity="several").text
    assert "licensekit_policy_id" in post(licensekit_policy_id=...).text
    assert error_code(post(licensekit_policy_id="no-such-policy"), 422) == "VALIDATION_ERROR"
    assert error_code(post(grace_days="three"), 400) == "INVALID_JSON"
    assert error_code(post(colour="red"), 400) == "INVALID_JSON"
    assert error_code(vendor.product.admin("POST", "/mappings", data=b"{", headers={"Content-Type": "application/json"}), 400) == "INVALID_JSON"


def test_a_mapping_posted_twice_is_replaced_and_can_be_changed_and_deleted(vendor: Vendor) -> None:
    item = vendor.offer_once(mapped=False)
    query = {"account_id": vendor.account, "livemode": "false"}
    first = vendor.product.admin("POST", "/mappings", json=vendor.mapping_of(item))
    second = vendor.product.admin("POST", "/mappings", json=vendor.mapping_of(item, grace_days=9))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    assert second.json()["data"]["grace_days"] == 9
    path = f"/mappings/{first.json()['data']['id']}"
    changed = ok(vendor.product.admin("PATCH", path, params=query, json={"grace_days": 1}), 200)["data"]
    assert changed["grace_days"] == 1 and changed["quantity"] == "one"
    assert vendor.product.admin("DELETE", path, params=query).status_code in (200, 204)
    assert vendor.product.admin("PATCH", path, params=query, json={"grace_days": 1}).status_code == 404


def test_another_tenants_fulfillment_is_not_found(stack) -> None:
    mine, other = stack.new_vendor(), stack.new_vendor()
    fulfillment = mine.fulfilled(mine.sell(mine.offer_once(), guest=True).session)
    [license] = licenses_of(fulfillment)
    foreign = {"account_id": other.account, "livemode": "false"}
    wrong_mode = {"account_id": mine.account, "livemode": "true"}
    for query in (foreign, wrong_mode):
        assert error_code(mine.product.admin("GET", f"/fulfillments/{fulfillment['id']}", params=query), 404) == "NOT_FOUND"
        reveal = f"/fulfillments/{fulfillment['id']}/licenses/{license['id']}/reveal"
        assert error_code(mine.product.admin("POST", reveal, params=query), 404) == "NOT_FOUND"
    assert other.fulfillments() == []


def test_the_timeline_answers_why_there_is_a_license(vendor: Vendor) -> None:
    sale = vendor.sell(vendor.offer_once(), guest=True)
    fulfillment = vendor.fulfilled(sale.session)
    timeline = vendor.product.fulfillment(fulfillment["id"], vendor.account)["timeline"]
    text = json.dumps(timeline)
    assert "checkout.session.completed" in text
    assert not re.search(r"lsk_[A-Za-z0-9]{9}", text), "a license key stands in the timeline"
    assert len(timeline) >= 3


def test_the_order_at_licensekit_names_what_was_bought(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    vendor.fulfilled(sale.session)
    api = vendor.product.management
    [license] = vendor.licenses_at_licensekit(item)
    [order] = api.list_product_orders(path={"id": item.offer.product_id})["data"]
    assert (order["external_system"], order["status"]) == ("stripe_test", "fulfilled")
    assert sale.session in order["external_id"]
    assert license["order_id"] == order["id"] and license["customer_id"] == order["customer_id"]
    assert order["metadata"] == {
        "stripe_account": vendor.account, "livemode": "false", "stripe_payment": sale.payment_intent,
        "stripe_product": item.stripe_product, "stripe_price": item.stripe_price,
    }


# Crashes and replicas


def test_kill_nine_in_the_middle_of_fifty_sales_ends_in_exactly_fifty_licenses(fresh_stack) -> None:
    # Five vendors, because each has its own budget of calls to Stripe: one alone would take a minute for fifty sales.
    vendors = [fresh_stack.new_vendor() for _ in range(5)]
    items = {vendor: vendor.offer_once() for vendor in vendors}
    for number in range(50):
        vendor = vendors[number % 5]
        vendor.sell(items[vendor], guest=True)
        if number in (12, 30, 49):
            fresh_stack.product.process.kill()
            fresh_stack.product.start()
    for vendor in vendors:
        fulfillments = eventually(
            vendor.fulfillments,
            lambda found: [f["status"] for f in found] == ["fulfilled"] * 10,
            "ten fulfillments of each vendor", seconds=240,
        )
        recorded = {license["id"] for fulfillment in fulfillments for license in licenses_of(fulfillment)}
        assert len(recorded) == 10
        # All licenses, including revoked ones: a call that is repeated after a crash makes no second license.
        assert {license["id"]: license["status"] for license in vendor.licenses_at_licensekit(items[vendor])} == dict.fromkeys(
            recorded, "active"
        )


def test_two_replicas_that_both_get_every_event_issue_one_license_a_sale(fresh_stack) -> None:
    vendor = fresh_stack.new_vendor()
    second = fresh_stack.add_replica()
    item = vendor.offer_once()
    sales = [vendor.sell(item, guest=True) for _ in range(20)]
    for sale in sales:
        vendor.fulfilled(sale.session, seconds=60)
    fresh_stack.product.process.terminate()
    later = vendor.sell(item, guest=True)
    second.wait_for(vendor.account, later.session)
    licenses = second.management.list_licenses(query={"product_id": item.offer.product_id, "limit": 200})["data"]
    assert len(licenses) == 21


def test_a_restart_by_signal_ends_cleanly(fresh_stack) -> None:
    assert fresh_stack.product.process.terminate() == 0
    fresh_stack.product.start()


# Wrong configuration


@pytest.mark.parametrize(
    "name,value",
    [
        ("DATABASE_URL", None),
        ("DATABASE_URL", "mysql://nowhere"),
        ("REDIS_URL", "nowhere"),
        ("HTTP_ADDRESS", "everywhere"),
        ("ENCRYPTION_KEYS", None),
        ("ENCRYPTION_KEYS", "k1:too-short"),
        ("STRIPE_PUBLIC_BASE_URL", "ftp://example.com"),
        ("STRIPE_WEBHOOK_SECRET", None),
        ("STRIPE_ADMIN_TOKEN", None),
        ("LICENSEKIT_API_TOKEN", None),
    ],
)
def test_wrong_configuration_stops_the_start_with_a_message_that_names_it(
    stack, tmp_path, name: str, value: str | None
) -> None:
    product = Product(stack.simulator, tmp_path, replica_of=stack.product)
    if value is None:
        del product.process.environment[name]
    else:
        product.process.environment[name] = value
    product.process.start()
    assert product.process.wait_for_exit() != 0
    log = product.process.log()
    assert name in log, log
    for other in ("STRIPE_APP_CLIENT_SECRET", "LICENSEKIT_API_TOKEN", "STRIPE_ADMIN_TOKEN", "ENCRYPTION_KEYS"):
        assert product.environment[other] not in log, f"the value of {other} was printed"
