#!/usr/bin/env python3
"""A vendor's first day, which script/server plays against the simulator: install the app, map two products, sell, and see
the licenses arrive. Standard library only. It records what it did, so a second run only shows it and sells nothing.

The environment must have the secrets that script/server keeps.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OPERATOR = {"Authorization": "Bearer " + os.environ["STRIPE_ADMIN_TOKEN"]}
LICENSEKIT = {"Authorization": "Bearer " + os.environ["LICENSEKIT_API_TOKEN"]}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


browser = urllib.request.build_opener(NoRedirect)


def call(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """One JSON request. If the answer is not a success, the demo ends and prints it."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with browser.open(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {url} answered {error.code}: {error.read().decode()[:1000]}") from None


def visit(url: str, cookies: str = "") -> tuple[int, str, str]:
    """One step of a browser. Returns the status, the next address, and the new cookies."""
    try:
        answer = browser.open(urllib.request.Request(url, headers={"Cookie": cookies} if cookies else {}), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    got = "; ".join(cookie.split(";", 1)[0] for cookie in answer.headers.get_all("Set-Cookie") or [])
    return answer.status, answer.headers.get("Location", ""), got


def say(text: str) -> None:
    print(f"    {text}", flush=True)


class Demo:
    def __init__(self, product: str, simulator: str, state: Path) -> None:
        self.product = product
        self.simulator = simulator
        self.folder = state
        self.file = state / "demo.json"
        self.done: dict[str, Any] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def remember(self, **facts: Any) -> None:
        self.done |= facts
        partial = self.file.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(self.done, indent=1))
        partial.replace(self.file)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return call(method, f"{self.simulator}/_control{path}", body)

    def scenario(self, name: str, **body: Any) -> dict[str, Any]:
        return self.control("POST", f"/accounts/{self.done['account']}/scenarios/{name}", body)["ids"]

    def admin(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        query = {"account_id": self.done["account"], "livemode": "false", **query}
        return call(method, f"{self.product}/stripe/admin{path}?{urllib.parse.urlencode(query)}", body, OPERATOR)

    def licensekit(self, method: str, path: str, body: Any = None) -> Any:
        return call(method, f"{self.product}/api/v1{path}", body, LICENSEKIT)["data"]

    # The steps

    def connect_webhooks(self) -> None:
        """The app's developer tells Stripe where events go. The product's port may differ from the last run's."""
        url = f"{self.product}/stripe/webhook"
        for endpoint in self.control("GET", "/webhook_endpoints"):
            self.control("DELETE", f"/webhook_endpoints/{endpoint['id']}")
        secret = os.environ["STRIPE_WEBHOOK_SECRET"]
        for livemode in (False, True):
            self.control("POST", "/webhook_endpoints", {"url": url, "secret": secret, "livemode": livemode})

    def install(self) -> None:
        account = self.done.get("account") or self.control("POST", "/accounts", {"name": "Example Editor Ltd"})["id"]
        self.remember(account=account)
        _, authorize, cookies = visit(f"{self.product}/stripe/oauth/install?mode=test")
        _, callback, _ = visit(f"{authorize}&auto={account}")
        status, _, _ = visit(callback, cookies)
        if status >= 400:
            raise SystemExit(f"the install's callback answered {status}")
        self.remember(installed=True)
        say(f"{account} has installed the app in test mode")

    def make_offers(self) -> None:
        """Makes two products at Stripe, and maps each to what LicenseKit must issue for it."""
        tag = secrets.token_hex(3)
        offers = {}
        for name, license_type, price, choices in (
            ("Editor", "perpetual", {"unit_amount": 4900}, {"quantity": "per_unit"}),
            ("Editor Cloud", "subscription", {"unit_amount": 900, "interval": "month"}, {"grace_days": 3}),
        ):
            code = f"{name.lower().replace(' ', '-')}-{tag}"
            product = self.licensekit("POST", "/products", {"name": name, "code": code})["id"]
            policy = self.licensekit(
                "POST", f"/products/{product}/policies",
                {"name": license_type, "code": f"{code}-{license_type}", "license_type": license_type},
            )["id"]
            feature = self.licensekit("POST", f"/products/{product}/features", {"name": "Exports", "code": "exports"})["id"]
            goods = self.control(
                "POST", f"/accounts/{self.done['account']}/products", {"name": name, "prices": [price]}
            )["ids"]
            mapping = {
                "account_id": self.done["account"], "livemode": False, "stripe_product_id": goods["product"],
                "licensekit_product_id": product, "licensekit_policy_id": policy,
                "features": [{"feature_id": feature, "max_consumptions": 1000}], **choices,
            }
            self.admin("POST", "/mappings", mapping)
            offers[license_type] = {"name": name, "product": product, "price": goods["price"]}
            say(f"{name}: Stripe's {goods['product']} gives a {license_type} license")
        link = self.control(
            "POST", f"/accounts/{self.done['account']}/payment_links",
            {"lines": [{"price": offers["perpetual"]["price"], "quantity": 1}]},
        )["ids"]["payment_link"]
        self.remember(offers=offers, payment_link=link)

    def sell(self) -> None:
        once = self.done["offers"]["perpetual"]["price"]
        monthly = self.done["offers"]["subscription"]["price"]
        guest = self.scenario("sell", payment_link=self.done["payment_link"], customer="guest", email="guest@example.com")
        say("a guest pays the Payment Link for one Editor")
        team = self.scenario("sell", price=once, quantity=2, customer="new", email="team@example.com", buyer_name="Team")
        say("a customer takes two Editors")
        member = self.scenario("subscribe", price=monthly, customer="new", email="member@example.com", buyer_name="Member")
        say("a customer subscribes to Editor Cloud")
        self.remember(sales={"guest": guest, "team": team, "member": member})

    def fulfillment(self, stripe_id: str) -> dict[str, Any]:
        """The fulfillment of a purchase, once its licenses are there."""
        deadline = time.monotonic() + 60
        while True:
            found = self.admin("GET", "/fulfillments", object=stripe_id)["data"]
            if found and found[0]["status"] in ("fulfilled", "ended"):
                return found[0]
            if time.monotonic() > deadline:
                raise SystemExit(f"waited a minute for the licenses of {stripe_id}; last seen: {json.dumps(found)}")
            time.sleep(0.1)

    def see_licenses(self) -> None:
        sales = self.done["sales"]
        seen = {}
        for who, stripe_id in (
            ("guest", sales["guest"]["session"]), ("team", sales["team"]["session"]),
            ("member", sales["member"]["subscription"]),
        ):
            fulfillment = self.fulfillment(stripe_id)
            licenses = [license for line in fulfillment["lines"] for license in line["licenses"]]
            seen[who] = {"fulfillment": fulfillment["id"], "licenses": [license["id"] for license in licenses]}
            shown = ", ".join(f"{license['key_hint']} ({license['status']})" for license in licenses)
            say(f"{who}: {fulfillment['status']}, {len(licenses)} license{'s' if len(licenses) != 1 else ''}: {shown}")
        if "seen" in self.done and self.done["seen"] != seen:
            raise SystemExit(f"the licenses are not those of the last run: {self.done['seen']} became {seen}")
        if [len(one["licenses"]) for one in seen.values()] != [1, 2, 1]:
            raise SystemExit("one, two and one license were expected")
        self.remember(seen=seen)

    def be_the_buyer(self, environment: Path) -> None:
        """Reveals the guest's key and uses it as the buyer's program does, with the printed commands."""
        guest = self.done["seen"]["guest"]
        reveal = f"/fulfillments/{guest['fulfillment']}/licenses/{guest['licenses'][0]}/reveal"
        key = self.admin("POST", reveal)["data"]["license_key"]
        environment.touch(mode=0o600)
        environment.chmod(0o600)
        environment.write_text(
            f"P={self.product}\nS={self.simulator}\n"
            f"OPERATOR='Authorization: {OPERATOR['Authorization']}'\n"
            f"LICENSEKIT='Authorization: {LICENSEKIT['Authorization']}'\n"
            f"LICENSE='Authorization: License {key}'\n"
            f"TENANT='account_id={self.done['account']}&livemode=false'\n"
        )
        for operation, extra in (("activate", "-H 'Idempotency-Key: demo-laptop-1' "), ("validate", "")):
            print()
            shell(
                environment,
                f"""curl -fsS -H "$LICENSE" {extra}-d '{{"fingerprint":"demo-laptop","hostname":"laptop"}}' """
                f'"$P/api/v1/license/{operation}"',
                show=True,
            )

    def next_steps(self) -> list[tuple[str, str]]:
        sales, seen, account = self.done["sales"], self.done["seen"], self.done["account"]
        scenarios = f"$S/_control/accounts/{account}/scenarios"
        admin = 'curl -fsS -H "$OPERATOR" "$P/stripe/admin'
        team, guest = seen["team"], seen["guest"]
        subscription = sales["member"]["subscription"]
        one = f"{admin}/fulfillments?$TENANT&object={subscription}\""

        def scenario(name: str, body: dict[str, Any]) -> str:
            return f"curl -fsS -d '{json.dumps(body)}' {scenarios}/{name}"

        return [
            ("every sale and its state", f'{admin}/fulfillments?$TENANT"'),
            ("why the team has its licenses: the timeline", f'{admin}/fulfillments/{team["fulfillment"]}?$TENANT"'),
            (
                "a license key, by the audited call",
                f'curl -fsS -X POST -H "$OPERATOR" "$P/stripe/admin/fulfillments/{guest["fulfillment"]}'
                f'/licenses/{guest["licenses"][0]}/reveal?$TENANT"',
            ),
            ("the vendor's mappings", f'{admin}/mappings?$TENANT"'),
            (
                "what the Dashboard shows beside the subscription",
                f'curl -fsS $({ROOT}/script/sign {account} usr_demo) '
                f'"$P/stripe/app/subscription?subscription={subscription}&livemode=false"',
            ),
            (
                "sell two more Editors", scenario("sell", {"price": self.done["offers"]["perpetual"]["price"], "quantity": 2})
            ),
            ("the subscription renews", scenario("renew", {"subscription": subscription, "alone": True})),
            ("the next payment fails, and is paid later", scenario("fail", {"subscription": subscription, "alone": True})),
            ("", scenario("recover", {"subscription": subscription})),
            ("the subscription, with its new end", one),
            (
                "sell one more, refund it, and look: its license is revoked",
                f"""ch=$({scenario("sell", {"price": self.done["offers"]["perpetual"]["price"]})} | """
                """grep -o '"charge": *"[^"]*"' | cut -d '"' -f 4)""",
            ),
            ("", f"""curl -fsS -d "{{\\"charge\\":\\"$ch\\"}}" {scenarios}/refund"""),
            ("", f'{admin}/fulfillments?$TENANT&object=$ch"'),
            ("the licenses as LicenseKit has them", 'curl -fsS -H "$LICENSEKIT" "$P/api/v1/licenses"'),
        ]

    def play(self, tries_everything: bool) -> None:
        self.connect_webhooks()
        if not self.is_connected():
            self.install()
        if "offers" not in self.done:
            self.make_offers()
        if "sales" not in self.done:
            self.sell()
        self.see_licenses()
        environment = self.folder / "demo.env"
        self.be_the_buyer(environment)

        steps = self.next_steps()
        print("\n==> Open in a browser\n")
        for what, url in (
            ("buy an Editor as a guest", f"{self.simulator}/buy/{self.done['payment_link']}"),
            ("install the app for one more merchant", f"{self.product}/stripe/oauth/install?mode=test"),
            ("the product is ready", f"{self.product}/readyz"),
            ("its metrics", f"{self.product}/metrics"),
            ("the simulator at a glance", f"{self.simulator}/_control"),
        ):
            say(f"{url}   ({what})")
        print("\n==> Try next (for readable answers, put behind a line:  | python3 -m json.tool)\n")
        print(f". {environment}")
        for what, command in steps:
            print(f"\n# {what}\n{command}" if what else command)
        print(flush=True)
        if tries_everything:
            print("==> Trying every line above\n")
            shell(environment, "\nsleep 0.2\n".join(command for _, command in steps), show=False)
            say("all of them succeeded")

    def is_connected(self) -> bool:
        if not self.done.get("installed"):
            return False
        connections = self.admin("GET", "/connections")["data"]
        mine = [one for one in connections if one.get("account_id") == self.done["account"]]
        if not mine:
            # The database is another one: the records are about licenses that it does not have.
            self.done = {"account": self.done["account"]}
        return bool(mine)


def shell(environment: Path, command: str, show: bool) -> None:
    """Runs a printed command line, in a shell that has read the environment file."""
    if show:
        print(f"    $ {command}")
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". '{environment}'\n{command}"], capture_output=True, text=True, cwd="/",
    )
    if ran.returncode != 0:
        raise SystemExit(f"failed: {command}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}")
    if show:
        say(ran.stdout.strip()[:700])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--product", required=True, help="the product's address")
    parser.add_argument("--simulator", required=True, help="the simulator's address")
    parser.add_argument("--state", required=True, type=Path, help="the folder that is kept between runs")
    parser.add_argument("--try-everything", action="store_true", help="also run every line that is suggested")
    options = parser.parse_args()
    Demo(options.product, options.simulator, options.state).play(options.try_everything)


if __name__ == "__main__":
    main()
