"""`attribution explain` without its terminal: the credits behind a number of the report, the journey behind a conversion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.reporting import CHANNEL_COSTS, CHANNEL_REPORTING
from attribution_assets.catalog.span import final_on, first_day, last_day
from attribution_assets.catalog.tables import nobody_of, query_of
from attribution_assets.errors import NotFoundError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, schema

TOLERANCE = 1e-9
"""How far two sums of the same numbers may differ, relative to them."""


@dataclass(frozen=True)
class Explanation:
    """What is behind a number, ready for JSON. `doubt`: why it does not explain the number, in one line; None if it does.

    `conversion_days`: the days of the conversions that are, or can be, behind it.
    """

    shown: dict[str, Any]
    conversion_days: Days
    doubt: str | None


def explain_cell(settings: Settings, day: str, channel: str) -> Explanation:
    """One cell of channel_reporting, with the conversions credited to it: those that bring most revenue first.

    `{"day", "channel", "cost", "orders", "revenue", "conversions": [{"conv_id", "session_id", "orders", "conversion_revenue",
    "revenue"}, ...]}`; a conversion is listed once per session. The conversions' `orders` and `revenue` sum to
    the cell's, or there is a doubt.

    Raises NotFoundError for a day outside the partitions or without a session, and for a channel that the day's report does not
    have. Raises NotReadyError where the day, or the channel's sessions, are not reported yet.
    """
    warehouse = settings.warehouse
    days = Days(day, day)
    report = warehouse.read(schema()["channel_reporting"], "date", days)
    query = query_of(settings, CHANNEL_REPORTING, days)
    stored = {row["channel_name"]: row for row in report.to_dict("records")}
    present = {row["channel_name"]: row for row in warehouse.rows(query)}
    costs = {row["channel_name"]: row["cost"] for row in warehouse.rows(query_of(settings, CHANNEL_COSTS, days))}
    again = f"Run `attribution run --start {day} --end {day}`."
    if not stored:
        raise _no_report(settings, day, again if present or costs else None)
    if channel not in stored:
        if channel in present or channel in costs:
            raise NotReadyError(f"The report for {day} is out of date: it lacks {channel!r}. {again}")
        raise NotFoundError(
            f"The report for {day} has no channel {channel!r}. It has these channels: {', '.join(map(repr, stored))}."
        )
    cell = {name: stored[channel][name] for name in ("cost", "ihc", "ihc_revenue")}
    now = {name: present.get(channel, {}).get(name, 0.0) for name in cell} | {"cost": costs.get(channel, 0.0)}
    differences = [
        f"{name} is {cell[name]:,.2f}, but would now be {now[name]:,.2f}"
        for name in cell
        if not math.isclose(cell[name], now[name], rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    ]
    return Explanation(
        {
            "day": day,
            "channel": channel,
            "cost": cell["cost"],
            "orders": cell["ihc"],
            "revenue": cell["ihc_revenue"],
            "conversions": warehouse.rows(Query("explain_cell", {**query.parameters, "channel": channel})),
        },
        Days(day, final_on(settings, day)),
        f"The report for {day} is out of date: {'; '.join(differences)}. {again}" if differences else None,
    )


def explain_conversion(settings: Settings, conv_id: str) -> Explanation:
    """One conversion with the sessions of its journey, in order of time, and what each of them is credited with.

    `{"conv_id", "conv_date", "conv_time", "revenue", "is_nobody", "sessions": [{"session_id", "timestamp", "channel",
    "initializer", "holder", "closer", "orders", "revenue"}, ...]}`. `orders` sums to 1 and `revenue` to that of
    the conversion, or there is a doubt, or no session. `is_nobody`: whether its user is in ATTRIBUTION_NOBODY.

    Raises NotFoundError where there is no such conversion, and NotReadyError where it is not attributed yet.
    """
    warehouse = settings.warehouse
    found = warehouse.rows(Query("explain_conversion", {"conv_id": conv_id, "nobody": nobody_of(settings)}))
    if not found:
        raise NotFoundError(f"There is no conversion {conv_id!r} in {settings.database}.")
    [conversion] = found
    sessions = warehouse.rows(Query("explain_journey", {"conv_id": conv_id}))
    settled = [session.pop("settled") for session in sessions]
    attributed = {_touchpoint(session, channel=session["channel"]) for session in sessions}
    for session in sessions:
        del session["holder_engagement"], session["closer_engagement"]
    day = conversion["conv_date"]
    journeys = warehouse.rows(query_of(settings, CUSTOMER_JOURNEYS, Days(day, day)))
    present = {_touchpoint(row, channel=row["channel_label"]) for row in journeys if row["conv_id"] == conv_id}
    again = f"Run `attribution run --start {day} --end {day}`."
    if present and not sessions:
        raise NotReadyError(f"The conversion {conv_id!r} on {day} has not been attributed yet. {again}")
    up_to_date = all(settled) and attributed == present
    return Explanation(
        {**conversion, "is_nobody": bool(conversion["is_nobody"]), "sessions": sessions},
        Days(day, day),
        None if up_to_date else f"The credit of {day} is out of date: its sessions or its ihc_results have changed. {again}",
    )


def why_no_credit(journey: Mapping[str, Any]) -> str | None:
    """Why what `explain_conversion` shows is credited to no channel, in words; None if it is credited."""
    if journey["sessions"]:
        return None
    why = "the user is one of ATTRIBUTION_NOBODY" if journey["is_nobody"] else "the user has no session within the lookback"
    return f"{why}, so it is credited to no channel"


def _touchpoint(row: dict[str, Any], channel: Any) -> tuple[str, ...]:
    """What the credit of a session follows from, whatever types the source gives it."""
    model_reads = (row["session_id"], row["timestamp"], channel, row["holder_engagement"], row["closer_engagement"])
    return tuple(map(str, model_reads))


def _no_report(settings: Settings, day: str, again: str | None) -> NotFoundError | NotReadyError:
    first, last = first_day(settings), last_day(settings)
    if not first <= day <= last:
        return NotFoundError(f"{day} has no report, because it is outside the partitions, {first} to {last}.")
    if again:
        return NotReadyError(f"{day} has no report yet. {again}")
    return NotFoundError(f"{day} has no sessions, so its report is empty. The partitions are {first} to {last}.")
