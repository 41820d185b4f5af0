"""Sessions as the tests of the model say them: so many hours after a start, or any that Hypothesis draws."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import strategies as st

from attribution_assets.ihc import PRESETS, IHCParameters

PHASES = ["initializer", "holder", "closer", "ihc"]
START = datetime(2023, 9, 1)

STARTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda time: time.replace(microsecond=0))

ALL_CHANNELS = [*sorted({channel for preset in PRESETS for channel in IHCParameters.load(preset).channel_weights}), "Other"]

GAPS = st.one_of(
    st.just(0),
    st.integers(1, 60).map(lambda tenths: 360 * tenths),  # on the tenths of an hour, where f_C jumps
    st.sampled_from([189_720, 193_320, 792_000]),  # 52.7 h and 53.7 h, where f_I of `challenge` saturates; 220 h
    st.integers(1, 3 * 86_400),
    st.integers(1, 400 * 86_400),
)

IDS = st.text("019afZé ", min_size=1, max_size=4)
CHANNELS = st.sampled_from(ALL_CHANNELS)
FLAG = st.integers(0, 1)
NUMBER_OF_JOURNEYS = st.integers(1, 4)

Row = dict[str, Any]
Knots = list[tuple[float, float]]


def session(
    session_id: str, hours: float, channel: str = "Email", *, conv_id: str = "c", holder: int = 1, closer: int = 1
) -> Row:
    """A session so many hours after the start of 2023-09-01."""
    return {
        "conv_id": conv_id,
        "session_id": session_id,
        "timestamp": text(START + timedelta(hours=hours)),
        "channel_label": channel,
        "holder_engagement": holder,
        "closer_engagement": closer,
    }


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def made_up(
    *,
    initializer: Knots | None = None,
    closer: Knots | None = None,
    channels: dict[str, dict[str, float]] | None = None,
) -> IHCParameters:
    """Phase weights .2, .5, .3; unless said otherwise, an hour adds a tenth to f_I and takes one from f_C, up to ten hours."""
    return IHCParameters.model_validate(
        {
            "phase_weights": {"initializer": 0.2, "holder": 0.5, "closer": 0.3},
            "channel_weights": channels or {},
            "initializer_membership": initializer or [(0, 0), (10, 1)],
            "closer_membership": closer or [(0, 1), (10, 0)],
        }
    )


def exactly(*shares: float) -> Any:
    return pytest.approx(shares, abs=1e-12)


@st.composite
def journey(draw: st.DrawFn, conv_id: str = "c", max_size: int = 12) -> list[Row]:
    """The rows of a journey in their order, with equal times in the order of their session_id."""
    ids = draw(st.lists(IDS, min_size=1, max_size=max_size, unique=True))
    time = draw(STARTS)
    rows = []
    for session_id in ids:
        time += timedelta(seconds=draw(GAPS))
        row = session(session_id, 0, draw(CHANNELS), conv_id=conv_id, holder=draw(FLAG), closer=draw(FLAG))
        rows.append({**row, "timestamp": text(time)})
    return sorted(rows, key=lambda row: (row["timestamp"], row["session_id"]))


@st.composite
def several_journeys(draw: st.DrawFn) -> pd.DataFrame:
    """The rows of one to four journeys, in the order of their conv_id and times."""
    return pd.DataFrame([row for number in range(draw(NUMBER_OF_JOURNEYS)) for row in draw(journey(f"c{number}", 6))])
