"""Secrets change as docs/operating.md says, on two replicas one after the other, while sales go on."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import threading
from typing import Iterator

import pytest

from support.processes import binary
from support.product import Product, licenses_of
from support.simulator import Sale
from support.stack import Stack
from support.vendor import Item, Vendor
from support.waiting import eventually


class Shop:
    """Makes a sale from time to time until it is closed."""

    def __init__(self, vendor: Vendor, item: Item) -> None:
        self.vendor, self.item = vendor, item
        self.sales: list[Sale] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._sell)
        self._thread.start()

    def _sell(self) -> None:
        while not self._closing.is_set():
            self.sales.append(self.vendor.sell(self.item))
            self._closing.wait(0.4)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()


@pytest.fixture
def shop(fresh_stack: Stack) -> Iterator[Shop]:
    fresh_stack.add_replica()
    vendor = fresh_stack.new_vendor()
    shop = Shop(vendor, vendor.offer_once())
    yield shop
    shop.close()


def restart_with(stack: Stack, **environment: str) -> None:
    for replica in stack.products:
        assert replica.process.terminate() == 0
        replica.process.environment |= environment
        replica.start()


def everything_was_sold_once(shop: Shop) -> None:
    eventually(lambda: len(shop.sales), lambda count: count > 5, "some sales were made meanwhile")
    shop.close()
    shop.vendor.settle(seconds=90)
    fulfillments = shop.vendor.fulfillments()
    assert {fulfillment["status"] for fulfillment in fulfillments} == {"fulfilled"}
    assert len(fulfillments) == len(shop.sales) == len(shop.vendor.licenses_at_licensekit(shop.item))


def test_the_webhook_secret_is_rolled_without_losing_a_sale(fresh_stack: Stack, shop: Shop) -> None:
    old, new = fresh_stack.product.webhook_secret, "whsec_" + secrets.token_hex(16)
    control = fresh_stack.simulator.control
    endpoints = [endpoint["id"] for endpoint in control("GET", "/webhook_endpoints")]

    restart_with(fresh_stack, STRIPE_WEBHOOK_SECRET=f"{new},{old}")
    for endpoint in endpoints:
        control("POST", f"/webhook_endpoints/{endpoint}", {"secrets": [new, old]})
    for endpoint in endpoints:
        control("POST", f"/webhook_endpoints/{endpoint}", {"secrets": [new]})
    restart_with(fresh_stack, STRIPE_WEBHOOK_SECRET=new)
    everything_was_sold_once(shop)


def test_the_encryption_key_is_changed_and_what_was_encrypted_before_still_opens(fresh_stack: Stack, shop: Shop) -> None:
    old = fresh_stack.product.secrets.encryption_keys
    new = "second:" + base64.b64encode(os.urandom(32)).decode()
    restart_with(fresh_stack, ENCRYPTION_KEYS=f"{old},{new}")
    restart_with(fresh_stack, ENCRYPTION_KEYS=f"{new},{old}")
    assert "0" not in rotated(fresh_stack.product).split()
    restart_with(fresh_stack, ENCRYPTION_KEYS=new)
    first = shop.vendor.fulfilled(shop.sales[0].session)
    [license] = licenses_of(first)
    buyer = fresh_stack.product.buyer(fresh_stack.product.reveal(first, license["id"]))
    buyer.activate()
    everything_was_sold_once(shop)


def rotated(product: Product) -> str:
    done = subprocess.run(
        [binary("licensekit"), "keys", "rotate"], env={"PATH": os.environ["PATH"]} | product.process.environment,
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
