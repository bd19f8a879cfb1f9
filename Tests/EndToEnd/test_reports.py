"""Activities, reports and exports as the official client sees them.

Needs LICENSEKIT_BASE_URL and LICENSEKIT_API_TOKEN (an admin token); conftest.py sets both.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from licensekit import ManagementClient, RuntimeClient
from licensekit.errors import ApiError

from support.official import base_url, moment, unique
from support.waiting import eventually


@pytest.fixture()
def management() -> Iterator[ManagementClient]:
    with ManagementClient(base_url=base_url(), token=os.environ["LICENSEKIT_API_TOKEN"]) as client:
        yield client


@pytest.fixture()
def used(management: ManagementClient) -> Iterator[SimpleNamespace]:
    """A license of a subscription that used 3 of its 5 calls, was refused 4 more, and was tried on another machine."""
    product = management.create_product(body={"name": "Editor", "code": unique("editor")})["data"]
    under = {"id": product["id"]}
    policy = management.create_policy(
        path=under, body={"name": "Pro", "code": "pro", "license_type": "subscription"}
    )["data"]
    feature = management.create_feature(path=under, body={"name": "Calls", "code": "api_calls"})["data"]
    customer = management.create_customer(body={"name": "Ada", "code": unique("ada"), "email": "ada@example.com"})["data"]
    subscription = management.create_subscription(
        path=under,
        body={
            "customer_id": customer["id"], "external_system": "shop", "external_id": unique("s"), "status": "active",
            "current_period_start": moment(-1), "current_period_end": moment(29),
        },
    )["data"]
    order = management.create_order(
        path=under,
        body={
            "customer_id": customer["id"], "subscription_id": subscription["id"], "external_system": "shop",
            "external_id": unique("o"), "status": "paid", "period_start": moment(-1), "period_end": moment(29),
        },
    )["data"]
    made = management.create_license(
        body={
            "product_id": product["id"], "policy_id": policy["id"], "customer_id": customer["id"],
            "order_id": order["id"], "expires_at": moment(30),
        }
    )["data"]
    license_id = made["license"]["id"]
    management.assign_license_feature(
        path={"id": license_id}, body={"feature_id": feature["id"], "max_consumptions": 5}
    )
    machine = {"fingerprint": "machine-1", "app_version": "1.4.0"}
    with RuntimeClient(base_url=base_url(), license_key=made["license_key"]) as runtime:
        runtime.activate_license(body=machine, idempotency_key="a")
        consumption = {**machine, "feature_code": "api_calls"}
        runtime.consume_license(body={**consumption, "amount": 3, "event_id": "e1"}, idempotency_key="c1")
        with pytest.raises(ApiError):
            runtime.consume_license(body={**consumption, "amount": 4, "event_id": "e2"}, idempotency_key="c2")
        with pytest.raises(ApiError):
            runtime.check_license(body={"fingerprint": "another", "app_version": "2.0.0"})
    yield SimpleNamespace(
        product=product, customer=customer, subscription=subscription, order=order, license_id=license_id
    )


def test_activities_tell_what_was_asked_and_how_it_ended(
    management: ManagementClient, used: SimpleNamespace
) -> None:
    def of_the_runtime() -> list[dict]:
        return management.list_activities(query={"license_id": used.license_id, "source": "runtime"})["data"]

    rows = eventually(of_the_runtime, lambda found: len(found) >= 4, "the recorder's entries")
    assert sorted((row["action"], row["status_code"], row.get("reason_code")) for row in rows) == sorted([
        ("license.activated", 200, None), ("usage.consumed", 200, None),
        ("usage.consumed", 403, "FEATURE_QUOTA_EXCEEDED"), ("license.checked", 404, "NOT_FOUND"),
    ])
    assert {row["customer_id"] for row in rows} == {used.customer["id"]}
    denied = management.list_activities(
        query={
            "license_id": used.license_id, "result_class": "denied", "status_code": 403, "feature_code": "api_calls",
            "from": datetime.now(timezone.utc) - timedelta(hours=1),
        }
    )
    assert [row["amount"] for row in denied["data"]] == [4]
    assert denied["page_info"] == {"next_cursor": None}
    first = management.list_activities(query={"license_id": used.license_id, "limit": 1})
    rest = management.list_activities(
        query={"license_id": used.license_id, "cursor": first["page_info"]["next_cursor"]}
    )
    assert first["data"][0]["sequence"] > rest["data"][0]["sequence"]

    errors = management.list_runtime_error_groups(
        query={"license_id": used.license_id, "group_by": "endpoint,reason_code"}
    )["data"]
    assert sorted((group["endpoint"], group["count"]) for group in errors["groups"]) == [("check", 1), ("consume", 1)]
    summary = management.get_ops_summary(query={"license_id": used.license_id})["data"]
    assert summary["refusals"]["total"] == 2
    assert summary["active_devices"] == {"count": 1, "capped": False}
    whole = eventually(
        lambda: management.get_ops_summary()["data"], lambda found: found["requests"]["total"] >= 4, "the counts"
    )
    assert whole["basis"] == "counts"


def test_usage_adds_up_in_every_report(management: ManagementClient, used: SimpleNamespace) -> None:
    by_license = {"license_id": used.license_id}
    ledger = management.list_usage_ledger(query=by_license)["data"]
    assert [(row["action"], row["amount"]) for row in ledger] == [("consume", 3)]
    for group_by in ["feature_code", "customer_id", "license_id", "product_id", "order_id", "subscription_id"]:
        summary = management.get_usage_summary(query={**by_license, "group_by": group_by, "bucket": "1d"})["data"]
        assert summary["totals"]["consumed"] == 3
        assert sum(group["consumed"] for group in summary["groups"]) == 3
    audit = management.get_license_audit_report(query=by_license)["data"]
    assert audit["usage"]["totals"]["consumed"] == 3
    assert audit["events"][-1]["event_type"] == "license.created"
    customer = management.get_customer_summary(query={"customer_id": used.customer["id"]})["data"]
    assert customer["usage"]["totals"]["consumed"] == 3
    assert "ada@example.com" not in json.dumps([audit, customer])
    for subject in [{"subscription_id": used.subscription["id"]}, {"order_id": used.order["id"]}]:
        settlement = management.get_subscription_settlement(query=subject)["data"]
        assert settlement["totals"]["consumed"] == 3
        assert [period["consumed"] for period in settlement["periods"]] == [3]
    assert management.get_license(path={"id": used.license_id})["data"]["total_consumptions"] == 3

    for call, query in [
        (management.get_subscription_settlement, {}), (management.get_license_audit_report, {}),
        (management.get_usage_summary, {"group_by": "weather"}), (management.get_ops_summary, {"from": "soon"}),
    ]:
        with pytest.raises(ApiError) as refused:
            call(query=query)
        assert (refused.value.status, refused.value.code) == (400, "INVALID_QUERY")


def test_an_export_is_frozen_in_three_formats_with_digests_that_anyone_can_check(
    management: ManagementClient, used: SimpleNamespace
) -> None:
    files = {}
    exports = {}
    filters = {"license_id": used.license_id, "from": moment(-2), "to": moment(1)}
    for form in ["json", "csv", "pdf"]:
        export = management.create_report_export(
            body={"report_kind": "usage-ledger", "format": form, "filters": filters}
        )["data"]
        assert management.get_report_export(path={"id": export["id"]})["data"] == export
        files[form] = management.download_report_export(path={"id": export["id"]})
        assert hashlib.sha256(files[form]).hexdigest() == export["artifact_digest"]
        exports[form] = export
    assert len({export["digest"] for export in exports.values()}) == 1

    document = json.loads(files["json"])
    content = {name: document[name] for name in ["report_kind", "filters", "data"]}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == exports["json"]["digest"]
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode(), newline="")))
    assert [(row["action"], row["amount"], row["license_id"]) for row in rows] == [("consume", "3", used.license_id)]
    text = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=files["pdf"], capture_output=True, check=True
    ).stdout.decode()
    assert "Usage ledger" in text and "Page 1 of 1" in text and "api_calls" in text

    management.reset_license_usage(path={"id": used.license_id}, body={"feature_code": "api_calls", "reset_consumed": True})
    assert management.download_report_export(path={"id": exports["json"]["id"]}) == files["json"]
    with pytest.raises(ApiError) as unknown:
        management.download_report_export(path={"id": "exp_none"})
    assert (unknown.value.status, unknown.value.code) == (404, "NOT_FOUND")
    with pytest.raises(ApiError) as refused:
        management.create_report_export(body={"report_kind": "usage-ledger", "filters": {"colour": "red"}})
    assert refused.value.status == 400 and "filters.colour" in (refused.value.detail or "")
