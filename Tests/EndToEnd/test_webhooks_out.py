"""Events of the license server, delivered to the vendor's server through real sockets while the service is killed.
The chain shows whether an event was changed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
import requests

from support.databases import psql
from support.processes import binary
from support.product import Product, error_code, ok
from support.receivers import Message, MessageServer
from support.stack import Stack
from support.waiting import eventually, stays


def is_genuine(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Follows docs/webhooks.md and uses no code of the product."""
    parts = [part.split("=", 1) for part in headers["x-locksmith-signature"].split(",")]
    moment = next(value for name, value in parts if name == "t")
    if abs(time.time() - int(moment)) > 300:
        return False
    signed = f"{moment}.{headers['x-locksmith-delivery-id']}.".encode() + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(value, expected) for name, value in parts if name == "v1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that may deliver to this machine."""
    stack = Stack(tmp_path_factory.mktemp("webhooks-out")).start()
    try:
        stack.product.process.terminate()
        stack.product.process.environment |= {"OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8"}
        stack.product.start()
        yield stack.product
    finally:
        stack.close()


@pytest.fixture
def server() -> Iterator[MessageServer]:
    server = MessageServer()
    try:
        yield server
    finally:
        server.close()


class Webhook:
    """An endpoint of the default tenant that receives `product.created`."""

    def __init__(self, product: Product, server: MessageServer) -> None:
        self.product, self.server = product, server
        made = product.management.create_webhook_endpoint(
            body={"name": "Shop", "url": server.url, "event_types": ["product.created"]}
        )["data"]
        self.id, self.secret = made["webhook"]["id"], made["secret"]

    def call(self, method: str, path: str = "", **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.product.secrets.api_token}"}
        url = f"{self.product.url}/api/v1/webhooks/{self.id}{path}"
        return requests.request(method, url, headers=headers, timeout=20, **arguments)

    def delivery(self, message: Message) -> dict[str, Any]:
        return ok(self.call("GET", f"/deliveries/{message.headers['x-locksmith-delivery-id']}"))["data"]

    def remove(self) -> None:
        self.call("DELETE")


@pytest.fixture
def webhook(world: Product, server: MessageServer) -> Iterator[Webhook]:
    webhook = Webhook(world, server)
    try:
        yield webhook
    finally:
        webhook.remove()


def new_product(world: Product) -> dict[str, Any]:
    return world.management.create_product(body={"name": "Editor", "code": "editor-" + secrets.token_hex(6)})["data"]


def arrived(server: MessageServer, count: int, seconds: float = 30) -> list[Message]:
    return eventually(lambda: list(server.messages), lambda messages: len(messages) >= count, f"{count} arrive", seconds)


def test_an_event_arrives_once_signed_and_is_in_the_log(world: Product, server: MessageServer, webhook: Webhook) -> None:
    product = new_product(world)
    message = arrived(server, 1)[0]
    assert is_genuine(message.headers, message.body, webhook.secret)
    assert not is_genuine(message.headers, message.body, "lkw_else")
    assert not is_genuine(message.headers, message.body + b" ", webhook.secret)
    event = world.management.list_events(query={"resource_id": product["id"]})["data"][0]
    assert message.json == event | {"delivery_id": message.headers["x-locksmith-delivery-id"]}
    assert message.headers["x-locksmith-event-sequence"] == str(event["sequence"])
    assert message.headers["x-locksmith-event-type"] == "product.created"
    delivery = eventually(lambda: webhook.delivery(message), lambda d: d["status"] == "delivered", "the log says so")
    assert [attempt["status_code"] for attempt in delivery["log"]] == [200]
    stays(lambda: len(server.messages), lambda count: count == 1, "nothing is sent twice")


def test_a_delivery_survives_kill_9_in_its_middle(world: Product, server: MessageServer, webhook: Webhook) -> None:
    server.hanging.set()
    product = new_product(world)
    arrived(server, 1)
    world.process.kill()
    server.hanging.clear()
    world.start()
    first, second = arrived(server, 2, 60)[:2]
    assert first.body == second.body and second.json["resource_id"] == product["id"]
    assert is_genuine(second.headers, second.body, webhook.secret)
    delivery = eventually(lambda: webhook.delivery(second), lambda d: d["status"] == "delivered", "the log says so")
    assert delivery["attempts"] == 2 and "duration_ms" not in delivery["log"][0]


def test_an_event_of_the_moment_before_kill_9_arrives(world: Product, server: MessageServer, webhook: Webhook) -> None:
    made = [new_product(world)["id"] for _ in range(5)]
    world.process.kill()
    world.start()
    eventually(
        lambda: {message.json["resource_id"] for message in server.messages}, lambda sent: sent >= set(made),
        "every answered event is sent", 60,
    )


def test_what_fails_is_tried_again_and_can_be_replayed(world: Product, server: MessageServer, webhook: Webhook) -> None:
    server.statuses = [503]
    new_product(world)
    first, second = arrived(server, 2, 60)[:2]
    assert first.body == second.body
    delivery = eventually(lambda: webhook.delivery(second), lambda d: d["status"] == "delivered", "the log says so")
    assert [attempt.get("status_code") for attempt in delivery["log"]] == [503, 200]
    ok(webhook.call("POST", f"/deliveries/{delivery['id']}/replay"))
    assert arrived(server, 3)[2].body == first.body
    assert error_code(webhook.call("POST", "/deliveries/whd_none/replay"), 404) == "NOT_FOUND"


def test_a_test_arrives_and_both_secrets_sign_while_one_is_replaced(
    world: Product, server: MessageServer, webhook: Webhook
) -> None:
    rotated = world.management.update_webhook_endpoint(path={"id": webhook.id}, body={"rotate_secret": True})["data"]
    assert rotated["webhook"]["id"] == webhook.id and rotated["secret"] != webhook.secret
    ok(webhook.call("POST", "/test"), 202)
    message = arrived(server, 1)[0]
    assert message.json["event_type"] == "webhook.test"
    assert is_genuine(message.headers, message.body, webhook.secret)
    assert is_genuine(message.headers, message.body, rotated["secret"])


def test_the_health_of_webhooks_is_read_by_the_official_client(
    world: Product, server: MessageServer, webhook: Webhook
) -> None:
    new_product(world)
    arrived(server, 1)

    def health() -> dict[str, Any]:
        return world.management.get_webhook_health(query={"endpoint_id": webhook.id})["data"]

    seen = eventually(health, lambda data: data["delivered"] == 1, "the delivery is counted")
    assert [one["webhook_id"] for one in seen["webhooks"]] == [webhook.id]


def verify(world: Product, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: world.process.environment[key] for key in ("DATABASE_URL", "ENCRYPTION_KEYS")}
    environment |= {"STRIPE_INTEGRATION_ENABLED": "false", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [binary("licensekit"), "admin", "verify-events", *arguments], env=environment, cwd=folder, capture_output=True,
        text=True, timeout=60,
    )


def test_the_operator_sees_whether_an_event_was_touched(
    world: Product, tmp_path: Path, server: MessageServer, webhook: Webhook
) -> None:
    product = new_product(world)
    arrived(server, 1)
    intact = verify(world, tmp_path)
    assert intact.returncode == 0 and "intact" in intact.stdout, intact.stdout + intact.stderr
    head = intact.stdout.split("\t")[1]
    again = verify(world, tmp_path, "--tenant", "default", "--expect-head", head)
    assert again.returncode == 0, again.stdout + again.stderr
    unknown = verify(world, tmp_path, "--expect-head", head[:-4] + ("0000" if head[-4:] != "0000" else "1111"))
    assert unknown.returncode == 1 and "does not contain" in unknown.stdout, unknown.stdout + unknown.stderr
    assert verify(world, tmp_path, "--expect-head", "nonsense").returncode == 64

    change = "UPDATE license_server.events SET actor_id = {} WHERE resource_id = '" + product["id"] + "'"
    before = psql(world.database, f"SELECT actor_id FROM license_server.events WHERE resource_id = '{product['id']}'")
    psql(world.database, change.format("'somebody'"))
    touched = verify(world, tmp_path)
    assert touched.returncode == 1 and "changed: the event with sequence" in touched.stdout, touched.stdout + touched.stderr
    psql(world.database, change.format(f"'{before.strip()}'"))
    assert verify(world, tmp_path).returncode == 0
