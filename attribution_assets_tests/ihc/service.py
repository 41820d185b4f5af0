"""A stand-in for the IHC API on loopback: real HTTP, answers by the embedded model, both limits, and faults on demand."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.ihc import attribute

KEY = "the-key-that-nobody-sees-0123456789"
PHASES = ("initializer", "holder", "closer", "ihc")

Row = dict[str, Any]
Fault = Callable[["Handler", list[Row], list[Row]], bool]
"""Answers the request in its own way, given the sessions sent and the good rows; says whether the answer is all bad."""


class Service(ThreadingHTTPServer):
    """Counts what it is asked. `fault(n)` gives the fault of the n-th request (from 0), if it has one."""

    daemon_threads = True

    def __init__(self, *, max_journeys: int = 100, max_sessions: int = 3000, preset: str = "alternative") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.max_journeys, self.max_sessions = max_journeys, max_sessions
        self.preset = preset
        self.lock = threading.Lock()
        self.received: list[list[str]] = []
        """The journeys of each request, as JSON."""
        self.answered: Counter[str] = Counter()
        """How often a journey was answered well."""
        self.sent_again: list[str] = []
        """The journeys received after they had been answered well."""
        self.broken: list[str] = []
        """Which rules of the service a request broke."""
        self.connections = 0
        self.queries: list[str] = []
        self.headers: list[Message] = []
        self.bodies: list[Any] = []
        self.redistributions: list[Any] = []
        self.fault: Callable[[int], Fault | None] = lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is nothing to print."""


class Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        service = self.server
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sessions = content["customer_journeys"]
        journeys = {
            conv_id: json.dumps(list(rows)) for conv_id, rows in groupby(sessions, key=lambda row: row["conversion_id"])
        }
        with service.lock:
            n = len(service.received)
            service.received.append(list(journeys.values()))
            service.sent_again += [journey for journey in journeys.values() if service.answered[journey]]
            service.queries.append(self.path)
            service.headers.append(self.headers)
            service.bodies.append(content)
            service.redistributions.append(content.get("redistribution_parameter"))
            distinct = {row["conversion_id"] for row in sessions}
            service.broken += ["journeys"] * (len(distinct) > service.max_journeys)
            service.broken += ["sessions"] * (len(sessions) > service.max_sessions)
            service.broken += ["a journey in pieces"] * (
                len(distinct) != sum(1 for _ in groupby(r["conversion_id"] for r in sessions))
            )
        if self.headers["x-api-key"] != KEY:
            self.answer(403, {"message": f"Forbidden: {self.headers['x-api-key']}"})
            return
        good = answers(journeys.values(), service.preset)
        fault = service.fault(n)
        bad = set(journeys)
        if fault is None:
            self.answer(200, {"statusCode": 200, "value": good, "partialFailureErrors": []})
            bad = set()
        elif not fault(self, sessions, good):
            bad = {sessions[0]["conversion_id"]}
        with service.lock:
            service.answered.update(journey for conv_id, journey in journeys.items() if conv_id not in bad)

    def answer(self, status: int, content: Any, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Prints nothing."""


ANSWERS: dict[tuple[str, str], list[Row]] = {}
"""What has been computed already, by preset and journey."""


def answers(journeys: Iterable[str], preset: str) -> list[Row]:
    """The embedded model's answers, rounded to four digits as the service does: each column of a journey keeps its sum."""
    new = [journey for journey in journeys if (preset, journey) not in ANSWERS]
    if new:
        sessions = pd.DataFrame(session for journey in new for session in json.loads(journey))
        credit = attribute(sessions.rename(columns={"conversion_id": "conv_id"}), preset)[list(PHASES)].to_numpy()
        end = 0
        for journey in new:
            ids = [{name: session[name] for name in ("conversion_id", "session_id")} for session in json.loads(journey)]
            start, end = end, end + len(ids)
            values = np.column_stack([rounded(credit[start:end, phase]) for phase in range(len(PHASES))]).tolist()
            ANSWERS[preset, journey] = [id_ | dict(zip(PHASES, row, strict=True)) for id_, row in zip(ids, values, strict=True)]
    return [row for journey in journeys for row in ANSWERS[preset, journey]]


def rounded(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """To four digits, by largest remainder."""
    units = shares * 10_000
    down = np.floor(units + 1e-9)
    missing = round(units.sum()) - int(down.sum())
    down[np.argsort(down - units, kind="stable")[:missing]] += 1
    return down / 10_000


@contextmanager
def running(service: Service) -> Iterator[Service]:
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()


# Faults ---------------------------------------------------------------------------------------------------------------


def status(code: int, **headers: str) -> Fault:
    """The HTTP status, without a value."""

    def fault(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        handler.answer(code, {"statusCode": code, "message": "a bad day"}, **headers)
        return True

    return fault


def status_in_the_body(code: int) -> Fault:
    def fault(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        handler.answer(200, {"statusCode": code, "value": None, "partialFailureErrors": []})
        return True

    return fault


def reset(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
    return True


def cut_short(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"statusCode": 200, "value": [')
    handler.close_connection = True
    return True


def silence(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
    """Says nothing until the client has gone."""
    handler.rfile.read(1)
    handler.close_connection = True
    return True


def body(content: bytes) -> Fault:
    def fault(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        handler.answer(200, content)
        return True

    return fault


def answering(content: Callable[[list[Row]], Any], code: int = 200, **headers: str) -> Fault:
    """Whatever `content` makes of the good rows."""

    def fault(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        handler.answer(code, content(good), **headers)
        return True

    return fault


def partial(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
    first = sessions[0]["conversion_id"]
    failure = {"statusCode": 406, "conversion_id": first, "message": "could not be parsed"}
    value = [row for row in good if row["conversion_id"] != first]
    handler.answer(206, {"statusCode": 206, "value": value, "partialFailureErrors": [failure]})
    return False


def first_journey(change: Callable[[list[Row]], list[Row]]) -> Fault:
    """The rows of the first journey are changed, the others are good."""

    def fault(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        first = sessions[0]["conversion_id"]
        rows = change([dict(row) for row in good if row["conversion_id"] == first])
        value = rows + [row for row in good if row["conversion_id"] != first]
        handler.answer(200, {"statusCode": 200, "value": value, "partialFailureErrors": []})
        return False

    return fault


FAULTS: dict[str, Fault] = {
    "429": status(429),
    "429 with Retry-After": status(429, Retry_After="1"),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "504": status(504),
    "500 in the body": status_in_the_body(500),
    "a reset connection": reset,
    "an answer cut short": cut_short,
    "a read timeout": silence,
    "206 with failures": partial,
    "a body that is not JSON": body(b"{"),
    "an HTML error page": body(b"<html><body>Bad gateway</body></html>"),
    "a missing session": first_journey(lambda rows: rows[1:]),
    "a duplicated session": first_journey(lambda rows: [*rows, rows[0]]),
    "a session of another journey": first_journey(lambda rows: [*rows, {**rows[0], "session_id": "who?"}]),
    "a sum of 0.9": first_journey(lambda rows: [{**row, "ihc": row["ihc"] * 0.9} for row in rows]),
    "NaN": first_journey(lambda rows: [{**row, "holder": float("nan")} for row in rows]),
    "a number above 1": first_journey(lambda rows: [{**row, "closer": 1.5} for row in rows]),
    "text for a number": first_journey(lambda rows: [{**row, "closer": "0.5"} for row in rows]),
    "a missing phase": first_journey(lambda rows: [{k: v for k, v in row.items() if k != "holder"} for row in rows]),
}
