"""The IHC formula on flat arrays: all journeys at once, one after another, each starting at an offset."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.parameters import IHCParameters, Knot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOUR = 3_600_000_000_000
"""In nanoseconds."""

JOURNEY_COLUMNS = ("conv_id", "session_id", "timestamp", "channel_label", "holder_engagement", "closer_engagement")


class Credit(NamedTuple):
    """Per session, shape (sessions,): each sums to 1 in a journey, `holder` to 0 where no session holds."""

    initializer: Floats
    holder: Floats
    closer: Floats
    ihc: Floats


def attribute(journeys: pd.DataFrame, parameters: str | Path | IHCParameters = "challenge") -> pd.DataFrame:
    """Credits the sessions of each conversion by the IHC model.

    `journeys`: one row per conversion and session, in any order, with the columns conv_id, session_id, timestamp (text
    `YYYY-MM-DD HH:MM:SS` or datetime64, UTC), channel_label, holder_engagement and closer_engagement (0 or 1). The rows of
    one conv_id are one journey, in order of time, equal times by session_id.
    `parameters`: a preset's name (`challenge`, `alternative`), a JSON file's path, or an IHCParameters.

    Returns conv_id and session_id as given, and initializer, holder, closer, ihc (float64, 0 to 1): one row per row given,
    with its order and index. Raises AttributionError for a missing column, an unreadable timestamp, another flag than 0 or 1,
    a missing value.
    """
    parameters = IHCParameters.load(parameters)
    _check(journeys)
    time = _nanoseconds(journeys["timestamp"])
    conversion, _ = pd.factorize(journeys["conv_id"])
    order = _journey_order(conversion, time, journeys["session_id"])
    channel, labels = pd.factorize(journeys["channel_label"])
    in_order = conversion[order]
    credit = ihc(
        offsets=np.flatnonzero(np.diff(in_order, prepend=-1)),
        time=time[order],
        channel=channel[order],
        labels=[str(label) for label in labels],
        holder_engagement=journeys["holder_engagement"].to_numpy(np.float64)[order],
        closer_engagement=journeys["closer_engagement"].to_numpy(np.float64)[order],
        parameters=parameters,
    )
    result = journeys[["conv_id", "session_id"]].copy()
    for phase, values in zip(Credit._fields, credit, strict=True):
        as_given = np.empty(len(order))
        as_given[order] = values
        result[phase] = as_given
    return result


def ihc(
    *,
    offsets: Ints,
    time: Ints,
    channel: Ints,
    labels: list[str],
    holder_engagement: Floats,
    closer_engagement: Floats,
    parameters: IHCParameters,
) -> Credit:
    """The formula, for sessions grouped by journey and sorted by time, shape (sessions,) each.

    `offsets`, shape (journeys,): where each journey starts, the first at 0; `time`: the sessions' times in
    nanoseconds; `channel`: index into `labels`. Every journey is computed by itself, whatever stands beside it.

    Source: recovered from recorded answers of the IHC API, which publishes none; see docs/models.md.
    """
    n = len(time)
    if n == 0:
        return Credit(*(np.empty(0) for _ in Credit._fields))
    sizes = np.diff(offsets, append=n)
    first = np.repeat(offsets, sizes)
    last = first + np.repeat(sizes, sizes) - 1
    position = np.arange(n)

    def total(values: Floats) -> Floats:
        """The sum over the session's journey, per session."""
        return np.repeat(np.add.reduceat(values, offsets), sizes)

    def norm(values: Floats) -> Floats:
        return _divide(values, total(values))

    since_previous = np.diff(time, prepend=time[0]) / HOUR
    before_last = (time[last] - time) / HOUR
    initializer_membership = np.where(position == first, 1.0, _interpolate(since_previous, parameters.initializer_membership))
    closer_membership = np.where(
        position == last, 1.0, closer_engagement * _interpolate(before_last, parameters.closer_membership)
    )
    initializer = norm(initializer_membership)
    closer = norm(closer_membership)

    a, b = 1 - initializer, 1 - closer
    holder = holder_engagement * ((a + b) / 2 + 2 * _divide(a * b, a + b)) / 2

    returns = np.where(initializer_membership >= 1, position, -1)
    kept = position >= np.repeat(np.maximum.reduceat(returns, offsets), sizes)
    weights = parameters.channel_weights
    neutral = {"initializer": 1.0, "holder": 1.0, "closer": 1.0}
    by_label = pd.DataFrame([weights[label].model_dump() if label in weights else neutral for label in labels])
    w = {phase: by_label[phase].to_numpy()[channel] * kept for phase in neutral}

    initializer = norm(initializer * w["initializer"])
    holder = norm(holder * w["holder"])
    closer = norm(closer * w["closer"])
    p = parameters.phase_weights
    held = total(holder) > 0
    ihc_ = (p.initializer * initializer + p.holder * holder + p.closer * closer) / np.where(
        held, p.initializer + p.holder + p.closer, p.initializer + p.closer
    )
    return Credit(initializer, holder, closer, ihc_)


def _interpolate(hours: Floats, membership: tuple[Knot, ...]) -> Floats:
    """The degree at each hour. At a jump (two knots at one hour) the point belongs to the left piece; ends hold outside."""
    x, y = np.array(membership, dtype=np.float64).T
    right = np.minimum(np.searchsorted(x, hours, side="left"), len(x) - 1)
    left = np.maximum(right - 1, 0)
    share = _divide(hours - x[left], x[right] - x[left])
    degree: Floats = np.where(hours < x[right], y[left] + share * (y[right] - y[left]), y[right])
    return degree


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, 0 where the denominator is 0."""
    quotient = np.zeros_like(denominator)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def _journey_order(conversion: Ints, time: Ints, session_id: pd.Series) -> Ints:
    """The positions that sort the rows by journey, time and, where times are equal, session_id."""
    order: Ints = np.lexsort((time, conversion)).astype(np.int64)
    same = (np.diff(conversion[order]) == 0) & (np.diff(time[order]) == 0)
    tied = np.append(same, False) | np.append(False, same)
    if tied.any():
        rows = order[tied]
        ids = session_id.to_numpy(dtype=object)[rows].astype(str)
        order[tied] = rows[np.lexsort((ids, time[rows], conversion[rows]))]
    return order


def _nanoseconds(timestamp: pd.Series) -> Ints:
    """The times as whole nanoseconds, whose differences are exact: a jump of a membership lies at an exact hour."""
    wanted = "Write YYYY-MM-DD HH:MM:SS, in UTC."
    try:
        parsed = pd.to_datetime(timestamp, format="ISO8601", utc=True).dt.as_unit("ns")
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise AttributionError(f"A timestamp of the journeys cannot be read: {reason} {wanted}") from error
    if parsed.isna().any():
        raise AttributionError(f"The timestamp {timestamp[parsed.isna()].iloc[0]!r} of the journeys is no time. {wanted}")
    return parsed.to_numpy(dtype="datetime64[ns]").astype(np.int64)


def _check(journeys: pd.DataFrame) -> None:
    missing = [column for column in JOURNEY_COLUMNS if column not in journeys.columns]
    if missing:
        raise AttributionError(f"The journeys lack the column {missing[0]}: attribute() needs {', '.join(JOURNEY_COLUMNS)}.")
    for column in JOURNEY_COLUMNS:
        if journeys[column].isna().any():
            raise AttributionError(f"The journeys have a row without {column}.")
    for column in ("holder_engagement", "closer_engagement"):
        other = journeys.loc[~journeys[column].isin([0, 1]), column]
        if len(other):
            raise AttributionError(f"The journeys have {column} {other.iloc[0]}: it must be 0 or 1.")
