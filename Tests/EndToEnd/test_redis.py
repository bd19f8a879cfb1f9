"""A Redis that two services share, and a Redis with TLS only."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest
import requests

from support.processes import Process, free_port
from support.product import Product, licenses_of, ok
from support.stack import Stack
from support.waiting import eventually
from test_faults import customer_event, deliver


def test_what_one_service_remembers_in_a_shared_redis_another_does_not_take_for_its_own(
    fresh_stack: Stack, tmp_path: Path
) -> None:
    """Staging and production with one Redis and one account: each stores the event that the other has."""
    other = Stack(tmp_path / "other")
    other.simulator.start()
    product = Product(other.simulator, tmp_path, name="other")
    product.webhook_secret = fresh_stack.product.webhook_secret
    product.process.environment["STRIPE_WEBHOOK_SECRET"] = product.webhook_secret
    other.products.append(product)
    try:
        product.start()
        event = customer_event("acct_of_both", "evt_of_both", "cus_of_both")
        event["created"] = int(time.time()) - 90  # old enough that the service asks Redis
        assert deliver(fresh_stack.product, event).status_code == 200
        assert deliver(fresh_stack.product, event).status_code == 200
        time.sleep(0.3)  # the service writes to Redis in batches, a tenth of a second apart
        assert deliver(product, event).status_code == 200
        stored = requests.get(f"{product.url}/metrics", timeout=10).text
        assert "stripe_webhooks_accepted_total 1" in stored
    finally:
        other.close()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A certificate authority, and its certificate for this machine."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    made = ("-newkey", "rsa:2048", "-nodes", "-subj")
    openssl("req", "-x509", *made, "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem", "-days", "2")
    openssl("req", *made, "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
        "-out", "server.pem", "-days", "2", "-extfile", "names",
    )
    return tmp_path


@pytest.fixture
def tls_port(certificates: Path) -> Iterator[int]:
    port = free_port()
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--save", "", "--bind", "127.0.0.1"]
    command += ["--dir", str(certificates), "--tls-auth-clients", "no", "--tls-ca-cert-file", "authority.pem"]
    command += ["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"]
    server = Process("redis-tls", command, {}, certificates)
    server.start()
    server.wait_until(lambda: "Ready to accept connections" in server.log(), "Redis is ready")
    yield port
    server.kill()


def test_redis_over_tls_is_used_when_the_certificate_is_the_hosts(tls_port: int, certificates: Path) -> None:
    stack = Stack(certificates / "stack")
    stack.simulator.start()
    product = Product(stack.simulator, certificates, name="over-tls")
    stack.products.append(product)
    try:
        product.process.environment["REDIS_URL"] = f"rediss://localhost:{tls_port}/0"
        product.process.environment["SSL_CERT_FILE"] = str(certificates / "authority.pem")
        product.start()
        vendor = stack.new_vendor()  # the installation keeps its state in Redis
        assert len(licenses_of(vendor.fulfilled(vendor.sell(vendor.offer_once()).session))) == 1
        assert "Redis is unavailable" not in product.process.log()

        product.process.kill()
        del product.process.environment["SSL_CERT_FILE"]
        product.start()
        eventually(product.process.log, lambda log: "Redis is unavailable" in log, "the certificate is not trusted")
        assert "certificate" in product.process.log()
    finally:
        stack.close()


def test_an_event_that_failed_is_handled_again_when_stripe_delivers_it_again(fresh_stack: Stack) -> None:
    product, vendor = fresh_stack.product, fresh_stack.new_vendor()
    event = customer_event(vendor.account, "evt_that_fails", "cus_" + os.urandom(4_000).hex())  # no index can hold it
    event["created"] = int(time.time()) - 90  # old enough that the service asks Redis
    query = {"account_id": vendor.account, "livemode": "false"}

    def attempts() -> int:
        stored = ok(product.admin("GET", "/events/evt_that_fails", params=query))["data"]
        return stored["attempts"] if stored["state"] == "failed" else 0

    for number in (1, 2, 3):
        assert deliver(product, event).status_code == 200
        eventually(attempts, lambda found: found == number, f"it was tried {number} times")
        time.sleep(0.3)  # the service writes to Redis in batches, a tenth of a second apart
