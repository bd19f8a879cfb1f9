"""The running product, tested with good and bad requests that schemathesis makes from docs/openapi.yaml with a fixed seed.
The document describes every answer: status, media type and body. No answer is a failure of the server.

Random ids find nothing, so about half of the requests name existing records, and nearly all have a credential.
The time is bounded: an operation gets EXAMPLES requests of each kind while SECONDS last, and two after that.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance, response_headers_conformance, response_schema_conformance, status_code_conformance,
)

from support.description import operations, strict
from support.records import LicenseKitRecords, StripeRecords
from support.signing import stripe_signature
from support.stack import Stack
from support.vendor import Vendor

SEED = 4
EXAMPLES = 20
SECONDS = 80.0
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]

load_all_checks()
_schema = schemathesis.openapi.from_dict(strict())
_ALL = {operation["operationId"]: (path, method) for path, method, operation in operations()}

@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product for this file alone: other tests cannot use the records that are made here."""
    stack = Stack(tmp_path_factory.mktemp("openapi"))
    try:
        yield stack.start()
    finally:
        stack.close()


@pytest.fixture(scope="module")
def vendors(own_stack: Stack) -> list[Vendor]:
    """Several vendors, so that none soon reaches its limit of requests."""
    return [own_stack.new_vendor() for _ in range(6)]


@pytest.fixture(scope="module")
def deadline() -> float:
    return time.monotonic() + SECONDS


# Names of existing records for made-up ones

_PATH_KINDS = {
    "products": "product", "policies": "policy", "features": "feature", "customers": "customer", "licenses": "license",
    "orders": "order", "subscriptions": "subscription", "webhooks": "webhook", "exports": "export",
    "custom-fields": "field", "devices": "device",
}
_STRIPE_PATH_KINDS = {
    "mappings": "mapping", "fulfillments": "fulfillment", "events": "stripe_event", "jobs": "job", "tokens": "token",
    "endpoints": "endpoint", "deliveries": "delivery", "licenses": "fulfilled_license",
}
_FIELD_KINDS = {
    "product_id": "product", "policy_id": "policy", "customer_id": "customer", "order_id": "order",
    "subscription_id": "subscription", "license_id": "license", "feature_id": "feature", "endpoint_id": "webhook",
    "lease_token": "lease", "licensekit_product_id": "product", "licensekit_policy_id": "policy",
    "seats_feature_id": "feature",
}
_STRIPE_FIELD_KINDS = {"endpoint_id": "endpoint", "object": "object", "mapping_id": "mapping", "fulfillment_id": "fulfillment"}


class Requests:
    """Changes made-up requests of one operation so that more of them pass the first checks."""

    def __init__(self, stack: Stack, vendor: Vendor, path: str) -> None:
        self.product = stack.product
        self.app = stack.simulator.app
        self.vendor = vendor
        self.path = path
        self.is_stripe = path.startswith("/stripe/")
        self.licensekit = LicenseKitRecords(stack.product)
        self.stripe = StripeRecords(vendor)

    def prepare(self, case: Case, dice: int) -> dict[str, Any]:
        """Changes the request; returns what to send beside it."""
        if dice & 1:
            self._name_records_in_path(case)
        if dice & 2:
            self._name_records_in_fields(case)
        return self._sign(case, dice) if dice != 7 else {}

    def _kind(self, segment: str) -> str | None:
        """The kind of record that the id after this part of the path names."""
        if self.is_stripe:
            return _STRIPE_PATH_KINDS.get(segment)
        return "webhook_delivery" if segment == "deliveries" else _PATH_KINDS.get(segment)

    def _name_records_in_path(self, case: Case) -> None:
        segments = self.path.split("/")
        for before, segment in zip(segments, segments[1:]):
            if segment.startswith("{") and (kind := self._kind(before)) is not None:
                records = self.stripe if self.is_stripe else self.licensekit
                case.path_parameters[segment.strip("{}")] = records[kind]

    def _name_records_in_fields(self, case: Case) -> None:
        if self.path.startswith("/api/v1/license/") and isinstance(case.body, dict) and "lease_token" not in case.body:
            self.licensekit["device"]
            case.body = {
                **{name: value for name, value in case.body.items() if name in ("event_id", "amount")},
                **({"feature_code": "api_calls"} if "feature_code" in case.body else {}),
                "fingerprint": "machine-1",
            }
        for fields in (case.query, case.body):
            if not isinstance(fields, dict):
                continue
            for name in list(fields):
                if self.is_stripe and name in _STRIPE_FIELD_KINDS:
                    fields[name] = self.stripe[_STRIPE_FIELD_KINDS[name]]
                elif name in _FIELD_KINDS:
                    fields[name] = self.licensekit[_FIELD_KINDS[name]]

    def _sign(self, case: Case, dice: int) -> dict[str, Any]:
        """The credential that the operation asks for."""
        if self.path.startswith("/stripe/app/"):
            return self._sign_as_app(case)
        if self.path == "/stripe/webhook":
            payload = _bytes(case.body if dice & 1 else self._event(case.body))
            return {"headers": {"Stripe-Signature": stripe_signature(self.product.webhook_secret, payload)}, "data": payload}
        if self.path.startswith("/stripe/admin/"):
            if isinstance(case.query, dict):
                case.query.update({"account_id": self.vendor.account, "livemode": "false"})
            if isinstance(case.body, dict):
                case.body.pop("account_id", None)
                case.body.pop("livemode", None)
            return {"headers": {"Authorization": f"Bearer {self.product.secrets.admin_token}"}}
        if self.path.startswith("/api/v1/license/"):
            return {"headers": {"Authorization": f"License {self.licensekit['license_key']}"}}
        if self.path.startswith("/api/v1/"):
            return {"headers": {"Authorization": f"Bearer {self.product.secrets.api_token}"}}
        return {}

    def _event(self, body: Any) -> dict[str, Any]:
        """An event of the vendor's account about something that is not a Stripe object."""
        types = ["invoice.paid", "checkout.session.completed", "charge.refunded", "customer.subscription.updated"]
        name = hashlib.sha256(_bytes(body)).hexdigest()
        return {
            "id": f"evt_{name[:24]}", "object": "event", "type": types[int(name[0], 16) % 4], "account": self.vendor.account,
            "created": int(time.time()), "livemode": False, "api_version": "2025-03-31.basil", "data": {"object": body},
        }

    def _sign_as_app(self, case: Case) -> dict[str, Any]:
        secret = self.app.signing_secret
        if case.method == "POST":
            if isinstance(case.body, dict):
                case.body |= {"user_id": "usr_1", "account_id": self.vendor.account}
            payload = _bytes(case.body)
            return {"headers": {"Stripe-Signature": stripe_signature(secret, payload)}, "data": payload}
        identity = _bytes({"user_id": "usr_1", "account_id": self.vendor.account})
        headers = {"Stripe-User-Id": "usr_1", "Stripe-Account-Id": self.vendor.account}
        return {"headers": headers | {"Stripe-Signature": stripe_signature(secret, identity)}}


def _bytes(body: Any) -> bytes:
    """A body as it is sent, so that it can be signed."""
    if isinstance(body, bytes):
        return body
    try:
        return json.dumps(body, separators=(",", ":")).encode()
    except (TypeError, ValueError):
        return b""


@pytest.mark.parametrize("operation_id", list(_ALL))
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_described(
    own_stack: Stack, vendors: list[Vendor], deadline: float, operation_id: str, mode: GenerationMode
) -> None:
    path, method = _ALL[operation_id]
    vendor = vendors[list(_ALL).index(operation_id) % len(vendors)]
    # One points its vendor at a LicenseKit that does not exist, and a vendor has at most ten endpoints.
    if operation_id == "setConnectionLicenseKit" or "/notices/" in path:
        vendor = own_stack.new_vendor()
    operation = _schema[path][method.upper()]
    wanted = Requests(own_stack, vendor, path)
    session = requests.Session()

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES if time.monotonic() < deadline else 2, deadline=None, database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), dice=st.integers(0, 7))
    def check(case: Case, dice: int) -> None:
        extra = wanted.prepare(case, dice)
        answer = case.call(
            base_url=own_stack.product.url, session=session, allow_redirects=False, timeout=30, **extra
        )
        case.validate_response(answer, checks=CHECKS)

    try:
        check()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "no good request could be made up"
    finally:
        session.close()


# Requests that a generator does not make, because clients refuse to send them

RAW = [b"%00", b"%FF", b"%2", b"%", b"a%2Fb", b"%E2%80%A8", b"%F0%9F%98%80", b"..", b"%2e%2e", b"a" * 3000, b"{id}", b"*"]


@pytest.mark.parametrize("path", [path for path, method, _ in operations() if "{" in path and method == "get"])
def test_an_id_may_be_anything(own_stack: Stack, vendors: list[Vendor], path: str) -> None:
    """The paths are sent unchanged: a client library would repair most of them."""
    vendor = vendors[len(path) % len(vendors)]
    token = own_stack.product.secrets.admin_token if path.startswith("/stripe/") else own_stack.product.secrets.api_token
    query = f"?account_id={vendor.account}&livemode=false" if path.startswith("/stripe/") else ""
    for raw in RAW:
        target = path
        for name in ("id", "field_id", "feature_id", "device_id", "license_id", "delivery_id"):
            target = target.replace(f"{{{name}}}", raw.decode())
        request = requests.Request("GET", own_stack.product.url, headers={"Authorization": f"Bearer {token}"}).prepare()
        request.url = own_stack.product.url + target + query
        with requests.Session() as session:
            answer = session.send(request, allow_redirects=False, timeout=20)
        assert answer.status_code in (200, 400, 404), f"{target}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code == 200:
            assert answer.json()["data"] == [], target


def test_nothing_failed_unexpectedly(own_stack: Stack) -> None:
    """The last test of this file: the log of all the others."""
    lines = Path(own_stack.product.process.log_path).read_text(errors="replace").splitlines()
    unexpected = [line for line in lines if "unexpectedly" in line or "Fatal" in line]
    assert unexpected == []
    assert own_stack.product.process.is_running
