"""Redistribution: which channels give their credit to other sessions of the journey, as JSON says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.parameters import Share, is_file, read_json


class PhaseRedistribution(BaseModel):
    """Which channels give away their shares of a phase, in which direction in time, and the smallest share that receives."""

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
            raise ValueError("name at least one of initializer, holder, closer")
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
            raise AttributionError(f"There is no redistribution {str(redistribution)!r}. Give the path of a JSON file.")
        return read_json(cls, Path(str(redistribution)).expanduser(), "redistribution")


def with_redistribution(name: str, redistribution: Redistribution | None) -> str:
    """The name of parameters in results, and after it that of the redistribution if there is one."""
    return f"{name} + {redistribution.name}" if redistribution else name
