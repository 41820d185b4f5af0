"""Who gets alerts: a webhook and a mail server on loopback, real ones."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

SECRET = "T024-the-path-that-nobody-sees"


class Webhook(ThreadingHTTPServer):
    """Keeps the text of every message, and answers with `status`."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.texts: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        """Its secret URL."""
        return f"http://127.0.0.1:{self.server_port}/services/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == f"/services/{SECRET}"
        assert self.headers["Content-Type"] == "application/json"
        assert content.keys() == {"text"}
        self.server.texts.append(content["text"])
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"/services/{SECRET}")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@contextmanager
def webhook(port: int = 0) -> Iterator[Webhook]:
    """A webhook that is up until the end of the block."""
    with Webhook(port) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


class Mailbox:
    """Keeps every e-mail and who wanted to log in. Nobody is at nowhere.example."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.port = 0

    async def take_recipient(self, _: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if address.endswith("@nowhere.example"):
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def take_mail(self, _: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append([*envelope.rcpt_tos])
        return "250 OK"

    def log_in(self, _: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss/word", handled=False)


@contextmanager
def mail_server(*, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """A mail server that is up until the end of the block, encrypted from the start, on demand, or not at all."""
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        mailbox.port = free.getsockname()[1]
    controller = Controller(
        SimpleNamespace(handle_RCPT=mailbox.take_recipient, handle_DATA=mailbox.take_mail),
        hostname="127.0.0.1",
        port=mailbox.port,
        ssl_context=tls,
        tls_context=starttls,
        authenticator=mailbox.log_in,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
