"""Tallies: what models that learn count, and that counting some journeys at a time comes to the same."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.models import LEARNED, ModelRules
from attribution_assets.models.credit import count
from attribution_assets.models.journeys import Journeys, joined
from attribution_assets.models.markov import steps_of
from attribution_assets.models.relearning import paths_of
from attribution_assets.models.shapley import sets_of
from attribution_assets.models.tally import pieces_of
from attribution_assets_tests.models.paths import PATHS, Paths, journeys, learnt_from

MANY = [f"channel {number:03}" for number in range(200)]


def rows(tally: pd.DataFrame) -> set[tuple[str, int, int]]:
    return {(str(channels), int(group), int(times)) for channels, group, times in tally.itertuples(index=False)}


def test_markov_counts_each_step_from_the_channel_before_and_each_end() -> None:
    of = journeys(["AB", "AB", "B"])

    assert rows(steps_of(of, np.array([0, 0, 1]))) == {
        ('["A"]', 0, 2),
        ('["A", "B"]', 0, 2),
        ('["B", null]', 0, 2),
        ('["B"]', 1, 1),
        ('["B", null]', 1, 1),
    }


def test_a_step_of_order_two_is_from_the_two_channels_before() -> None:
    assert rows(steps_of(journeys(["ABA"]), np.array([0]), order=2)) == {
        ('["A"]', 0, 1),
        ('["A", "B"]', 0, 1),
        ('["A", "B", "A"]', 0, 1),
        ('["B", "A", null]', 0, 1),
    }


def test_shapley_counts_journeys_by_the_set_of_their_channels() -> None:
    of = journeys(["ABA", "BA", "B"])

    assert rows(sets_of(of, np.array([0, 0, 7]))) == {('["A", "B"]', 0, 2), ('["B"]', 7, 1)}


def test_sets_of_more_channels_than_one_number_has_bits_are_told_apart() -> None:
    channel = np.array([0, 64, 0, 128, 1, 64, 0, 64])
    of = Journeys(np.array([0, 2, 4, 6]), np.arange(8), channel, tuple(MANY))

    assert rows(sets_of(of, np.zeros(4, dtype=np.int64))) == {
        ('["channel 000", "channel 064"]', 0, 2),
        ('["channel 000", "channel 128"]', 0, 1),
        ('["channel 001", "channel 064"]', 0, 1),
    }


@pytest.mark.parametrize("name", ['"', "\\", ",", "null", "", "Ünïcode", "a\nb"])
def test_a_piece_is_read_as_it_was_counted_whatever_the_names_of_channels(name: str) -> None:
    of = journeys(["BA"])
    named = Journeys(of.offsets, of.time, of.channel, (name, "other"))

    read = pieces_of(steps_of(named, np.array([0]))["channels"])

    assert {*read.labels} == {name, "other"}
    assert sorted(read.sizes) == [1, 2, 2]


def test_whole_journeys_are_counted_by_their_channels_in_order() -> None:
    of = journeys(["BA", "AB", "BA"])

    assert rows(paths_of(of, np.array([0, 0, 0]))) == {('["B", "A"]', 0, 2), ('["A", "B"]', 0, 1)}


@pytest.mark.parametrize("model", [*LEARNED, "whole"])
@given(paths=PATHS, others=PATHS, order=st.sampled_from([1, 3]))
def test_the_tallies_of_parts_add_up_to_that_of_the_whole(model: str, paths: Paths, others: Paths, order: int) -> None:
    counted = paths_of if model == "whole" else partial(count, model=model, rules=ModelRules(markov_order=order))
    parts = [(of, converted.astype(np.int64)) for of, converted in map(learnt_from, (paths, others))]

    def summed(*tallies: pd.DataFrame) -> set[tuple[str, int, int]]:
        both = pd.concat([tally.astype({"channels": "str"}) for tally in tallies])
        return rows(both.groupby(["channels", "group"], as_index=False)[["journeys"]].sum())

    whole = joined([of for of, _ in parts]), np.concatenate([converted for _, converted in parts])
    assert summed(*(counted(*part) for part in parts)) == summed(counted(*whole))
