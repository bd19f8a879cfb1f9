"""The main failures, as the official Python client reports them: a status, a code, and a helpful detail."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from licensekit import ApiError, ManagementClient, RuntimeClient

from support.databases import psql
from support.product import Product
from support.sdk_calls import moment


class Sold:
    """A license with a metered feature, one seat, and a management client beside it."""

    def __init__(self, product: Product, license_type: str = "subscription", expires_in: float = 30) -> None:
        self.product = product
        self.api = product.management
        self.offer = product.new_offer(license_type)
        body: dict[str, Any] = {"product_id": self.offer.product_id, "policy_id": self.offer.policy_id}
        if license_type == "subscription":
            body["expires_at"] = moment(expires_in)
        made = self.api.create_license(body=body)["data"]
        self.path = {"id": made["license"]["id"]}
        self.key = made["license_key"]
        self.api.assign_license_feature(path=self.path, body={"feature_id": self.offer.feature_id, "max_consumptions": 10})
        self.runtime = RuntimeClient(base_url=product.url, license_key=self.key, timeout=20)

    def activate(self, fingerprint: str = "m", key: str | None = None) -> dict[str, Any]:
        return self.runtime.activate_license(body={"fingerprint": fingerprint}, idempotency_key=key or secrets.token_hex(8))

    def consume(self, amount: int, event: str | None = None, key: str | None = None) -> dict[str, Any]:
        body = {
            "fingerprint": "m", "feature_code": self.offer.feature_code, "amount": amount,
            "event_id": event or secrets.token_hex(8),
        }
        return self.runtime.consume_license(body=body, idempotency_key=key or secrets.token_hex(8))

    def expire(self) -> None:
        """Changes that only time can make."""
        psql(
            self.product.database,
            f"""
            UPDATE license_server.licenses
               SET starts_at = now() - interval '9 days', expires_at = now() - interval '1 day',
                   ends_at = CASE WHEN ends_at IS NULL THEN NULL ELSE now() - interval '1 day' END
             WHERE id = '{self.path["id"]}'
            """,
        )


@pytest.fixture
def sold(product: Product) -> Iterator[Sold]:
    sold = Sold(product)
    yield sold
    sold.runtime.close()
    sold.api.close()


def failure(call: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as raised:
        call()
    assert raised.value.request_id and raised.value.timestamp
    return raised.value


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    error = failure(call)
    return error.status, error.code


def test_401_without_a_known_credential(product: Product, sold: Sold) -> None:
    with ManagementClient(base_url=product.url, token="lkm_wrong") as stranger:
        assert refusal(stranger.list_products) == (401, "UNAUTHORIZED")
    with ManagementClient(base_url=product.url, token=sold.key) as buyer:
        assert refusal(buyer.list_products) == (401, "UNAUTHORIZED")
    with RuntimeClient(base_url=product.url, license_key="lsk_wrong") as stranger:
        assert refusal(lambda: stranger.validate_license(body={"fingerprint": "m"})) == (401, "UNAUTHORIZED")
    with RuntimeClient(base_url=product.url, license_key=product.secrets.api_token) as manager:
        assert refusal(lambda: manager.validate_license(body={"fingerprint": "m"})) == (401, "UNAUTHORIZED")


def test_403_for_a_token_without_the_scope(product: Product, sold: Sold) -> None:
    token = sold.api.create_api_key(body={"name": "reader", "scopes": ["license:read"]})["data"]["token"]
    with ManagementClient(base_url=product.url, token=token) as reader:
        assert reader.get_license(path=sold.path)["data"]["id"] == sold.path["id"]
        error = failure(lambda: reader.suspend_license(path=sold.path))
    assert (error.status, error.code, error.detail) == (403, "TOKEN_SCOPE_DENIED", "requires license:write")


def test_404_409_and_422_name_what_is_wrong(sold: Sold) -> None:
    assert refusal(lambda: sold.api.get_license(path={"id": "lic/none \u00e9"})) == (404, "NOT_FOUND")
    product = sold.api.get_product(path={"id": sold.offer.product_id})["data"]
    again = failure(lambda: sold.api.create_product(body={"name": "Again", "code": product["code"]}))
    assert (again.status, again.code) == (409, "CONFLICT")
    assert refusal(lambda: sold.api.delete_product(path={"id": sold.offer.product_id})) == (409, "CONFLICT")
    missing = failure(lambda: sold.api.create_product(body={"name": "A"}))
    assert (missing.status, missing.code) == (422, "VALIDATION_ERROR") and "code" in (missing.detail or "")
    unknown = failure(lambda: sold.api.create_product(body={"name": "A", "code": "a", "colour": "red"}))
    assert (unknown.status, unknown.code) == (400, "INVALID_JSON") and "colour" in (unknown.detail or "")
    query = failure(lambda: sold.api.list_licenses(query={"status": "lost"}))
    assert (query.status, query.code) == (400, "INVALID_QUERY") and "status" in (query.detail or "")


def test_a_key_replays_its_answer_and_refuses_another_body(sold: Sold) -> None:
    first = sold.activate(key="a")
    again = sold.activate(key="a")
    assert (again["data"], again["signature"]) == (first["data"], first["signature"])
    assert refusal(lambda: sold.activate("other", key="a")) == (409, "IDEMPOTENCY_CONFLICT")

    body = {"expires_at": moment(60)}
    renewed = sold.api.renew_license(path=sold.path, body=body, idempotency_key="r")["data"]
    assert sold.api.renew_license(path=sold.path, body=body, idempotency_key="r")["data"] == renewed
    other = {"expires_at": moment(90)}
    assert refusal(lambda: sold.api.renew_license(path=sold.path, body=other, idempotency_key="r")) == (409, "IDEMPOTENCY_CONFLICT")

    missing = failure(lambda: sold.api.renew_license(path=sold.path, body=body))
    assert (missing.status, missing.code) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_an_event_is_counted_once_under_any_number_of_keys(sold: Sold) -> None:
    sold.activate()
    for key in ("k1", "k2", "k1"):
        features = sold.consume(3, event="e", key=key)["data"]["features"]
        assert (features[0]["consumed"], features[0]["remaining"]) == (3, 7)


@pytest.mark.parametrize("ending, code", [("suspend", "LICENSE_INACTIVE"), ("revoke", "LICENSE_INACTIVE"), ("expire", "LICENSE_EXPIRED")])
def test_a_license_that_is_not_active_is_refused_everywhere(sold: Sold, ending: str, code: str) -> None:
    sold.activate()
    if ending == "expire":
        sold.expire()
    else:
        getattr(sold.api, f"{ending}_license")(path=sold.path)
    machine = {"body": {"fingerprint": "m"}}
    assert refusal(lambda: sold.runtime.validate_license(**machine)) == (403, code)
    assert refusal(lambda: sold.runtime.check_license(**machine)) == (403, code)
    assert refusal(lambda: sold.consume(1)) == (403, code)
    assert refusal(lambda: sold.activate("another")) == (403, code)


def test_what_a_quota_does_not_cover_is_refused_as_a_whole(sold: Sold) -> None:
    sold.activate()
    sold.consume(8)
    assert refusal(lambda: sold.consume(3)) == (403, "FEATURE_QUOTA_EXCEEDED")
    assert sold.consume(2)["data"]["features"][0]["remaining"] == 0


def test_a_second_device_finds_no_seat_until_the_first_is_given_up(sold: Sold) -> None:
    device = sold.activate("first")["data"]["device_id"]
    assert refusal(lambda: sold.activate("second")) == (403, "ACTIVATION_LIMIT_EXCEEDED")
    sold.api.reset_license_device(path={**sold.path, "device_id": device})
    sold.activate("second")


def test_a_blocked_device_stays_out(sold: Sold) -> None:
    device = sold.activate("first")["data"]["device_id"]
    sold.api.blacklist_license_device(path={**sold.path, "device_id": device})
    assert refusal(lambda: sold.activate("first")) == (403, "DEVICE_BLACKLISTED")
    assert refusal(lambda: sold.runtime.validate_license(body={"fingerprint": "first"}))[0] == 403


def test_a_device_that_is_not_bound_is_not_found(sold: Sold) -> None:
    assert refusal(lambda: sold.runtime.validate_license(body={"fingerprint": "nobody"})) == (404, "NOT_FOUND")


def test_what_cannot_be_renewed_or_reinstated_says_so(product: Product, sold: Sold) -> None:
    perpetual = Sold(product, "perpetual")
    body = {"extend_by_days": 1}
    assert refusal(lambda: perpetual.api.renew_license(path=perpetual.path, body=body, idempotency_key="r"))[0] == 422
    sold.api.revoke_license(path=sold.path)
    assert refusal(lambda: sold.api.renew_license(path=sold.path, body=body, idempotency_key="r"))[0] == 409
    assert refusal(lambda: sold.api.reinstate_license(path=sold.path))[0] == 409
