"""The programs in examples/, run as their READMEs say, against the running product."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Iterator

import pytest
import requests

from support.processes import PACKAGE_ROOT, Process
from support.product import Product, ok
from support.stack import Stack
from support.waiting import eventually

EXAMPLES = PACKAGE_ROOT / "examples"


@pytest.fixture
def sold(product: Product) -> SimpleNamespace:
    """A license of the default tenant with one seat."""
    offer = product.new_offer()
    made = product.management.create_license(body={"product_id": offer.product_id, "policy_id": offer.policy_id})["data"]
    return SimpleNamespace(id=made["license"]["id"], key=made["license_key"])


def run(*command: str, license_key: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LICENSE_KEY": license_key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


# Programs that activate


def python_program(server: str, license_key: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = str(EXAMPLES / "activate-python" / "activate.py")
    return run(sys.executable, program, "--server", server, *options, license_key=license_key)


def test_the_python_program_takes_a_seat_and_tells_a_refusal_from_a_server_that_does_not_answer(
    product: Product, sold: SimpleNamespace
) -> None:
    done = python_program(product.url, sold.key, "--version", "1.4.0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["license_id"] == sold.id
    assert product.license(sold.id)["active_device_count"] == 1
    product.management.suspend_license(path={"id": sold.id}, body={"reason": "A test."})
    refused = python_program(product.url, sold.key)
    assert (refused.returncode, "LICENSE_INACTIVE" in refused.stderr) == (1, True), refused.stderr
    away = python_program("http://127.0.0.1:1", sold.key)
    assert (away.returncode, "does not answer" in away.stderr) == (2, True), away.stderr


@pytest.fixture(scope="module")
def swift_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Swift example, compiled without its package. It has no dependencies, so this takes only a few seconds."""
    compiler = shutil.which("swiftc")
    assert compiler is not None, "swiftc is not on the PATH"
    program = tmp_path_factory.mktemp("activate-swift") / "Activate"
    sources = sorted(str(file) for file in (EXAMPLES / "activate-swift" / "Sources" / "Activate").glob("*.swift"))
    done = subprocess.run(
        [compiler, "-swift-version", "6", "-warnings-as-errors", *sources, "-o", str(program)],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(program)


def test_the_swift_program_takes_a_seat_and_tells_a_refusal_from_a_server_that_does_not_answer(
    product: Product, sold: SimpleNamespace, swift_program: str
) -> None:
    machine = "machine-" + secrets.token_hex(8)
    for _ in range(2):
        done = run(swift_program, product.url, machine, license_key=sold.key)
        assert done.returncode == 0, done.stderr
        assert f"license {sold.id} is active" in done.stdout
    assert product.license(sold.id)["active_device_count"] == 1
    refused = run(swift_program, product.url, machine, license_key="lsk_unknown")
    assert (refused.returncode, "refused:" in refused.stderr) == (1, True), refused.stderr
    away = run(swift_program, "http://127.0.0.1:1", machine, license_key=sold.key)
    assert away.returncode == 2, away.stderr


# The server that takes messages


class Receiver:
    """The example's process. What it prints is in its log."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.secrets: list[str] = ["nts_of_nobody"]
        self._start(0)
        self.port = int(self.lines[0].rsplit(":", 1)[1])

    def _start(self, port: int) -> None:
        program = str(EXAMPLES / "webhook-receiver" / "receiver.py")
        command = [sys.executable, program, "--port", str(port), "--database", str(self.folder / "messages.sqlite3")]
        self.process = Process("receiver", command, {"RECEIVER_SECRETS": ",".join(self.secrets)}, self.folder)
        before = len(self.lines)
        self.process.start()
        self.process.wait_until(lambda: len(self.lines) > before, "it listens")

    def restart(self) -> None:
        self.process.kill()
        self._start(self.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/licenses"

    @property
    def lines(self) -> list[str]:
        log = self.folder / "receiver.log"
        return log.read_text().splitlines() if log.exists() else []

    def says(self, text: str) -> None:
        eventually(lambda: self.lines, lambda lines: any(text in line for line in lines), f"the receiver says {text!r}")


class DeliveringStack(Stack):
    """The product of this stack may deliver to this machine."""

    def _first_product(self) -> Product:
        product = super()._first_product()
        product.process.environment |= {"OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8"}
        return product


@pytest.fixture
def delivering(tmp_path: Path) -> Iterator[Stack]:
    stack = DeliveringStack(tmp_path)
    try:
        yield stack.start()
    finally:
        stack.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path)
    try:
        yield receiver
    finally:
        receiver.process.kill()


def test_the_receiver_takes_both_kinds_of_message_and_the_state_of_each_license(
    delivering: Stack, receiver: Receiver
) -> None:
    product, vendor = delivering.product, delivering.new_vendor()
    named = {"account_id": vendor.account, "livemode": "false"}
    endpoint = ok(product.admin("POST", "/notices/endpoints", params=named, json={"url": receiver.url}), 201)["data"]
    webhook = product.management.create_webhook_endpoint(
        body={"name": "Shop", "url": receiver.url, "event_types": ["product.created"]}
    )["data"]
    receiver.secrets = [endpoint["secret"], webhook["secret"]]
    receiver.restart()

    sale = vendor.sell(vendor.offer_once())
    license = vendor.wait_for_license(sale.session, lambda license: license["status"] == "active")
    receiver.says(f"license.issued {license['id']} now active")
    product.new_offer()
    receiver.says("product.created")
    vendor.refund(sale)
    receiver.says(f"license.revoked {license['id']} now revoked")


def test_the_receiver_refuses_what_is_not_signed_and_handles_what_comes_twice_once(receiver: Receiver) -> None:
    secret = receiver.secrets[0]

    def post(body: bytes, made_with: str = secret, at: float = 0) -> int:
        moment = int(time.time() + at)
        signature = hmac.new(made_with.encode(), f"{moment}.dlv_1.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"LicenseKit-Signature": f"t={moment},v1={signature}", "LicenseKit-Delivery-Id": "dlv_1"}
        return requests.post(receiver.url, data=body, headers=headers, timeout=10).status_code

    def message(id: str, sequence: int, status: str) -> bytes:
        license = f'{{"id": "lic_1", "status": "{status}"}}'
        return f'{{"id": "{id}", "type": "license.{status}", "sequence": {sequence}, "data": {{"license": {license}}}}}'.encode()

    assert requests.post(receiver.url, data=b"{}", timeout=10).status_code == 401
    assert post(b"{}", made_with="nts_else") == 401
    assert post(b"{}", at=-301) == 401
    assert [post(message("ntc_2", 2, "suspended")) for _ in range(2)] == [204, 204]
    receiver.restart()
    assert post(message("ntc_2", 2, "suspended")) == 204
    assert post(message("ntc_1", 1, "active")) == 204
    receiver.says("license.active lic_1 is old news")
    assert sum("lic_1 now suspended" in line for line in receiver.lines) == 1
