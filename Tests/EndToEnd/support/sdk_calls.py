"""One successful call of every method of the official Python client, in an order in which each finds what it needs.

The caller chooses the client of a call, so the same list runs with the plain clients and with their `raw` versions.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from .product import Product
from .records import allow_everything


def moment(days: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Story:
    """What the previous calls have made."""

    product: Product
    tag: str = field(default_factory=lambda: secrets.token_hex(5))
    ids: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.ids[name]

    def path(self, name: str, **others: str) -> dict[str, str]:
        return {"id": self.ids[name], **{key: self.ids[value] for key, value in others.items()}}


@dataclass(frozen=True)
class Call:
    """`client` is management, runtime or system; a runtime call uses the license key that is stored as `key`."""

    client: str
    method: str
    arguments: Callable[[Story], dict[str, Any]] = lambda story: {}
    keep: str | None = None
    key: str = "license"
    before: Callable[[Story], None] | None = None


def management(method: str, arguments: Callable[[Story], dict[str, Any]] = lambda story: {}, **more: Any) -> Call:
    return Call("management", method, arguments, **more)


def runtime(method: str, body: dict[str, Any], keyed: bool = False, **more: Any) -> Call:
    def arguments(story: Story) -> dict[str, Any]:
        filled = {name: story.ids.get(value[1:], value) if str(value).startswith("$") else value for name, value in body.items()}
        return {"body": filled} | ({"idempotency_key": f"{method}-{story.tag}"} if keyed else {})

    return Call("runtime", method, arguments, **more)


MACHINE = {"fingerprint": "machine-1", "hostname": "host-\u00e9", "os": "linux", "app_version": "1.4.0+build/5"}

CALLS: list[Call] = [
    Call("system", "health"), Call("system", "healthz"), Call("system", "readyz"), Call("system", "get_metrics"),
    Call("system", "list_public_keys"),
    # What is sold
    management("create_product", lambda s: {"body": {"name": "Editor \u00e9", "code": f"editor-{s.tag}"}}, keep="product"),
    management("list_products", lambda s: {"query": {"limit": 5}}),
    management("get_product", lambda s: {"path": s.path("product")}),
    management("update_product", lambda s: {"path": s.path("product"), "body": {"name": "Editor"}}),
    management("create_policy", lambda s: {"path": s.path("product"), "body": {
        "name": "Pro", "code": "pro", "license_type": "subscription", "max_floating_users": 3}}, keep="policy"),
    management("list_policies_by_product", lambda s: {"path": s.path("product")}),
    management("get_policy", lambda s: {"path": s.path("policy")}),
    management("update_policy", lambda s: {"path": s.path("policy"), "body": {"name": "Pro 2"}}),
    management("create_feature", lambda s: {"path": s.path("product"), "body": {"name": "Calls", "code": "api_calls"}}, keep="feature"),
    management("list_features_by_product", lambda s: {"path": s.path("product")}),
    management("get_feature", lambda s: {"path": s.path("feature")}),
    management("create_product_version", lambda s: {"path": s.path("product"), "body": {"version": "1.4.0+build/5"}}),
    management("list_product_versions", lambda s: {"path": s.path("product")}),
    # Who buys it
    management("create_customer", lambda s: {"body": {"name": "Ada", "code": f"ada-{s.tag}", "email": "ada@example.com"}}, keep="customer"),
    management("list_customers"),
    management("get_customer", lambda s: {"path": s.path("customer")}),
    management("update_customer", lambda s: {"path": s.path("customer"), "body": {"email": ""}}),
    management("create_subscription", lambda s: {"path": s.path("product"), "body": {
        "customer_id": s["customer"], "external_system": "shop", "external_id": "s1", "status": "active",
        "current_period_start": moment(0), "current_period_end": moment(30)}}, keep="subscription"),
    management("list_product_subscriptions", lambda s: {"path": s.path("product")}),
    management("get_subscription", lambda s: {"path": s.path("subscription")}),
    management("update_subscription", lambda s: {"path": s.path("subscription"), "body": {"cancel_at_period_end": True}}),
    management("create_order", lambda s: {"path": s.path("product"), "body": {
        "customer_id": s["customer"], "subscription_id": s["subscription"], "external_system": "shop", "external_id": "o1",
        "status": "paid"}}, keep="order"),
    management("list_product_orders", lambda s: {"path": s.path("product")}),
    management("get_order", lambda s: {"path": s.path("order")}),
    management("update_order", lambda s: {"path": s.path("order"), "body": {"status": "fulfilled"}}),
    # Licenses
    management("create_license", lambda s: {"body": {
        "product_id": s["product"], "policy_id": s["policy"], "customer_id": s["customer"], "order_id": s["order"],
        "expires_at": moment(30)}}, keep="license", before=lambda s: allow_everything(s.product, s["policy"])),
    management("list_licenses", lambda s: {"query": {
        "order_id": s["order"], "status": "active", "expires_after": datetime.now(timezone.utc)}}),
    management("get_license", lambda s: {"path": s.path("license")}),
    management("assign_license_feature", lambda s: {"path": s.path("license"), "body": {"feature_id": s["feature"], "max_consumptions": 100}}),
    management("list_license_features", lambda s: {"path": s.path("license")}),
    # Custom fields
    management("create_product_custom_field_definition", lambda s: {"path": s.path("product"), "body": {
        "resource_type": "license", "code": "seats", "name": "Seats", "value_type": "integer"}}, keep="field"),
    management("create_product_custom_field_definition", lambda s: {"path": s.path("product"), "body": {
        "resource_type": "customer", "code": "vip", "name": "VIP", "value_type": "boolean"}}, keep="vip"),
    management("list_product_custom_field_definitions", lambda s: {"path": s.path("product")}),
    management("get_product_custom_field_definition", lambda s: {"path": s.path("product", field_id="field")}),
    management("update_product_custom_field_definition", lambda s: {"path": s.path("product", field_id="field"), "body": {"name": "Chairs"}}),
    management("upsert_license_custom_field_value", lambda s: {"path": s.path("license", field_id="field"), "body": {"integer_value": 3}}),
    management("list_license_custom_field_values", lambda s: {"path": s.path("license")}),
    management("upsert_license_custom_field_value", lambda s: {"path": s.path("license", field_id="field"), "body": {"clear": True}}),
    management("upsert_customer_custom_field_value", lambda s: {"path": s.path("customer", field_id="vip"), "body": {"boolean_value": True}}),
    management("list_customer_custom_field_values", lambda s: {"path": s.path("customer")}),
    management("delete_product_custom_field_definition", lambda s: {"path": s.path("product", field_id="field")}),
    # An application
    runtime("activate_license", MACHINE, keyed=True, keep="device"),
    runtime("validate_license", MACHINE),
    runtime("check_license", MACHINE),
    runtime("consume_license", {**MACHINE, "feature_code": "api_calls", "amount": 3, "event_id": "e1"}, keyed=True),
    runtime("issue_offline_license", MACHINE),
    management("reset_license_usage", lambda s: {"path": s.path("license"), "body": {"feature_code": "api_calls", "reset_consumed": True}}),
    management("list_license_devices", lambda s: {"path": s.path("license")}),
    management("get_license_device", lambda s: {"path": s.path("license", device_id="device")}),
    runtime("deactivate_license", MACHINE, keyed=True),
    management("reset_license_device", lambda s: {"path": s.path("license", device_id="device")}),
    management("blacklist_license_device", lambda s: {"path": s.path("license", device_id="device")}),
    runtime("checkout_floating_license", {"fingerprint": "machine-2"}, keyed=True, keep="lease"),
    runtime("heartbeat_floating_license", {"lease_token": "$lease"}),
    runtime("checkin_floating_license", {"lease_token": "$lease"}, keyed=True),
    # Its life
    management("renew_license", lambda s: {"path": s.path("license"), "body": {"extend_by_days": 30}, "idempotency_key": f"renew-{s.tag}"}),
    management("transfer_license", lambda s: {"path": s.path("license"), "body": {"customer_name": "Grace"}, "idempotency_key": f"transfer-{s.tag}"}),
    management("suspend_license", lambda s: {"path": s.path("license")}),
    management("reinstate_license", lambda s: {"path": s.path("license")}),
    # Tokens, events, webhooks
    management("create_api_key", lambda s: {"body": {"name": "reader", "scopes": ["license:read"]}}),
    management("list_api_keys"),
    management("list_events", lambda s: {"query": {"resource_id": s["license"], "limit": 2}}),
    management("create_webhook_endpoint", lambda s: {"body": {
        "name": "shop", "url": "https://hooks.example.com/licenses", "is_active": False}}, keep="webhook"),
    management("list_webhook_endpoints"),
    management("get_webhook_endpoint", lambda s: {"path": s.path("webhook")}),
    management("update_webhook_endpoint", lambda s: {"path": s.path("webhook"), "body": {"rotate_secret": True}}),
    management("update_webhook_endpoint", lambda s: {"path": s.path("webhook"), "body": {"name": "the shop"}}),
    management("get_webhook_health"),
    management("delete_webhook_endpoint", lambda s: {"path": s.path("webhook")}),
    # Reports
    management("list_activities", lambda s: {"query": {"license_id": s["license"], "from": moment(-1)}}),
    management("get_usage_summary", lambda s: {"query": {"group_by": "feature_code", "product_id": s["product"]}}),
    management("list_usage_ledger", lambda s: {"query": {"license_id": s["license"]}}),
    management("get_license_audit_report", lambda s: {"query": {"license_id": s["license"]}}),
    management("get_customer_summary", lambda s: {"query": {"customer_id": s["customer"]}}),
    management("get_subscription_settlement", lambda s: {"query": {"subscription_id": s["subscription"]}}),
    management("create_report_export", lambda s: {"body": {"report_kind": "usage-summary", "format": "csv", "filters": {}}}, keep="export"),
    management("get_report_export", lambda s: {"path": s.path("export")}),
    management("download_report_export", lambda s: {"path": s.path("export")}),
    management("get_ops_summary"),
    management("list_runtime_error_groups", lambda s: {"query": {"group_by": "endpoint", "bucket": "1h"}}),
    # The end
    management("remove_license_feature", lambda s: {"path": s.path("license", feature_id="feature")}),
    management("revoke_license", lambda s: {"path": s.path("license")}),
    management("create_product", lambda s: {"body": {"name": "Doomed", "code": f"doomed-{s.tag}"}}, keep="doomed"),
    management("create_policy", lambda s: {"path": s.path("doomed"), "body": {
        "name": "P", "code": "p", "license_type": "perpetual"}}, keep="doomed_policy"),
    management("delete_policy", lambda s: {"path": s.path("doomed_policy")}),
    management("delete_product", lambda s: {"path": s.path("doomed")}),
    management("create_customer", lambda s: {"body": {"name": "Nobody", "code": f"nobody-{s.tag}"}}, keep="nobody"),
    management("delete_customer", lambda s: {"path": s.path("nobody")}),
]


def keep(story: Story, name: str, data: dict[str, Any]) -> None:
    """Stores the id of a new record, and the key of a new license."""
    made = data.get("license") or data.get("webhook") or data
    story.ids[name] = data.get("lease_token") or (data["device_id"] if "id" not in made else made["id"])
    if "license_key" in data:
        story.ids[f"{name}.key"] = data["license_key"]
