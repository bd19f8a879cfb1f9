"""The edge of the product: HTTP itself, the client's address, other origins, limits."""

from __future__ import annotations

import gzip
import ipaddress
import secrets
import socket
from pathlib import Path
from typing import Iterator

import pytest
import requests

from support.product import Product
from support.simulator import Simulator


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that trusts this machine as a proxy."""
    folder = tmp_path_factory.mktemp("proxied")
    simulator = Simulator(folder).start()
    product = Product(simulator, folder, name="proxied")
    product.process.environment["TRUSTED_PROXIES"] = "127.0.0.0/8,::1"
    try:
        yield product.start()
    finally:
        product.close()
        simulator.close()


def new_address() -> str:
    """An address that no other test uses, so that tests share no limit."""
    return str(ipaddress.IPv6Address("2001:db8::1") + (secrets.randbits(48) << 48))


def from_address(address: str, **headers: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, **{name.replace("_", "-"): value for name, value in headers.items()}}


def new_key(product: Product) -> tuple[str, str]:
    """A license key and the id of its license."""
    offer = product.new_offer()
    made = product.management.create_license(
        body={"product_id": offer.product_id, "policy_id": offer.policy_id}
    )["data"]
    return made["license_key"], made["license"]["id"]


def exchange(product: Product, request: bytes, timeout: float = 15) -> bytes:
    """Everything that the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", product.port), timeout) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


# HTTP


def test_a_webhook_without_a_signature_is_refused_before_its_body_is_sent(product: Product) -> None:
    for header in ("", "Stripe-Signature: \r\n", "Stripe-Signature: nonsense\r\n", "Stripe-Signature: t=1\r\n"):
        answer = exchange(
            product,
            b"POST /stripe/webhook HTTP/1.0\r\nHost: x\r\nContent-Length: 1000000\r\n" + header.encode() + b"\r\n",
        )
        assert answer.startswith(b"HTTP/1.1 400") and b"SIGNATURE_INVALID" in answer, (header, answer)


@pytest.mark.parametrize("path", ["/stripe/webhook", "/api/v1/products", "/api/v1/license/validate", "/stripe/admin/mappings"])
def test_a_compressed_body_is_refused_by_name(product: Product, path: str) -> None:
    answer = requests.post(
        product.url + path, data=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}, timeout=20
    )
    assert answer.status_code == 415 and answer.headers["Accept-Encoding"] == "identity"
    assert answer.json()["error"]["code"] == "CONTENT_ENCODING_NOT_SUPPORTED"


# The client's address


def test_devices_and_tokens_see_the_client_behind_the_proxy(proxied: Product) -> None:
    key, license_id = new_key(proxied)
    address = new_address()
    answer = requests.post(
        f"{proxied.url}/api/v1/license/activate",
        json={"fingerprint": "one"},
        headers=from_address(f"1.2.3.4, {address}", Authorization=f"License {key}", Idempotency_Key="a"),
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    [device] = proxied.management.list_license_devices(path={"id": license_id})["data"]
    assert device["ip_address"] == address

    made = proxied.management.create_api_key(
        body={"name": "office", "scopes": ["admin"], "allowed_cidrs": ["203.0.113.0/24"]}
    )["data"]
    for client, expected in (("203.0.113.9", 200), ("203.0.114.9", 401), ("203.0.113.9, 203.0.114.9", 401)):
        answer = requests.get(
            f"{proxied.url}/api/v1/products",
            headers=from_address(client, Authorization=f"Bearer {made['token']}"),
            timeout=20,
        )
        assert answer.status_code == expected, (client, answer.text)


def test_a_client_that_names_its_own_address_is_not_believed(product: Product) -> None:
    key, license_id = new_key(product)
    headers = {
        "Authorization": f"License {key}", "Idempotency-Key": "a",
        "X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7",
    }
    body = {"fingerprint": "one"}
    assert requests.post(f"{product.url}/api/v1/license/activate", json=body, headers=headers, timeout=20).ok
    [device] = product.management.list_license_devices(path={"id": license_id})["data"]
    assert device["ip_address"] == "127.0.0.1"


# Other origins


@pytest.mark.parametrize("origin", ["tauri://localhost", "https://app.example.com", "null"])
def test_a_web_page_can_ask_for_a_license_and_for_nothing_else(product: Product, origin: str) -> None:
    asking = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    for operation in ("validate", "activate", "floating/checkout", "offline"):
        answer = requests.options(f"{product.url}/api/v1/license/{operation}", headers=asking, timeout=20)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)

    key, _ = new_key(product)
    for headers, expected in (({}, 401), ({"Authorization": f"License {key}"}, 404)):
        answer = requests.post(
            f"{product.url}/api/v1/license/validate", json={"fingerprint": "none"},
            headers={"Origin": origin, **headers}, timeout=20,
        )
        assert answer.status_code == expected
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    keys = requests.get(f"{product.url}/api/v1/system/public-keys", headers={"Origin": origin}, timeout=20)
    assert keys.status_code == 200 and keys.headers["Access-Control-Allow-Origin"] == "*"

    for method, path in (
        ("GET", "/api/v1/licenses"), ("OPTIONS", "/api/v1/products"), ("GET", "/stripe/admin/mappings"),
        ("OPTIONS", "/stripe/admin/mappings"), ("GET", "/stripe/oauth/install"), ("GET", "/healthz"),
    ):
        answer = requests.request(method, product.url + path, headers=asking, allow_redirects=False, timeout=20)
        assert "Access-Control-Allow-Origin" not in answer.headers, (method, path)


# Limits


def test_who_guesses_license_keys_is_slowed_down_and_nobody_else(proxied: Product) -> None:
    key, _ = new_key(proxied)
    url, guesser = f"{proxied.url}/api/v1/license/check", new_address()

    def ask(address: str, credential: str) -> requests.Response:
        return requests.post(
            url, json={"fingerprint": "none"}, headers=from_address(address, Authorization=f"License {credential}"),
            timeout=20,
        )

    answers = [ask(guesser, "lsk_" + secrets.token_hex(16)) for _ in range(140)]
    assert {answer.status_code for answer in answers} == {401, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "RATE_LIMITED" and int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    # A valid key from the same address is answered, and so is a wrong key from another address.
    assert ask(guesser, key).status_code == 404
    assert ask(new_address(), "lsk_wrong").status_code == 401


@pytest.mark.parametrize(
    "path", ["/stripe/oauth/install?mode=test", "/stripe/oauth/callback?state=made-up&code=ac_1", "/api/v1/system/public-keys"]
)
def test_an_address_that_asks_without_end_is_refused_in_time(proxied: Product, path: str) -> None:
    flood, session = new_address(), requests.Session()
    statuses = set()
    for _ in range(3_000):
        answer = session.get(
            proxied.url + path, headers=from_address(flood), allow_redirects=False, timeout=20
        )
        statuses.add(answer.status_code)
        session.cookies.clear()
        if answer.status_code == 429:
            break
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["error"]["code"] == "RATE_LIMITED"
    assert len(statuses) == 2
    other = session.get(proxied.url + path, headers=from_address(new_address()), allow_redirects=False, timeout=20)
    assert other.status_code != 429


def test_a_setting_of_proxies_that_is_none_stops_the_start(product: Product, tmp_path: Path) -> None:
    wrong = Product(product.simulator, tmp_path, name="wrong", replica_of=product)
    wrong.process.environment["TRUSTED_PROXIES"] = "10.0.0.0/8,proxy.internal"
    with pytest.raises(Exception):
        wrong.start()
    assert "TRUSTED_PROXIES" in wrong.process.log_tail(40)
    wrong.close()
