"""The credit that each model gives to the sessions of conversions: `attribute(journeys, rules, values)`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.models.journeys import Floats, Ints, Journeys
from attribution_assets.models.paths import simplify
from attribution_assets.models.registry import BY_NAME, LEARNED
from attribution_assets.models.rules import ModelRules

ROUNDING = 1e-12
"""A channel's value this close to 0 may be nothing but rounding."""


def attribute(journeys: pd.DataFrame, rules: ModelRules, values: pd.DataFrame) -> pd.DataFrame:
    """The credit of every session under every model of the rules.

    `journeys`: whole conversions, one row per conversion and session, with the columns of `customer_journeys` and `ihc`, the
    session's share under the IHC model. `values`: what the models that learn have learned, with the columns date, model,
    channel_name and value, for every conversion date; a channel without a value there has 0.

    Returns conv_id, session_id, model, credit (float64), conv_date, date (of the session) and channel_name (as grouped): one
    row per row given and model, models by name. Sessions that the path rules leave out have credit 0. IHC, which has rules of
    its own, sees whole journeys. Raises AttributionError where a day has no values.
    """
    whole, order = Journeys.from_frame(journeys)
    simplified, left = simplify(whole, rules)
    row = order[left]
    grouped = pd.Series(whole.channel).map(dict(enumerate(rules.path.grouped(whole.labels)))).to_numpy(dtype=object)
    channel_name = np.empty(len(order), dtype=object)
    channel_name[order] = grouped
    conv_date = journeys["conv_date"].to_numpy()
    models = sorted(rules.models)
    shares = np.zeros((len(journeys), len(models)))
    for column, model in enumerate(models):
        if model == "ihc":
            shares[:, column] = journeys["ihc"]
            continue
        worth = _worth(values, model, conv_date[row], channel_name[row]) if model in LEARNED else None
        shares[row, column] = credit(simplified, model, rules, worth)

    def repeated(column: object) -> pd.Series:
        return pd.Series(column).repeat(len(models)).reset_index(drop=True)

    return pd.DataFrame(
        {
            "conv_id": repeated(journeys["conv_id"]),
            "session_id": repeated(journeys["session_id"]),
            "model": models * len(journeys),
            "credit": shares.ravel(),
            "conv_date": repeated(journeys["conv_date"]),
            "date": repeated(journeys["timestamp"].str.slice(0, 10)),
            "channel_name": repeated(channel_name).astype("str"),
        }
    )


def credited(journeys: pd.DataFrame, rules: ModelRules, values: pd.DataFrame, settings: str) -> pd.DataFrame:
    """The rows of `attribute` with what they were computed by: the path rules, and a hash of all settings."""
    return attribute(journeys, rules, values).assign(rules=str(rules.path), settings=settings)


def _worth(values: pd.DataFrame, model: str, day: npt.NDArray[np.object_], channel: npt.NDArray[np.object_]) -> Floats:
    """The value of each session's channel on its conversion's day."""
    learned = values[values["model"] == model].set_index(["date", "channel_name"])["value"]
    lacking = sorted(set(day) - set(learned.index.get_level_values(0)))
    if lacking:
        raise AttributionError(
            f"There are no {model} values for {lacking[0]} yet. Materialize channel_values for that day first."
        )
    return learned.reindex(pd.MultiIndex.from_arrays([day, channel])).fillna(0).to_numpy()


def count(journeys: Journeys, group: Ints, model: str, rules: ModelRules) -> pd.DataFrame:
    """What a model that learns has to know of journeys that are simplified already: a tally, whose parts add up.

    `group`, shape (journeys,): a number, 0 or more. Returns channels (a piece of journeys, as JSON), group, and journeys: how
    often those of the group have the piece. Raises AttributionError for a model that does not learn.
    """
    entry = BY_NAME.get(model)
    if entry is None or entry.count is None:
        raise AttributionError(f"{model} is not a model that learns.")
    return entry.count(journeys, group, **rules.used_by(entry, journeys.labels))


def learn(tally: pd.DataFrame, model: str, rules: ModelRules) -> dict[str, float]:
    """What every channel is worth to a model that learns, by name, from a tally of its `count`.

    The tally has the column `converted`: 1 for journeys that end in a conversion, else 0. A value within rounding of 0 becomes
    0: otherwise it would decide how a journey of such channels is shared. Raises AttributionError for a model that does not
    learn.
    """
    entry = BY_NAME.get(model)
    if entry is None or entry.learn is None:
        raise AttributionError(f"{model} is not a model that learns.")
    worth = entry.learn(tally, **rules.used_by(entry, ()))
    return {channel: 0.0 if abs(value) < ROUNDING else value for channel, value in worth.items()}


def credit(journeys: Journeys, model: str, rules: ModelRules, worth: Floats | None = None) -> Floats:
    """The model's credit of each session, shape (sessions,), 0 to 1, summing to 1 in each journey.

    `journeys` are simplified already. `worth`, shape (sessions,): for a model that learns, the value of each session's channel.
    Raises AttributionError for a model that is not known, and for `ihc`, whose credit is attribution_customer_journey's.
    """
    entry = BY_NAME.get(model)
    if entry is not None and entry.credit is not None:
        return entry.credit(journeys, **rules.used_by(entry, journeys.labels))
    if entry is None or entry.learn is None or worth is None:
        raise AttributionError(f"{model} is not computed from journeys alone.")
    return by_worth(journeys, worth)


def by_worth(journeys: Journeys, worth: Floats) -> Floats:
    """A journey's credit shared among its channels by their values, and a channel's equally among its sessions there.

    So a channel that appears twice gets no more than one that appears once. A negative value counts as 0. If all channels of a
    journey have 0, its sessions get equal credit. `worth`, shape (sessions,): the value of each session's channel.
    """
    if not len(journeys):
        return np.zeros(0)
    _, at, repeats = np.unique(
        journeys.journey * len(journeys.labels) + journeys.channel, return_inverse=True, return_counts=True
    )
    return journeys.normed(worth.clip(min=0) / repeats[at])
