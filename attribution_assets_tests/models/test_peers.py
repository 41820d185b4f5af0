"""The models against ChannelAttribution, as recorded: the same heuristics, and Markov within the spread of its simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from attribution_assets.models import ModelRules
from attribution_assets.models.credit import credit
from attribution_assets.models.journeys import Journeys
from attribution_assets.models.markov import removal_effects, steps_of
from attribution_assets_tests.models.paths import tallied

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("channel_attribution.json").read_text())
"""60 paths with how often each converts and does not, and what the package says of them; made as `made_by` says."""


@pytest.fixture(scope="module")
def repeated() -> tuple[Journeys, np.ndarray[Any, np.dtype[np.bool_]]]:
    """The recorded paths, each as often as it was counted, and whether it converts."""
    rows: list[tuple[int, int, int, str]] = []
    converted: list[bool] = []
    for path in RECORDED["paths"]:
        for converts in [True] * path["conversions"] + [False] * path["others"]:
            journey = len(converted)
            converted.append(converts)
            rows += [(journey, i, i, channel) for i, channel in enumerate(path["path"].split(" > "))]
    frame = pd.DataFrame(rows, columns=["conv_id", "session_id", "timestamp", "channel_label"])
    frame["timestamp"] = pd.Timestamp("2023-09-01") + pd.to_timedelta(frame["timestamp"], "h")
    journeys, order = Journeys.from_frame(frame)
    return journeys, np.array(converted)[frame["conv_id"].to_numpy()[order][journeys.offsets]]


@pytest.mark.parametrize(
    ("model", "theirs"), [("first_touch", "first_touch"), ("last_touch", "last_touch"), ("linear", "linear_touch")]
)
def test_heuristics_give_each_channel_what_channel_attribution_gives_it(
    repeated: tuple[Journeys, np.ndarray[Any, np.dtype[np.bool_]]], model: str, theirs: str
) -> None:
    journeys, converted = repeated
    orders = np.bincount(journeys.channel, weights=credit(journeys, model, ModelRules()) * converted[journeys.journey])

    ours = dict(zip(journeys.labels, orders.tolist(), strict=True))
    assert ours == pytest.approx({channel: models[theirs] for channel, models in RECORDED["heuristics"].items()}, abs=1e-9)


def test_markov_lies_within_the_spread_of_its_simulation(
    repeated: tuple[Journeys, np.ndarray[Any, np.dtype[np.bool_]]],
) -> None:
    journeys, converted = repeated
    exact = removal_effects(tallied(steps_of, journeys, converted))

    assert len(RECORDED["removal_effects"]) == 20
    for channel, effect in exact.items():
        simulated = [effects[channel] for effects in RECORDED["removal_effects"]]
        assert min(simulated) <= effect <= max(simulated), channel
