"""How much the client of the IHC API costs by itself: a service on loopback that answers at once, four requests under way."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd

from attribution_assets.ihc.client import IHCClient
from attribution_assets.ihc.ledger import Ledger
from attribution_assets.ihc.service import IHCService

JOURNEYS = 20_000
RUNS = 5


class FirstTakesAll(BaseHTTPRequestHandler):
    """Answers without a model: the first session of each journey gets everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answers one request."""
        sessions = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["customer_journeys"]
        seen: set[str] = set()
        value = []
        for session in sessions:
            share = float(session["conversion_id"] not in seen)
            seen.add(session["conversion_id"])
            ids = {"conversion_id": session["conversion_id"], "session_id": session["session_id"]}
            value.append({**ids, "initializer": share, "holder": 0.0, "closer": share, "ihc": share})
        body = json.dumps({"statusCode": 200, "value": value, "partialFailureErrors": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Prints nothing."""


def serve() -> None:
    """Serves until it is killed; the port is the first line printed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FirstTakesAll)
    print(server.server_port, flush=True)
    server.serve_forever()


def journeys() -> pd.DataFrame:
    """Journeys of three sessions on average, 1 to 20."""
    rng = np.random.default_rng(0)
    conversion = np.repeat(np.arange(JOURNEYS), np.minimum(rng.geometric(1 / 3, JOURNEYS), 20))
    at = pd.Timestamp("2023-08-01") + pd.to_timedelta(rng.integers(0, 30 * 86_400, len(conversion)), unit="s")
    return pd.DataFrame(
        {
            "conv_id": [f"{i:032x}" for i in conversion],
            "session_id": [f"{i:032x}" for i in range(len(conversion))],
            "conv_date": "2023-09-01",
            "timestamp": at.strftime("%Y-%m-%d %H:%M:%S"),
            "channel_label": "Email",
            "holder_engagement": 1,
            "closer_engagement": 1,
            "conversion": 0,
            "impression_interaction": 0,
        }
    )


def main() -> None:
    """Prints the medians over the runs."""
    rows = journeys()
    with subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True) as server:
        port = next(iter(server.stdout or ())).strip()
        client = IHCClient("key", "id", url=f"http://127.0.0.1:{port}/")
        measured = []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as folder:
                service = IHCService(client, Ledger(Path(folder) / "ledger.db"))
                for ledger in ("empty", "full"):
                    wall, cpu = time.perf_counter(), time.process_time()
                    answered = sum(len(frame) for frame in service.answer([rows]))
                    measured.append((ledger, time.perf_counter() - wall, time.process_time() - cpu))
                    if answered != len(rows):
                        raise SystemExit(f"{answered} rows for {len(rows)} sessions")
        server.kill()
    requests = JOURNEYS // 100
    print(f"{JOURNEYS:,} journeys, {len(rows):,} sessions, {requests} requests, medians of {RUNS} runs")
    for ledger in ("empty", "full"):
        wall, cpu = (statistics.median(run[i] for run in measured if run[0] == ledger) for i in (1, 2))
        print(
            f"ledger {ledger}: {wall:.2f} s in all, {1000 * cpu / requests:.1f} ms of processor time per request's worth of "
            f"journeys, {1000 * wall / requests:.1f} ms of wall time"
        )


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
