"""What applications call, through the official client: floating leases, offline envelopes, and verified answers.

Needs LICENSEKIT_BASE_URL and LICENSEKIT_API_TOKEN (an admin token); conftest.py sets both.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from licensekit import ManagementClient, RuntimeClient, SystemClient
from licensekit.errors import ApiError
from licensekit.verification import PublicKeyStore, verify_runtime_result

from support.databases import psql
from support.official import base_url, moment, unique
from support.product import Product

VERIFIER = Path(__file__).parents[2] / "docs" / "offline-verifier.py"


@pytest.fixture()
def management() -> Iterator[ManagementClient]:
    with ManagementClient(base_url=base_url(), token=os.environ["LICENSEKIT_API_TOKEN"]) as client:
        yield client


@pytest.fixture()
def keys() -> PublicKeyStore:
    with SystemClient(base_url=base_url()) as client:
        return PublicKeyStore(client.list_public_keys()["data"])


@pytest.fixture()
def sold(management: ManagementClient, product: Product) -> Iterator[SimpleNamespace]:
    """A license with a pool of two places, whose policy allows offline use."""
    made = management.create_product(body={"name": "Editor", "code": unique("editor")})["data"]
    under = {"id": made["id"]}
    policy = management.create_policy(
        path=under,
        body={
            "name": "Team", "code": "team", "license_type": "subscription",
            "max_floating_users": 2, "floating_timeout_minutes": 30, "require_heartbeat": True,
        },
    )["data"]
    # In the contract only the operator can set these.
    psql(
        product.database,
        "UPDATE license_server.policies SET allow_offline_activation = true, offline_grace_days = 7, max_activations = 5"
        f" WHERE id = '{policy['id']}'",
    )
    license = management.create_license(
        body={"product_id": made["id"], "policy_id": policy["id"], "expires_at": moment(30)}
    )["data"]
    with RuntimeClient(base_url=base_url(), license_key=license["license_key"]) as runtime:
        yield SimpleNamespace(
            product=made, policy=policy, license=license["license"], key=license["license_key"], runtime=runtime
        )


def test_a_pool_is_shared_and_every_answer_verifies(sold: SimpleNamespace, keys: PublicKeyStore) -> None:
    runtime = sold.runtime
    first = runtime.checkout_floating_license(body={"fingerprint": "m1", "app_version": "1.0"}, idempotency_key="o1")
    assert first["data"]["lease_token"].startswith("llt_")
    again = runtime.checkout_floating_license(body={"fingerprint": "m1", "app_version": "1.0"}, idempotency_key="o1")
    assert (again["data"], again["signature"]) == (first["data"], first["signature"])
    second = runtime.checkout_floating_license(body={"fingerprint": "m2"}, idempotency_key="o2")
    with pytest.raises(ApiError) as full:
        runtime.checkout_floating_license(body={"fingerprint": "m3"}, idempotency_key="o3")
    assert (full.value.status, full.value.code) == (403, "FLOATING_LIMIT_EXCEEDED")

    lease = {"lease_token": first["data"]["lease_token"]}
    beat = runtime.heartbeat_floating_license(body=lease)
    seen = runtime.validate_license(body={"fingerprint": "m1"})
    back = runtime.checkin_floating_license(body=lease, idempotency_key="i1")
    third = runtime.checkout_floating_license(body={"fingerprint": "m3"}, idempotency_key="o4")
    for answer in (first, second, beat, seen, back, third):
        assert verify_runtime_result(answer, keys).ok, answer
    with pytest.raises(ApiError) as gone:
        runtime.heartbeat_floating_license(body=lease)
    assert (gone.value.status, gone.value.code) == (404, "LEASE_NOT_FOUND")


def test_leases_that_ran_out_are_written_down_in_the_background(
    management: ManagementClient, sold: SimpleNamespace, product: Product
) -> None:
    out = sold.runtime.checkout_floating_license(body={"fingerprint": "m1"}, idempotency_key="o1")["data"]
    psql(
        product.database,
        "UPDATE license_server.devices SET lease_expires_at = now() - interval '1 second'"
        f" WHERE id = '{out['device_id']}'",
    )
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        events = management.list_events(query={"resource_id": sold.license["id"]})["data"]
        if events[0]["event_type"] == "floating.expired":
            return
        time.sleep(1)
    raise AssertionError("no floating.expired within 40 seconds")


def verify_offline(
    folder: Path, envelope: Any, license_key: str, *options: str
) -> subprocess.CompletedProcess[str]:
    with SystemClient(base_url=base_url()) as client:
        published = client.list_public_keys()
    (folder / "envelope.json").write_text(json.dumps(envelope))
    (folder / "keys.json").write_text(json.dumps(published))
    return subprocess.run(
        [sys.executable, str(VERIFIER), str(folder / "envelope.json"), str(folder / "keys.json"), *options],
        env={**os.environ, "LICENSE_KEY": license_key}, capture_output=True, text=True, check=False,
    )


def test_the_documented_verifier_opens_an_envelope_and_finds_every_fault(
    sold: SimpleNamespace, tmp_path: Path
) -> None:
    machine = {"fingerprint": "m1", "app_version": "1.0"}
    device = sold.runtime.activate_license(body=machine, idempotency_key="a")["data"]["device_id"]
    envelope = sold.runtime.issue_offline_license(body=machine)

    opened = verify_offline(tmp_path, envelope, sold.key, "--device", device)
    assert opened.returncode == 0, opened.stderr
    data = json.loads(opened.stdout)
    assert data["license_id"] == sold.license["id"]
    assert data["version_eligibility"]["app_version"] == "1.0"
    assert moment(6.9) < data["expires_at"] < moment(7.1)

    def refusal(*options: str, key: str = sold.key, changed: dict[str, str] | None = None) -> str:
        done = verify_offline(tmp_path, {"data": {**envelope["data"], **(changed or {})}}, key, *options)
        assert done.returncode == 1, done.stdout
        return done.stderr

    assert "another license key" in refusal(key="lsk_other")
    turned = envelope["data"]["ciphertext"]
    turned = ("B" if turned[0] != "B" else "C") + turned[1:]
    assert "was changed" in refusal(changed={"ciphertext": turned})
    assert "another device" in refusal("--device", "dev_other")
    assert "good until" in refusal("--now", moment(8))
    assert "clock" in refusal("--now", moment(-1))


def test_the_documented_vector_opens_with_the_documented_verifier(tmp_path: Path) -> None:
    text = (VERIFIER.parent / "offline.md").read_text()
    envelope = json.loads(text.split("```json\n")[1].split("```")[0])
    (tmp_path / "envelope.json").write_text(json.dumps(envelope))
    (tmp_path / "keys.json").write_text(
        json.dumps([{"kid": "kid_1", "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}])
    )
    done = subprocess.run(
        [
            sys.executable, str(VERIFIER), str(tmp_path / "envelope.json"), str(tmp_path / "keys.json"),
            "--device", "dev_1", "--now", "2026-03-25T00:00:00Z",
        ],
        env={**os.environ, "LICENSE_KEY": "lsk_test"}, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["features"][0]["remaining"] == 997


def javascript(texts: list[str]) -> list[str] | None:
    """What JSON.stringify makes of each, if Node is installed."""
    node = shutil.which("node")
    if node is None:
        return None
    program = (
        "const lines = require('fs').readFileSync(0, 'utf8').split('\\n');"
        "for (const line of lines) console.log(JSON.stringify(JSON.parse(line)));"
    )
    done = subprocess.run([node, "-e", program], input="\n".join(texts), capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n").split("\n")


def test_whatever_a_vendor_can_store_every_client_can_verify(
    management: ManagementClient, sold: SimpleNamespace, keys: PublicKeyStore
) -> None:
    """Random features, quotas and versions, over each signed operation: the bytes on the wire are what Python and
    JavaScript make of them when they serialise again, and the official check passes."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    most = 2**53 - 1

    def text(others: str, longest: int) -> str:
        letters = string.ascii_letters + string.digits
        return chance.choice(letters) + "".join(
            chance.choice(letters + others) for _ in range(chance.randrange(longest))
        )

    codes = [text("._:-", 128) for _ in range(8)]
    for code in codes:
        feature = management.create_feature(
            path={"id": sold.product["id"]}, body={"name": "F \u00e9 <&>", "code": code}
        )["data"]
        body: dict[str, Any] = {"feature_id": feature["id"], "enabled": chance.random() < 0.8}
        quota = chance.choice([None, 0, 1, most, chance.randrange(most)])
        if quota is not None:
            body["max_consumptions"] = quota
        if chance.random() < 0.5:
            body["expires_at"] = moment(chance.uniform(-1, 9))
        management.assign_license_feature(path={"id": sold.license["id"]}, body=body)
        if chance.random() < 0.5:
            management.reset_license_usage(
                path={"id": sold.license["id"]},
                body={"feature_code": code, "total_consumptions": chance.choice([0, most, chance.randrange(most)])},
            )

    def call(operation: str, body: dict[str, Any]) -> tuple[str, Any]:
        answer = requests.post(
            f"{base_url()}/api/v1/license/{operation}", json=body, timeout=30,
            headers={"Authorization": f"License {sold.key}", "Idempotency-Key": unique("k")},
        )
        assert answer.status_code == 200, (seed, operation, answer.text)
        whole = answer.text
        return whole[len('{"data":') : whole.index(',"signature":')], answer.json()

    answers: list[tuple[str, Any]] = []
    for _ in range(10):
        machine = {"fingerprint": "m1", "app_version": text(" ._+:/~-", 64)}
        answers += [call(operation, machine) for operation in ("activate", "validate", "check")]
        answers.append(call("floating/checkout", machine))
        lease = {"lease_token": answers[-1][1]["data"]["lease_token"]}
        answers += [call("floating/heartbeat", lease), call("floating/checkin", lease), call("deactivate", machine)]
    for wire, answer in answers:
        assert wire == json.dumps(answer["data"], separators=(",", ":")), seed
        assert verify_runtime_result(answer, keys).ok, (seed, wire)
    again = javascript([wire for wire, _ in answers])
    if again is not None:
        assert again == [wire for wire, _ in answers], seed
