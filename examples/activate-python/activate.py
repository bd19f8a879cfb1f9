#!/usr/bin/env python3
"""Activates a license on this machine and validates it, as a program does when it starts.

    LICENSE_KEY=lsk_… activate.py --server https://licenses.example.com [--version 1.4.0]

Uses the official package: pip install licensekit-sdk

Exit status: 0 the license is good, 1 it is refused, 2 unknown (no answer, or an answer that is not genuine).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
from licensekit import ApiError, PublicKeyStore, RuntimeClient, SystemClient, verify_runtime_result

TIMEOUT_SECONDS = 10


class NotGenuine(Exception):
    """The answer was not signed by the server whose keys this program trusts."""


def fingerprint() -> str:
    """The same text on each start, and a different one on every machine. It is a hash, so the machine's id stays here."""
    try:
        identity = Path("/etc/machine-id").read_text().strip()
    except OSError:
        identity = str(uuid.getnode())
    return hashlib.sha256(f"editor/{identity}".encode()).hexdigest()


class License:
    """One license on this machine. It believes signed answers only."""

    def __init__(self, server: str, license_key: str, machine: dict[str, str]) -> None:
        self._runtime = RuntimeClient(base_url=server, license_key=license_key, timeout=TIMEOUT_SECONDS)
        self._machine = machine
        # A real program ships with these keys, or keeps the ones of its first start: an attacker who
        # can send a false answer can also send false keys.
        with SystemClient(base_url=server, timeout=TIMEOUT_SECONDS) as system:
            self._keys = PublicKeyStore(system.list_public_keys()["data"])

    def activate(self) -> dict[str, Any]:
        """Takes a seat for this machine. A machine that has one keeps it, and takes no second one."""
        # One key for each activation: if the answer is lost, a second request with the same key changes nothing.
        answer = self._runtime.activate_license(body=self._machine, idempotency_key=f"activate-{uuid.uuid4()}")
        return self._verified(answer)

    def validate(self) -> dict[str, Any]:
        """Confirms the seat. Call it on each start, and again at `next_check_at`."""
        return self._verified(self._runtime.validate_license(body=self._machine))

    def _verified(self, answer: dict[str, Any]) -> dict[str, Any]:
        try:
            genuine = verify_runtime_result(answer, self._keys).ok
        except (KeyError, TypeError, ValueError):
            # There is no signature, or it is unreadable, or its key is unknown.
            genuine = False
        if not genuine:
            raise NotGenuine
        return answer["data"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Activates and validates a license.")
    parser.add_argument("--server", required=True, help="the address of the license server")
    parser.add_argument("--version", help="the version of the program that asks")
    parser.add_argument("--fingerprint", help="another name for this machine, for a try")
    arguments = parser.parse_args()
    license_key = os.environ.get("LICENSE_KEY")
    if not license_key:
        print("LICENSE_KEY is not set", file=sys.stderr)
        return 2
    machine = {
        "fingerprint": arguments.fingerprint or fingerprint(),
        "hostname": platform.node() or "unknown",
        "os": platform.system().lower(),
    }
    if arguments.version:
        machine["app_version"] = arguments.version
    try:
        license = License(arguments.server, license_key, machine)
        license.activate()
        entitlement = license.validate()
    except ApiError as error:
        # Below 500 the server has decided, except for 429 and 408, which say "later".
        is_refused = 400 <= error.status < 500 and error.status not in (408, 429)
        print(f"{'refused' if is_refused else 'not known'}: {error.code}: {error}", file=sys.stderr)
        return 1 if is_refused else 2
    except httpx.HTTPError as error:
        print(f"not known: the server does not answer ({error})", file=sys.stderr)
        return 2
    except NotGenuine:
        print("not known: the answer is not signed by this server", file=sys.stderr)
        return 2
    print(json.dumps(entitlement, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
