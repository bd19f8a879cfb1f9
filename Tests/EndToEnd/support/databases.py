"""A fresh database for every product that is started, on the server that DATABASE_URL names.

The product has the database user that docs/operating.md describes, with no more rights than that. Tests look from outside,
as the user of DATABASE_URL, which row-level security must not bind.
"""

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


OWNER = "licensekit_plain"


def psql(url: str, statement: str, as_owner: bool = False) -> str:
    """Runs one statement in the database of this URL and returns its rows, one a line, columns separated by '|'.

    It sees all rows. With `as_owner` it sees only what the product's own user sees.
    """
    done = subprocess.run(
        ["psql", url if as_owner else as_observer(url), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement],
        capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"psql failed: {done.stderr.strip()}")
    return done.stdout.strip()


def create_database() -> str:
    """Makes an empty database and returns its URL."""
    name = f"e2e_{secrets.token_hex(6)}"
    _make_owner()
    psql(_server(), f'CREATE DATABASE "{name}" OWNER {OWNER}')
    parts = urlsplit(_server())
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{OWNER}:{OWNER}@{address}", path=f"/{name}"))


def _make_owner() -> None:
    """The plain user. On a server where others ran the migrations before, an administrator grants it the roles."""
    psql(
        _server(),
        f"""
        DO $$
        DECLARE
          name text;
        BEGIN
          CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{OWNER}';
          IF current_setting('server_version_num')::integer >= 160000 THEN
            FOR name IN SELECT rolname FROM pg_roles WHERE rolname ~ '^(license_server|stripe_integration)_' LOOP
              EXECUTE format('GRANT %I TO {OWNER} WITH INHERIT FALSE, SET TRUE', name);
            END LOOP;
          END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
          NULL;
        END
        $$
        """,
    )


def as_observer(url: str) -> str:
    """The same database, as the user of DATABASE_URL."""
    server, database = urlsplit(_server()), urlsplit(url)
    if not database.username == OWNER:
        return url
    return urlunsplit(database._replace(netloc=server.netloc))


def drop_database(url: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    psql(_server(), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def redis_url() -> str:
    url = os.environ.get("REDIS_URL")
    if not url:
        raise RuntimeError("REDIS_URL is not set: run the tests with script/test e2e, which starts a private server")
    return url
