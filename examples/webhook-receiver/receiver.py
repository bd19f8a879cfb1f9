#!/usr/bin/env python3
"""A vendor's server that takes the messages of LicenseKit for Stripe. Python's standard library only.

    RECEIVER_SECRETS=nts_… receiver.py [--port 8000] [--database messages.sqlite3]

It takes both kinds of message: those about licenses of Stripe sales (docs/delivery.md), and the events of the license
server (docs/webhooks.md). RECEIVER_SECRETS holds the secret of each endpoint, separated by commas.

A message is stored before it is answered, and handled after that. So a crash loses none, and a message that comes twice
is handled once.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Mapping

MAX_BODY = 1 << 20
MAX_AGE_SECONDS = 300

# The header with the signature, and the one with the id of the delivery, of each kind of message.
KINDS = [
    ("LicenseKit-Signature", "LicenseKit-Delivery-Id"),
    ("X-Locksmith-Signature", "X-Locksmith-Delivery-ID"),
]


def is_genuine(signature: str, delivery: str, body: bytes, secrets: list[str], now: float) -> bool:
    """Whether one of the secrets made this signature, at most five minutes ago.

    It covers the bytes of the body as they came, so check it before you parse them. There are two `v1` while a secret is
    being replaced: one that fits is enough.
    """
    parts = [part.partition("=") for part in signature.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    if len(moments) != 1 or not moments[0].isascii() or not moments[0].isdigit():
        return False
    if abs(now - int(moments[0])) > MAX_AGE_SECONDS:
        return False
    signed = f"{moments[0]}.{delivery}.".encode() + body
    given = [value.encode() for name, _, value in parts if name == "v1"]
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        if any(hmac.compare_digest(expected, value) for value in given):
            return True
    return False


class Store:
    """What was received, and what is known about each license. It survives a restart."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript(
            """
            CREATE TABLE IF NOT EXISTS messages (
              id      TEXT PRIMARY KEY,
              body    TEXT NOT NULL,
              handled INTEGER NOT NULL DEFAULT 0
            );
            CREATE TABLE IF NOT EXISTS licenses (
              id       TEXT PRIMARY KEY,
              status   TEXT NOT NULL,
              sequence INTEGER NOT NULL
            );
            """
        )

    def add(self, id: str, body: str) -> bool:
        """Stores a message. False when it is there already."""
        with self._lock:
            added = self._database.execute("INSERT OR IGNORE INTO messages (id, body) VALUES (?, ?)", (id, body))
            return added.rowcount == 1

    def handle_next(self) -> str | None:
        """Handles the oldest message that waits, in one transaction with what it changes, and says what it did.

        One that fails is set aside with -1 for a person to look at, so that it holds up no other.
        """
        with self._lock:
            row = self._database.execute(
                "SELECT id, body FROM messages WHERE handled = 0 ORDER BY rowid LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            self._database.execute("BEGIN IMMEDIATE")
            try:
                said = self._apply(json.loads(row[1]))
                self._database.execute("UPDATE messages SET handled = 1 WHERE id = ?", (row[0],))
                self._database.execute("COMMIT")
            except Exception as problem:
                self._database.execute("ROLLBACK")
                self._database.execute("UPDATE messages SET handled = -1 WHERE id = ?", (row[0],))
                return f"{row[0]} failed: {problem!r}"
            return said

    def _apply(self, message: dict[str, Any]) -> str:
        """This is where a vendor's own work begins: here the state of each license is kept."""
        if "event_type" in message:
            return f"{message['event_type']} {message.get('resource_id', '')}".rstrip()
        data = message["data"]
        if not isinstance(data, dict) or "license" not in data:
            return message["type"]
        license = data["license"]
        # Messages can overtake each other. If the number of a message is lower than the stored one, the message is outdated.
        changed = self._database.execute(
            """
            INSERT INTO licenses (id, status, sequence) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET status = excluded.status, sequence = excluded.sequence
            WHERE excluded.sequence > licenses.sequence
            """,
            (license["id"], license["status"], message["sequence"]),
        )
        return f"{message['type']} {license['id']} {'now ' + license['status'] if changed.rowcount else 'is old news'}"


class Handler(BaseHTTPRequestHandler):
    """Verifies, stores, answers. Everything else happens later: after ten seconds the sender tries again."""

    store: Store
    secrets: list[str]
    arrived: threading.Event
    timeout = 10

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self._answer(411)
        if not 0 <= length <= MAX_BODY:
            return self._answer(413)
        body = self.rfile.read(length)
        if not self._is_signed(self.headers, body):
            return self._answer(401)
        message = json.loads(body)
        # A license message has the same id at every endpoint; an event of the license server is identified by its delivery.
        self.store.add(message.get("id") or message["delivery_id"], body.decode())
        self.arrived.set()
        self._answer(204)

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        for signature, delivery in KINDS:
            if headers.get(signature) and headers.get(delivery):
                return is_genuine(headers[signature], headers[delivery], body, self.secrets, time.time())
        return False

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def handle_messages(store: Store, arrived: threading.Event) -> None:
    """Handles what waits, including what waited when the program ended."""
    while True:
        arrived.clear()
        while (said := store.handle_next()) is not None:
            print(said, flush=True)
        arrived.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description="Takes and verifies the messages of LicenseKit for Stripe.")
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one")
    parser.add_argument("--database", default="messages.sqlite3")
    arguments = parser.parse_args()
    Handler.secrets = [secret.strip() for secret in os.environ.get("RECEIVER_SECRETS", "").split(",") if secret.strip()]
    if not Handler.secrets:
        print("RECEIVER_SECRETS is not set: without a secret nothing can be verified", file=sys.stderr)
        return 2
    Handler.store = Store(arguments.database)
    Handler.arrived = threading.Event()
    threading.Thread(target=handle_messages, args=(Handler.store, Handler.arrived), daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
