"""The extension in a real browser: each view in a sandboxed frame of origin null, against the running product, with the
signatures that Stripe would make. With SCREENSHOTS=1 the pictures of all states go to docs/stripe-app."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import quote

import pytest
import requests

from support.dashboard import VIEWER, Browser, Dashboard, Host, Member
from support.processes import PACKAGE_ROOT, binary
from support.product import Product, error_code, licenses_of, ok
from support.receivers import MailServer
from support.signing import signed_request
from support.stack import Stack
from support.vendor import Item, Vendor
from support.waiting import eventually

ALLOWED = "dashboard"
FOREIGN = "elsewhere"


class World:
    """A product that sends mail, a browser, and the page that stands in for the Dashboard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mail = MailServer(folder)
        self.stack = Stack(folder)
        self.host = Host(self.stack.simulator.app.signing_secret)
        self.stack.start()
        product = self.stack.product
        product.process.terminate()
        user = f"{quote(MailServer.user, safe='')}:{quote(MailServer.password, safe='')}"
        product.process.environment |= {
            "SMTP_URL": f"smtp://{user}@{self.mail.address}",
            "SMTP_ENCRYPTION": "required",
            "SMTP_CA_FILE": str(self.mail.certificate),
            "MAIL_FROM": "Licenses <licenses@example.com>",
            "STRIPE_APP_ALLOWED_ORIGINS": f"null,{self.host.origin(ALLOWED)}",
        }
        product.start()
        self.browser = Browser()
        self.dashboard = Dashboard(self.host, self.browser, product.url)

    @property
    def product(self) -> Product:
        return self.stack.product

    def close(self) -> None:
        self.browser.close()
        self.host.close()
        self.stack.close()
        self.mail.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("app"))
    try:
        yield world
    finally:
        world.close()


class Shop:
    """A vendor for one test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.vendor: Vendor = world.stack.new_vendor()
        self.named = {"account_id": self.vendor.account, "livemode": "false"}

    def mail_keys(self) -> None:
        settings = {"enabled": True, "subject": "Your key", "text": "{{license_key}}", "from_name": None, "reply_to": None}
        ok(self.world.product.admin("PUT", "/notices/email", params=self.named, json=settings))

    def name(self, item: Item, product: str, policy: str) -> Item:
        """Gives the products names that are easy to read in the pictures."""
        api = self.world.product.management
        api.update_product(path={"id": item.offer.product_id}, body={"name": product})
        api.update_policy(path={"id": item.offer.policy_id}, body={"name": policy})
        return item

    def audit(self) -> list[dict[str, Any]]:
        return ok(self.world.product.admin("GET", "/audit", params=self.named | {"limit": "100"}))["data"]

    def audited(self, action: str) -> list[dict[str, Any]]:
        return [entry for entry in self.audit() if entry["action"] == action]

    def show(self, view: str, kind: str | None = None, object: str | None = None, **more: Any):
        return self.world.dashboard.show(view, self.vendor.account, kind, object, **more)

    def act(
        self, operation: str, object: str, member: Member | None = None, account: str | None = None,
        nonce: str | None = None, **fields: Any,
    ) -> requests.Response:
        """An action without a browser, for requests that the extension never sends."""
        member = member or Member()
        body, headers = signed_request(
            self.world.stack.simulator.app.signing_secret, member.user, account or self.vendor.account,
            {"operation": operation, "object": object, "nonce": nonce or secrets.token_hex(16), **fields,
             "livemode": False, "stripe_roles": member.roles},
        )
        return self.send(body, headers)

    def send(self, body: bytes, headers: dict[str, str]) -> requests.Response:
        return requests.post(f"{self.world.product.url}/stripe/app/actions", data=body, headers=headers, timeout=20)


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def picture(screen: Any, world: World, name: str) -> None:
    """The picture goes to the documentation if SCREENSHOTS=1, else beside the logs: the test takes it in both cases."""
    folder = PACKAGE_ROOT / "docs" / "stripe-app" if os.environ.get("SCREENSHOTS") == "1" else world.folder
    screen.picture(folder / f"{name}.png")


# What is shown


def test_a_customer_shows_licenses_devices_and_use_and_they_can_be_acted_on(world: World, shop: Shop) -> None:
    shop.mail_keys()
    vendor = shop.vendor
    item = vendor.offer_monthly(mapped=False)
    shop.name(item, "Editor", "Monthly")
    use = world.product.management.create_feature(
        path={"id": item.offer.product_id}, body={"name": "Exports", "code": "exports"}
    )["data"]
    vendor.map(item, features=[{"feature_id": use["id"], "max_consumptions": 1000}])
    sale = vendor.subscribe(item)
    fulfillment = vendor.fulfilled(sale.subscription)
    [license] = licenses_of(fulfillment)
    eventually(lambda: len(world.mail.messages), lambda count: count >= 1, "the buyer has the key")
    buyer = world.product.buyer(world.product.reveal(fulfillment, license["id"]))
    buyer.activate()
    for event in ("one", "two", "three"):
        body = buyer.machine | {"feature_code": use["code"], "amount": 120, "event_id": event}
        buyer.client.consume_license(body=body, idempotency_key=event)

    screen = shop.show("CustomerView", "customer", sale.customer)
    screen.shows("Active", "Renews", "laptop", "360 of 1,000", "Test mode", "1 of 1 in use")
    assert buyer.client is not None and world.product.reveal(fulfillment, license["id"]) not in screen.text
    screen.press("Timeline").shows("Issue license 1")
    screen.press("Timeline")
    picture(screen, world, "customer")

    mails = len(world.mail.messages)
    screen.press("Resend key").shows("Send the key again?")
    picture(screen, world, "resend-key")
    screen.press("Send key").shows("The key is on its way")
    eventually(lambda: len(world.mail.messages), lambda count: count == mails + 1, "the key was mailed again")

    screen.press("Reset laptop").shows("Reset this device?")
    screen.press("Reset device").shows("0 of 1 in use")
    devices = world.product.management.list_license_devices(path={"id": license["id"]})["data"]
    assert [device["status"] for device in devices] == ["reset"]

    screen.press("Suspend").shows("Suspend this license?")
    picture(screen, world, "suspend")
    screen.press("Suspend license").shows("Suspended", "Reinstate")
    assert world.product.license(license["id"])["status"] == "suspended"
    eventually(
        lambda: vendor.fulfillments(object=sale.subscription)[0]["status"], lambda status: status == "suspended",
        "the service sees what was done by hand",
    )
    screen = shop.show("SubscriptionView", "subscription", sale.subscription).shows("Suspended by hand, and left so.")
    picture(screen, world, "subscription-suspended")
    screen.press("Reinstate").shows("Reinstate this license?")
    screen.press("Reinstate license").shows("Active")
    assert world.product.license(license["id"])["status"] == "active"

    done = {entry["action"] for entry in shop.audit() if entry["actor"] == "stripe:usr_e2e"}
    assert done == {"app.resend_key", "app.reset_device", "app.suspend_license", "app.reinstate_license"}


def test_every_object_of_a_sale_shows_its_license(world: World, shop: Shop) -> None:
    vendor = shop.vendor
    sale = vendor.subscribe(vendor.offer_monthly())
    vendor.fulfilled(sale.subscription)
    for view, kind, object in [
        ("SubscriptionView", "subscription", sale.subscription), ("InvoiceView", "invoice", sale.invoice),
    ]:
        shop.show(view, kind, object).shows("Active", "Renews")
    once = vendor.sell(shop.name(vendor.offer_once(), "Editor", "For ever"))
    vendor.fulfilled(once.session)
    shop.show("PaymentView", "payment_intent", once.payment_intent).shows("Active", "Never expires")
    screen = shop.show("PaymentView", "charge", once.charge).shows("Active", "Never expires")
    picture(screen, world, "payment")


def test_what_is_missing_says_why_and_what_to_do(world: World, shop: Shop) -> None:
    vendor = shop.vendor
    item = vendor.offer_once(mapped=False)
    sale = vendor.sell(item)
    world.product.wait_for(vendor.account, sale.session, "waiting_mapping")
    screen = shop.show("PaymentView", "payment_intent", sale.payment_intent)
    screen.shows(f"No mapping for {item.stripe_product} yet", "Map this product")
    picture(screen, world, "no-mapping")

    screen = shop.show("CustomerView", "customer", "cus_nobody").shows("No license here")
    picture(screen, world, "empty")

    stranger = world.stack.new_vendor(install=False)
    screen = world.dashboard.show("CustomerView", stranger.account, "customer", "cus_1")
    screen.shows("Connect this account", "Connect with Stripe")
    assert screen.link("Connect with Stripe") == f"{world.product.url}/stripe/oauth/install?mode=test"
    picture(screen, world, "not-connected")

    screen = world.dashboard.show(
        "CustomerView", vendor.account, "customer", "cus_1", service_url="http://127.0.0.1:9"
    ).shows("The license service cannot be reached", "Try again")
    picture(screen, world, "unreachable")


def test_settings_and_setup_follow_the_account(world: World, shop: Shop) -> None:
    vendor = shop.vendor
    screen = shop.show("Onboarding", width=720).shows("Set up LicenseKit", "Map a product")
    picture(screen, world, "onboarding")
    item = shop.name(vendor.offer_once(), "Editor", "For ever")
    vendor.fulfilled(vendor.sell(item).session)
    screen.press("Check again").shows("You are set")

    shop.mail_keys()
    screen = shop.show("AppSettings", width=720).shows("Connected", vendor.account, item.stripe_product, "For ever")
    picture(screen, world, "settings")
    screen.browser.driver.find_element("css selector", "select[name=bare_payments] option[value=on]").click()
    screen.press("Save").shows("Saved")
    assert ok(world.product.admin("GET", "/settings", params=shop.named))["data"]["bare_payments"] is True

    reader = Member("usr_reader", [VIEWER])
    screen = shop.show("AppSettings", member=reader, width=720).shows("Only an administrator")
    assert "Disconnect" not in screen.labels() and "Save" not in screen.labels()

    screen = shop.show("AppSettings", width=720).shows("Connected")
    screen.press("Disconnect").shows("Disconnect this account?")
    picture(screen, world, "disconnect")
    screen.press("Disconnect").shows("Connect this account")
    connection = ok(world.product.admin("GET", "/connections", params=shop.named))["data"][0]
    assert connection["status"] == "disconnected"
    shop.vendor.install()
    shop.show("AppSettings", width=720).shows("Connected")


# Disputes


def test_a_dispute_is_answered_with_a_draft_that_nobody_submitted(world: World, shop: Shop) -> None:
    shop.mail_keys()
    vendor = shop.vendor
    sale = vendor.sell(shop.name(vendor.offer_once(on_dispute="keep"), "Editor", "For ever"))
    fulfillment = vendor.fulfilled(sale.session)
    [license] = licenses_of(fulfillment)
    world.product.buyer(world.product.reveal(fulfillment, license["id"])).activate()
    eventually(
        lambda: [entry["target"] for entry in shop.audited("license.mail")], lambda targets: license["id"] in targets,
        "the key was mailed",
    )
    world.stack.simulator.scenario(vendor.account, "dispute", session=sale.session, reason="product_not_received")
    vendor.settle()

    screen = shop.show("PaymentView", "payment_intent", sale.payment_intent).shows("This payment is disputed")
    picture(screen, world, "disputed")
    screen.press("Prepare evidence").shows("Product not received", "was activated on laptop", "was mailed to the buyer")
    picture(screen, world, "evidence")
    document = requests.get(screen.link("Open as PDF"), timeout=20)
    assert document.status_code == 200 and document.content.startswith(b"%PDF-"), document.text[:200]
    assert document.headers["Content-Type"] == "application/pdf"

    [dispute] = vendor.stripe.v1.disputes.list({"payment_intent": sale.payment_intent}).data
    vendor.stripe.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "Typed by hand."}, "submit": False})
    screen = shop.show("PaymentView", "charge", sale.charge).shows("This payment is disputed")
    screen.press("Prepare evidence").shows("Delivery").press("Add to the dispute")
    screen.shows("Nothing is submitted to the bank", "Stays as it is")
    picture(screen, world, "evidence-confirmation")
    screen.press("Save as draft").shows("Saved as a draft")
    picture(screen, world, "evidence-staged")

    staged = vendor.stripe.v1.disputes.retrieve(dispute.id)
    assert staged.status == "needs_response"
    assert staged.evidence_details.submission_count == 0 and staged.evidence_details.has_evidence
    assert staged.evidence.uncategorized_text == "Typed by hand."
    assert "was activated on laptop" in staged.evidence.access_activity_log
    assert "Editor (For ever), bought through Checkout Session cs_" in staged.evidence.product_description
    attached = vendor.stripe.v1.files.retrieve(staged.evidence.service_documentation)
    assert attached.purpose == "dispute_evidence" and attached.size > 2_000 and attached.filename.endswith(".pdf")

    for changes, status, code in [
        ({"object": "du_other"}, 404, "NOT_FOUND"), ({"member": Member("usr_v", [VIEWER])}, 403, "ROLE_NOT_ALLOWED"),
    ]:
        arguments = {"object": dispute.id, "payment": sale.payment_intent} | changes
        assert error_code(shop.act("stage_evidence", **arguments), status) == code
    replaced = ok(shop.act("stage_evidence", dispute.id, payment=sale.payment_intent, replace=True))
    assert replaced["data"]["operation"] == "stage_evidence"
    assert vendor.stripe.v1.disputes.retrieve(dispute.id).evidence.uncategorized_text != "Typed by hand."

    world.stack.simulator.scenario(vendor.account, "close_dispute", dispute=dispute.id, status="lost")
    vendor.settle()
    assert error_code(shop.act("stage_evidence", dispute.id, payment=sale.payment_intent), 409) == "DISPUTE_NOT_OPEN"
    tampered = document.url[:-20] + ("A" if document.url[-20] != "A" else "B") + document.url[-19:]
    assert requests.get(tampered, timeout=20).status_code == 404


# What is refused


def test_what_is_not_as_it_should_be_is_refused_and_audited(world: World, shop: Shop) -> None:
    vendor, other = shop.vendor, Shop(world)
    sale = vendor.sell(vendor.offer_once())
    [license] = licenses_of(vendor.fulfilled(sale.session))

    nonce = secrets.token_hex(16)
    ok(shop.act("suspend_license", license["id"], nonce=nonce))
    ok(shop.act("reinstate_license", license["id"]))
    assert error_code(shop.act("suspend_license", license["id"], nonce=nonce), 409) == "NONCE_REPEATED"
    assert world.product.license(license["id"])["status"] == "active", "the replay had no effect"

    viewer = Member("usr_viewer", [VIEWER])
    assert error_code(shop.act("suspend_license", license["id"], member=viewer), 403) == "ROLE_NOT_ALLOWED"
    assert error_code(other.act("suspend_license", license["id"]), 404) == "NOT_FOUND"
    assert error_code(shop.act("suspend_license", license["id"], account="acct_nobody"), 403) == "ACCOUNT_NOT_CONNECTED"
    assert world.product.license(license["id"])["status"] == "active"

    refused = {entry["detail"] for entry in shop.audited("app.refused")}
    assert refused == {"suspend_license: NONCE_REPEATED", "suspend_license: ROLE_NOT_ALLOWED"}
    assert [entry["detail"] for entry in other.audited("app.refused")] == ["suspend_license: NOT_FOUND"]

    # An unsigned request belongs to no account, so the audit log can name none.
    secret = world.stack.simulator.app.signing_secret
    fields = {"operation": "suspend_license", "object": license["id"], "nonce": secrets.token_hex(16), "livemode": False}
    body, headers = signed_request(secret, "usr_e2e", vendor.account, fields)
    assert error_code(shop.send(body.replace(b"suspend", b"suspens"), headers), 401) == "SIGNATURE_INVALID"
    assert error_code(shop.send(body, headers | {"Stripe-Signature": "t=1,v1=00"}), 401) == "SIGNATURE_INVALID"
    assert error_code(shop.send(body, headers), 403) == "ROLE_NOT_ALLOWED", "no role was signed"
    for change, status in [
        ({"object": None}, 400), ({"surprise": 1}, 400), ({"livemode": "no"}, 400), ({"nonce": "short"}, 422),
        ({"operation": "sell_license"}, 422), ({"license": "lic_1"}, 422),
    ]:
        body, headers = signed_request(secret, "usr_e2e", vendor.account, fields | change)
        answer = shop.send(body, headers)
        assert answer.status_code == status, (change, answer.text)
        assert next(iter(change)) in answer.json()["error"]["detail"], (change, answer.text)


def test_a_person_without_rights_sees_and_cannot_touch(world: World, shop: Shop) -> None:
    shop.mail_keys()
    sale = shop.vendor.sell(shop.vendor.offer_once())
    shop.vendor.fulfilled(sale.session)
    screen = shop.show("CustomerView", "customer", sale.customer, member=Member("usr_v", [VIEWER])).shows("Active")
    assert not {"Resend key", "Suspend"} & set(screen.labels())
    support = Member("usr_s", [{"type": "builtIn", "name": "Support Specialist"}])
    screen = shop.show("CustomerView", "customer", sale.customer, member=support).shows("Active")
    assert {"Resend key", "Suspend"} <= set(screen.labels())


def test_old_data_is_shown_as_old_while_the_license_server_is_away(world: World, shop: Shop) -> None:
    sale = shop.vendor.sell(shop.name(shop.vendor.offer_once(), "Editor", "For ever"))
    shop.vendor.fulfilled(sale.session)
    # No server listens there.
    ok(
        world.product.admin(
            "PUT", "/connections/licensekit", json={"base_url": "http://127.0.0.1:9", "token": "lkm_" + "0" * 32},
            params=shop.named,
        )
    )
    # A replica uses a known address for a minute.
    world.product.process.terminate()
    world.product.start()
    screen = shop.show("CustomerView", "customer", sale.customer).shows("This may be out of date", "Active")
    picture(screen, world, "stale")
    screen.press("Suspend").shows("Suspend this license?").press("Suspend license")
    screen.shows("The license server is away")
    picture(screen, world, "action-failed")


# Cross-origin


def headers_of_a_read(world: World, account: str, body: dict[str, Any]) -> tuple[str, dict[str, str]]:
    text, headers = signed_request(world.stack.simulator.app.signing_secret, "usr_e2e", account, body)
    return text.decode(), {name: value for name, value in headers.items() if name != "Origin"}


def test_only_the_sandboxed_frame_and_allowed_pages_can_read_answers(world: World, shop: Shop) -> None:
    url = f"{world.product.url}/stripe/app/customer"
    body, headers = headers_of_a_read(world, shop.vendor.account, {"customer": "cus_1", "livemode": False})
    frame = shop.show("CustomerView", "customer", "cus_1").shows("No license here")
    assert frame.browser.driver.execute_script("return self.origin") == "null"

    def reads(screen: Any) -> None:
        answer = screen.fetch(url, "POST", headers, body)
        assert answer.get("status") == 200, answer
        unsigned = screen.fetch(url, "POST", {"Content-Type": "application/json"}, body)
        assert unsigned.get("status") == 401 and "SIGNATURE_INVALID" in unsigned["text"], unsigned
        missing = screen.fetch(f"{world.product.url}/stripe/app/nothing", "POST", headers, body)
        assert missing.get("status") == 404, missing

    reads(frame)
    reads(world.dashboard.plain_page(world.host.origin(ALLOWED)))
    foreign = world.dashboard.plain_page(world.host.origin(FOREIGN))
    for request in [(url, "POST", headers, body), (f"{url}?customer=cus_1", "GET", {}, None)]:
        assert "Failed to fetch" in foreign.fetch(*request)["error"]


def test_even_a_refusal_by_the_limit_can_be_read_in_the_frame(world: World, shop: Shop) -> None:
    url = f"{world.product.url}/stripe/app/customer"
    body, headers = headers_of_a_read(world, shop.vendor.account, {"customer": "cus_1", "livemode": False})
    frame = shop.show("CustomerView", "customer", "cus_1").shows("No license here")
    flood = """
        const [url, headers, body, done] = arguments;
        Promise.all(Array.from({ length: 90 }, () => fetch(url, { method: 'POST', headers, body })
          .then(async (response) => [response.status, await response.text()])
          .catch((error) => [0, String(error)]))).then(done);
    """
    answers = frame.browser.driver.execute_async_script(flood, url, headers, body)
    statuses = {status for status, _ in answers}
    assert statuses == {200, 429}, statuses
    assert all("RATE_LIMITED" in text for status, text in answers if status == 429)

    def asked_again() -> str:
        frame.press("Reload")
        return eventually(lambda: frame.text, lambda text: "Reload" in text, "an answer is there")

    with kept_empty(url, body, headers):
        eventually(asked_again, lambda text: "Too many requests" in text, "the view says that it was too fast")
    picture(frame, world, "rate-limited")


@contextmanager
def kept_empty(url: str, body: str, headers: dict[str, str]) -> Iterator[None]:
    """Uses up the allowance as fast as it fills, even if the browser is slow."""
    over = threading.Event()

    def flood() -> None:
        with requests.Session() as session:
            while not over.is_set():
                session.post(url, data=body, headers=headers, timeout=30)

    floods = [threading.Thread(target=flood) for _ in range(3)]
    for thread in floods:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in floods:
            thread.join()


# The marketplace


def test_the_listing_has_its_pictures(world: World) -> None:
    shown = PACKAGE_ROOT / "docs" / "stripe-app"
    folder = shown if os.environ.get("SCREENSHOTS") == "1" else world.folder
    listing = json.loads((PACKAGE_ROOT / "integrations" / "stripe-app" / "listing.json").read_text())
    for feature, picture_of in zip(listing["features"], ["customer", "subscription-suspended", "evidence"], strict=True):
        path = folder / Path(feature["image"]).name
        world.dashboard.poster(feature["title"], feature["description"], shown / f"{picture_of}.png", path)
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_doctor_says_what_is_missing_for_a_submission(world: World) -> None:
    product = world.product
    command = [
        binary("licensekit"), "doctor", "--submission", "--extension",
        str(PACKAGE_ROOT / "integrations" / "stripe-app"),
    ]
    environment = {"PATH": os.environ["PATH"]} | product.process.environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    # What the review finds in a service on this machine, with the simulator's authorize page.
    for expected in [
        "ok       Endpoints: the sandboxed frame may call it",
        "ok       Endpoints: an unsigned request is refused, and a script can read the refusal",
        "ok       Permissions: no unused permission is requested",
        "missing  Endpoints: the backend is hosted, on HTTPS",
        "missing  OAuth: the public link starts at this service and leads to Stripe's authorize page",
        "missing  Privacy: a privacy policy is public: it is missing in listing.json",
    ]:
        assert any(line.startswith(expected) for line in lines), (expected, done.stdout)
    assert lines[-1].endswith("are still missing.")
    for secret in (product.secrets.api_token, product.secrets.admin_token, world.stack.simulator.app.signing_secret):
        assert secret not in done.stdout + done.stderr
