"""Learning again from journeys that are drawn at random: how much of a learned model's credit is chance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from attribution_assets.models.credit import count, learn
from attribution_assets.models.journeys import Floats, Ints, Journeys
from attribution_assets.models.paths import simplify
from attribution_assets.models.rules import ModelRules
from attribution_assets.models.tally import pieces_of, tally

DRAWS = 200
"""How often a model learns again."""


def paths_of(journeys: Journeys, group: Ints) -> pd.DataFrame:
    """How many journeys of each group have exactly this sequence of channels, as a tally: a piece is a whole journey."""
    labels = sorted(journeys.labels)
    channel = np.array([labels.index(label) for label in journeys.labels], dtype=np.int64)[journeys.channel].tolist()
    ends = (journeys.offsets + journeys.sizes).tolist()
    paths = [tuple(channel[first:end]) for first, end in zip(journeys.offsets.tolist(), ends, strict=True)]
    numbers = {path: number for number, path in enumerate(dict.fromkeys(paths))}
    distinct = [*numbers]
    number = np.array([numbers[path] for path in paths], dtype=np.int64)
    return tally(labels, lambda some: (distinct[one] for one in some), group, number, below=len(distinct))


def value_shifts(paths: pd.DataFrame, model: str, rules: ModelRules, seed: int, draws: int = DRAWS) -> pd.DataFrame:
    """By how much the value of each channel, a column, differs in each draw, a row, from what all journeys teach the model.

    `paths`: a tally of `paths_of`, with the column `converted`: 1 for journeys that end in a conversion, else 0. As many
    journeys are drawn as there are, with replacement; for one seed, the same for every model. A channel that no drawn journey
    has is worth 0.

    Source: Efron, "Bootstrap methods", Annals of Statistics 7 (1979).
    """
    from scipy.sparse import csr_array

    paths = paths.astype({"channels": "str"}).sort_values(["channels", "converted"], ignore_index=True)
    times = paths["journeys"].to_numpy(np.int64)
    pieces = count(pieces_of(paths["channels"]), np.arange(len(paths)), model, rules)
    pieces = pieces.assign(converted=paths["converted"].to_numpy(np.int64)[pieces["group"]])
    number = pieces.groupby(["channels", "converted"], sort=False, observed=True).ngroup()
    known = pieces[["channels", "converted"]][~number.duplicated()].reset_index(drop=True)
    in_paths = csr_array((pieces["journeys"], (number, pieces["group"])), shape=(len(known), len(paths)))

    def learned(drawn: Ints) -> pd.Series:
        pieces = known.assign(journeys=in_paths @ drawn)
        return pd.Series(learn(pieces[pieces["journeys"] > 0], model, rules), dtype=np.float64)

    whole = learned(times)
    total, shares = int(times.sum()), times / times.sum()
    rows = [
        learned(np.random.default_rng([seed, draw]).multinomial(total, shares)).reindex(whole.index, fill_value=0.0)
        for draw in range(draws)
    ]
    return pd.DataFrame(rows, columns=whole.index, index=range(draws)) - whole


def cells_of(rows: pd.DataFrame, rules: ModelRules) -> pd.DataFrame:
    """The channels of each conversion that the path rules leave: conv_id, conv_date, channel_name (as grouped) and sessions.

    `rows`: those of some conversions, with the columns of `customer_journeys`.
    """
    whole, order = Journeys.from_frame(rows)
    simplified, _ = simplify(whole, rules)
    cell, sessions = np.unique_counts(simplified.journey * len(simplified.labels) + simplified.channel)
    journey, channel = np.divmod(cell, len(simplified.labels))
    of_journey = rows[["conv_id", "conv_date"]].iloc[order[whole.offsets]].iloc[journey].reset_index(drop=True)
    return of_journey.assign(channel_name=np.array(simplified.labels, dtype=object)[channel], sessions=sessions)


@dataclass(frozen=True)
class Relearned:
    """The credit of a model that learns, for each draw of what it learns from.

    `cells`: as of `cells_of`. `worth`, shape (cells,): the value of the cell's channel on its conversion's day. `shifts`: as of
    `value_shifts`, which are those of one window and are taken for every day.
    """

    cells: pd.DataFrame
    worth: Floats
    shifts: pd.DataFrame

    @property
    def draws(self) -> int:
        """How many draws there are."""
        return len(self.shifts)

    @cached_property
    def _conversion(self) -> Ints:
        """The number of each cell's conversion, shape (cells,)."""
        return pd.factorize(self.cells["conv_id"])[0]

    @cached_property
    def _shift(self) -> Floats:
        """The shift of each cell's channel in each draw, shape (draws, channels), and at the end 0 for those without one."""
        return np.pad(self.shifts.to_numpy(np.float64), ((0, 0), (0, 1)))

    @cached_property
    def _channel(self) -> Ints:
        """The place of each cell's channel among the shifts, shape (cells,): the last for those without one."""
        return np.asarray(self.shifts.columns.get_indexer(pd.Index(self.cells["channel_name"])), np.int64)

    def credit(self, draw: int) -> Floats:
        """The credit of each cell in this draw, shape (cells,); it sums to 1 in each conversion (see `by_worth`)."""
        conversion, sessions = self._conversion, self.cells["sessions"].to_numpy(np.float64)
        worth = (self.worth + self._shift[draw][self._channel]).clip(min=0)
        total = np.bincount(conversion, worth)[conversion]
        weight = np.where(total > 0, worth, sessions)
        credit: Floats = weight / np.bincount(conversion, weight)[conversion]
        return credit
