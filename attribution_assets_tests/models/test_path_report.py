"""Paths: counted with who did not convert, by length and by time, and by what a channel closes and assists."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.models.journeys import HOUR, Journeys
from attribution_assets.models.path_report import SEPARATOR, TOP_PATHS, path_report, path_text

JOURNEYS = [  # user, channels an hour apart, hours from the first session to the conversion, revenue; None: no conversion
    ("anna", ["Email", "Ads"], 2, 100.0),
    ("ben", ["Email", "Ads"], 49, 50.0),
    ("carl", ["Ads"], None, None),
    ("dora", ["Email", "Ads"], None, None),
    ("emil", ["Ads"], 1, 10.0),
    ("fred", ["Email", "Email"], 23, 5.0),
]


@pytest.fixture(scope="module")
def report() -> pd.DataFrame:
    rows = [
        (user, f"{user}{i}", pd.Timestamp("2023-09-01") + pd.Timedelta(hours=i), channel)
        for user, channels, _, _ in JOURNEYS
        for i, channel in enumerate(channels)
    ]
    journeys, _ = Journeys.from_frame(pd.DataFrame(rows, columns=["conv_id", "session_id", "timestamp", "channel_label"]))
    first = journeys.time[0]
    return path_report(
        journeys,
        np.array([hours is not None for _, _, hours, _ in JOURNEYS]),
        np.array([first + (hours or 0) * HOUR for _, _, hours, _ in JOURNEYS]),
        np.array([revenue or 0 for *_, revenue in JOURNEYS], dtype=float),
    )


def section(report: pd.DataFrame, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return list(report.loc[report["section"] == name, ["item", *columns]].itertuples(index=False, name=None))


def test_paths_stand_in_the_order_of_their_conversions(report: pd.DataFrame) -> None:
    assert section(report, "path", "place", "journeys", "conversions", "revenue", "rate") == [
        ("Email > Ads", 1, 3, 2, 150, 2 / 3),
        ("Ads", 2, 2, 1, 10, 1 / 2),
        ("Email > Email", 3, 1, 1, 5, 1),
    ]


def test_lengths_count_sessions(report: pd.DataFrame) -> None:
    assert section(report, "length", "journeys", "conversions", "revenue", "rate") == [
        ("1", 2, 1, 10, 1 / 2),
        ("2", 4, 3, 155, 3 / 4),
    ]


def test_lags_count_whole_days_from_the_first_session_to_the_conversion(report: pd.DataFrame) -> None:
    assert section(report, "lag", "conversions", "revenue") == [("0", 3, 115), ("2", 1, 50)]
    assert report.loc[report["section"] == "lag", "rate"].isna().all()


def test_a_channel_closes_what_it_is_the_last_of_and_assists_where_it_is_another(report: pd.DataFrame) -> None:
    assert section(report, "channel", "journeys", "conversions", "revenue", "rate", "assisted") == [
        ("Ads", 5, 3, 160, 3 / 5, 0),
        ("Email", 4, 1, 5, 3 / 4, 2),
    ]


def test_the_paths_with_the_most_conversions_are_kept() -> None:
    count = TOP_PATHS + 5
    offsets = np.arange(count)
    journeys = Journeys(offsets, np.zeros(count, dtype=np.int64), offsets, tuple(f"c{i:03}" for i in range(count)))
    converted = offsets >= 5

    report = path_report(journeys, converted, np.zeros(count, dtype=np.int64), np.ones(count))

    assert [item for (item,) in section(report, "path")] == [f"c{i:03}" for i in range(5, count)]


def counted(*paths: tuple[str, ...]) -> dict[str, int]:
    """How many journeys each path of the report has; all convert."""
    labels = tuple(sorted({channel for path in paths for channel in path}))
    sizes = np.array([len(path) for path in paths])
    channel = np.array([labels.index(channel) for path in paths for channel in path])
    journeys = Journeys(np.cumsum(sizes) - sizes, np.arange(len(channel)), channel, labels)
    count = len(paths)
    report = path_report(journeys, np.ones(count, dtype=bool), np.zeros(count, dtype=np.int64), np.ones(count))
    return dict(section(report, "path", "journeys"))


def test_a_channel_whose_name_looks_like_a_path_is_told_from_that_path() -> None:
    assert counted(("Paid > Search",), ("Paid", "Search"), ("Paid", "Search"), ("Paid > Search", "Email")) == {
        "Paid > Search": 2,
        '"Paid > Search"': 1,
        '"Paid > Search" > Email': 1,
    }


def test_a_channel_whose_name_looks_quoted_is_told_from_one_that_is() -> None:
    assert counted(('"A > B"',), ("A > B",)) == {'"A > B"': 1, r'"\"A > B\""': 1}


def test_spaces_around_a_name_are_seen() -> None:
    assert counted(("A", " B"), ("A ", "B"), ("A", "B"), ("",)) == {'A > " B"': 1, '"A " > B': 1, "A > B": 1, '""': 1}


@given(st.lists(st.text('A"> \\', max_size=4), min_size=1, max_size=3))
def test_a_path_can_be_read_back_from_its_text(path: list[str]) -> None:
    assert read_back(path_text(path)) == path


def read_back(text: str) -> list[str]:
    """The channels of a path: JSON where a quotation mark begins, else what stands before the next separator."""
    if text.startswith('"'):
        name, end = json.JSONDecoder().raw_decode(text)
        separator, rest = text[end : end + len(SEPARATOR)], text[end + len(SEPARATOR) :]
    else:
        name, separator, rest = text.partition(SEPARATOR)
    return [name, *read_back(rest)] if separator else [name]
