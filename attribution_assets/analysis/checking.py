"""Runs the catalog's checks on stored data and says what they find; writes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from attribution_assets.catalog.checks import ROWS_HAVE_A_DAY
from attribution_assets.catalog.span import computed_days, first_day
from attribution_assets.catalog.table import Check, DailyTable, Parameters
from attribution_assets.catalog.tables import CHECKS, parameters, tables
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.formats import in_words
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, Warehouse
from attribution_assets.warehouse.sources import broken_sources
from attribution_assets.warehouse.warehouse import named

State = Literal["passed", "not_yet", "warning", "failed"]

SHOWN = 5
"""How many offending rows a finding shows."""


@dataclass(frozen=True)
class Finding:
    """What a check of an asset found: the number of offending rows, up to five of them, and what it says to the reader.

    `not_yet`: up to five rows that break no demand, because more days would meet it, or nothing can. `wrong_days`: for
    checks of results, the days of all offending rows.
    """

    asset: str
    check: Check
    days: Days
    offending: int
    rows: list[dict[str, Any]]
    sentence: str
    not_yet: list[dict[str, Any]]
    wrong_days: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """`failed` if a blocking check found something, `warning` if another did, `not_yet` if there are only such rows."""
        if self.offending:
            return "failed" if self.check.blocking else "warning"
        return "not_yet" if self.not_yet else "passed"

    def told(self) -> dict[str, Any]:
        """The finding in one line for programs, ready for JSON."""
        return {"check": self.check.name, "asset": self.asset, "result": self.state, "sentence": self.sentence}

    def summary(self) -> dict[str, Any]:
        """The finding with its rows for programs, ready for JSON."""
        return {
            **self.told(),
            "start": self.days.first,
            "end": self.days.last,
            "blocking": self.check.blocking,
            "offending": self.offending,
            "rows": _for_json(self.rows),
            "not_yet": _for_json(self.not_yet),
        }


def _for_json(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _value_for_json(value) for name, value in row.items()} for row in rows]


def _value_for_json(value: Any) -> Any:
    """The value, or text for what JSON cannot hold: bytes, infinity."""
    is_plain = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_plain else str(value)


def check_parameters(settings: Settings, table: DailyTable, days: Days) -> Parameters:
    """The parameters of the table's checks for these days."""
    return {**parameters(settings, table, days), "first_partition": first_day(settings)}


def check_days(settings: Settings, start: str | None, end: str | None) -> list[Finding]:
    """What every check finds on the days from `start` to `end` of its asset. Writes nothing.

    If unset, they are the first and the last day with results; a table without results is then left out. So is one that does
    not exist yet, because an earlier version made the database. Raises NotReadyError if no table has results, and
    AttributionError for a reversed range.
    """
    warehouse = settings.warehouse
    findings = []
    for table in tables(settings):
        if (
            table.checks
            and warehouse.has(table.name)
            and (days := _days_to_check(computed_days(warehouse, settings, table), start, end))
        ):
            asked = check_parameters(settings, table, days)
            findings += [run_check(warehouse, table.name, check, asked) for check in table.checks]
    if not findings:
        raise NotReadyError(
            f"{settings.database} has no results yet, so there is nothing to check. Run `attribution run` first. If it has "
            "already run, no conversion has a session within its lookback: give --start and --end."
        )
    return findings


def check_sources(settings: Settings, days: Days) -> list[Finding]:
    """What the checks of the sources find on these days: each check once, on the first asset that has it. Writes nothing."""
    first_with = {check.name: (table, check) for table, check in reversed(CHECKS) if check.before and table in tables(settings)}
    return [
        run_check(settings.warehouse, table.name, check, check_parameters(settings, table, days))
        for table, check in reversed(first_with.values())
    ]


def _days_to_check(computed: Days | None, start: str | None, end: str | None) -> Days | None:
    if start and end:
        return Days(start, end)
    if not computed:
        return None
    return Days(start or min(computed.first, end or computed.first), end or max(computed.last, start or computed.last))


def run_check(warehouse: Warehouse, asset: str, check: Check, parameters: Parameters) -> Finding:
    """What the asset's check finds in the days of the parameters, which are those of the asset's query.

    Raises AttributionError where a table or column is missing.
    """
    query = Query(check.query, parameters, driven_by=check.driven_by, lookups_per_row=check.lookups_per_row)
    with warehouse.rows_of(query) as cursor:
        rows, not_yet, offending, wrong_days = list[dict[str, Any]](), list[dict[str, Any]](), 0, set[str]()
        for row in named(cursor):
            kept = not_yet if row.pop("not_yet", 0) else rows
            if kept is rows:
                offending += 1
                wrong_days.update(str(row[column]) for column in check.wrong_day_columns)
            if len(kept) < SHOWN:
                kept.append(row)
    days = Days(str(parameters["first_day"]), str(parameters["last_day"]))
    conversion_days = f"{days} and later" if parameters["last_conversion_day"] != days.last else str(days)

    def said(template: str, row: Mapping[str, Any]) -> str:
        return template.format(**{**parameters, **row, "days": days, "conversion_days": conversion_days})

    sentences = [said(check.not_yet, row) for row in not_yet[:1]]
    if offending:
        sentences.insert(0, f"{offending:,} {check.noun}{'' if offending == 1 else 's'} {said(check.broken, rows[0])}")
    sentence = " ".join(sentences) or check.demand
    return Finding(asset, check, days, offending, rows, sentence, not_yet, tuple(sorted(wrong_days)))


def stop_if_failed(findings: Iterable[Finding]) -> None:
    """Raises AttributionError, with the offending rows, if a blocking check of an asset has failed.

    Where rows have dates in another form, it also says how to convert them: that may be what is broken.
    """
    findings = [*findings]
    failed = [finding for finding in findings if finding.state == "failed"]
    if not failed:
        return
    asset = failed[0].asset
    if failed[0].check.before:
        problems = [row["problem"] for finding in failed for row in finding.rows]
        broken = broken_sources(asset, problems, sum(finding.offending for finding in failed))
        undated = [finding.sentence for finding in findings if finding.check == ROWS_HAVE_A_DAY and finding.offending]
        raise AttributionError(" ".join([str(broken), *undated]))
    sentences = [f"{finding.sentence.rstrip('.')}: {'; '.join(map(_row_in_words, finding.rows))}." for finding in failed]
    raise AttributionError(
        f"{asset} was written but failed a check, so nothing after it was computed. {' '.join(sentences)} "
        "See `When a check fails` in docs/operations.md for what to do."
    )


def _row_in_words(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} {in_words(value)}" for column, value in row.items())
