"""The credit that each model gives to the sessions of conversions: `attribute(journeys, model, rules)`."""

from __future__ import annotations

import numpy as np

from attribution_assets.errors import AttributionError
from attribution_assets.models import heuristics
from attribution_assets.models.journeys import Bools, Floats, Journeys
from attribution_assets.models.markov import markov
from attribution_assets.models.rules import LEARNED, ModelRules
from attribution_assets.models.shapley import shapley


def learn(journeys: Journeys, converted: Bools, model: str, rules: ModelRules) -> Floats:
    """What every channel is worth to a model that learns, shape (labels,), from journeys that are simplified already."""
    if model == "markov":
        return markov(journeys, converted, order=rules.markov_order, non_converting=rules.markov_non_converting)
    return shapley(journeys, converted, seed=rules.seed)


def credit(journeys: Journeys, model: str, rules: ModelRules, worth: Floats | None = None) -> Floats:
    """The model's credit of each session, shape (sessions,), 0 to 1, summing to 1 in each journey.

    `journeys` are simplified already. `worth`, shape (sessions,): for a model that learns, the value of each session's channel.
    Raises AttributionError for a model that is not known, and for `ihc`, whose credit is attribution_customer_journey's.
    """
    match model:
        case "first_touch":
            return heuristics.first_touch(journeys)
        case "last_touch":
            return heuristics.last_touch(journeys)
        case "last_non_direct_touch":
            return heuristics.last_non_direct_touch(journeys, rules.is_direct(journeys.labels))
        case "linear":
            return heuristics.linear(journeys)
        case "position_based":
            return heuristics.position_based(journeys, rules.position_shares)
        case "time_decay":
            return heuristics.time_decay(journeys, rules.half_life_hours)
    if model not in LEARNED or worth is None:
        raise AttributionError(f"{model} is not computed from journeys alone.")
    return by_worth(journeys, worth)


def by_worth(journeys: Journeys, worth: Floats) -> Floats:
    """A journey's credit shared among its channels by their values, and a channel's equally among its sessions there.

    So a channel that comes twice has no more than one that comes once. A negative value counts as 0; where all channels of a
    journey have 0, its sessions get the same. `worth`, shape (sessions,): the value of each session's channel.
    """
    if not len(journeys):
        return np.zeros(0)
    _, at, repeats = np.unique(
        journeys.journey * len(journeys.labels) + journeys.channel, return_inverse=True, return_counts=True
    )
    return journeys.normed(worth.clip(min=0) / repeats[at])
