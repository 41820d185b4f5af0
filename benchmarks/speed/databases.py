"""The databases that the benchmark reads: made-up sessions, costs and conversions over some days, as SQLite and as Parquet."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from attribution_assets.warehouse import SOURCES, SQLiteWarehouse, schema
from attribution_assets.warehouse.sqlite.sample_data import CHANNELS

FIRST_DAY = "2026-01-01"
SESSIONS_PER_USER = 8
CONVERSIONS_PER_SESSION = 0.03
SEED = 5
ROWS_AT_ONCE = 200_000
EXTENSIONS = files("duckdb_extension_sqlite_scanner") / "extensions" / f"v{duckdb.__version__}"


def make(path: Path, sessions: int, days: int) -> None:
    """Writes `path`, an SQLite database with the schema's indexes, and beside it a folder of the same rows as Parquet.

    Ids are 32 random hex digits; a few users come often. Three sessions in a hundred end in a conversion.
    """
    chance = np.random.default_rng(SEED)
    users = max(1, sessions // SESSIONS_PER_USER)
    second = np.sort(chance.integers(0, days * 86_400, sessions))
    user = (users * chance.random(sessions) ** 1.5).astype(np.int64)
    channel_names = list(CHANNELS)
    shares, mean_costs = np.array(list(CHANNELS.values())).T
    channel = chance.choice(len(CHANNELS), sessions, p=shares)
    flags = (chance.random((3, sessions)) < [[0.6], [0.3], [0.1]]).astype(int)
    cost = np.round(chance.exponential(1.0, sessions) * mean_costs[channel], 3)
    session_id, user_id = chance.bytes(16 * sessions).hex(), chance.bytes(16 * users).hex()

    bought = np.sort(chance.choice(sessions, round(sessions * CONVERSIONS_PER_SESSION), replace=False))
    bought_at = np.minimum(second[bought] + chance.integers(1, 3600, len(bought)), days * 86_400 - 1)
    revenue = np.round(chance.lognormal(3.9, 0.6, len(bought)), 2)
    conv_id = chance.bytes(16 * len(bought)).hex()

    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -4000000;")
        for name in SOURCES:
            connection.execute(schema()[name].create)
        for start in range(0, sessions, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            ids = _ids(session_id, range(start, min(start + ROWS_AT_ONCE, sessions)))
            dates, times = _dates_and_times(second[part])
            channels = [channel_names[c] for c in channel[part].tolist()]
            _insert(
                connection,
                "session_sources",
                ids,
                _ids(user_id, user[part].tolist()),
                dates,
                times,
                channels,
                *flags[:, part].tolist(),
            )
            paid = zip(ids, cost[part].tolist(), (mean_costs[channel[part]] > 0).tolist(), strict=True)
            connection.executemany("INSERT INTO session_costs VALUES (?, ?)", ((i, c) for i, c, costs in paid if costs))
        dates, times = _dates_and_times(bought_at)
        buyers = _ids(user_id, user[bought].tolist())
        _insert(connection, "conversions", _ids(conv_id, range(len(bought))), buyers, dates, times, revenue.tolist())
        connection.commit()
    SQLiteWarehouse(path).prepare()

    folder = path.with_suffix("")
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{EXTENSIONS / 'sqlite_scanner.duckdb_extension'}'")
        connection.execute(f"ATTACH '{path}' AS source (TYPE sqlite, READ_ONLY)")
        for name in SOURCES:
            connection.execute(f"COPY source.{name} TO '{folder / name}.parquet' (FORMAT parquet)")


def _insert(connection: sqlite3.Connection, table: str, *columns: list[Any]) -> None:
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", zip(*columns, strict=True))


def _ids(digits: str, numbers: Any) -> list[str]:
    return [digits[32 * i : 32 * i + 32] for i in numbers]


def _dates_and_times(seconds: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[list[str], list[str]]:
    texts = np.datetime_as_string(np.datetime64(FIRST_DAY, "s") + seconds).tolist()
    return [text[:10] for text in texts], [text[11:] for text in texts]


if __name__ == "__main__":
    make(Path(sys.argv[1]), sessions=int(sys.argv[2]), days=int(sys.argv[3]))
