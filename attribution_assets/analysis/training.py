"""`attribution ihc train` without its terminal: what journeys train, how sure it is, and how far the report would move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from attribution_assets.analysis.learning import Tell, silent
from attribution_assets.analysis.plan import plan_run
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.tables import query_of
from attribution_assets.ihc import IHCParameters, Redistribution
from attribution_assets.ihc.model import EngagedJourneys, ihc
from attribution_assets.ihc.training import DRAWS, Spread, Training, orders, redrawn, spread, train
from attribution_assets.models import ModelRules
from attribution_assets.models.journeys import Floats, Ints, joined
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema


@dataclass(frozen=True)
class TrainedOn:
    """What was trained on the journeys of some conversion days.

    `in_use`: the name of the parameters of the settings. `channels`: one row per channel, in the order of the names, with
    channel_label, in_use (its orders with these parameters), trained (with the trained ones), shift (the difference),
    relative_shift (shift / in_use; NaN where that is 0), and low and high, the 90 % interval of `spread`.
    """

    days: Days
    training: Training
    spread: Spread
    in_use: str
    uses_api: bool
    channels: pd.DataFrame

    @property
    def notes(self) -> list[str]:
        """What to know about the figures, a line each."""
        api = f"The IHC API computes your credit now. The orders in use are those of the embedded model with {self.in_use}."
        return [*self.training.notes, *([api] if self.uses_api else [])]


def train_on(settings: Settings, start: str | None, end: str | None, tell: Tell = silent) -> TrainedOn:
    """Trains on the journeys of the conversions of `start` to `end`; if unset, of the days that a run would attribute.

    `tell` is told what takes time. Writes nothing. Raises AttributionError as `plan_run` and `ihc.training.train` do.
    """
    in_use = settings.parameters_in_use
    redistribution = settings.redistribution_in_use
    days = plan_run(settings, start, end).conversion_days
    tell(f"reading the journeys of {days}")
    query = query_of(settings, CUSTOMER_JOURNEYS, days)
    frames = settings.warehouse.stream_query(query, schema()["customer_journeys"])
    journeys = _pooled([EngagedJourneys.from_frame(rows)[0] for rows in frames])
    tell("training")
    training = train(journeys)
    tell("training again on drawn journeys")
    found = spread(journeys, training, redistribution, seed=settings.seed)
    channels = found.channels.rename(columns={"orders": "trained", "orders_low": "low", "orders_high": "high"})
    before = pd.Series(orders(journeys, in_use, redistribution), index=journeys.labels)[channels["channel_label"]].to_numpy()
    shift = channels["trained"] - before
    channels = channels.assign(in_use=before, shift=shift, relative_shift=shift / np.where(before > 0, before, np.nan))
    columns = ["channel_label", "in_use", "trained", "shift", "relative_shift", "low", "high"]
    return TrainedOn(days, training, found, in_use.told, settings.uses_api, channels[columns])


@dataclass(frozen=True)
class Retrained:
    """The credit of self-trained IHC for each draw of the journeys that it is trained on.

    `cells`: conv_id, channel_name (as grouped) and ihc, the stored credit, one row per conversion and channel of the journeys.
    A draw moves it by what training on drawn journeys moves credit by, compared with training on all of them.
    """

    cells: pd.DataFrame
    journeys: EngagedJourneys
    cell: Ints
    redistribution: Redistribution | None
    parameters: Callable[[int], IHCParameters]
    draws: int = DRAWS

    @classmethod
    def of(cls, frames: Sequence[pd.DataFrame], rules: ModelRules, redistribution: Redistribution | None, seed: int) -> Self:
        """Of frames of `customer_journeys` with the stored credit as `ihc`. Raises AttributionError as `ihc.training.train`."""
        parts, orders = zip(*map(EngagedJourneys.from_frame, frames), strict=True)
        journeys = _pooled(parts)
        rows = pd.concat([rows.iloc[order] for rows, order in zip(frames, orders, strict=True)], ignore_index=True)
        rows = rows.assign(channel_name=rules.path.grouped(rows["channel_label"]))
        by_cell = rows.groupby(["conv_id", "channel_name"], sort=False)
        return cls(
            by_cell[["ihc"]].sum().reset_index(),
            journeys,
            np.asarray(by_cell.ngroup(), np.int64),
            redistribution,
            redrawn(journeys, seed=seed),
        )

    @cached_property
    def _trained(self) -> Floats:
        return self._credit(train(self.journeys).parameters)

    def _credit(self, parameters: IHCParameters) -> Floats:
        credit = ihc(self.journeys, parameters, self.redistribution).ihc
        return np.bincount(self.cell, credit, minlength=len(self.cells)).astype(np.float64)

    def credit(self, draw: int) -> Floats:
        """The credit of each cell in this draw, shape (cells,); it sums to 1 in each conversion."""
        return self.cells["ihc"].to_numpy(np.float64) + self._credit(self.parameters(draw)) - self._trained


def _pooled(parts: Sequence[EngagedJourneys]) -> EngagedJourneys:
    """The journeys of all parts."""
    whole, none = joined(parts), np.empty(0)
    holder = np.concatenate([none, *(part.holder_engagement for part in parts)])
    closer = np.concatenate([none, *(part.closer_engagement for part in parts)])
    return EngagedJourneys(whole.offsets, whole.time, whole.channel, whole.labels, holder, closer)
