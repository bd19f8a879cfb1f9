"""A fresh database for every product that is started, on the server that DATABASE_URL names."""

from __future__ import annotations

import os
import secrets
import subprocess
from urllib.parse import urlsplit, urlunsplit


def _server() -> str:
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise RuntimeError("DATABASE_URL is not set: run the tests with script/test e2e, which starts a private server")
    return url


def psql(url: str, statement: str) -> str:
    """Runs one statement and returns its rows, one a line, columns separated by '|'."""
    done = subprocess.run(
        ["psql", url, "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement],
        capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"psql failed: {done.stderr.strip()}")
    return done.stdout.strip()


def create_database() -> str:
    """Makes an empty database and returns its URL."""
    name = f"e2e_{secrets.token_hex(6)}"
    psql(_server(), f'CREATE DATABASE "{name}"')
    parts = urlsplit(_server())
    return urlunsplit(parts._replace(path=f"/{name}"))


def drop_database(url: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    psql(_server(), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def redis_url() -> str:
    url = os.environ.get("REDIS_URL")
    if not url:
        raise RuntimeError("REDIS_URL is not set: run the tests with script/test e2e, which starts a private server")
    return url
