"""How long a page takes: the overview of the web application in a browser's session, computed for the first time and kept.

`python web.py` (with .venv's Python) makes a sample database below data/benchmarks and runs it, if it is not there yet, starts
`attribution serve` as a process of its own, and asks it over loopback; `--write` puts the figures into docs/benchmarks.md. The
times are those that the client sees, from the request to the last byte. The client runs on the same two cores.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import requests
from document import write

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = PROJECT / ".venv" / "bin" / "attribution"
FOLDER = PROJECT / "data" / "benchmarks"
DAYS, LAST = 90, date(2026, 3, 31)
PORT, ADDRESS = 8765, "/overview/"
ACCOUNT = ("reader", "only for this benchmark")
AT_ONCE, ASKED = 4, 1_000


def environment(folder: Path) -> dict[str, str]:
    """The settings of the commands: everything in one folder, and the account that the server makes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATTRIBUTION_", "IHC_", "DAGSTER_"))}
    return kept | {
        "ATTRIBUTION_DATABASE": str(folder / "shop.db"),
        "ATTRIBUTION_EXPORTS": str(folder / "exports"),
        "ATTRIBUTION_WEB_DATABASE": str(folder / "web.db"),
        "DAGSTER_HOME": str(folder / "home"),
        **dict(zip(("DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD"), ACCOUNT, strict=True)),
    }


def database(sessions: int) -> Path:
    """The folder with a database of so many sessions, attributed and reported."""
    folder = FOLDER / f"web_{sessions}"
    done = folder / "done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"making {folder.name} ...", flush=True)
        (folder / "shop.db").unlink(missing_ok=True)
        sample = ["sample-data", "--days", str(DAYS), "--end", LAST.isoformat(), "--sessions", str(sessions)]
        for command in (sample, ["run"]):
            subprocess.run([COMMAND, *command], env=environment(folder), check=True, capture_output=True)
        done.touch()
    return folder


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server over the folder, and the cookies of a session in it."""
    (folder / "web.db").unlink(missing_ok=True)
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", str(PORT), "--create-admin"],
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _log_in()
    finally:
        process.terminate()
        process.wait()


def _log_in() -> str:
    url = f"http://127.0.0.1:{PORT}/login/"
    session = requests.Session()
    while True:
        try:
            session.get(url, timeout=60)
            break
        except requests.ConnectionError:
            time.sleep(0.1)
    form = dict(zip(("username", "password"), ACCOUNT, strict=True)) | {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    session.post(url, data=form, headers={"Referer": url}, timeout=60, allow_redirects=False)
    return "; ".join(f"{name}={value}" for name, value in session.cookies.items())


def ask(connection: http.client.HTTPConnection, address: str, cookies: str) -> float:
    """The seconds that one request takes."""
    began = time.perf_counter()
    connection.request("GET", address, headers={"Cookie": cookies})
    response = connection.getresponse()
    response.read()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{address} gave {response.status}")
    return time.perf_counter() - began


def _many(cookies: str) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    return [ask(connection, ADDRESS, cookies) for _ in range(ASKED // AT_ONCE)]


def measured(folder: Path, rounds: int) -> dict[str, float]:
    """The figures: milliseconds of the first request of all, of new ranges and of a kept page, and kept pages a second."""
    with server(folder) as cookies:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        first = ask(connection, ADDRESS, cookies)
        ranges = [
            f"{ADDRESS}?start={LAST - timedelta(days=29 + number)}&end={LAST - timedelta(days=number)}"
            for number in range(1, 20 * rounds + 1)
        ]
        new = [ask(connection, address, cookies) for address in ranges]
        kept = [ask(connection, ADDRESS, cookies) for _ in range(200 * rounds)]
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            asked = sum(len(times) for times in threads.map(_many, [cookies] * AT_ONCE))
        rate = asked / (time.perf_counter() - began)
    milliseconds = {
        "first": first,
        "new": statistics.median(new),
        "new, 95 %": statistics.quantiles(new, n=20)[-1],
        "kept": statistics.median(kept),
        "kept, 95 %": statistics.quantiles(kept, n=20)[-1],
    }
    return {**{name: 1000 * seconds for name, seconds in milliseconds.items()}, "rate": rate}


def main() -> None:
    """Measures, prints, and with --write puts the figures into the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often 20 new ranges and 200 kept pages are asked for")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found = measured(database(arguments.sessions), arguments.rounds)
    rows = [
        f"| sessions | {arguments.sessions:,} |",
        f"| first request after the start | {found['first']:.0f} ms |",
        f"| a range that nobody asked for before, median and 95 % | {found['new']:.0f} and {found['new, 95 %']:.0f} ms |",
        f"| a page that is kept, median and 95 % | {found['kept']:.1f} and {found['kept, 95 %']:.1f} ms |",
        f"| kept pages a second, {AT_ONCE} clients at once | {found['rate']:.0f} |",
    ]
    figures = "\n".join(["| overview | |", "|---|---|", *rows])
    print(figures)
    if arguments.write:
        write("web", figures)


if __name__ == "__main__":
    main()
