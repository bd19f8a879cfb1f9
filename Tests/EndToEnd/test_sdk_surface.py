"""The whole published surface of the official Python client against the product: every method of its clients succeeds, and
what comes back is as docs/openapi.yaml says. A method that a newer client has, and these tests do not call, fails here.
"""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from licensekit import ManagementClient, PublicKeyStore, RuntimeClient, SystemClient, verify_runtime_result
from licensekit.generated.metadata import OPERATION_METADATA

from support.description import contract, operations, problems, snake
from support.product import Product
from support.sdk_calls import CALLS, Call, Story, keep

CLIENTS = {"management": ManagementClient, "runtime": RuntimeClient, "system": SystemClient}
OPERATION_OF = {snake(operation["operationId"]): operation for _, _, operation in operations()}


def methods(client: type) -> list[str]:
    """The public methods of a client, without those that every client has."""
    common = {"close", "raw"}
    found = [name for name, member in inspect.getmembers(client, callable) if not name.startswith("_")]
    return [name for name in found if name not in common]


ALL = [(client, method) for client, kind in CLIENTS.items() for method in methods(kind)]


@dataclass
class Walk:
    """All calls, made one after the other, with their outcomes."""

    outcomes: dict[str, Any] = field(default_factory=dict)
    signed: list[tuple[str, str]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)


def run(product: Product, is_raw: bool) -> Walk:
    walk, story = Walk(), Story(product)
    for call in CALLS:
        name = f"{call.client}.{call.method}"
        try:
            outcome = make(call, story, is_raw)
        except Exception as problem:
            # A later call of the same method does not hide a failure.
            walk.outcomes[name] = problem
            continue
        if is_raw and call.client == "runtime" and call.method != "issue_offline_license":
            walk.signed.append((call.method, outcome.response.text))
        if not isinstance(walk.outcomes.get(name), Exception):
            walk.outcomes[name] = outcome
    with SystemClient(base_url=product.url) as client:
        walk.keys = client.list_public_keys()["data"]
    return walk


def make(call: Call, story: Story, is_raw: bool) -> Any:
    if call.before:
        call.before(story)
    credentials: dict[str, Any] = {
        "management": lambda: {"token": story.product.secrets.api_token},
        "runtime": lambda: {"license_key": story[f"{call.key}.key"]},
        "system": dict,
    }
    with CLIENTS[call.client](base_url=story.product.url, timeout=20, **credentials[call.client]()) as client:
        surface = client.raw if is_raw else client
        outcome = getattr(surface, call.method)(**call.arguments(story))
    if call.keep:
        keep(story, call.keep, (outcome.data if is_raw else outcome)["data"])
    return outcome


@pytest.fixture(scope="module")
def plain(product: Product) -> Walk:
    return run(product, is_raw=False)


@pytest.fixture(scope="module")
def raw(product: Product) -> Walk:
    return run(product, is_raw=True)


def test_the_client_has_the_87_operations_of_the_contract() -> None:
    assert len(ALL) == len(OPERATION_METADATA) == len(contract()) == 87
    assert {method for _, method in ALL} == {snake(operation_id) for operation_id in contract()}
    assert {(call.client, call.method) for call in CALLS} == set(ALL)


@pytest.mark.parametrize("client, method", ALL, ids=[".".join(each) for each in ALL])
def test_a_method_succeeds(plain: Walk, client: str, method: str) -> None:
    outcome = plain.outcomes[f"{client}.{method}"]
    if isinstance(outcome, Exception):
        raise outcome


@pytest.mark.parametrize("client, method", ALL, ids=[".".join(each) for each in ALL])
def test_a_raw_answer_is_as_described(raw: Walk, client: str, method: str) -> None:
    outcome = raw.outcomes[f"{client}.{method}"]
    if isinstance(outcome, Exception):
        raise outcome
    response: httpx.Response = outcome.response
    media = response.headers.get("Content-Type", "")
    body = response.json() if media == "application/json" else response.text
    assert problems(OPERATION_OF[method], response.status_code, media, body) == []
    assert response.headers["X-Request-Id"]


def test_every_signed_answer_verifies(raw: Walk) -> None:
    """Verifies the answer as the Python client reads it, and the bytes that were sent."""
    store = PublicKeyStore(raw.keys)
    assert {method for method, _ in raw.signed} == {
        snake(name) for name, operation in contract().items() if operation.get("envelope") == "signed"
    }
    for method, text in raw.signed:
        answer = json.loads(text)
        assert verify_runtime_result(answer, store).ok, method
        sent = text.removeprefix('{"data":').split(',"signature":{"alg"')[0]
        assert sent.isascii() and sent == json.dumps(answer["data"], separators=(",", ":")), method


def test_every_signed_answer_verifies_in_javascript(raw: Walk) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: JSON.stringify and WebCrypto cannot be asked")
    script = Path(__file__).parent / "support" / "node_verifier.mjs"
    request = json.dumps({"keys": raw.keys, "answers": [text for _, text in raw.signed]})
    done = subprocess.run([node, str(script)], input=request, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [True] * len(raw.signed)
