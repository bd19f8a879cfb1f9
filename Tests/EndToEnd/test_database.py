"""The product and its database: the plain user's rights, poolers, a read-only server, a failover."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
import requests

from support.databases import as_observer, psql
from support.postgres import USER, MovingAddress, PgBouncer, Postgres
from support.processes import PACKAGE_ROOT, binary
from support.product import Product, error_code, licenses_of
from support.stack import Stack
from support.waiting import eventually
from test_faults import customer_event, deliver


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user postgres can reach."""
    with tempfile.TemporaryDirectory(prefix="lk-pg.") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[Postgres]:
    postgres = Postgres(folder)
    yield postgres
    postgres.close()


def sell_one(stack: Stack) -> None:
    vendor = stack.new_vendor()
    assert len(licenses_of(vendor.fulfilled(vendor.sell(vendor.offer_once()).session, seconds=60))) == 1


def start_refused(folder: Path, database: str) -> str:
    """What the program prints when it refuses to start because of its configuration."""
    with_database = Stack(folder / "refused", database=database)
    with_database.simulator.start()
    product = Product(with_database.simulator, folder, name="refused", database=database)
    done = subprocess.run(
        [binary("licensekit"), "serve"], env=product.environment, capture_output=True, text=True, timeout=60, check=False
    )
    with_database.simulator.close()
    assert done.returncode == 78, f"{done.returncode}: {done.stderr[-600:]}"
    return done.stderr


def test_the_products_own_user_sees_no_row_before_it_takes_on_a_role(stack: Stack) -> None:
    sell_one(stack)
    database = stack.product.database
    tables = psql(
        database,
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname IN ('license_server', 'stripe_integration') ORDER BY 1",
    ).splitlines()
    assert len(tables) > 40
    filled = [table for table in tables if psql(database, f"SELECT count(*) FROM {table}") != "0"]
    assert {"license_server.api_keys", "license_server.signing_keys", "stripe_integration.inbox"} <= set(filled)
    seen = [table for table in tables if psql(database, f"SELECT count(*) FROM {table}", as_owner=True) != "0"]
    assert seen == []


@pytest.mark.parametrize("ignored", ["extra_float_digits", "extra_float_digits, options"])
def test_a_pooler_in_session_mode_takes_nothing_from_a_session(folder: Path, server: Postgres, ignored: str) -> None:
    pooler = PgBouncer(folder, server, "session", ignored)
    stack = Stack(folder / "stack", database=pooler.url).start()
    try:
        sell_one(stack)
        vendor = stack.new_vendor()
        server.sql("REVOKE INSERT ON stripe_integration.inbox FROM stripe_integration_receiver")
        refused = deliver(stack.product, customer_event(vendor.account, "evt_role", "cus_role"))
        assert error_code(refused, 503) == "STORAGE_UNAVAILABLE", "the receiver writes under its role and no other"
    finally:
        stack.close()
        pooler.close()


def test_a_pooler_in_transaction_mode_is_refused_at_the_start_by_name(folder: Path, server: Postgres) -> None:
    pooler = PgBouncer(folder, server, "transaction", "extra_float_digits, options")
    try:
        assert "DATABASE_URL: a pooler in transaction mode" in start_refused(folder, pooler.url)
    finally:
        pooler.close()


def test_the_user_that_the_compose_file_makes_is_enough(folder: Path) -> None:
    server = Postgres(folder, with_user=False)
    try:
        script = PACKAGE_ROOT / "deploy" / "plain-user.sh"
        environment = {
            "PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "POSTGRES_USER": "postgres",
            "LICENSEKIT_DATABASE_PASSWORD": "it's plain",
        }
        subprocess.run([script], env=environment, check=True, capture_output=True)
        rights = "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'licensekit'"
        assert server.sql(rights, "postgres") == "f|f|t"
        stack = Stack(folder / "stack", database=server.url()).start()
        try:
            sell_one(stack)
        finally:
            stack.close()
    finally:
        server.close()


def test_a_user_that_may_not_have_the_roles_is_told_the_statements_to_run(folder: Path, server: Postgres) -> None:
    server.sql(f"ALTER ROLE {USER} NOCREATEROLE", "postgres")
    said = start_refused(folder, server.url())
    statements = said[said.index("CREATE ROLE") :].strip().split("; ")
    server.sql("; ".join(statements), "postgres")
    server.sql(f"ALTER ROLE {USER} CREATEROLE", "postgres")
    stack = Stack(folder / "stack", database=server.url()).start()
    try:
        sell_one(stack)
    finally:
        stack.close()


def test_a_database_that_only_reads_is_answered_with_come_again_and_is_used_again_by_itself(
    folder: Path, server: Postgres
) -> None:
    stack = Stack(folder / "stack", database=server.url()).start()
    try:
        sell_one(stack)
        product, vendor = stack.product, stack.new_vendor()
        server.turn_read_only(True)
        eventually(lambda: requests.get(f"{product.url}/readyz", timeout=10).status_code, lambda code: code == 503, "not ready")
        token = {"Authorization": f"Bearer {product.secrets.api_token}"}
        settings = {"account_id": vendor.account, "livemode": False, "update_customers": True}
        for answer in (
            deliver(product, customer_event(vendor.account, "evt_full", "cus_full")),
            requests.post(f"{product.url}/api/v1/products", json={"name": "x", "code": "x"}, headers=token, timeout=20),
            product.admin("PATCH", "/settings", json=settings),
        ):
            assert error_code(answer, 503) == "STORAGE_UNAVAILABLE"
            assert int(answer.headers["Retry-After"]) > 0
        server.turn_read_only(False)
        product.process.wait_until(product.is_ready, "ready again")
        sell_one(stack)
    finally:
        stack.close()


def test_after_a_failover_that_keeps_connections_the_new_primary_is_written_to(folder: Path, server: Postgres) -> None:
    address = MovingAddress(server.port)
    stack = Stack(folder / "stack", database=server.url(address.port)).start()
    standby = None
    try:
        sell_one(stack)
        standby = Postgres(folder, "standby", copy_of=server)
        standby.sql("SELECT pg_promote(true)", "postgres")
        address.target = standby.port
        server.turn_read_only(True)

        def write() -> int:
            token = {"Authorization": f"Bearer {stack.product.secrets.api_token}"}
            count = int(standby.sql("SELECT count(*) FROM license_server.products"))
            body = {"name": "x", "code": f"after-{count}"}
            return requests.post(f"{stack.product.url}/api/v1/products", json=body, headers=token, timeout=20).status_code

        eventually(write, lambda status: status == 201, "a write succeeds", 60)
        assert [write() for _ in range(10)] == [201] * 10
        sell_one(stack)
    finally:
        stack.close()
        address.close()
        if standby:
            standby.close()


def test_a_transaction_that_somebody_leaves_open_holds_up_no_sale(stack: Stack) -> None:
    vendor = stack.new_vendor()
    item = vendor.offer_once()
    with holding_all_tables(stack.product.database):
        for sale in [vendor.sell(item) for _ in range(5)]:
            vendor.fulfilled(sale.session)
    assert len(vendor.licenses_at_licensekit(item)) == 5


@contextmanager
def holding_all_tables(url: str) -> Iterator[None]:
    """A session that has read every table and keeps its transaction open, like a forgotten console or a backup."""
    session = subprocess.Popen(
        ["psql", as_observer(url), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    assert session.stdin and session.stdout
    tables = psql(
        url, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname IN ('license_server', 'stripe_integration')",
    ).split()
    assert len(tables) > 40
    reads = "".join(f"SELECT FROM {table} LIMIT 1; " for table in tables)
    session.stdin.write(f"BEGIN ISOLATION LEVEL REPEATABLE READ; {reads} SELECT 'held';\n")
    session.stdin.flush()
    while "held" not in session.stdout.readline():
        assert session.poll() is None
    try:
        yield
    finally:
        session.stdin.write("ROLLBACK;\n")
        session.stdin.close()
        assert session.wait(30) == 0
