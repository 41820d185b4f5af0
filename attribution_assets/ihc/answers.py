"""Recorded answers of the IHC service: how to read them, and what the embedded model answers for the same sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.model import FLAGS, EngagedJourneys, ihc
from attribution_assets.ihc.parameters import OUTPUTS, IHCParameters
from attribution_assets.ihc.redistribution import Redistribution
from attribution_assets.models.journeys import Ints, nanoseconds

COLUMNS = ("request", "conversion_id", "session_id", "timestamp", "channel_label", *FLAGS, *OUTPUTS)
"""What an answer needs; `conversion` and `impression_interaction`, which the service takes too, change nothing."""

SUM_TOLERANCE = 0.002
"""How far the sum of a journey's ihc in the service's answer may be from 1: the service rounds to four digits."""


@dataclass(frozen=True)
class AnswerComparison:
    """How far the embedded model is from recorded answers.

    `errors`: one row per output (index: initializer, holder, closer, ihc), the distribution of |embedded - recorded| over
    the sessions: median, p95, max, and within_0.001, the share of sessions (0 to 1) that are no farther than that.
    `channels`: one row per channel_label (index, sorted), in orders: recorded and embedded, the sums of ihc; shift, embedded
    minus recorded; relative_shift, the same as a share of recorded, NaN where recorded is 0.
    All float64.
    """

    errors: pd.DataFrame
    channels: pd.DataFrame


def read_answers(path: str | Path) -> pd.DataFrame:
    """The recorded answers of a CSV file with the columns COLUMNS, others being kept as text.

    Returns the rows as they stand: request, conversion_id, session_id and channel_label as text, whatever they look like;
    timestamp as datetime64[ns, UTC]; the two engagements as int64, 0 or 1; the four outputs as float64, 0 to 1.

    Raises AttributionError for a missing file or column, no rows, a value that cannot be read, and a journey (the rows of one
    request and conversion_id) whose ihc does not sum to 1 within 0.002. It names the file and the row, the first after
    the header being row 1, or the journey.
    """
    try:
        answers = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AttributionError(f"There is no file {path} with recorded answers.") from error
    except pd.errors.EmptyDataError as error:
        raise AttributionError(f"{path} is empty. Recorded answers need the columns {', '.join(COLUMNS)}.") from error
    except OSError as error:
        raise AttributionError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # no text, rows of different lengths
        raise AttributionError(f"{path} cannot be read as a CSV file: {str(error).splitlines()[0]}.") from error
    missing = [column for column in COLUMNS if column not in answers.columns]
    if missing:
        raise AttributionError(f"{path} has no column {missing[0]}. Recorded answers need the columns {', '.join(COLUMNS)}.")
    if answers.empty:
        raise AttributionError(f"{path} has no rows, so there are no recorded answers to read.")

    def refuse(column: str, wrong: pd.Series, wanted: str) -> None:
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise AttributionError(f"{path}, row {row + 1}: {column} {answers[column].iloc[row]!r} is not {wanted}.")

    read = answers.copy()
    for column in ("request", "conversion_id", "session_id", "channel_label"):
        refuse(column, answers[column] == "", "filled in")
    read["timestamp"] = pd.to_datetime(answers["timestamp"], format="ISO8601", utc=True, errors="coerce").dt.as_unit("ns")
    refuse("timestamp", read["timestamp"].isna(), "a UTC time (YYYY-MM-DD HH:MM:SS)")
    for column in FLAGS:
        read[column] = pd.to_numeric(answers[column], errors="coerce")
        refuse(column, ~read[column].isin([0, 1]), "0 or 1")
        read[column] = read[column].astype("int64")
    for column in OUTPUTS:
        read[column] = pd.to_numeric(answers[column], errors="coerce").astype("float64")
        refuse(column, ~read[column].between(0, 1), "a number from 0 to 1")
    sums = read.groupby(["request", "conversion_id"], sort=False)["ihc"].sum()
    wrong = sums[(sums - 1).abs() > SUM_TOLERANCE + 1e-9]
    if len(wrong):
        request, conversion = wrong.index[0]
        raise AttributionError(
            f"{path}: the ihc of conversion {conversion!r} in request {request!r} sums to {wrong.iloc[0]:.4f} instead of 1. "
            "Rows of this journey are missing or duplicated."
        )
    return read


def predict(answers: pd.DataFrame, parameters: IHCParameters, redistribution: Redistribution | None = None) -> pd.DataFrame:
    """What the embedded model answers for the sessions of `answers`, a frame as of `read_answers` (outputs not needed).

    The rows of one request and conversion_id are one journey, in order of time, equal times in the order of the rows, as
    the service has it. Returns initializer, holder, closer and ihc (float64, 0 to 1) with the index of `answers`.
    """
    journeys, order = engaged_journeys(answers)
    as_given = np.empty((len(answers), len(OUTPUTS)))
    as_given[order] = np.column_stack(ihc(journeys, parameters, redistribution))
    return pd.DataFrame(as_given, index=answers.index, columns=list(OUTPUTS))


def compare_answers(
    answers: pd.DataFrame, parameters: IHCParameters, redistribution: Redistribution | None = None
) -> AnswerComparison:
    """How far the embedded model with these parameters is from recorded answers, a frame as of `read_answers`."""
    shares = list(OUTPUTS)
    embedded = predict(answers, parameters, redistribution)
    error = (embedded - answers[shares]).abs()
    errors = pd.DataFrame(
        {
            "median": error.median(),
            "p95": error.quantile(0.95),
            "max": error.max(),
            "within_0.001": (error <= 0.001 + 1e-12).mean(),
        }
    ).loc[shares]
    orders = pd.DataFrame({"recorded": answers["ihc"], "embedded": embedded["ihc"]})
    channels = orders.groupby(answers["channel_label"].to_numpy()).sum().rename_axis("channel_label")
    channels["shift"] = channels["embedded"] - channels["recorded"]
    channels["relative_shift"] = channels["shift"] / channels["recorded"].where(channels["recorded"] != 0)
    return AnswerComparison(errors, channels)


def engaged_journeys(answers: pd.DataFrame) -> tuple[EngagedJourneys, Ints]:
    """The journeys of `answers`, a frame as of `read_answers`, and which row each session is, shape (sessions,).

    The rows of one request and conversion_id are one journey, in order of time, equal times in the order of the rows. Journeys
    are sorted by request and conversion_id and labels by name, so that the order of the rows changes neither.
    """
    time = nanoseconds(answers["timestamp"])
    _, request = np.unique(answers["request"].to_numpy(dtype=object).astype(str), return_inverse=True)
    _, conversion = np.unique(answers["conversion_id"].to_numpy(dtype=object).astype(str), return_inverse=True)
    order = np.lexsort((time, conversion, request)).astype(np.int64)  # which is stable
    new = (np.diff(request[order], prepend=-1) != 0) | (np.diff(conversion[order], prepend=-1) != 0)
    channel, labels = pd.factorize(answers["channel_label"], sort=True)
    journeys = EngagedJourneys(
        offsets=np.flatnonzero(new),
        time=time[order],
        channel=channel[order],
        labels=tuple(map(str, labels)),
        holder_engagement=answers["holder_engagement"].to_numpy(np.float64)[order],
        closer_engagement=answers["closer_engagement"].to_numpy(np.float64)[order],
    )
    return journeys, order
