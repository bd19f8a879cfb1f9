"""What leaves the product: signed messages to the vendor's server, and mail with the key to the buyer, each through real
sockets, with the service killed in between."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import quote

import pytest

from support.product import Product, error_code, licenses_of, ok
from support.receivers import MailServer, MessageServer
from support.stack import Stack
from support.vendor import Vendor
from support.waiting import eventually, stays


class World:
    """A product that may deliver to this machine, a receiver and a relay."""

    def __init__(self, folder: Path) -> None:
        self.mail = MailServer(folder)
        self.stack = Stack(folder)
        self.stack.start()
        product = self.stack.product
        product.process.terminate()
        user = f"{quote(MailServer.user, safe='')}:{quote(MailServer.password, safe='')}"
        product.process.environment |= {
            "OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
            "SMTP_URL": f"smtp://{user}@{self.mail.address}",
            "SMTP_ENCRYPTION": "required",
            "SMTP_CA_FILE": str(self.mail.certificate),
            "MAIL_FROM": "Licenses <licenses@example.com>",
        }
        product.start()

    @property
    def product(self) -> Product:
        return self.stack.product

    def close(self) -> None:
        self.stack.close()
        self.mail.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("delivery"))
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def server() -> Iterator[MessageServer]:
    server = MessageServer()
    try:
        yield server
    finally:
        server.close()


class Shop:
    """A vendor for one test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.vendor: Vendor = world.stack.new_vendor()
        self.named = {"account_id": self.vendor.account, "livemode": "false"}

    def admin(self, method: str, path: str, **arguments: Any):
        return self.world.product.admin(method, f"/notices{path}", params=self.named | arguments.pop("query", {}), **arguments)

    def endpoint(self, server: MessageServer, **choices: Any) -> dict[str, Any]:
        return ok(self.admin("POST", "/endpoints", json={"url": server.url} | choices), 201)["data"]

    def switch_mail_on(self, **choices: Any) -> None:
        ok(self.admin("PUT", "/email", json={"enabled": True} | choices))

    def deliveries(self, **query: str) -> list[dict[str, Any]]:
        return ok(self.admin("GET", "/deliveries", query=query))["data"]

    def delivery(self, id: str) -> dict[str, Any]:
        return ok(self.admin("GET", f"/deliveries/{id}"))["data"]

    def titles(self, fulfillment: dict[str, Any]) -> list[str]:
        entry = self.world.product.fulfillment(fulfillment["id"], self.vendor.account)
        return [line["title"] for line in entry["timeline"]]

    def keys(self, fulfillment: dict[str, Any]) -> list[str]:
        return [self.world.product.reveal(fulfillment, license["id"]) for license in licenses_of(fulfillment)]


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def test_a_sale_and_its_refund_are_announced_once_and_the_signatures_verify(shop: Shop, server: MessageServer) -> None:
    endpoint = shop.endpoint(server, includes_license_key=True)
    item = shop.vendor.offer_once()
    sale = shop.vendor.sell(item)
    fulfillment = shop.vendor.fulfilled(sale.session)
    eventually(lambda: len(server.messages), lambda count: count == 1, "the message arrives")
    message = server.messages[0]
    assert message.is_signed_with(endpoint["secret"]) and not message.is_signed_with("nts_else")
    body = message.json
    assert (body["type"], body["account_id"], body["livemode"], body["sequence"]) == (
        "license.issued", shop.vendor.account, False, 1)
    license = licenses_of(fulfillment)[0]
    assert body["data"]["license"]["id"] == license["id"]
    assert [body["data"]["license"]["license_key"]] == shop.keys(fulfillment)
    assert body["data"]["fulfillment_id"] == fulfillment["id"]
    assert body["data"]["purchase"] == {"kind": fulfillment["purchase"]["kind"], "stripe_id": fulfillment["purchase"]["stripe_id"]}
    assert body["data"]["customer"]["licensekit_id"] == fulfillment["customer"]["licensekit_id"]
    assert (body["data"]["product_id"], body["data"]["policy_id"]) == (item.offer.product_id, item.offer.policy_id)

    shop.vendor.refund(sale)
    eventually(lambda: len(server.messages), lambda count: count == 2, "the refund is announced")
    assert server.messages[1].is_signed_with(endpoint["secret"])
    assert server.messages[1].json["sequence"] == 2
    assert server.messages[1].json["data"]["license"]["status"] == "revoked"
    assert "license_key" not in server.messages[1].json["data"]["license"]
    shop.vendor.redeliver_everything()
    shop.vendor.settle()
    stays(lambda: len(server.messages), lambda count: count == 2, "nothing is sent twice")
    titles = [title for title in shop.titles(fulfillment) if title.startswith("Told ")]
    host = server.url.removesuffix("/licenses?source=e2e")
    assert titles == [f"Told {host} of license.issued.", f"Told {host} of license.revoked."]


def test_a_renewal_is_announced(shop: Shop, server: MessageServer) -> None:
    shop.endpoint(server, event_types=["license.renewed"])
    item = shop.vendor.offer_monthly()
    sale = shop.vendor.subscribe(item)
    shop.vendor.fulfilled(sale.subscription)
    shop.vendor.renew(sale)
    eventually(lambda: len(server.messages), lambda count: count == 1, "the renewal is announced")
    license = server.messages[0].json["data"]["license"]
    assert license["changed"] == ["expires_at"] and license["previous"]["expires_at"] < license["expires_at"]


def test_a_failed_message_is_sent_again_and_secrets_can_be_replaced_meanwhile(shop: Shop, server: MessageServer) -> None:
    endpoint = shop.endpoint(server)
    server.statuses = [503]
    shop.vendor.fulfilled(shop.vendor.sell(shop.vendor.offer_once()).session)
    eventually(lambda: len(server.messages), lambda count: count == 1, "the first attempt")
    rotated = ok(shop.admin("POST", f"/endpoints/{endpoint['id']}/rotate-secret", json={}))["data"]
    eventually(lambda: len(server.messages), lambda count: count == 2, "the second attempt", 30)
    first, second = server.messages
    assert first.body == second.body
    assert first.is_signed_with(endpoint["secret"]) and not first.is_signed_with(rotated["secret"])
    assert second.is_signed_with(endpoint["secret"]) and second.is_signed_with(rotated["secret"])
    delivery = eventually(
        lambda: shop.delivery(shop.deliveries()[0]["id"]), lambda d: d["state"] == "succeeded", "the log says so")
    assert [attempt["status"] for attempt in delivery["log"]] == [503, 200]
    ok(shop.admin("POST", f"/deliveries/{delivery['id']}/replay"))
    eventually(lambda: len(server.messages), lambda count: count == 3, "the replay")
    assert server.messages[2].json["id"] == first.json["id"]


def test_a_test_message_arrives(shop: Shop, server: MessageServer) -> None:
    endpoint = shop.endpoint(server)
    ok(shop.admin("POST", f"/endpoints/{endpoint['id']}/test"), 202)
    eventually(lambda: len(server.messages), lambda count: count == 1, "the test arrives")
    assert server.messages[0].type == "test" and server.messages[0].is_signed_with(endpoint["secret"])


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://[fd00::1]/", "http://example.com/"])
def test_messages_cannot_be_sent_to_a_private_network(shop: Shop, url: str) -> None:
    assert error_code(shop.admin("POST", "/endpoints", json={"url": url}), 422) == "VALIDATION_ERROR"


def test_a_killed_service_sends_after_its_restart(world: World, shop: Shop, server: MessageServer) -> None:
    endpoint = shop.endpoint(server)
    server.hanging.set()
    fulfillment = shop.vendor.fulfilled(shop.vendor.sell(shop.vendor.offer_once()).session)
    eventually(lambda: len(server.messages), lambda count: count >= 1, "an attempt is under way")
    world.product.process.kill()
    server.hanging.clear()
    world.product.start()
    eventually(lambda: len(server.messages), lambda count: count >= 2, "it is sent after the restart", 60)
    assert {message.json["id"] for message in server.messages} == {server.messages[0].json["id"]}
    assert server.messages[-1].is_signed_with(endpoint["secret"])
    delivery = eventually(
        lambda: shop.delivery(shop.deliveries()[0]["id"]), lambda d: d["state"] == "succeeded", "the log says so")
    assert delivery["log"][0]["status"] is None and delivery["log"][-1]["status"] == 200
    assert delivery["fulfillment_id"] == fulfillment["id"]


def messages_to(world: World, shop: Shop) -> list[Any]:
    """The mails of this test's vendor, recognised by the reply address."""
    return [message for message in world.mail.messages if message["Reply-To"] == f"{shop.vendor.account}@example.com"]


def mailing(shop: Shop, **choices: Any) -> None:
    shop.switch_mail_on(reply_to=f"{shop.vendor.account}@example.com", **choices)


def text_of(message: Any) -> str:
    return message.get_content()


def test_the_buyer_gets_one_mail_with_all_keys_over_tls_with_a_password(world: World, shop: Shop) -> None:
    mailing(shop, subject="Schlüssel für {{product_name}} 🎉", from_name="Ünïque Söftware",
            text="Grüße, {{customer_name}}\n.\n{{#licenses}}{{license_key}}\n{{/licenses}}.\nEnde")
    item = shop.vendor.offer_once(quantity="per_unit")
    fulfillment = shop.vendor.fulfilled(shop.vendor.sell(item, quantity=3).session)
    eventually(lambda: len(messages_to(world, shop)), lambda count: count == 1, "the mail arrives", 40)
    message = messages_to(world, shop)[0]
    name = world.product.management.get_product(path={"id": item.offer.product_id})["data"]["name"]
    assert message["Subject"] == f"Schlüssel für {name} 🎉"
    assert message["From"] == "Ünïque Söftware <licenses@example.com>"
    assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"] and message["Date"]
    lines = text_of(message).splitlines()
    assert lines[0].startswith("Grüße, ") and lines[1] == "." and lines[-2:] == [".", "Ende"]
    assert sorted(lines[2:-2]) == sorted(shop.keys(fulfillment))
    assert world.mail.sessions_in_the_clear == 0
    delivery = eventually(lambda: shop.deliveries(channel="email")[0], lambda d: d["state"] == "succeeded", "the log")
    assert sorted(delivery["license_ids"]) == sorted(license["id"] for license in licenses_of(fulfillment))
    assert "E-mailed the key to the buyer." in shop.titles(fulfillment)
    buyer = str(message["To"])
    assert buyer in world.mail.receivers
    assert buyer not in world.product.process.log()
    assert buyer not in str(shop.delivery(delivery["id"])) + str(shop.titles(fulfillment))
    shop.vendor.redeliver_everything()
    shop.vendor.settle()
    stays(lambda: len(messages_to(world, shop)), lambda count: count == 1, "no second mail", 7)


def test_a_relay_that_is_not_ready_or_breaks_off_gets_the_mail_later(world: World, shop: Shop) -> None:
    mailing(shop)
    world.mail.replies = ["RCPT 451 greylisted", "CUT"]
    fulfillment = shop.vendor.fulfilled(shop.vendor.sell(shop.vendor.offer_once()).session)
    delivery = eventually(
        lambda: shop.delivery(shop.deliveries(channel="email")[0]["id"]),
        lambda d: len(d["log"]) >= 2 and all(attempt["error"] is not None for attempt in d["log"][:2]),
        "two attempts are over", 60)
    log = delivery["log"]
    assert log[0]["status"] == 451 and log[1]["status"] is None and log[1]["error"].startswith("connection_lost"), log
    assert messages_to(world, shop) == []
    ok(shop.admin("POST", f"/deliveries/{delivery['id']}/replay"))
    eventually(lambda: len(messages_to(world, shop)), lambda count: count == 1, "the mail arrives", 40)
    assert shop.keys(fulfillment)[0] in text_of(messages_to(world, shop)[0])


def test_a_refused_mail_is_shown_and_can_be_sent_again(world: World, shop: Shop) -> None:
    mailing(shop)
    world.mail.replies = ["RCPT 550 no such user"]
    fulfillment = shop.vendor.fulfilled(shop.vendor.sell(shop.vendor.offer_once()).session)
    delivery = eventually(
        lambda: shop.deliveries(channel="email"), lambda all: all and all[0]["state"] == "failed", "it failed", 40)[0]
    assert delivery["error"] == "refused: reply 550"
    assert "The e-mail to the buyer could not be sent." in shop.titles(fulfillment)
    answer = ok(shop.admin("POST", "/deliveries/replay", json={"channel": "email"}))["data"]
    assert answer == {"replayed": 1, "complete": True}
    eventually(lambda: len(messages_to(world, shop)), lambda count: count == 1, "the mail arrives", 40)


def test_a_mail_that_waits_when_the_service_is_killed_is_sent_once_after_it(world: World, shop: Shop) -> None:
    mailing(shop)
    fulfillment = shop.vendor.fulfilled(shop.vendor.sell(shop.vendor.offer_once()).session)
    world.product.process.kill()
    assert messages_to(world, shop) == []
    world.product.start()
    eventually(lambda: len(messages_to(world, shop)), lambda count: count == 1, "the mail arrives", 60)
    assert shop.keys(fulfillment)[0] in text_of(messages_to(world, shop)[0])
    stays(lambda: len(messages_to(world, shop)), lambda count: count == 1, "no second mail", 3)


def test_a_test_mail_shows_the_vendor_its_own_words(world: World, shop: Shop) -> None:
    refused = shop.admin("PUT", "/email", json={"enabled": True, "text": "{{license_key}} {{licence_key}}"})
    assert error_code(refused, 422) == "VALIDATION_ERROR" and "licence_key" in refused.text
    mailing(shop)
    assert ok(shop.admin("POST", "/email/test", json={"to": "vendor@example.org"}))["data"] == {"sent": True}
    message = messages_to(world, shop)[0]
    assert message["Subject"].startswith("[Test] ") and re.search("TEST-0000", text_of(message))
    world.mail.replies = ["554 no"]
    assert error_code(shop.admin("POST", "/email/test", json={"to": "vendor@example.org"}), 502) == "MAIL_REFUSED"
