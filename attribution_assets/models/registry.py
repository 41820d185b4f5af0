"""REGISTRY: every attribution model, in the order in which they are shown.

Settings read it, so it loads without numpy; the functions load numpy, scipy and pandas when they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attribution_assets.models.heuristics import FIXED_RULES
from attribution_assets.models.model import Model

if TYPE_CHECKING:
    from attribution_assets.models.journeys import Bools, Floats, Journeys


def _markov(journeys: Journeys, converted: Bools, markov_order: int, markov_non_converting: bool) -> Floats:
    from attribution_assets.models.markov import markov

    return markov(journeys, converted, order=markov_order, non_converting=markov_non_converting)


def _shapley(journeys: Journeys, converted: Bools, seed: int) -> Floats:
    from attribution_assets.models.shapley import shapley

    return shapley(journeys, converted, seed=seed)


REGISTRY = (
    *FIXED_RULES,
    Model("markov", learn=_markov, uses=("markov_order", "markov_non_converting")),
    Model("shapley", learn=_shapley, uses=("seed",)),
    Model("ihc"),
)

BY_NAME = {model.name: model for model in REGISTRY}

MODELS = tuple(BY_NAME)
"""The name of every model, in the order in which they are shown."""

LEARNED = tuple(model.name for model in REGISTRY if model.learn)
"""The models that learn what a channel is worth from the journeys of a training window."""
