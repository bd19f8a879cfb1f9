"""`licensekit serve` as a process, and its routes as a person would use them."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import licensekit
import requests

from .databases import create_database, drop_database, redis_url
from .processes import Process, binary, free_port
from .signing import app_headers
from .simulator import Simulator
from .waiting import eventually


@dataclass(frozen=True)
class Secrets:
    """What an operator puts into the environment. Every product gets new values."""

    admin_token: str = field(default_factory=lambda: "admin-" + secrets.token_hex(24))
    api_token: str = field(default_factory=lambda: "lkm_" + secrets.token_hex(24))
    encryption_keys: str = field(default_factory=lambda: "e2e:" + base64.b64encode(os.urandom(32)).decode())
    webhook_secret: str = field(default_factory=lambda: "whsec_" + secrets.token_hex(16))
    sandbox_webhook_secret: str = field(default_factory=lambda: "whsec_" + secrets.token_hex(16))
    sandbox_signing_secret: str = field(default_factory=lambda: "absec_" + secrets.token_hex(16))


class Product:
    """One replica of the product. Replicas that share a database share `secrets` and `database`."""

    def __init__(
        self,
        simulator: Simulator,
        folder: Path,
        name: str = "licensekit",
        replica_of: "Product | None" = None,
        api_version: str | None = None,
        database: str | None = None,
    ) -> None:
        """`api_version` is that of the webhook endpoint: it decides the shape of the events.

        `database` is one that the caller makes and drops.
        """
        self.simulator = simulator
        self.secrets = replica_of.secrets if replica_of else Secrets()
        self._owns_database = replica_of is None and database is None
        self.database = replica_of.database if replica_of else database or create_database()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.webhook_secret = self.secrets.webhook_secret
        app = simulator.app
        self.environment = {
            "DATABASE_URL": self.database,
            "REDIS_URL": redis_url(),
            "HTTP_ADDRESS": f"127.0.0.1:{self.port}",
            "STRIPE_INTEGRATION_ENABLED": "true",
            "STRIPE_PUBLIC_BASE_URL": replica_of.url if replica_of else self.url,
            "STRIPE_API_BASE_URL": simulator.url,
            "STRIPE_AUTHORIZE_URL": simulator.authorize_url,
            "STRIPE_APP_CLIENT_ID": app.live_client_id,
            "STRIPE_APP_CLIENT_SECRET": app.live_secret_key,
            "STRIPE_APP_CLIENT_ID_TEST": app.test_client_id,
            "STRIPE_APP_CLIENT_SECRET_TEST": app.test_secret_key,
            "STRIPE_APP_CLIENT_ID_SANDBOX": app.sandbox_client_id,
            "STRIPE_APP_CLIENT_SECRET_SANDBOX": app.sandbox_secret_key,
            "STRIPE_WEBHOOK_SECRET": self.webhook_secret,
            "STRIPE_WEBHOOK_SECRET_SANDBOX": self.secrets.sandbox_webhook_secret,
            "STRIPE_APP_SIGNING_SECRET": app.signing_secret,
            "STRIPE_APP_SIGNING_SECRET_SANDBOX": self.secrets.sandbox_signing_secret,
            "STRIPE_ADMIN_TOKEN": self.secrets.admin_token,
            "LICENSEKIT_API_TOKEN": self.secrets.api_token,
            "ENCRYPTION_KEYS": self.secrets.encryption_keys,
            "LOG_LEVEL": "info",
        }
        self._api_version = api_version
        self._is_registered = False
        self.process = Process(name, [binary("licensekit"), "serve"], self.environment, folder)

    # Life

    def start(self) -> "Product":
        self.process.start()
        self.process.wait_until(self.is_ready, "GET /readyz answers 200")
        if not self._is_registered:
            webhook = f"{self.url}/stripe/webhook"
            self.simulator.add_endpoint(webhook, self.webhook_secret, api_version=self._api_version)
            self.simulator.add_endpoint(
                webhook, self.secrets.sandbox_webhook_secret, api_version=self._api_version, environment="sandbox"
            )
            self._is_registered = True
        return self

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def close(self) -> None:
        self.process.kill()
        if self._owns_database:
            drop_database(self.database)

    # The LicenseKit side, through its official client

    @property
    def management(self) -> licensekit.ManagementClient:
        return licensekit.ManagementClient(base_url=self.url, token=self.secrets.api_token, timeout=20)

    def buyer(self, license_key: str) -> "Buyer":
        return Buyer(self.url, license_key)

    def new_offer(self, license_type: str = "perpetual") -> "Offer":
        """A LicenseKit product with one policy and one feature, with codes of its own."""
        tag = secrets.token_hex(5)
        api = self.management
        product = api.create_product(body={"name": f"Product {tag}", "code": f"product-{tag}"})["data"]
        policy = api.create_policy(
            path={"id": product["id"]},
            body={"name": license_type, "code": f"policy-{tag}", "license_type": license_type},
        )["data"]
        feature = api.create_feature(
            path={"id": product["id"]}, body={"name": "API calls", "code": f"api_calls_{tag}"}
        )["data"]
        return Offer(product["id"], policy["id"], feature["id"], feature["code"])

    def license(self, license_id: str) -> dict[str, Any]:
        return self.management.get_license(path={"id": license_id})["data"]

    # The Stripe side: admin routes

    def admin(self, method: str, path: str, token: str | None = "operator", **arguments: Any) -> requests.Response:
        """One call of an admin route, with the operator's token by default (None sends no token)."""
        headers = dict(arguments.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.secrets.admin_token if token == 'operator' else token}"
        return requests.request(method, f"{self.url}/stripe/admin{path}", headers=headers, timeout=20, **arguments)

    def fulfillments(self, account: str, livemode: bool = False, **filters: Any) -> list[dict[str, Any]]:
        """All fulfillments of a tenant, from all pages, the oldest page last."""
        query: dict[str, Any] = {"account_id": account, "livemode": _word(livemode), **filters}
        found: list[dict[str, Any]] = []
        while True:
            body = ok(self.admin("GET", "/fulfillments", params=query))
            found += body["data"]
            cursor = body["page_info"]["next_cursor"]
            if cursor is None:
                return found
            query["cursor"] = cursor

    def fulfillment(self, fulfillment_id: str, account: str, livemode: bool = False) -> dict[str, Any]:
        query = {"account_id": account, "livemode": _word(livemode)}
        return ok(self.admin("GET", f"/fulfillments/{fulfillment_id}", params=query))["data"]

    def wait_for(
        self,
        account: str,
        stripe_id: str,
        until: str | Callable[[dict[str, Any]], bool] = "fulfilled",
        seconds: float = 30,
    ) -> dict[str, Any]:
        """The one fulfillment of the purchase that `stripe_id` belongs to, once it is as the test expects."""
        wanted = (lambda f: f["status"] == until) if isinstance(until, str) else until

        def look() -> list[dict[str, Any]]:
            return self.fulfillments(account, object=stripe_id)

        what = f"the fulfillment of {stripe_id} " + (f"is {until}" if isinstance(until, str) else "is as wanted")
        found = eventually(look, lambda all: len(all) == 1 and wanted(all[0]), what, seconds)
        return found[0]

    def reveal(self, fulfillment: dict[str, Any], license_id: str) -> str:
        path = f"/fulfillments/{fulfillment['id']}/licenses/{license_id}/reveal"
        query = {"account_id": fulfillment["account_id"], "livemode": _word(fulfillment["livemode"])}
        return ok(self.admin("POST", path, params=query))["data"]["license_key"]

    def app_view(self, kind: str, account: str, stripe_id: str, **changes: Any) -> requests.Response:
        """What the Dashboard extension shows beside a Stripe object, requested as the extension does."""
        headers = app_headers(self.simulator.app.signing_secret, "usr_e2e", account, at=changes.get("at"))
        headers |= changes.get("headers", {})
        query = {kind: stripe_id, "livemode": "false"}
        return requests.get(f"{self.url}/stripe/app/{kind}", params=query, headers=headers, timeout=20)


@dataclass(frozen=True)
class Offer:
    """What LicenseKit can issue: a product, a policy of it, and a feature to assign."""

    product_id: str
    policy_id: str
    feature_id: str
    feature_code: str


class Buyer:
    """A buyer's program. It knows the server's address and its license key, and trusts signed answers only."""

    def __init__(self, url: str, license_key: str, fingerprint: str | None = None) -> None:
        self.client = licensekit.RuntimeClient(base_url=url, license_key=license_key, timeout=20)
        self.machine = {"fingerprint": fingerprint or "machine-" + secrets.token_hex(8), "hostname": "laptop", "os": "linux"}
        self._keys = licensekit.PublicKeyStore(licensekit.SystemClient(base_url=url, timeout=20).list_public_keys()["data"])

    def activate(self) -> dict[str, Any]:
        return self._verified(
            self.client.activate_license(body=self.machine, idempotency_key="activate-" + secrets.token_hex(8))
        )

    def validate(self) -> dict[str, Any]:
        return self._verified(self.client.validate_license(body=self.machine))

    def check(self) -> dict[str, Any]:
        return self._verified(self.client.check_license(body=self.machine))

    def _verified(self, answer: dict[str, Any]) -> dict[str, Any]:
        assert licensekit.verify_runtime_result(answer, self._keys).ok, "the answer's signature is wrong"
        return answer["data"]


def licenses_of(fulfillment: dict[str, Any]) -> list[dict[str, Any]]:
    """The licenses of all lines, in the order of the lines and units."""
    return [license for line in fulfillment["lines"] for license in line["licenses"]]


def ok(response: requests.Response, *statuses: int) -> dict[str, Any]:
    """The answer's JSON. Fails with the whole answer unless the status is one of these (by default 200 or 201)."""
    assert response.status_code in (statuses or (200, 201)), f"{response.status_code}: {response.text[:600]}"
    return response.json()


def error_code(response: requests.Response, status: int) -> str:
    """The code of an error answer. Fails unless it has this status and the shape of every error."""
    body = ok(response, status)
    assert set(body) == {"error", "meta"}, body
    assert isinstance(body["error"]["message"], str) and body["error"]["message"], body
    assert body["meta"]["request_id"] and body["meta"]["timestamp"], body
    return body["error"]["code"]


def _word(flag: bool) -> str:
    return "true" if flag else "false"
