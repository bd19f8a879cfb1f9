"""Signatures as Stripe makes them: of webhooks, and of requests from the Dashboard extension."""

from __future__ import annotations

import hashlib
import hmac
import json
import time


def stripe_signature(secret: str, payload: bytes, at: int | None = None) -> str:
    """The value of a Stripe-Signature header over these exact bytes."""
    moment = int(time.time()) if at is None else at
    code = hmac.new(secret.encode(), b"%d." % moment + payload, hashlib.sha256).hexdigest()
    return f"t={moment},v1={code}"


def app_headers(secret: str, user: str, account: str, at: int | None = None) -> dict[str, str]:
    """The headers of a read by the Dashboard extension: who asks, and Stripe's signature over that alone."""
    payload = json.dumps({"user_id": user, "account_id": account}, separators=(",", ":")).encode()
    return {
        "Stripe-Signature": stripe_signature(secret, payload, at),
        "Stripe-User-Id": user,
        "Stripe-Account-Id": account,
        "Origin": "null",
    }


def signed_request(secret: str, user: str, account: str, fields: dict[str, object], at: int | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request with a signed body: the fields in their order, then user and account."""
    body = json.dumps(fields | {"user_id": user, "account_id": account}, separators=(",", ":"), ensure_ascii=False).encode()
    return body, {"Content-Type": "application/json", "Stripe-Signature": stripe_signature(secret, body, at), "Origin": "null"}
