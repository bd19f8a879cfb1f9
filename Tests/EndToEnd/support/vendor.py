"""A vendor: a Stripe account that installs the app, offers things, and sells them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Callable

import requests
import stripe

from .product import Offer, Product, licenses_of, ok
from .simulator import Sale, Simulator
from .waiting import eventually


@dataclass(frozen=True)
class Item:
    """Something the vendor sells: the Stripe product and price, and what LicenseKit shall issue for it."""

    stripe_product: str
    stripe_price: str
    offer: Offer
    choices: dict[str, Any]


class Vendor:
    def __init__(self, simulator: Simulator, product: Product, install: bool = True, **settings: Any) -> None:
        self.simulator = simulator
        self.product = product
        merchant = simulator.add_merchant(**settings)
        self.account: str = merchant.account
        self.mode: str = settings.get("environment", "test")
        # The merchant's own backend: a shop uses it to make products and prices.
        self.stripe = stripe.StripeClient(
            merchant.test_key, base_addresses={"api": simulator.url}, max_network_retries=0
        )
        if install:
            self.install()

    # The app

    def install(self) -> requests.Response:
        """Installs the app: the link of the service, the authorize page (which grants access), the callback."""
        start = requests.get(
            f"{self.product.url}/stripe/oauth/install", params={"mode": self.mode}, allow_redirects=False, timeout=20
        )
        assert start.status_code == 302, start.text
        granted = self.simulator.authorize(start.headers["Location"], self.account)
        done = requests.get(granted, headers={"Cookie": cookies_of(start)}, allow_redirects=False, timeout=20)
        assert done.status_code in (200, 302, 303), f"{done.status_code}: {done.text[:600]}"
        return done

    def install_without_callback(self) -> None:
        """The account has the app, but the browser did not come back to the service with the code."""
        start = requests.get(
            f"{self.product.url}/stripe/oauth/install", params={"mode": self.mode}, allow_redirects=False, timeout=20
        )
        self.simulator.authorize(start.headers["Location"], self.account)

    # The catalog

    def offer_once(self, mapped: bool = True, **choices: Any) -> Item:
        """A product with a one-time price, mapped to a perpetual license."""
        return self._offer("perpetual", mapped, {}, choices)

    def offer_monthly(self, mapped: bool = True, amount: int = 4900, **choices: Any) -> Item:
        """A product with a monthly price, mapped to a subscription license."""
        return self._offer("subscription", mapped, {"unit_amount": amount, "recurring": {"interval": "month"}}, choices)

    def _offer(self, license_type: str, mapped: bool, pricing: dict[str, Any], choices: dict[str, Any]) -> Item:
        goods = self.stripe.v1.products.create({"name": "Editor " + secrets.token_hex(3)})
        price = self.stripe.v1.prices.create(
            {"product": goods.id, "unit_amount": 4900, "currency": "eur", **pricing}  # type: ignore[arg-type]
        )
        item = Item(goods.id, price.id, self.product.new_offer(license_type), dict(choices))
        if mapped:
            self.map(item)
        return item

    def mapping_of(self, item: Item, **changes: Any) -> dict[str, Any]:
        """The body that maps this item. `features=N` assigns the offer's feature with a quota of N."""
        body: dict[str, Any] = {
            "account_id": self.account,
            "livemode": False,
            "stripe_product_id": item.stripe_product,
            "licensekit_product_id": item.offer.product_id,
            "licensekit_policy_id": item.offer.policy_id,
        } | item.choices | changes
        if isinstance(body.get("features"), int):
            body["features"] = [{"feature_id": item.offer.feature_id, "max_consumptions": body["features"]}]
        return body

    def map(self, item: Item, **changes: Any) -> dict[str, Any]:
        return ok(self.product.admin("POST", "/mappings", json=self.mapping_of(item, **changes)))["data"]

    # Sales, and what follows them

    def sell(self, item: Item, quantity: int = 1, guest: bool = False, customer: str | None = None, delayed: bool = False) -> Sale:
        return self.simulator.sell(
            self.account, item.stripe_price, quantity=quantity, guest=guest, customer=customer, delayed=delayed
        )

    def delayed_payment_arrives(self, sale: Sale) -> None:
        self.simulator.delayed_payment_arrives(self.account, sale)

    def subscribe(self, item: Item, quantity: int = 1) -> Sale:
        return self.simulator.subscribe(self.account, item.stripe_price, quantity=quantity)

    def renew(self, sale: Sale) -> None:
        self.simulator.renew(self.account, sale)

    def fail_renewal(self, sale: Sale) -> None:
        self.simulator.fail_renewal(self.account, sale)

    def recover(self, sale: Sale) -> None:
        self.simulator.recover(self.account, sale)

    def cancel(self, sale: Sale, at_period_end: bool) -> None:
        self.simulator.cancel(self.account, sale, at_period_end=at_period_end)

    def refund(self, sale: Sale, amount: int | None = None) -> None:
        self.simulator.refund(self.account, sale, amount=amount)

    # Looking

    def open_events(self) -> list[dict[str, Any]]:
        """Some of the accepted events that wait to be routed."""
        query = {"account_id": self.account, "livemode": "false", "state": "new", "limit": "1"}
        return ok(self.product.admin("GET", "/events", params=query))["data"]

    def fulfillments(self, **filters: Any) -> list[dict[str, Any]]:
        return self.product.fulfillments(self.account, **filters)

    def fulfilled(self, stripe_id: str, seconds: float = 30) -> dict[str, Any]:
        return self.product.wait_for(self.account, stripe_id, "fulfilled", seconds)

    def wait_for_license(
        self, stripe_id: str, is_so: Callable[[dict[str, Any]], bool], seconds: float = 30
    ) -> dict[str, Any]:
        """The only license of a purchase, once it is as the test expects."""

        def so(fulfillment: dict[str, Any]) -> bool:
            licenses = licenses_of(fulfillment)
            return len(licenses) == 1 and is_so(licenses[0])

        return licenses_of(self.product.wait_for(self.account, stripe_id, so, seconds))[0]

    def licenses_at_licensekit(self, item: Item) -> list[dict[str, Any]]:
        query = {"product_id": item.offer.product_id, "limit": 200}
        return self.product.management.list_licenses(query=query)["data"]

    def redeliver_everything(self) -> None:
        self.simulator.redeliver(self.account)

    def deliveries_settled(self, seconds: float = 30) -> None:
        """Waits until Stripe has no delivery of this account under way or planned."""
        self.simulator.wait_until_delivered(self.account, seconds)

    def settle(self, seconds: float = 30) -> None:
        """Waits until every event has been delivered and routed, and there is no work left for this tenant."""
        self.deliveries_settled(seconds)
        eventually(self.open_events, lambda events: events == [], "every event is routed", seconds)
        eventually(
            lambda: [f["status"] for f in self.fulfillments()],
            lambda statuses: "pending" not in statuses,
            "nothing is pending", seconds,
        )


def cookies_of(response: requests.Response) -> str:
    """The cookies of an answer, as a browser sends them back. A browser treats loopback as secure."""
    parts = response.raw.headers.getlist("Set-Cookie")
    return "; ".join(part.split(";", 1)[0] for part in parts)
