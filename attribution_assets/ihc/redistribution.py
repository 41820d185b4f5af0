"""Redistribution: which channels give their credit to other sessions of the journey, as JSON says it, and how it moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.parameters import Share, is_file, read_json
from attribution_assets.models.journeys import Floats, Ints


class PhaseRedistribution(BaseModel):
    """Which channels give their shares of a phase away, to which side in time, and from which share on a session receives."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    direction: Literal["earlier_sessions_only", "any_session", "later_sessions_only"]
    receive_threshold: Share
    redistribution_channel_labels: Annotated[tuple[str, ...], Field(min_length=1)]


class Redistribution(BaseModel):
    """The service's `redistribution_parameter`: one rule for each phase whose credit moves, at least one; the others stay.

    `name` says in results which redistribution this is: the file's name and a hash of its content. It is not sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(exclude=True)] = "unnamed"
    initializer: PhaseRedistribution | None = None
    holder: PhaseRedistribution | None = None
    closer: PhaseRedistribution | None = None

    @model_validator(mode="after")
    def _some_phase(self) -> Self:
        if not self.as_sent():
            raise ValueError("it names none of initializer, holder, closer")
        return self

    def as_sent(self) -> dict[str, Any]:
        """What the service takes as its `redistribution_parameter`: the phases named here and nothing else."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def load(cls, redistribution: str | Path | Self) -> Self:
        """A redistribution by a JSON file's path.

        Raises AttributionError for a missing file and for content that is not as this class says.
        """
        if isinstance(redistribution, cls):
            return redistribution
        if not is_file(str(redistribution)):
            raise AttributionError(f"There is no redistribution {str(redistribution)!r}. Give a JSON file's path.")
        return read_json(cls, Path(str(redistribution)).expanduser(), "redistribution")


def with_redistribution(name: str, redistribution: Redistribution | None) -> str:
    """The name of parameters in results, and after it that of the redistribution if there is one."""
    return f"{name} + {redistribution.name}" if redistribution else name


def move(shares: Floats, rule: PhaseRedistribution, *, offsets: Ints, channel: Ints, labels: Sequence[str]) -> Floats:
    """The shares of one phase after the named channels gave theirs away, shape (sessions,); a journey's sum stays.

    `shares`: 0 to 1, for sessions grouped by journey and sorted by time; `offsets`, shape (journeys,): where each
    journey starts; `channel`: index into `labels`. A share below 2.2e-308, where floats lose their precision, receives
    nothing. Every journey is computed by itself, whatever stands beside it.

    Source: our reading of the service's description, which gives no formula; see docs/models.md.
    """
    journey = np.repeat(np.arange(len(offsets)), np.diff(offsets, append=len(shares)))

    # No session both gives and receives, so it does not matter that a running total includes its own session.
    def up_to(values: Floats) -> Floats:
        return np.asarray(pd.Series(values).groupby(journey).cumsum(), dtype=np.float64)

    def from_on(values: Floats) -> Floats:
        return np.asarray(pd.Series(values[::-1]).groupby(journey[::-1]).cumsum(), dtype=np.float64)[::-1]

    def whole(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values, offsets)[journey], dtype=np.float64)

    receivers_of, givers_of = {
        "earlier_sessions_only": (up_to, from_on),
        "any_session": (whole, whole),
        "later_sessions_only": (from_on, up_to),
    }[rule.direction]
    named = np.array([label in rule.redistribution_channel_labels for label in labels])[channel]
    receives = ~named & (shares >= max(rule.receive_threshold, np.finfo(np.float64).tiny))
    receiving = np.where(receives, shares, 0)
    received = receivers_of(receiving)
    gives = named & (received > 0)
    rate = np.divide(shares, received, out=np.zeros_like(shares), where=gives)
    moved: Floats = np.where(gives, 0, shares) + receiving * givers_of(rate)
    return moved
