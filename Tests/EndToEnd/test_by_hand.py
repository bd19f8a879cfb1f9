"""What a vendor changes at LicenseKit, with LicenseKit's own client: the service detects it, shows it, and leaves it."""

from __future__ import annotations

from typing import Any

from support.product import licenses_of, ok
from support.simulator import Sale
from support.vendor import Vendor
from support.waiting import eventually


def tenant(vendor: Vendor) -> dict[str, str]:
    return {"account_id": vendor.account, "livemode": "false"}


def look_again(vendor: Vendor, fulfillment: dict[str, Any]) -> None:
    """A replay compares the licenses with what LicenseKit has."""
    path = f"/fulfillments/{fulfillment['id']}/replay"
    ok(vendor.product.admin("POST", path, params=tenant(vendor)))


def seen(vendor: Vendor, sale: Sale, change: list[str], status: str) -> dict[str, Any]:
    def is_so(fulfillments: list[dict[str, Any]]) -> bool:
        [license] = licenses_of(fulfillments[0])
        return license["changed_by_hand"] == change and fulfillments[0]["status"] == status

    return eventually(lambda: vendor.fulfillments(object=sale.session), is_so, f"changed by hand: {change}")[0]


def test_a_license_that_was_suspended_by_hand_stays_so_through_a_renewal(vendor: Vendor) -> None:
    sale = vendor.subscribe(vendor.offer_monthly())
    fulfillment = vendor.fulfilled(sale.session)
    [license] = licenses_of(fulfillment)
    vendor.product.management.suspend_license(path={"id": license["id"]})

    vendor.renew(sale)
    shown = seen(vendor, sale, ["suspended"], "suspended")
    assert "suspended by hand" in shown["reason"]
    vendor.settle()
    at_licensekit = vendor.product.license(license["id"])
    assert at_licensekit["status"] == "suspended", "it is not overwritten"
    assert at_licensekit["expires_at"] > license["expires_at"], "what is paid for still counts"

    vendor.product.management.reinstate_license(path={"id": license["id"]})
    look_again(vendor, fulfillment)
    seen(vendor, sale, [], "fulfilled")


def test_a_license_that_was_revoked_by_hand_is_issued_again_only_when_it_is_released(vendor: Vendor) -> None:
    item = vendor.offer_once()
    sale = vendor.sell(item)
    fulfillment = vendor.fulfilled(sale.session)
    [license] = licenses_of(fulfillment)
    vendor.product.management.revoke_license(path={"id": license["id"]})
    look_again(vendor, fulfillment)
    seen(vendor, sale, ["revoked"], "ended")
    vendor.redeliver_everything()
    vendor.settle()
    assert [row["status"] for row in vendor.licenses_at_licensekit(item)] == ["revoked"]

    path = f"/fulfillments/{fulfillment['id']}/licenses/{license['id']}/release"
    ok(vendor.product.admin("POST", path, params=tenant(vendor)))
    fresh = vendor.wait_for_license(sale.session, lambda row: row["id"] != license["id"])
    assert fresh["status"] == "active"
    key = vendor.product.reveal(fulfillment, fresh["id"])
    assert vendor.product.buyer(key).activate()
    assert sorted(row["status"] for row in vendor.licenses_at_licensekit(item)) == ["active", "revoked"]


def test_ids_of_this_service_that_are_changed_by_hand_at_stripe_change_no_license(vendor: Vendor) -> None:
    item, other = vendor.offer_monthly(), vendor.offer_once()
    sale = vendor.subscribe(item)
    [license] = licenses_of(vendor.fulfilled(sale.session))
    [foreign] = licenses_of(vendor.fulfilled(vendor.sell(other).session))
    vendor.settle()
    before = vendor.licenses_at_licensekit(item) + vendor.licenses_at_licensekit(other)
    for wrong in (foreign["id"], "lic_of_nobody", ""):
        vendor.stripe.v1.subscriptions.update(
            sale.subscription, {"metadata": {"licensekit_license_id": wrong, "licensekit_customer_id": "cust_of_nobody"}}
        )
        vendor.settle()
    vendor.renew(sale)
    renewed = eventually(
        lambda: vendor.licenses_at_licensekit(item),
        lambda found: found[0]["expires_at"] > before[0]["expires_at"], "the license is renewed",
    )
    after = renewed + vendor.licenses_at_licensekit(other)
    assert [(row["id"], row["status"]) for row in after] == [(row["id"], row["status"]) for row in before]
    assert before[0]["id"] == license["id"]
