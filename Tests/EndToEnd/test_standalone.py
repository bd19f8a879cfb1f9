"""The Stripe integration away from the license server: as a process of its own, at the mounted server's own address, or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import licensekit
import pytest
import requests

from support.databases import create_database, drop_database
from support.processes import binary
from support.product import Buyer, Product, licenses_of
from support.simulator import Simulator
from support.vendor import Vendor
from support.waiting import eventually


class Standalone(Product):
    """`stripe-integration serve` in front of a LicenseKit at another address."""

    def __init__(self, simulator: Simulator, folder: Path, server: Product) -> None:
        super().__init__(simulator, folder, name="stripe-integration")
        self.server = server
        self.process.command = [binary("stripe-integration"), "serve"]
        self.process.environment |= {
            "LICENSEKIT_BASE_URL": server.url, "LICENSEKIT_API_TOKEN": server.secrets.api_token,
        }

    @property
    def management(self) -> licensekit.ManagementClient:
        return self.server.management

    def buyer(self, license_key: str) -> Buyer:
        return self.server.buyer(license_key)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("standalone")).start()
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def server(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A license server alone: nothing of Stripe is configured."""
    product = Product(simulator, tmp_path_factory.mktemp("server"), name="server")
    for name in list(product.process.environment):
        if name.startswith("STRIPE_"):
            del product.process.environment[name]
    product.process.start()
    product.process.wait_until(product.is_ready, "GET /readyz answers 200")
    yield product
    product.close()


@pytest.fixture(scope="module")
def standalone(simulator: Simulator, server: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    product = Standalone(simulator, tmp_path_factory.mktemp("integration"), server)
    yield product.start()
    product.close()


def sells_renews_and_refunds(vendor: Vendor) -> None:
    """One vendor's first day: what is sold once, what is renewed, and what is given back."""
    once, monthly = vendor.offer_once(), vendor.offer_monthly()
    sale, subscription = vendor.sell(once), vendor.subscribe(monthly)
    fulfillment = vendor.fulfilled(sale.session)
    [license] = licenses_of(fulfillment)
    buyer = vendor.product.buyer(vendor.product.reveal(fulfillment, license["id"]))
    buyer.activate()
    assert buyer.validate()["status"] == "active"

    vendor.fulfilled(subscription.session)
    [before] = vendor.licenses_at_licensekit(monthly)
    vendor.renew(subscription)
    eventually(
        lambda: vendor.licenses_at_licensekit(monthly),
        lambda licenses: len(licenses) == 1 and licenses[0]["expires_at"] > before["expires_at"],
        "the same license lasts longer",
    )
    vendor.simulator.refund(vendor.account, sale)
    eventually(
        lambda: [license["status"] for license in vendor.licenses_at_licensekit(once)],
        lambda statuses: statuses == ["revoked"], "the license is taken back",
    )


def test_the_integration_alone_serves_a_licensekit_elsewhere(simulator: Simulator, standalone: Standalone) -> None:
    sells_renews_and_refunds(Vendor(simulator, standalone))


def test_the_integration_alone_is_no_license_server(standalone: Standalone) -> None:
    headers = {"Authorization": f"Bearer {standalone.server.secrets.api_token}"}
    assert requests.get(f"{standalone.url}/api/v1/products", headers=headers, timeout=20).status_code == 404
    for path in ("/healthz", "/readyz", "/metrics"):
        assert requests.get(f"{standalone.url}{path}", timeout=20).status_code == 200


def test_a_license_server_alone_has_no_routes_of_stripe(server: Product) -> None:
    for method, path in [
        ("POST", "/stripe/webhook"), ("GET", "/stripe/oauth/install"), ("GET", "/stripe/oauth/callback"),
        ("GET", "/stripe/admin/connections"), ("GET", "/stripe/app/customer"), ("POST", "/stripe/app/actions"),
    ]:
        answer = requests.request(method, f"{server.url}{path}", timeout=20, allow_redirects=False)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), path


def test_the_mounted_integration_may_be_given_the_servers_own_address(
    simulator: Simulator, tmp_path: Path
) -> None:
    product = Product(simulator, tmp_path, name="mounted")
    product.process.environment["LICENSEKIT_BASE_URL"] = product.url
    try:
        sells_renews_and_refunds(Vendor(simulator, product.start()))
    finally:
        product.close()


def test_the_integration_alone_says_what_its_environment_lacks() -> None:
    url = create_database()
    try:
        done = subprocess.run(
            [binary("stripe-integration"), "serve"], env={"DATABASE_URL": url}, capture_output=True, text=True, timeout=60,
        )
    finally:
        drop_database(url)
    assert done.returncode == 78
    for name in ("LICENSEKIT_BASE_URL", "LICENSEKIT_API_TOKEN", "ENCRYPTION_KEYS", "STRIPE_PUBLIC_BASE_URL"):
        assert name in done.stderr
