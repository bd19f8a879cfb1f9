#!/usr/bin/env python3
"""Opens and checks an offline envelope, as docs/offline.md describes it.

    offline-verifier.py ENVELOPE PUBLIC_KEYS [--device DEVICE_ID] [--now 2026-03-24T00:00:00Z]

ENVELOPE is the answer of POST /api/v1/license/offline (or its `data` alone), PUBLIC_KEYS that of
GET /api/v1/system/public-keys, kept while the application was online. The license key is read from the environment
variable LICENSE_KEY, so that it is in no list of processes. Prints the entitlement and ends with 0, or says what is
wrong and ends with 1.

Needs the package `cryptography`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from datetime import datetime, timezone
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

INFO = b"licensekit-offline-v1"


class Refused(Exception):
    """The envelope gives no entitlement; the message says why."""


def decrypt(envelope: dict[str, Any], license_key: str) -> bytes:
    """The inner document. Fails for another license key and for every changed byte."""
    salt, nonce, ciphertext = (
        base64.b64decode(envelope[name], validate=True) for name in ("salt", "nonce", "ciphertext")
    )
    key = HKDF(algorithm=SHA256(), length=32, salt=salt, info=INFO).derive(license_key.encode())
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, None)
    except InvalidTag:
        raise Refused("it was made for another license key, or was changed") from None


def verified(inner: bytes, public_keys: list[dict[str, Any]]) -> dict[str, Any]:
    """The entitlement, once its signature is found to be the server's."""
    document = json.loads(inner)
    data, signature = document["data"], document["signature"]
    if signature["alg"] != "Ed25519":
        raise Refused("it is signed in a way that is not known")
    found = [key for key in public_keys if key["kid"] == signature["kid"]]
    if not found:
        raise Refused("it is signed with a key that is not known")
    signed = json.dumps(data, separators=(",", ":")).encode()
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(found[0]["public_key"], validate=True))
        key.verify(base64.b64decode(signature["value"], validate=True), signed)
    except InvalidSignature:
        raise Refused("its signature is not the server's") from None
    return data


def check(data: dict[str, Any], device: str | None, now: datetime) -> None:
    """Whether the entitlement holds here and now."""
    issued, expires = (datetime.fromisoformat(data[name].replace("Z", "+00:00")) for name in ("issued_at", "expires_at"))
    if data["status"] not in ("active", "grace_period"):
        raise Refused(f"the license is {data['status']}")
    if device is not None and data["device_id"] != device:
        raise Refused("it was issued for another device")
    if now < issued:
        raise Refused("the clock is set to before it was issued")
    if now >= expires:
        raise Refused(f"it was good until {data['expires_at']}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Opens and checks an offline envelope.")
    parser.add_argument("envelope")
    parser.add_argument("public_keys")
    parser.add_argument("--device", help="the device_id that the application was activated as")
    parser.add_argument("--now", help="the time to check for; the present when left out")
    arguments = parser.parse_args()

    def read(path: str) -> Any:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        return document["data"] if isinstance(document, dict) and "data" in document else document

    now = datetime.fromisoformat(arguments.now.replace("Z", "+00:00")) if arguments.now else datetime.now(timezone.utc)
    try:
        inner = decrypt(read(arguments.envelope), os.environ["LICENSE_KEY"])
        data = verified(inner, read(arguments.public_keys))
        check(data, arguments.device, now)
    except Refused as reason:
        print(f"refused: {reason}", file=sys.stderr)
        return 1
    print(json.dumps(data, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
