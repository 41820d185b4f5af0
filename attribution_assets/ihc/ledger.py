"""The ledger: every answer of the IHC API that was paid for, in an SQLite file of its own."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.ihc.client import Answer
from attribution_assets.ihc.packing import Journey
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets.ihc.redistribution import Redistribution, with_redistribution
from attribution_assets.shipped import read_sql

BUSY_TIMEOUT_SECONDS = 300

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """Everything that determines an answer, except the journey."""

    url: str
    conv_type_id: str
    redistribution: Redistribution | None = None

    @property
    def columns(self) -> tuple[str, str, str]:
        """url, conv_type_id and redistribution as the ledger stores them."""
        return self.url, self.conv_type_id, _json(self.redistribution.as_sent()) if self.redistribution else ""

    @property
    def name(self) -> str:
        """What the rows of `ihc_results` call it."""
        return with_redistribution(self.conv_type_id, self.redistribution)

    def key(self, journey: Journey) -> str:
        """The hash under which the ledger finds the journey's answer, whatever else was in its request."""
        return hashlib.sha256(_json([*self.columns, journey.sessions]).encode()).hexdigest()


@dataclass(frozen=True)
class Ledger:
    """The answers in the file at `path`, which the first answer creates. Safe for several threads and processes.

    All methods raise AttributionError where the file cannot be read or written.
    """

    path: Path

    def find(self, account: Account, journeys: Iterable[Journey]) -> dict[str, Answer]:
        """The account's newest answer for each of these journeys, by conversion.

        If sessions of a journey are left out, an answer for the whole journey, from when the limit was higher, comes first.
        """
        if not self._exists:
            return {}
        conversion = {account.key(part): part.conv_id for journey in journeys for part in (journey, journey.whole)}
        known: dict[str, Answer] = {}
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT key, answer FROM ihc_answers WHERE key IN (SELECT value FROM json_each(?)) ORDER BY id",
                (json.dumps(list(conversion)),),
            )
            for key, answer in rows:
                found = json.loads(answer)
                if len(found) >= len(known.get(conversion[key], ())):
                    known[conversion[key]] = found
        return known

    def record(self, account: Account, answers: Iterable[tuple[Journey, Answer]]) -> None:
        """Stores the answers permanently: they are on the disk when this returns."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        rows = [
            (account.key(journey), *account.columns, _json(journey.sessions), _json(answer), now) for journey, answer in answers
        ]
        with self._connect() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO ihc_answers (key, url, conv_type_id, redistribution, sessions, answer, answered_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def answers(self, account: Account) -> pd.DataFrame:
        """The account's newest answer for each journey, in the columns of recorded answers (see `read_answers`).

        `request` numbers the journeys. An account without a conv_type_id means the only stored one with its redistribution.
        Raises NotReadyError if there is no ledger yet, and AttributionError if it has no answers for the account, which names
        the accounts that it has.
        """
        if not self._exists:
            raise NotReadyError(f"There is no ledger {self.path} yet. The first answer of the IHC API creates it.")
        with self._connect() as connection:
            held = connection.execute("SELECT DISTINCT url, conv_type_id, redistribution FROM ihc_answers ORDER BY 1, 2, 3")
            accounts = held.fetchall()
            meant = [
                columns
                for columns in accounts
                if columns == account.columns or (not account.conv_type_id and columns[2] == account.columns[2])
            ]
            if len(meant) != 1:
                others = f"It has answers for {'; '.join(map(_described, accounts))}." if accounts else "It is empty."
                raise AttributionError(f"The ledger {self.path} has no answers for {_described(account.columns)}. {others}")
            rows = connection.execute(
                "SELECT max(id), sessions, answer FROM ihc_answers "
                "WHERE (url, conv_type_id, redistribution) = (?, ?, ?) GROUP BY key ORDER BY 1",
                meant[0],
            ).fetchall()
        return pd.DataFrame(
            {"request": request, **session, **dict(zip(OUTPUTS, values, strict=True))}
            for request, sessions, answer in rows
            for session, values in zip(json.loads(sessions), json.loads(answer), strict=True)
        )

    @contextmanager
    def sole_sender(self) -> Iterator[None]:
        """Waits until no other process sends journeys to this ledger, and makes others wait: no journey is paid for twice."""
        with self._connect() as connection:  # if it cannot be written, that is said before anything is paid for
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                logger.info(
                    "Another run is sending journeys to the IHC API (it holds %s). Waiting for it to finish.", lock.lock_file
                )
                lock.acquire()
        except OSError as error:
            raise AttributionError(f"{lock.lock_file} cannot be locked: {error.strerror}. Remove the file.") from error
        try:
            yield
        finally:
            lock.release()

    @property
    def _exists(self) -> bool:
        return os.path.exists(self.path)  # noqa: PTH110 - false for a path that cannot be, where Path.exists raises

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)) as connection:
                connection.executescript(read_sql("ihc_ledger"))
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise AttributionError(
                f"The ledger {self.path} cannot be used: {error}. Point IHC_LEDGER to a writable file."
            ) from error


def _described(columns: tuple[str, str, str]) -> str:
    url, conv_type_id, redistribution = columns
    moved = f" and redistribution {redistribution}" if redistribution else ""
    return f"{url} with IHC_CONV_TYPE_ID {conv_type_id or '(unset)'}{moved}"


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
