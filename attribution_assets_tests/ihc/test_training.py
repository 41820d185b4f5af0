"""Training the IHC parameters on journeys alone: small tables worked out by hand, what changes nothing, and real journeys."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import IHCParameters, training
from attribution_assets.ihc.answers import engaged_journeys, read_answers
from attribution_assets.ihc.embedded import embedded_results
from attribution_assets.ihc.model import EngagedJourneys, ihc
from attribution_assets.ihc.parameters import Knot, Phases
from attribution_assets.ihc.training import orders, spread, train, weighted_quantiles
from attribution_assets.models.journeys import HOUR, Bools, Floats
from attribution_assets_tests.support import SHARED

RECORDED = SHARED / "real" / "ihc" / "recorded_answers.csv"
CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"

START = pd.Timestamp("2023-09-01").value

Hours = Sequence[float]
"""When the sessions of a journey begin, in hours from a common start."""


# What the tests are made of -------------------------------------------------------------------------------------------


def joined(sessions: Iterable[tuple[Hours, int]]) -> EngagedJourneys:
    """A journey for each list of hours, with the holder_engagement of its sessions. They are of two channels in turn."""
    given = [*sessions]
    sizes = np.array([len(hours) for hours, _ in given])
    time = np.concatenate([np.round(np.array(hours) * HOUR).astype(np.int64) + START for hours, _ in given])
    channel = np.concatenate([np.arange(size) % 2 for size in sizes])
    holder = np.repeat([float(holder) for _, holder in given], sizes)
    return EngagedJourneys(np.cumsum(sizes) - sizes, time, channel, ("Email", "Search"), holder, np.ones(len(time)))


def journeys(sessions: Iterable[Hours]) -> EngagedJourneys:
    """A journey for each list of hours; all sessions are engaged."""
    return joined((hours, 1) for hours in sessions)


def pairs(gaps: Iterable[float]) -> EngagedJourneys:
    """A journey of two sessions for each gap between them, in hours."""
    return journeys([0, gap] for gap in gaps)


def shuffled(given: EngagedJourneys, seed: int) -> EngagedJourneys:
    """The same journeys in another order, and the channels with other numbers."""
    order = np.random.default_rng(seed).permutation(len(given))
    rows = np.concatenate([np.arange(given.offsets[number], given.last[number] + 1) for number in order])
    sizes = given.sizes[order]
    return EngagedJourneys(
        np.cumsum(sizes) - sizes,
        given.time[rows],
        len(given.labels) - 1 - given.channel[rows],
        given.labels[::-1],
        given.holder_engagement[rows],
        given.closer_engagement[rows],
    )


def degree(membership: tuple[Knot, ...], hours: float) -> float:
    """The degree at an hour where the membership does not jump."""
    return float(np.interp(hours, *np.array(membership).T))


def between(*points: tuple[int, float]) -> list[float]:
    """201 gaps whose ranks and hours are these, and between them on a line: rank 100 is the .50, 178 the .89 quantile."""
    return list(map(float, np.interp(np.arange(201), *np.array(points).T)))


@st.composite
def many_journeys(draw: st.DrawFn) -> EngagedJourneys:
    """100 to 150 journeys of 2 to 5 sessions, with gaps from seconds to weeks, many of them equal."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    made = []
    for _ in range(draw(st.integers(100, 150))):
        gaps = [chance.choice([0, 1, 24, chance.expovariate(0.05), chance.expovariate(3)]) for _ in range(chance.randint(1, 4))]
        start = chance.choice([0, chance.uniform(0, 1000)])
        made.append(([start + sum(gaps[:k]) for k in range(len(gaps) + 1)], int(chance.random() < 0.8)))
    return joined(made)


EVEN = [4 * rank for rank in range(101)]
"""Gaps whose quantile q is 400 q hours."""


# By hand --------------------------------------------------------------------------------------------------------------


def test_the_closer_membership_falls_evenly_between_the_first_and_the_seventh_tenth_of_the_hours_to_the_end() -> None:
    learned = train(pairs(EVEN)).parameters.closer_membership

    assert len(learned) == 81
    assert learned[0] == (40, 1)
    assert learned[1] == (43, 0.9875)
    assert learned[40] == (160, 0.5)
    assert learned[80] == (280, 0)


def test_the_hours_of_the_closer_membership_are_rounded_to_tenths() -> None:
    # The second knot is at .1075 of the hours: at 10.75 and 4.3.
    quarters, tenths = (train(pairs(hours * rank for rank in range(101))).parameters for hours in (1, 0.4))

    assert quarters.closer_membership[1] == (10.8, 0.9875)
    assert tenths.closer_membership[1] == (4.3, 0.9875)


def test_where_several_knots_of_the_closer_membership_are_at_one_hour_it_jumps_from_the_first_to_the_last() -> None:
    assert train(pairs([10] * 100)).parameters.closer_membership == ((10, 1), (10, 0))


def test_the_closer_membership_is_learned_from_the_first_two_sessions_that_are_not_the_last() -> None:
    # Hours to the last: 9 and 7 of the first two; the third, at 5, and the last, at 0, do not count.
    learned = train(journeys([[0, 2, 4, 9]] * 100)).parameters.closer_membership

    assert {hours for hours, _ in learned} == {7, 9}


def test_the_closer_membership_is_learned_from_holder_engaged_sessions() -> None:
    learned = train(joined([([0, 10], 1)] * 50 + [([0, 90], 0)] * 50)).parameters.closer_membership

    assert learned == ((10, 1), (10, 0))


def test_the_initializer_membership_rises_from_the_median_to_the_89th_percentile_of_the_gaps() -> None:
    # Gaps that are nowhere dense: a line.
    trained = train(pairs(EVEN))
    learned = trained.parameters.initializer_membership

    assert [learned[0], learned[-1]] == [(200, 0), (356, 1)]
    assert degree(learned, 278) == pytest.approx(0.5, abs=1e-6)
    assert trained.saturation == 356


def test_all_gaps_of_a_journey_count_engaged_or_not() -> None:
    # Gaps 1 and 9, each a hundred times: the median lies between them, at 5.
    learned = train(joined([([0, 1, 10], 1)] * 50 + [([0, 1, 10], 0)] * 50)).parameters.initializer_membership

    assert [learned[0], learned[-1]] == [(5, 0), (9, 1)]


def test_the_initializer_membership_is_lowered_where_gaps_are_dense() -> None:
    # From 10 to 50 h; half of the gaps in between are within the first quarter, up to 20 h: .25 - .27 * (.5 - .25).
    learned = train(pairs(between((0, 0), (100, 10), (139, 20), (178, 50), (200, 60)))).parameters.initializer_membership

    assert degree(learned, 20) == pytest.approx(0.1825, abs=0.002)


def test_the_initializer_membership_never_falls() -> None:
    # Where ranks 120 to 160 are within minutes, the rule alone would fall.
    gaps = between((0, 0), (100, 10), (120, 30), (160, 30.1), (178, 50), (200, 60))

    degrees = [knot[1] for knot in train(pairs(gaps)).parameters.initializer_membership]

    assert degrees == sorted(degrees)


def test_the_initializer_membership_reaches_one_at_its_last_knot_only() -> None:
    # At 49 h the line is at .975 and half of the gaps are shorter: the rule alone would give 1.1.
    trained = train(pairs(between((0, 0), (100, 10), (101, 49), (178, 50), (200, 60))))

    assert trained.saturation == 50
    assert [knot[0] for knot in trained.parameters.initializer_membership if knot[1] >= 1] == [50]


def test_where_most_gaps_are_equal_the_initializer_membership_jumps_there() -> None:
    assert train(pairs([10] * 100)).parameters.initializer_membership == ((10, 0), (10, 1))


def test_journeys_of_one_session_and_of_37_are_left_out() -> None:
    learned = pairs(EVEN)
    others = [[0.0], [float(hour) for hour in range(37)]]

    assert train(journeys([*others, *([0, gap] for gap in EVEN)])).parameters.initializer_membership == (
        train(learned).parameters.initializer_membership
    )


def test_journeys_of_36_sessions_are_learned_from() -> None:
    assert train(journeys([[0, 10]] * 99 + [list(range(36))])).journeys == 100


def test_all_channels_weigh_one_and_the_phases_what_was_found_on_one_account() -> None:
    learned = train(pairs(EVEN)).parameters

    assert learned.channel_weights == {}
    assert learned.phase_weights == Phases(initializer=0.323, holder=0.374, closer=0.303)


def test_the_description_says_self_trained_and_from_how_many_journeys_and_days() -> None:
    # The longest of the journeys lasts 400 hours.
    assert train(pairs(EVEN)).parameters.description.startswith(
        "self-trained from 101 journeys of 2 to 36 sessions of 17 days (2023-09-01 to 2023-09-17), without answers"
    )


# Files and rows -------------------------------------------------------------------------------------------------------


def test_a_row_computed_with_the_file_says_self_trained(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    learned = train(pairs(EVEN)).parameters
    learned.write(path)

    loaded = IHCParameters.load(path)
    row = {"conv_id": "c", "session_id": "s", "conv_date": "2023-09-01", "timestamp": "2023-09-01 10:00:00"}
    rows = pd.DataFrame([row | {"channel_label": "Email", "holder_engagement": 1, "closer_engagement": 1}])

    assert loaded.model_copy(update={"name": "self-trained"}) == learned
    assert embedded_results(rows, loaded, None)["parameters"].iloc[0].startswith("self-trained params.json@")


def test_a_file_of_calibrated_parameters_does_not_say_self_trained(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    IHCParameters.load("challenge").write(path)

    assert IHCParameters.load(path).name.startswith("params.json@")


# Too few --------------------------------------------------------------------------------------------------------------


def test_fewer_than_a_hundred_journeys_are_refused() -> None:
    with pytest.raises(AttributionError, match=r"There are 99 journeys of 2 to 36 sessions .* at least 100 are needed"):
        train(journeys([[0.0, 10.0]] * 99 + [[0.0]] * 50))


def test_journeys_without_holder_engagement_are_refused() -> None:
    with pytest.raises(AttributionError, match=r"holder_engagement 1\. There are 0 of them, and at least 30 are needed"):
        train(joined([([0.0, 10.0], 0)] * 100))


@pytest.mark.parametrize(("count", "warned"), [(100, True), (399, True), (400, False)])
def test_fewer_than_four_hundred_journeys_are_warned_of(count: int, warned: bool) -> None:
    notes = train(pairs(range(count))).notes

    assert [f"Only {count} journeys" in note for note in notes] == [True] * warned


# What changes nothing -------------------------------------------------------------------------------------------------


@given(many_journeys(), st.integers(0, 2**32))
def test_neither_the_order_of_the_journeys_nor_that_of_the_channels_matters(given: EngagedJourneys, seed: int) -> None:
    trained, other = train(given), train(shuffled(given, seed))
    spreads = [spread(rows, trained, seed=0, draws=5) for rows in (given, shuffled(given, seed))]

    assert other == trained
    assert spreads[0].saturation == spreads[1].saturation
    pd.testing.assert_frame_equal(spreads[0].channels, spreads[1].channels, check_exact=True)


@given(many_journeys())
def test_the_names_of_the_channels_do_not_matter(given: EngagedJourneys) -> None:
    renamed = replace(given, labels=("Mail", "Shop"))
    trained = train(given)
    figures = ["orders", "orders_low", "orders_high"]

    assert train(renamed) == trained
    pd.testing.assert_frame_equal(
        spread(given, trained, seed=0, draws=5).channels[figures], spread(renamed, trained, seed=0, draws=5).channels[figures]
    )


@given(many_journeys(), st.sampled_from([2, 3, 7, 24]))
def test_the_hours_of_the_initializer_membership_grow_with_the_times(given: EngagedJourneys, factor: int) -> None:
    longer = replace(given, time=given.time * factor)

    once, again = (train(rows).parameters.initializer_membership for rows in (given, longer))

    assert [knot[0] for knot in again] == pytest.approx([factor * knot[0] for knot in once])
    assert [knot[1] for knot in again] == pytest.approx([knot[1] for knot in once], abs=2e-7)


def test_the_hours_of_the_closer_membership_grow_with_the_times_before_they_are_rounded() -> None:
    # All are whole hours, so that the rounding changes none.
    once, again = (train(pairs(factor * gap for gap in EVEN)).parameters.closer_membership for factor in (1, 3))

    assert again == tuple((3 * hours, share) for hours, share in once)


@given(many_journeys())
def test_both_memberships_are_memberships(given: EngagedJourneys) -> None:
    learned = train(given).parameters
    rising, falling = ([knot[1] for knot in table] for table in (learned.initializer_membership, learned.closer_membership))

    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert (rising[0], rising[-1], falling[0], falling[-1]) == (0, 1, 1, 0)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 4)), min_size=1).filter(lambda rows: any(times for _, times in rows)),
    st.lists(st.floats(0, 1), min_size=1),
)
def test_weighted_quantiles_are_those_of_values_repeated_by_their_weights(
    rows: list[tuple[float, int]], levels: list[float]
) -> None:
    values, weights = (np.array(column) for column in zip(*sorted(rows), strict=True))

    found = weighted_quantiles(values, weights, np.array(levels))

    assert found.tolist() == np.quantile(np.repeat(values, weights), levels).tolist()


def test_quantiles_of_values_that_weigh_one_are_those_of_numpy_to_the_last_bit() -> None:
    values, levels = np.sort(np.random.default_rng(0).lognormal(0, 5, 100)), np.linspace(0, 1, 777)

    found = weighted_quantiles(values, np.ones(100, dtype=np.int64), levels)

    assert found.tolist() == np.quantile(values, levels).tolist()


# How sure it is -------------------------------------------------------------------------------------------------------


def random_journeys(count: int, seed: int = 0) -> EngagedJourneys:
    """Of 1 to 4 sessions, at times of their own."""
    chance = random.Random(seed)
    starts = [[chance.uniform(0, 1000)] for _ in range(count)]
    return journeys(
        sorted(start + [start[0] + chance.expovariate(0.04) for _ in range(chance.randint(0, 3))]) for start in starts
    )


def test_where_all_journeys_are_alike_nothing_is_left_to_chance() -> None:
    given = journeys([[0, 1, 10]] * 100)

    found = spread(given, train(given), seed=0, draws=20)

    low, high = found.saturation
    assert low == high == train(given).saturation
    assert found.channels["orders_low"].tolist() == found.channels["orders"].tolist() == found.channels["orders_high"].tolist()


def test_the_interval_is_that_of_trainings_on_drawn_journeys() -> None:
    given = random_journeys(300)
    used = np.flatnonzero(given.sizes > 1)
    rng = np.random.default_rng(7)
    drawn = [
        train(joined((hours_of(given, number), 1) for number in rng.choice(used, len(used)))).parameters for _ in range(400)
    ]
    credited = np.array([orders(given, parameters) for parameters in drawn])

    found = spread(given, train(given), seed=0, draws=400)

    saturation = np.quantile([parameters.initializer_membership[-1][0] for parameters in drawn], [0.05, 0.95])
    assert found.saturation == pytest.approx(saturation, rel=0.05)
    intervals = found.channels[["orders_low", "orders_high"]].to_numpy()
    width = (intervals[:, 1] - intervals[:, 0]).mean()
    assert intervals == pytest.approx(np.quantile(credited, [0.05, 0.95], axis=0).T, abs=0.25 * width)


def hours_of(given: EngagedJourneys, number: int) -> Hours:
    """When the sessions of a journey begin."""
    return [(time - START) / HOUR for time in given.time[given.journey == number].tolist()]


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    given = random_journeys(200)
    first, again, other = (spread(given, train(given), seed=seed, draws=20) for seed in (1, 1, 2))

    pd.testing.assert_frame_equal(first.channels, again.channels, check_exact=True)
    assert first.saturation == again.saturation != other.saturation


def test_the_orders_are_those_of_all_journeys() -> None:
    given = random_journeys(300)

    assert spread(given, train(given), seed=0, draws=1).channels["orders"].sum() == pytest.approx(300, abs=1e-6)


def test_of_many_journeys_some_are_credited_and_scaled_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    given = random_journeys(2000)
    whole = spread(given, train(given), seed=0, draws=50)
    monkeypatch.setattr(training, "CREDITED_JOURNEYS", 500)

    part = spread(given, train(given), seed=0, draws=50)

    assert (part.credited, part.journeys) == (500, int((given.sizes > 1).sum()))
    assert part.channels["orders"].tolist() == whole.channels["orders"].tolist()
    widths = [(found.channels["orders_high"] - found.channels["orders_low"]).sum() for found in (part, whole)]
    assert widths[0] == pytest.approx(widths[1], rel=0.3)


def test_another_seed_credits_other_journeys(monkeypatch: pytest.MonkeyPatch) -> None:
    given = random_journeys(400)
    monkeypatch.setattr(training, "CREDITED_JOURNEYS", 20)
    chosen: list[list[int]] = []

    def parts(journeys: EngagedJourneys) -> list[EngagedJourneys]:
        chosen.append(journeys.time.tolist())
        return [journeys]

    monkeypatch.setattr(training, "_parts", parts)

    for seed in (0, 0, 1):
        spread(given, train(given), seed=seed, draws=1)

    assert chosen[0] == chosen[1] != chosen[2]


def test_of_journeys_with_the_same_times_all_are_credited_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    given = journeys([[0, 1, 10]] * 100)
    monkeypatch.setattr(training, "CREDITED_JOURNEYS", 50)

    assert spread(given, train(given), seed=0, draws=1).credited == 100


def test_it_does_not_matter_how_many_journeys_are_credited_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = random_journeys(300)
    together = spread(given, train(given), seed=0, draws=10)
    monkeypatch.setattr(training, "CREDITED_AT_ONCE", 7)

    in_parts = spread(given, train(given), seed=0, draws=10)

    pd.testing.assert_frame_equal(in_parts.channels, together.channels, check_exact=True)


# Real journeys --------------------------------------------------------------------------------------------------------


def challenge() -> EngagedJourneys:
    """The journeys of the challenge's conversions, or the test is skipped."""
    if not CHALLENGE.is_file():
        pytest.skip(f"the journeys of the challenge are not there: {CHALLENGE}")
    with closing(sqlite3.connect(f"file:{CHALLENGE}?mode=ro", uri=True)) as connection:
        rows = pd.read_sql(
            "SELECT conv_id, session_id, event_date || ' ' || event_time AS timestamp, channel_name AS channel_label, "
            "holder_engagement, closer_engagement FROM conversions JOIN session_sources USING (user_id) "
            "WHERE event_date || ' ' || event_time < conv_date || ' ' || conv_time",
            connection,
        )
    assert len(rows) == 3703
    return EngagedJourneys.from_frame(rows)[0]


def errors(given: EngagedJourneys, parameters: IHCParameters, expected: Floats, judged: Bools) -> tuple[float, float]:
    """Mean and p95 of |ihc - expected| per row of the judged journeys of two and more sessions."""
    error = np.abs(ihc(given, parameters).ihc - expected)[(judged & (given.sizes > 1))[given.journey]]
    return float(error.mean()), float(np.quantile(error, 0.95))


def test_the_account_that_it_was_found_on_is_nearly_given_back() -> None:
    given = challenge()
    expected = ihc(given, IHCParameters.load("challenge")).ihc

    mean, p95 = errors(given, train(given).parameters, expected, given.sizes > 0)

    assert mean <= 0.0065
    assert p95 <= 0.025


def test_half_of_that_account_is_nearly_given_back_from_the_other_half() -> None:
    given = challenge()
    expected = ihc(given, IHCParameters.load("challenge")).ihc
    means = []
    for seed in range(20):
        half = np.zeros(len(given), dtype=bool)
        half[np.random.default_rng(seed).permutation(len(given))[: len(given) // 2]] = True
        means.append(errors(given, train(given.only(half[given.journey])).parameters, expected, ~half)[0])

    assert np.mean(means) <= 0.01


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"the recorded answers are not there: {RECORDED}")
def test_another_account_is_not_given_back_as_the_documents_say() -> None:
    answers = read_answers(RECORDED)
    given, order = engaged_journeys(answers)

    mean, p95 = errors(given, train(given).parameters, answers["ihc"].to_numpy(np.float64)[order], given.sizes > 0)

    assert mean == pytest.approx(0.098, abs=0.001)
    assert p95 == pytest.approx(0.519, abs=0.001)
