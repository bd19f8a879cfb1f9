"""The other ends of what the product delivers: a vendor's server that takes messages, and a mail relay."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from .processes import free_port


@dataclass(frozen=True)
class Message:
    """One received request."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return self.json["type"]

    def is_signed_with(self, secret: str, tolerance: float = 300) -> bool:
        """Follows docs/delivery.md and uses no code of the product."""
        parts = [part.split("=", 1) for part in self.headers["licensekit-signature"].split(",")]
        moment = next(value for name, value in parts if name == "t")
        if abs(time.time() - int(moment)) > tolerance:
            return False
        signed = f"{moment}.{self.headers['licensekit-delivery-id']}.".encode() + self.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return any(hmac.compare_digest(value, expected) for name, value in parts if name == "v1")


class MessageServer:
    """Takes messages. It answers with `statuses` first, then with 200; while `hanging` is set it does not answer."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.statuses: list[int] = []
        self.hanging = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.messages.append(Message({name.lower(): value for name, value in self.headers.items()}, body))
                while owner.hanging.is_set():
                    time.sleep(0.02)
                try:
                    self.send_response(owner.statuses.pop(0) if owner.statuses else 200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the client has closed the connection

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/licenses?source=e2e"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def of_type(self, type: str) -> list[Message]:
        return [message for message in self.messages if message.type == type]

    def close(self) -> None:
        self.hanging.clear()
        self._server.shutdown()
        self._server.server_close()


class MailServer:
    """A relay that wants STARTTLS and a password. `replies` are given at the end of DATA first, or, where they begin with
    "RCPT ", to the receiver; "CUT" breaks the connection in the middle of a message."""

    user, password = "post@example.com", "s:cret/+ ü"

    def __init__(self, folder: Path) -> None:
        self.messages: list[email.message.EmailMessage] = []
        self.receivers: list[str] = []
        self.replies: list[str] = []
        self.sessions_in_the_clear = 0
        self.certificate = folder / "relay.pem"
        key = folder / "relay.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(self.certificate)],
            check=True, capture_output=True,
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, key)
        owner = self

        class Cutting(SMTP):
            async def smtp_DATA(self, arg: str) -> None:
                if owner.replies and owner.replies[0] == "CUT":
                    owner.replies.pop(0)
                    await self.push("354 go on")
                    await self._reader.readline()
                    self.transport.close()
                    return
                await super().smtp_DATA(arg)

        class Relay(Controller):
            def factory(self) -> SMTP:
                return Cutting(self.handler, **self.SMTP_kwargs)

        def check(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
            if session.ssl is None:
                owner.sessions_in_the_clear += 1
            given = (data.login.decode(), data.password.decode())
            return AuthResult(success=given == (owner.user, owner.password))

        self._controller = Relay(
            self, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
            auth_required=True, authenticator=check,
        )
        self._controller.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._controller.port}"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.replies and self.replies[0].startswith("RCPT "):
            return self.replies.pop(0).removeprefix("RCPT ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.replies and self.replies[0] != "CUT":
            return self.replies.pop(0)
        self.receivers += envelope.rcpt_tos
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def close(self) -> None:
        self._controller.stop()
