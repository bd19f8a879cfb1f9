"""The Stripe integration as its own process, the integration at the mounted server's address, and a server without it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Iterator

import licensekit
import pytest
import requests

from support.databases import create_database, drop_database
from support.processes import PACKAGE_ROOT, binary, free_port
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
    """A license server alone, without a Stripe configuration."""
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


# The commands of the program that serves nothing but the integration


def command(product: Standalone, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the environment of the service, beside it."""
    return subprocess.run(
        [binary("stripe-integration"), *arguments],
        env={"PATH": os.environ["PATH"]} | product.process.environment | environment,
        capture_output=True, text=True, timeout=60,
    )


def of(vendor: Vendor) -> list[str]:
    return ["--account", vendor.account, "--test"]


def test_the_commands_tell_and_do_what_those_of_the_mounted_service_do(
    simulator: Simulator, standalone: Standalone
) -> None:
    vendor = Vendor(simulator, standalone)
    item = vendor.offer_once()
    sale = vendor.sell(item)
    fulfillment = vendor.fulfilled(sale.session)
    [license] = licenses_of(fulfillment)

    explained = command(standalone, "explain", sale.payment_intent, *of(vendor))
    assert explained.returncode == 0, explained.stderr
    assert "licensed:" in explained.stdout and sale.session in explained.stdout
    assert command(standalone, "explain", "pi_nobody", *of(vendor)).returncode == 1

    replayed = command(standalone, "replay", sale.session, *of(vendor))
    assert replayed.returncode == 0, replayed.stderr
    assert fulfillment["id"] in replayed.stdout and "1 fulfillments are replayed." in replayed.stdout
    reconciled = command(standalone, "reconcile", sale.session, *of(vendor))
    assert reconciled.returncode == 0, reconciled.stderr
    assert fulfillment["id"] in reconciled.stdout and "looked at." in reconciled.stdout
    assert [row["id"] for row in vendor.licenses_at_licensekit(item)] == [license["id"]]

    exported = command(standalone, "buyer", "export", sale.session, *of(vendor))
    assert exported.returncode == 0 and license["id"] in json.dumps(json.loads(exported.stdout))
    erased = command(standalone, "buyer", "erase", sale.session, *of(vendor))
    assert erased.returncode == 0 and erased.stdout.startswith("Erased: ")

    no_admin = command(standalone, "admin", "list-tenants")
    assert no_admin.returncode == 64, "that is the license server's"


def test_a_database_may_be_migrated_again_and_beside_the_service(standalone: Standalone) -> None:
    for _ in range(2):
        done = command(standalone, "migrate")
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n"), done.stderr


def problems(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith("problem  ")]


def test_the_doctor_finds_a_whole_installation_well_and_names_what_is_broken(standalone: Standalone) -> None:
    well = command(standalone, "doctor")
    assert (well.returncode, problems(well)) == (0, []), well.stdout
    for part in ("configuration", "database", "database roles", "schema of the Stripe integration", "Redis",
                 "PDF documents", f"LicenseKit at {standalone.server.url}"):
        assert f"ok       {part}" in well.stdout.splitlines(), part
    assert "LicenseKit server" not in well.stdout, "it is elsewhere"

    strange = command(standalone, "doctor", LICENSEKIT_API_TOKEN="lkm_of_nobody")
    [refused] = problems(strange)
    assert strange.returncode == 1
    assert refused.startswith(f"problem  LicenseKit at {standalone.server.url}: it refuses LICENSEKIT_API_TOKEN: ")
    assert "lkm_of_nobody" not in strange.stdout + strange.stderr

    away = command(standalone, "doctor", LICENSEKIT_BASE_URL=f"http://127.0.0.1:{free_port()}")
    [silent] = problems(away)
    assert away.returncode == 1 and ": it does not answer: " in silent

    url = create_database()
    try:
        bare = command(standalone, "doctor", DATABASE_URL=url)
    finally:
        drop_database(url)
    assert bare.returncode == 1
    assert "problem  schema of the Stripe integration: unavailable" in bare.stdout.splitlines()

    assert command(standalone, "doctor", STRIPE_PUBLIC_BASE_URL="nowhere").returncode == 78


def test_the_doctor_says_what_is_missing_for_a_submission(standalone: Standalone) -> None:
    folder = PACKAGE_ROOT / "integrations" / "stripe-app"
    done = command(standalone, "doctor", "--submission", "--extension", str(folder))
    assert done.returncode == 1 and not problems(done), done.stdout
    lines = done.stdout.splitlines()
    for expected in [
        "ok       Uninstall: account.application.deauthorized is accepted only with Stripe's signature",
        "ok       OAuth: each installation has a state of its own, kept in the browser that began it",
        "ok       OAuth: a callback without a state, or with one that was not given out, is refused",
        "ok       Defaults: nothing of any account is shown without a token",
        "ok       Views: no view relies on what a page may lack",
        "ok       Listing: its texts promise nothing absolute",
        "missing  Defaults: Stripe is called at its own address: STRIPE_API_BASE_URL is ",
    ]:
        assert any(line.startswith(expected) for line in lines), (expected, done.stdout)
    lacking = command(standalone, "doctor", "--submission", "--extension", str(folder / "src"))
    assert lacking.returncode == 64 and "stripe-app.json cannot be read" in lacking.stderr


def test_secrets_are_re_encrypted_and_the_service_goes_on_under_the_new_key(
    simulator: Simulator, standalone: Standalone
) -> None:
    vendor = Vendor(simulator, standalone)
    item = vendor.offer_once()
    fulfillment = vendor.fulfilled(vendor.sell(item).session)
    [license] = licenses_of(fulfillment)
    key = standalone.reveal(fulfillment, license["id"])

    made = command(standalone, "keys", "generate", "k2")
    assert made.returncode == 0
    name, new = made.stdout.strip().split(":")
    assert name == "k2" and len(base64.b64decode(new)) == 32
    old = standalone.process.environment["ENCRYPTION_KEYS"]
    keys = f"k2:{new},{old}"
    assert standalone.process.terminate() == 0
    standalone.process.environment["ENCRYPTION_KEYS"] = keys
    standalone.start()

    done = command(standalone, "keys", "rotate")
    assert done.returncode == 0, done.stderr
    count, sentence = done.stdout.split(" ", 1)
    # At least the connection's tokens and the license key of this vendor.
    assert int(count) >= 2 and sentence == "secrets are re-encrypted under key k2.\n"
    assert command(standalone, "keys", "rotate").stdout.startswith("0 secrets ")

    assert standalone.process.terminate() == 0
    standalone.process.environment["ENCRYPTION_KEYS"] = f"k2:{new}"
    standalone.start()
    assert standalone.reveal(fulfillment, license["id"]) == key
    vendor.fulfilled(vendor.sell(item).session)
