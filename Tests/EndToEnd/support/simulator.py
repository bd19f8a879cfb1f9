"""`stripe-simulator` as a process, and its control API: what vendors, buyers and banks do at Stripe.

The control API is described in docs/simulator.md.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from .processes import Process, binary


@dataclass(frozen=True)
class App:
    """The Stripe App as its developer knows it: client ids, secret keys, and the secret that signs the extension. Without a
    client id for the sandbox, the app is in no sandbox."""

    test_client_id: str = field(default_factory=lambda: "ca_test" + secrets.token_hex(8))
    live_client_id: str = field(default_factory=lambda: "ca_live" + secrets.token_hex(8))
    test_secret_key: str = field(default_factory=lambda: "sk_test_" + secrets.token_hex(16))
    live_secret_key: str = field(default_factory=lambda: "sk_live_" + secrets.token_hex(16))
    sandbox_client_id: str = field(default_factory=lambda: "ca_box" + secrets.token_hex(8))
    sandbox_secret_key: str = field(default_factory=lambda: "sk_test_box" + secrets.token_hex(16))
    signing_secret: str = field(default_factory=lambda: "absec_" + secrets.token_hex(16))


DEFAULT_APP = App("ca_test_simulator", "ca_live_simulator", "sk_test_simulator", "sk_live_simulator", "", "")
"""The defaults of the simulator."""


@dataclass(frozen=True)
class Merchant:
    """A Stripe account that may install the app, with its own test-mode secret key."""

    account: str
    test_key: str


@dataclass(frozen=True)
class Sale:
    """The ids that Stripe gave to one purchase. Ids that such a purchase does not have are empty."""

    session: str = ""
    customer: str = ""
    payment_intent: str = ""
    charge: str = ""
    invoice: str = ""
    subscription: str = ""


class Simulator:
    def __init__(self, folder: Path, app: App | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.app = app or App()
        self.url = ""
        self._port_file = folder / "stripe-simulator.port"
        command = [
            binary("stripe-simulator"), "serve",
            "--address", "127.0.0.1:0", "--port-file", str(self._port_file),
            "--test-key", self.app.test_secret_key, "--live-key", self.app.live_secret_key,
            "--test-client-id", self.app.test_client_id, "--live-client-id", self.app.live_client_id,
        ]
        self.process = Process("stripe-simulator", command, {}, folder)

    def start(self) -> "Simulator":
        self.process.start()
        self.process.wait_until(self._port_file.exists, "the port file is written")
        self.url = f"http://127.0.0.1:{self._port_file.read_text().strip()}"
        # A test must not wait as long as Stripe does between two attempts.
        self.control("POST", "/delivery_settings", {"retry_base_ms": 100, "longest_wait_ms": 1000, "maximum_attempts": 100})
        if self.app.sandbox_client_id:
            self.add_sandbox_developer(self.app.sandbox_client_id, self.app.sandbox_secret_key)
        return self

    def close(self) -> None:
        self.process.kill()

    @property
    def authorize_url(self) -> str:
        return f"{self.url}/oauth/v2/authorize"

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = requests.request(method, f"{self.url}/_control{path}", json=body, timeout=60)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text[:600]}"
        return answer.json()

    # The developer's side

    def add_endpoint(
        self, url: str, secret: str, livemode: bool = False, api_version: str | None = None, **settings: Any
    ) -> None:
        """Registers a webhook endpoint for events of the connected accounts. Further settings: `payload="thin"`,
        `environment="sandbox"`, `hears_sandbox=True`."""
        body = {"url": url, "secret": secret, "livemode": livemode, "connect": True, "enabled_events": ["*"], **settings}
        self.control("POST", "/webhook_endpoints", body | ({"api_version": api_version} if api_version else {}))

    def add_sandbox_developer(self, client_id: str, secret_key: str, redirect_uris: list[str] | None = None) -> None:
        """The app in the developer's managed sandbox, with credentials of its own."""
        body: dict[str, Any] = {"environment": "sandbox", "client_id": client_id, "secret_key": secret_key}
        self.control("POST", "/developers", body | {"redirect_uris": redirect_uris or []})

    # The merchant's side

    def add_merchant(self, **settings: Any) -> Merchant:
        made = self.control("POST", "/accounts", {"name": "Vendor " + secrets.token_hex(3), **settings})
        # A sandbox (`environment="sandbox"`) has one key only.
        return Merchant(made["id"], made["keys"].get("test") or made["keys"]["sandbox"])

    def authorize(self, link: str, account: str) -> str:
        """The merchant grants access on the authorize page. Returns where the browser is sent then."""
        assert link.startswith(self.authorize_url), link
        answer = requests.get(f"{link}{'&' if urlsplit(link).query else '?'}auto={account}", allow_redirects=False, timeout=20)
        assert answer.status_code in (302, 303), f"{answer.status_code}: {answer.text[:600]}"
        return answer.headers["Location"]

    def deny(self, link: str) -> str:
        """The merchant refuses access. Returns where the browser is sent then."""
        answer = requests.get(f"{link}&auto=deny", allow_redirects=False, timeout=20)
        assert answer.status_code in (302, 303), f"{answer.status_code}: {answer.text[:600]}"
        return answer.headers["Location"]

    def uninstall(self, account: str, silent: bool = False) -> None:
        """Removes the app. `silent`: every event about it is lost."""
        self.control("POST", f"/accounts/{account}/uninstall", {"silent": silent})

    def ask_for_permissions(self, account: str, *permissions: str, livemode: bool = False) -> None:
        """A new version of the app asks for more than was granted."""
        body = {"livemode": livemode, "permissions_pending": list(permissions), "approval_required": bool(permissions)}
        self.control("POST", f"/accounts/{account}/install_update", body)

    def grant_permissions(self, account: str, livemode: bool = False) -> None:
        """The merchant agrees to what the app's new version asks for."""
        self.control("POST", f"/accounts/{account}/install_update", {"livemode": livemode, "granted": True})

    def foreign_install(self, account: str, event: str = "created", **settings: Any) -> None:
        """The account installs, updates or removes (`event`) another developer's app."""
        self.control("POST", f"/accounts/{account}/foreign_install", {"event": event, **settings})

    def health_alert(self, account: str, **settings: Any) -> str:
        """Stripe reports that it failed to make an event. Returns the id of the alert's event."""
        return self.control("POST", f"/accounts/{account}/health_alert", settings)["ids"]["event"]

    # Scenarios

    def scenario(self, account: str, name: str, **body: Any) -> Sale:
        ids = self.control("POST", f"/accounts/{account}/scenarios/{name}", body)["ids"]
        return Sale(**{key: ids.get(key) or "" for key in Sale.__dataclass_fields__})

    def sell(
        self, account: str, price: str, quantity: int = 1, guest: bool = False, customer: str | None = None,
        delayed: bool = False,
    ) -> Sale:
        """A guest pays a Payment Link; a customer pays a Checkout Session of the shop."""
        body: dict[str, Any] = {"delayed": delayed}
        if guest:
            link = self.control(
                "POST", f"/accounts/{account}/payment_links", {"lines": [{"price": price, "quantity": quantity}]}
            )
            body |= {"payment_link": link["ids"]["payment_link"], "customer": "guest"}
        else:
            body |= {"price": price, "quantity": quantity, "customer": customer or "new"}
        return self.scenario(account, "sell", **body)

    def delayed_payment_arrives(self, account: str, sale: Sale) -> None:
        self.scenario(account, "async_succeed", session=sale.session)

    def subscribe(self, account: str, price: str, quantity: int = 1) -> Sale:
        return self.scenario(account, "subscribe", price=price, quantity=quantity)

    # With `alone` the merchant's clock does not move: only this subscription moves on by a period.

    def renew(self, account: str, sale: Sale) -> Sale:
        return self.scenario(account, "renew", subscription=sale.subscription, alone=True)

    def fail_renewal(self, account: str, sale: Sale) -> None:
        self.scenario(account, "fail", subscription=sale.subscription, alone=True)

    def recover(self, account: str, sale: Sale) -> None:
        self.scenario(account, "recover", subscription=sale.subscription)

    def cancel(self, account: str, sale: Sale, at_period_end: bool) -> None:
        self.scenario(account, "cancel", subscription=sale.subscription, when="period_end" if at_period_end else "now")

    def refund(self, account: str, sale: Sale, amount: int | None = None) -> None:
        what = {"charge": sale.charge} if sale.charge else {"payment_intent": sale.payment_intent}
        self.scenario(account, "refund", **what, **({} if amount is None else {"amount": amount}))

    # Deliveries

    def disturb_deliveries(self, seed: int) -> None:
        """From now on deliveries come twice, late and out of order, at random with this seed."""
        faults = {"duplicate": 0.5, "reorder": 0.7, "delay": 0.3, "delay_ms": 600}
        self.control("POST", "/faults", {"seed": seed, "deliveries": faults})

    def redeliver(self, account: str) -> None:
        """Sends every event of the account once more."""
        self.control("POST", "/deliveries/resend", {"account": account})

    def hold_deliveries(self, account: str) -> None:
        self.control("POST", "/deliveries/hold", {"account": account})

    def release_deliveries(self, account: str, shuffle: bool = False) -> None:
        self.control("POST", "/deliveries/release", {"account": account, "shuffle": shuffle, "parallel": True})

    def wait_until_delivered(self, account: str, seconds: float = 30) -> None:
        """Waits until no delivery of this account is under way or planned."""
        self.control("POST", "/wait_idle", {"account": account, "timeout_ms": int(seconds * 1000)})
