"""Records for tests of routes: one record of each kind that a path or a body can name, made at its first use."""

from __future__ import annotations

import secrets
import subprocess
from typing import Any, Callable

import requests

from .processes import binary
from .product import Product, ok
from .vendor import Vendor


def allow_everything(product: Product, policy: str) -> None:
    """What the contract leaves to the operator: offline licenses, and more than one device."""
    command = ["admin", "set-policy-limits", policy, "--allow-offline-activation", "true", "--max-activations", "50"]
    done = subprocess.run(
        [binary("licensekit"), *command], env={"PATH": "/usr/bin:/bin"} | product.environment,
        capture_output=True, text=True, check=False, timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class LicenseKitRecords:
    """Records of the default tenant."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._known: dict[str, str] = {}
        self.tag = secrets.token_hex(4)

    def __getitem__(self, kind: str) -> str:
        if kind not in self._known:
            getattr(self, f"_make_{kind}")()
        return self._known[kind]

    def send(self, method: str, path: str, body: Any = None, license_key: str | None = None) -> Any:
        credential = f"License {license_key}" if license_key else f"Bearer {self._product.secrets.api_token}"
        headers = {"Authorization": credential, "Idempotency-Key": secrets.token_hex(8)}
        answer = requests.request(method, f"{self._product.url}/api/v1{path}", json=body, headers=headers, timeout=20)
        return ok(answer, 200, 201, 202)["data"]

    def _keep(self, kind: str, data: dict[str, Any]) -> None:
        self._known[kind] = data["id"]

    def _make_product(self) -> None:
        self._keep("product", self.send("POST", "/products", {"name": "Editor", "code": f"editor-{self.tag}"}))

    def _make_policy(self) -> None:
        body = {"name": "Pro", "code": f"pro-{self.tag}", "license_type": "subscription", "max_floating_users": 9}
        self._keep("policy", self.send("POST", f"/products/{self['product']}/policies", body))

    def _make_feature(self) -> None:
        body = {"name": "Calls", "code": "api_calls"}
        self._keep("feature", self.send("POST", f"/products/{self['product']}/features", body))

    def _make_customer(self) -> None:
        self._keep("customer", self.send("POST", "/customers", {"name": "Ada", "code": f"ada-{self.tag}"}))

    def _make_subscription(self) -> None:
        body = {
            "external_system": "shop", "external_id": f"s-{self.tag}", "status": "active",
            "current_period_start": "2026-01-01T00:00:00Z", "current_period_end": "2026-02-01T00:00:00Z",
        }
        self._keep("subscription", self.send("POST", f"/products/{self['product']}/subscriptions", body))

    def _make_order(self) -> None:
        body = {"external_system": "shop", "external_id": f"o-{self.tag}", "status": "paid"}
        self._keep("order", self.send("POST", f"/products/{self['product']}/orders", body))

    def _make_license(self) -> None:
        body = {"product_id": self["product"], "policy_id": self["policy"], "customer_id": self["customer"]}
        made = self.send("POST", "/licenses", body)
        self._keep("license", made["license"])
        self._known["license_key"] = made["license_key"]
        self.send("POST", f"/licenses/{self['license']}/features", {"feature_id": self["feature"], "max_consumptions": 9})

    def _make_license_key(self) -> None:
        self._make_license()

    def _make_device(self) -> None:
        data = self.send("POST", "/license/activate", {"fingerprint": "machine-1"}, license_key=self["license_key"])
        self._known["device"] = data["device_id"]

    def _make_lease(self) -> None:
        data = self.send("POST", "/license/floating/checkout", {"fingerprint": "m-2"}, license_key=self["license_key"])
        self._known["lease"] = data["lease_token"]

    def _make_field(self) -> None:
        body = {"resource_type": "license", "code": f"f-{self.tag}", "name": "F", "value_type": "string"}
        self._keep("field", self.send("POST", f"/products/{self['product']}/custom-fields", body))

    def _make_webhook(self) -> None:
        body = {"name": "shop", "url": "https://hooks.example.com/licenses", "is_active": True}
        self._keep("webhook", self.send("POST", "/webhooks", body)["webhook"])

    def _make_webhook_delivery(self) -> None:
        self._keep("webhook_delivery", self.send("POST", f"/webhooks/{self['webhook']}/test"))

    def _make_export(self) -> None:
        self._keep("export", self.send("POST", "/reports/exports", {"report_kind": "usage-summary"}))


class StripeRecords:
    """Records of one vendor, who has sold something. A record that no route can delete is made once for each vendor."""

    _lasting: dict[str, dict[str, str]] = {}

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._known = dict(self._lasting.get(vendor.account, {}))

    def __getitem__(self, kind: str) -> str:
        if kind not in self._known:
            makers: dict[str, Callable[[], None]] = {
                "fulfillment": self._sell, "fulfilled_license": self._sell, "stripe_event": self._sell,
                "object": self._sell, "mapping": self._map, "endpoint": self._add_endpoint, "delivery": self._test_endpoint,
                "token": self._add_token, "job": self._sweep,
            }
            makers[kind]()
        return self._known[kind]

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        query = {"account_id": self._vendor.account, "livemode": "false"}
        return ok(self._vendor.product.admin(method, path, params=query, json=body), 200, 201, 202)

    def _sell(self) -> None:
        sale = self._vendor.sell(self._vendor.offer_once())
        fulfillment = self._vendor.fulfilled(sale.session)
        self._known["object"] = sale.session
        self._known["fulfillment"] = fulfillment["id"]
        self._known["fulfilled_license"] = fulfillment["lines"][0]["licenses"][0]["id"]
        self._known["stripe_event"] = self._send("GET", "/events")["data"][0]["id"]
        self._lasting[self._vendor.account] = dict(self._known)

    def _map(self) -> None:
        item = self._vendor.offer_once(mapped=False)
        self._known["mapping"] = self._vendor.map(item)["id"]

    def _add_endpoint(self) -> None:
        body = {"url": "https://shop.example.com/licenses"}
        self._known["endpoint"] = self._send("POST", "/notices/endpoints", body)["data"]["id"]

    def _test_endpoint(self) -> None:
        self._known["delivery"] = self._send("POST", f"/notices/endpoints/{self['endpoint']}/test")["data"]["id"]

    def _add_token(self) -> None:
        self._known["token"] = self._send("POST", "/tokens", {"name": "t"})["data"]["id"]

    def _sweep(self) -> None:
        query = {"account_id": self._vendor.account, "livemode": "false"}
        ok(self._vendor.product.admin("POST", "/sweep", params=query), 202, 409)
        self._known["job"] = self._send("GET", "/jobs")["data"][0]["id"]
