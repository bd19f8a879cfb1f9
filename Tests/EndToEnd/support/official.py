"""Helpers for tests of the LicenseKit API through the official client."""

from __future__ import annotations

import os
import uuid
from datetime import datetime, timedelta, timezone


def base_url() -> str:
    return os.environ["LICENSEKIT_BASE_URL"]


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex}"


def moment(days: float) -> str:
    """So many days from now, as the contract writes times."""
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
