"""Journeys as tests write them: a path is a word, each letter of which is a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from attribution_assets.models.journeys import MINUTE, Bools, Ints, Journeys

Paths = Sequence[tuple[str, bool]]
"""Each with whether it ended in a conversion."""

PATHS = st.lists(st.tuples(st.text("ABCDE", min_size=1, max_size=6), st.booleans()), max_size=8)


def journeys(paths: Iterable[str], labels: Sequence[str] | None = None, minutes: Sequence[float] | None = None) -> Journeys:
    """One journey per path, its sessions an hour apart unless `minutes` says when each session of all paths is."""
    paths = list(paths)
    sessions = "".join(paths)
    labels = labels or sorted(set(sessions))
    hourly = [60 * position for path in paths for position in range(len(path))]
    return Journeys(
        offsets=np.array([sum(map(len, paths[:number])) for number in range(len(paths))], dtype=np.int64),
        time=np.array([minute * MINUTE for minute in (hourly if minutes is None else minutes)], dtype=np.int64),
        channel=np.array([labels.index(channel) for channel in sessions], dtype=np.int64),
        labels=tuple(labels),
    )


def learnt_from(paths: Paths, labels: Sequence[str] | None = None) -> tuple[Journeys, Bools]:
    """What the models that learn take."""
    return journeys((path for path, _ in paths), labels), np.array([converted for _, converted in paths], dtype=bool)


def tallied(count: Callable[[Journeys, Ints], pd.DataFrame], of: Journeys, converted: Bools) -> pd.DataFrame:
    """What a model learns from, counted in journeys of which some converted."""
    return count(of, converted.astype(np.int64)).rename(columns={"group": "converted"})


def exactly(*values: float) -> Any:
    return pytest.approx(values, abs=1e-12)
