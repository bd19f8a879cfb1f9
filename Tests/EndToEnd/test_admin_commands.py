"""`licensekit admin`, as an operator runs it: beside the running product, on its database."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from typing import Any

import pytest
import requests
from licensekit import ManagementClient
from licensekit.errors import ApiError

from support.processes import binary
from support.product import Product


class Operator:
    """Runs commands with the product's own environment."""

    def __init__(self, product: Product) -> None:
        self.product = product

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        return subprocess.run(
            [binary("licensekit"), "admin", *arguments],
            env=inherited | self.product.environment | environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, code: int, *arguments: str, **environment: str) -> str:
        """The standard error of a command that must fail with this exit code."""
        done = self.run(*arguments, **environment)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        assert done.stdout == ""
        return done.stderr


@pytest.fixture()
def operator(product: Product) -> Operator:
    return Operator(product)


@pytest.fixture()
def tenant(operator: Operator) -> str:
    name = f"t-{secrets.token_hex(5)}"
    made = operator.json("create-tenant", name, "--name", "Acme", "--host", f"{name}.example")
    assert made["id"] == name and made["host_name"] == f"{name}.example" and made["created_at"].endswith("Z")
    return name


def client(product: Product, token: str) -> ManagementClient:
    return ManagementClient(base_url=product.url, token=token, timeout=20)


def test_tenants(operator: Operator, tenant: str) -> None:
    assert tenant in [each["id"] for each in operator.json("list-tenants")]
    lines = operator.run("list-tenants").stdout.splitlines()
    assert f"{tenant}\tAcme\t{tenant}.example" in lines
    assert operator.json("update-tenant", tenant, "--name", "Acme Ltd")["host_name"] == f"{tenant}.example"
    assert "host_name" not in operator.json("update-tenant", tenant, "--no-host")
    plain = operator.run("update-tenant", tenant, "--host", f"www.{tenant}.example")
    assert plain.stdout == f"{tenant}\tAcme Ltd\twww.{tenant}.example\n"

    other = f"u-{secrets.token_hex(5)}"
    taken = operator.refused(1, "create-tenant", other, "--name", "U", "--host", f"WWW.{tenant}.example:443")
    assert taken == "error: host_name: another tenant has it\n"
    assert "already" in operator.refused(1, "create-tenant", tenant, "--name", "Again")
    assert operator.refused(1, "update-tenant", other, "--name", "U") == "error: there is no such tenant\n"
    assert "host_name" in operator.refused(1, "update-tenant", tenant, "--host", "a b")
    assert "--no-host" in operator.refused(64, "update-tenant", tenant, "--host", "a.example", "--no-host")
    operator.refused(64, "update-tenant", tenant)
    operator.refused(64, "create-tenant", other)


def test_a_token_lives_and_dies(operator: Operator, product: Product, tenant: str) -> None:
    options = ["create-token", "--tenant", tenant, "--name", "ci", "--scope", "product:read", "--scope", "event:read"]
    made = operator.json(*options, "--cidr", "127.0.0.0/8", "--cidr", "::1/128", "--expires", "2099-01-31T00:00:00Z")
    key = made["api_key"]
    assert key["scopes"] == ["product:read", "event:read"]
    assert (key["allowed_cidrs"], key["expires_at"]) == (["127.0.0.0/8", "::1/128"], "2099-01-31T00:00:00Z")
    with client(product, made["token"]) as own:
        assert own.list_products()["data"] == []
        with pytest.raises(ApiError) as denied:
            own.list_customers()
        assert denied.value.code == "TOKEN_SCOPE_DENIED"

    shown = operator.run("list-tokens", "--tenant", tenant).stdout
    assert shown == f"{key['id']}\tci\t{key['key_prefix']}\tactive\tproduct:read,event:read\n"
    listed = operator.json("list-tokens", "--tenant", tenant)
    assert [each["id"] for each in listed] == [key["id"]]
    assert made["token"] not in shown + json.dumps(listed)

    assert operator.refused(1, "revoke-token", key["id"]) == "error: there is no such token\n", "of another tenant"
    assert operator.json("revoke-token", key["id"], "--tenant", tenant) == {"id": key["id"], "is_active": False}
    assert "revoked" in operator.run("list-tokens", "--tenant", tenant).stdout
    with client(product, made["token"]) as own, pytest.raises(ApiError) as gone:
        own.list_products()
    assert gone.value.status == 401

    raw = operator.run("create-token", "--tenant", tenant, "--name", "admin").stdout.strip()
    with client(product, raw) as own:
        types = [each["event_type"] for each in own.list_events()["data"]]
        actors = {(each["actor_type"], each["actor_id"]) for each in own.list_events()["data"]}
    assert types == ["api_key.created", "api_key.revoked", "api_key.created", "tenant.created"]
    assert actors == {("system", "operator")}


def test_what_no_token_can_be(operator: Operator, tenant: str) -> None:
    name = ["create-token", "--tenant", tenant, "--name", "x"]
    assert "license:read" in operator.refused(64, *name, "--scope", "everything"), "the scopes are named"
    assert "2026" in operator.refused(64, *name, "--expires", "tomorrow")
    assert "future" in operator.refused(64, *name, "--expires", "2020-01-01T00:00:00Z")
    assert operator.refused(1, *name, "--cidr", "10.0.0.0/33").startswith("error: allowed_cidrs[0]: ")
    assert operator.refused(1, "create-token", "--tenant", "nobody", "--name", "x") == "error: there is no such tenant\n"
    assert operator.json("list-tokens", "--tenant", tenant) == []


def test_signing_keys(operator: Operator, product: Product, tenant: str) -> None:
    (first,) = operator.json("list-signing-keys", "--tenant", tenant)
    assert (first["status"], first["algorithm"]) == ("active", "Ed25519")
    second = operator.json("rotate-signing-key", "--tenant", tenant)
    assert second["kid"] != first["kid"]
    states = {line.split("\t")[0]: line.split("\t")[2] for line in _lines(operator, "list-signing-keys", tenant)}
    assert states == {second["kid"]: "active", first["kid"]: "retired"}
    answer = requests.get(
        f"{product.url}/api/v1/system/public-keys", headers={"Host": f"{tenant}.example"}, timeout=20
    ).json()
    assert {each["kid"] for each in answer["data"]} == set(states)
    assert operator.refused(1, "rotate-signing-key", "--tenant", "nobody") == "error: there is no such tenant\n"


def _lines(operator: Operator, command: str, tenant: str) -> list[str]:
    return operator.run(command, "--tenant", tenant).stdout.splitlines()


def test_policy_limits(operator: Operator, product: Product) -> None:
    offer = product.new_offer()
    limits = {
        "max_activations": 3, "max_container_instances": 4, "grace_period_days": 5, "validation_interval_minutes": 6,
        "allow_offline_activation": True, "offline_grace_days": 7, "allow_vm": False, "allow_container": False,
        "max_transfers": 8,
    }
    options = [word for name, value in limits.items() for word in ("--" + name.replace("_", "-"), json.dumps(value))]
    changed = operator.json("set-policy-limits", offer.policy_id, *options)
    assert {name: changed[name] for name in limits} == limits
    assert product.management.get_policy(path={"id": offer.policy_id})["data"] == changed
    assert operator.json("show-policy", offer.policy_id) == changed
    shown = dict(line.split("\t") for line in operator.run("show-policy", offer.policy_id).stdout.splitlines())
    assert (shown["max_container_instances"], shown["allow_vm"]) == ("4", "false")
    shared = operator.json("set-policy-limits", offer.policy_id, "--max-container-instances", "none")
    assert "max_container_instances" not in shared and shared["max_activations"] == 3

    assert operator.refused(1, "set-policy-limits", offer.policy_id, "--max-activations", "0").startswith(
        "error: max_activations: "
    )
    operator.refused(64, "set-policy-limits", offer.policy_id)
    operator.refused(64, "set-policy-limits", offer.policy_id, "--allow-vm", "maybe")
    operator.refused(64, "set-policy-limits", offer.policy_id, "--max-container-instances", "some")
    assert operator.refused(1, "show-policy", "pol_none") == "error: there is no such policy\n"
    assert operator.refused(1, "show-policy", offer.policy_id, "--tenant", "nobody") == "error: there is no such policy\n"


def test_what_is_in_the_way_is_told_apart(operator: Operator) -> None:
    away = operator.refused(69, "list-tenants", DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert away.startswith("error: the database does not answer")
    assert "DATABASE_URL" in operator.refused(78, "list-tenants", DATABASE_URL="")
    assert "create-tenant" in operator.run("--help").stdout
