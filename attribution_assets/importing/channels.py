"""Channels of sessions by rules, in a table of SQLite: what the rules would make of them, and that written."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from attribution_assets.errors import AttributionError
from attribution_assets.importing.channel_rules import ChannelRules, Tracked, as_tracked, read_rules
from attribution_assets.warehouse.schema import schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse, transaction
from attribution_assets.warehouse.sqlite.sources import columns_of
from attribution_assets.warehouse.sqlite.views import columns_as_read, is_table

TABLE = "session_sources"

COLUMNS = ("utm_source", "utm_medium", "utm_campaign", "referrer", "click_id")
"""The columns that a channel follows from."""

SHOWN = 10
"""How many kinds of unassigned traffic are shown."""

Cells = tuple[str, str, str, str, str]
"""What counts of the COLUMNS of a session, of which there are few: of addresses and click ids the beginning."""


def channels_of(traffic: Iterable[Cells], rules: ChannelRules) -> list[str]:
    """The channel of each, by the rules."""
    number_for = cache(rules.number_for)
    return [rules.channel_of(number_for(rules.completed(as_tracked(*cells)))) for cells in traffic]


def _write(connection: sqlite3.Connection, columns: Mapping[str, str], rules: ChannelRules) -> None:
    """Writes the channels of the sessions of which something is tracked."""

    @cache
    def channel(cells: Cells) -> str | None:
        return channels_of([cells], rules)[0] if any(as_tracked(*cells)) else None

    connection.create_function("channel_by_rules", len(COLUMNS), lambda *texts: channel(_cells(*texts)), deterministic=True)
    by_rules = f"channel_by_rules({_texts(columns)})"
    connection.execute(
        f"UPDATE main.{TABLE} SET channel_name = {by_rules} "
        f"WHERE channel_name COLLATE BINARY IS NOT coalesce({by_rules}, channel_name)"
    )


def try_rules(warehouse: SQLiteWarehouse, file: Path) -> dict[str, Any]:
    """What the rules in a file would make of the sessions of a database, ready for JSON. Writes nothing.

    `rules`: for each rule, how many sessions it takes, and what is tracked of most of them as `example`. `unassigned`: how many
    sessions no rule takes, and what is tracked of most of them. `changed`: how many sessions would get another channel, and
    `changes`: which one instead of which. `kept`: how many sessions keep their channel, because nothing is tracked of them.

    Raises AttributionError where the database has no sessions that rules can be applied to.
    """
    rules = read_rules(file)
    with warehouse.connect() as connection:
        return _tried(connection, _columns(connection, warehouse.path), rules)


def apply_rules(warehouse: SQLiteWarehouse, file: Path) -> dict[str, Any]:
    """Gives the sessions of a database their channels by the rules, in one transaction. What it did is as of `try_rules`."""
    rules = read_rules(file)
    with warehouse.connect() as connection, transaction(connection):
        columns = _columns(connection, warehouse.path)
        done = _tried(connection, columns, rules)
        if done["changed"]:
            _write(connection, columns, rules)
    return done


def _texts(columns: Mapping[str, str]) -> str:
    return ", ".join(f"coalesce(CAST({columns[name]} AS text), '')" if name in columns else "''" for name in COLUMNS)


def _cells(source: str, medium: str, campaign: str, referrer: str, click_id: str) -> Cells:
    return source, medium, campaign, "/".join(referrer.split("/", 3)[:3]) if referrer else "", click_id.partition("=")[0]


def _columns(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """By column that a channel follows from, how it is read. Raises AttributionError where they can give no channel."""
    there = columns_of(connection, TABLE)
    if not there:
        raise AttributionError(f"{path} has no table {TABLE}. Make one with `attribution import {TABLE} FILE`.")
    if not is_table(connection, TABLE):
        raise AttributionError(f"{TABLE} in {path} is a view, so its channels cannot be written. Change what the view says.")
    if "channel_name" not in there:
        raise AttributionError(f"{TABLE} in {path} has no column channel_name. Add it as text, then apply the rules.")
    read = columns_as_read(connection, schema()[TABLE])
    columns = {name: read[name] for name in COLUMNS if name in read}
    if not columns:
        raise AttributionError(
            f"{TABLE} in {path} has none of the columns {', '.join(COLUMNS)}, from which a channel follows. "
            f"Import them with `attribution import {TABLE} FILE`."
        )
    return columns


def _tried(connection: sqlite3.Connection, columns: Mapping[str, str], rules: ChannelRules) -> dict[str, Any]:
    taken: list[Counter[Tracked]] = [Counter() for _ in rules.rules]
    unassigned: Counter[Tracked] = Counter()
    changes: Counter[tuple[str, str]] = Counter()
    kept = 0
    number_for = cache(rules.number_for)
    for (channel, cells), sessions in _counted(connection, columns).items():
        tracked = as_tracked(*cells)
        if not any(tracked):
            kept += sessions
            continue
        completed = rules.completed(tracked)
        number = number_for(completed)
        (unassigned if number is None else taken[number])[completed] += sessions
        if channel != rules.channel_of(number):
            changes[channel, rules.channel_of(number)] += sessions
    return {
        "rules": [
            {"rule": number, "channel": rule.channel, "sessions": found.total()}
            | {"example": _most(found, 1)[0][0] if found else None}
            for number, (rule, found) in enumerate(zip(rules.rules, taken, strict=True), 1)
        ],
        "unassigned": {
            "sessions": unassigned.total(),
            "most_frequent": [{"example": example, "sessions": sessions} for example, sessions in _most(unassigned, SHOWN)],
        },
        "changed": changes.total(),
        "changes": [
            {"from": before, "to": after, "sessions": sessions}
            for (before, after), sessions in sorted(changes.items(), key=lambda each: (-each[1], each[0]))
        ],
        "kept": kept,
    }


def _counted(connection: sqlite3.Connection, columns: Mapping[str, str]) -> Counter[tuple[str, Cells]]:
    """How many sessions there are of each channel that they have now and of what is tracked of them."""
    rows = connection.execute(f"SELECT coalesce(CAST(channel_name AS text), ''), {_texts(columns)} FROM main.{TABLE}")
    return Counter((channel, _cells(*texts)) for channel, *texts in rows)


def _most(found: Counter[Tracked], most: int) -> list[tuple[str, int]]:
    """What is tracked most often, in words, and of how many sessions."""
    return [
        (str(tracked), sessions) for tracked, sessions in sorted(found.items(), key=lambda each: (-each[1], each[0]))[:most]
    ]
