"""The license server as the official client sees it: catalog, issue, runtime, signatures, errors.

Needs LICENSEKIT_BASE_URL and LICENSEKIT_API_TOKEN (an admin token); conftest.py sets both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from licensekit import ManagementClient, RuntimeClient, SystemClient
from licensekit.errors import ApiError
from licensekit.verification import PublicKeyStore, verify_runtime_result

from support.official import base_url, moment, unique


@pytest.fixture()
def management() -> Iterator[ManagementClient]:
    with ManagementClient(base_url=base_url(), token=os.environ["LICENSEKIT_API_TOKEN"]) as client:
        yield client


@pytest.fixture()
def keys() -> PublicKeyStore:
    with SystemClient(base_url=base_url()) as client:
        return PublicKeyStore(client.list_public_keys()["data"])


@pytest.fixture()
def sold(management: ManagementClient) -> Iterator[SimpleNamespace]:
    """A license as a shop would issue it, with an order, a subscription and a metered feature."""
    product = management.create_product(body={"name": "Editor \u00e9", "code": unique("editor")})["data"]
    under = {"id": product["id"]}
    policy = management.create_policy(
        path=under, body={"name": "Pro", "code": "pro", "license_type": "subscription"}
    )["data"]
    feature = management.create_feature(path=under, body={"name": "Calls", "code": "api_calls"})["data"]
    customer = management.create_customer(body={"name": "Ada", "code": unique("ada"), "email": "ada@example.com"})["data"]
    subscription = management.create_subscription(
        path=under,
        body={
            "customer_id": customer["id"],
            "external_system": "shop",
            "external_id": "s1",
            "status": "active",
            "current_period_start": moment(0),
            "current_period_end": moment(30),
        },
    )["data"]
    order = management.create_order(
        path=under,
        body={
            "customer_id": customer["id"],
            "subscription_id": subscription["id"],
            "external_system": "shop",
            "external_id": "o1",
            "status": "paid",
        },
    )["data"]
    made = management.create_license(
        body={
            "product_id": product["id"],
            "policy_id": policy["id"],
            "customer_id": customer["id"],
            "order_id": order["id"],
            "expires_at": moment(30),
        }
    )["data"]
    management.assign_license_feature(
        path={"id": made["license"]["id"]}, body={"feature_id": feature["id"], "max_consumptions": 1000}
    )
    with RuntimeClient(base_url=base_url(), license_key=made["license_key"]) as runtime:
        yield SimpleNamespace(
            product=product, policy=policy, feature=feature, customer=customer, subscription=subscription, order=order,
            license=made["license"], key=made["license_key"], runtime=runtime,
        )


def test_the_whole_life_of_a_device_is_signed_and_verifies(
    management: ManagementClient, sold: SimpleNamespace, keys: PublicKeyStore
) -> None:
    machine = {"fingerprint": "machine-1", "hostname": "host-\u00e9", "app_version": "1.4.0+build/5"}
    answers = [
        sold.runtime.activate_license(body=machine, idempotency_key="a1"),
        sold.runtime.validate_license(body=machine),
        sold.runtime.check_license(body=machine),
        sold.runtime.consume_license(
            body={**machine, "feature_code": "api_calls", "amount": 3, "event_id": "e1"}, idempotency_key="c1"
        ),
    ]
    license_path = {"id": sold.license["id"]}
    assert management.get_license(path=license_path)["data"]["active_device_count"] == 1
    answers.append(sold.runtime.deactivate_license(body=machine, idempotency_key="d1"))
    for answer in answers:
        assert verify_runtime_result(answer, keys).ok, answer
        assert answer["data"]["license_id"] == sold.license["id"]
    assert answers[3]["data"]["features"] == [
        {"code": "api_calls", "enabled": True, "quota": 1000, "consumed": 3, "remaining": 997}
    ]
    assert management.get_license(path=license_path)["data"]["active_device_count"] == 0


def test_a_changed_answer_does_not_verify(sold: SimpleNamespace, keys: PublicKeyStore) -> None:
    answer = sold.runtime.activate_license(body={"fingerprint": "m"}, idempotency_key="a")
    answer["data"]["expires_at"] = "2099-01-01T00:00:00Z"
    assert not verify_runtime_result(answer, keys).ok


def test_a_replay_gives_the_same_data_and_signature_and_takes_no_second_seat(
    management: ManagementClient, sold: SimpleNamespace
) -> None:
    first = sold.runtime.activate_license(body={"fingerprint": "m"}, idempotency_key="a")
    again = sold.runtime.activate_license(body={"fingerprint": "m"}, idempotency_key="a")
    assert (again["data"], again["signature"]) == (first["data"], first["signature"])
    with pytest.raises(ApiError) as conflict:
        sold.runtime.activate_license(body={"fingerprint": "other"}, idempotency_key="a")
    assert (conflict.value.status, conflict.value.code) == (409, "IDEMPOTENCY_CONFLICT")
    with pytest.raises(ApiError) as full:
        sold.runtime.activate_license(body={"fingerprint": "other"}, idempotency_key="b")
    assert (full.value.status, full.value.code) == (403, "ACTIVATION_LIMIT_EXCEEDED")


def test_suspend_reinstate_renew_and_revoke(management: ManagementClient, sold: SimpleNamespace) -> None:
    path = {"id": sold.license["id"]}
    machine = {"fingerprint": "m"}
    sold.runtime.activate_license(body=machine, idempotency_key="a")

    assert management.suspend_license(path=path)["data"]["status"] == "suspended"
    with pytest.raises(ApiError) as refused:
        sold.runtime.validate_license(body=machine)
    assert (refused.value.status, refused.value.code) == (403, "LICENSE_INACTIVE")

    assert management.reinstate_license(path=path)["data"]["status"] == "active"
    wanted = moment(60)
    for _ in range(2):
        renewed = management.renew_license(path=path, body={"expires_at": wanted}, idempotency_key="in_2")["data"]
        assert renewed["expires_at"] == wanted
    assert sold.runtime.validate_license(body=machine)["data"]["expires_at"] == wanted

    assert management.revoke_license(path=path)["data"]["status"] == "revoked"
    assert management.revoke_license(path=path)["data"]["active_device_count"] == 0
    with pytest.raises(ApiError) as gone:
        management.reinstate_license(path=path)
    assert gone.value.status == 409


def test_the_order_leads_to_its_licenses(management: ManagementClient, sold: SimpleNamespace) -> None:
    found = management.list_licenses(
        query={"order_id": sold.order["id"], "status": "active", "expires_after": datetime.now(timezone.utc)}
    )["data"]
    assert [row["id"] for row in found] == [sold.license["id"]]
    assert found[0]["subscription_id"] == sold.subscription["id"], "taken over from the order"
    events = management.list_events(query={"resource_id": sold.license["id"]})
    assert [event["event_type"] for event in events["data"]] == ["feature.assigned", "license.created"]
    assert events["page_info"] == {"next_cursor": None}


def test_a_license_is_made_once_per_key_and_the_key_is_shown_again(
    management: ManagementClient, sold: SimpleNamespace
) -> None:
    body = {"product_id": sold.product["id"], "policy_id": sold.policy["id"]}
    key = unique("unit")
    first, second = (management.create_license(body=body, idempotency_key=key)["data"] for _ in range(2))
    assert first == second


def test_errors_are_read_by_the_official_client(management: ManagementClient, sold: SimpleNamespace) -> None:
    with pytest.raises(ApiError) as unknown:
        management.create_product(body={"name": "A", "code": "a", "colour": "red"})
    assert (unknown.value.status, unknown.value.code) == (400, "INVALID_JSON")
    assert "colour" in (unknown.value.detail or "")
    assert unknown.value.request_id and unknown.value.timestamp

    with pytest.raises(ApiError) as missing:
        management.get_license(path={"id": "lic/none \u00e9"})
    assert (missing.value.status, missing.value.code) == (404, "NOT_FOUND")

    reader = management.create_api_key(body={"name": "reader", "scopes": ["product:read"]})["data"]["token"]
    with ManagementClient(base_url=base_url(), token=reader) as client:
        client.list_products(query={"limit": 1})
        with pytest.raises(ApiError) as denied:
            client.create_product(body={"name": "A", "code": "a"})
    assert (denied.value.status, denied.value.code) == (403, "TOKEN_SCOPE_DENIED")
    assert denied.value.detail == "requires product:write"

    with ManagementClient(base_url=base_url(), token="lkm_wrong") as client, pytest.raises(ApiError) as wrong:
        client.list_products()
    assert (wrong.value.status, wrong.value.code) == (401, "UNAUTHORIZED")


def test_the_system_tells_how_it_is() -> None:
    with SystemClient(base_url=base_url()) as client:
        assert client.health()["data"] == {"status": "ok"}
        assert client.healthz()["data"] == {"status": "ok"}
        ready = client.readyz()["data"]
        assert (ready["status"], ready["db"]) == ("ready", "ok")
        assert "# TYPE" in client.get_metrics()
