"""REGISTRY: every attribution model, in the order in which they are shown.

Settings read it, so it loads without numpy; the functions load numpy, scipy and pandas when they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attribution_assets.models.heuristics import FIXED_RULES
from attribution_assets.models.model import Model

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.models.journeys import Ints, Journeys


def _markov_steps(journeys: Journeys, group: Ints, markov_order: int, **_: object) -> pd.DataFrame:
    from attribution_assets.models.markov import steps_of

    return steps_of(journeys, group, order=markov_order)


def _markov(tally: pd.DataFrame, markov_non_converting: bool, **_: object) -> dict[str, float]:
    from attribution_assets.models.markov import removal_effects

    return removal_effects(tally, non_converting=markov_non_converting)


def _shapley_sets(journeys: Journeys, group: Ints, **_: object) -> pd.DataFrame:
    from attribution_assets.models.shapley import sets_of

    return sets_of(journeys, group)


def _shapley(tally: pd.DataFrame, seed: int) -> dict[str, float]:
    from attribution_assets.models.shapley import shapley_values

    return shapley_values(tally, seed=seed)


REGISTRY = (
    *FIXED_RULES,
    Model("markov", count=_markov_steps, learn=_markov, uses=("markov_order", "markov_non_converting")),
    Model("shapley", count=_shapley_sets, learn=_shapley, uses=("seed",)),
    Model("ihc"),
)

BY_NAME = {model.name: model for model in REGISTRY}

MODELS = tuple(BY_NAME)
"""The name of every model, in the order in which they are shown."""

LEARNED = tuple(model.name for model in REGISTRY if model.learn)
"""The models that learn what a channel is worth from the journeys of a training window."""
