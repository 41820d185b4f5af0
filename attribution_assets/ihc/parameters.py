"""The parameters of the IHC model: what an account's training gave, as JSON."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from attribution_assets.errors import AttributionError

_PRESET_FOLDER = Path(__file__).parent / "presets"

PRESETS = tuple(sorted(path.stem for path in _PRESET_FOLDER.glob("*.json")))
"""The parameters that come with the package."""

Share = Annotated[float, Field(ge=0, le=1)]
Knot = tuple[Annotated[float, Field(ge=0)], Share]


def _in_order_of_hours(knots: tuple[Knot, ...]) -> tuple[Knot, ...]:
    if not knots:
        raise ValueError("a membership needs at least one knot")
    if any(later[0] < earlier[0] for earlier, later in pairwise(knots)):
        raise ValueError("the knots are not in order of their hours")
    return knots


Membership = Annotated[tuple[Knot, ...], AfterValidator(_in_order_of_hours)]


class Phases(BaseModel):
    """One positive weight per phase."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    initializer: PositiveFloat
    holder: PositiveFloat
    closer: PositiveFloat


class IHCParameters(BaseModel):
    """What the model needs beside the journeys.

    `phase_weights` weigh the three phases; `channel_weights` favour channels in a phase (1 for a channel not named);
    the memberships are piecewise linear tables of (hours, degree), two knots at one hour making a jump.
    `name` says in results which parameters these are: the preset, or the file's name and a hash of its content.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = "unnamed"
    description: str = ""
    phase_weights: Phases
    channel_weights: dict[str, Phases]
    initializer_membership: Membership
    closer_membership: Membership

    @classmethod
    def load(cls, parameters: str | Path | Self) -> Self:
        """Parameters by a preset's name or a JSON file's path.

        Raises AttributionError for an unknown preset, a missing file and for content that is not as this class says.
        """
        if isinstance(parameters, cls):
            return parameters
        name = str(parameters)
        if name in PRESETS:
            path = _PRESET_FOLDER / f"{name}.json"
        else:
            try:
                path = Path(name).expanduser()
                found = path.is_file()
            except (OSError, RuntimeError):  # no name of a file, or of a user's home
                found = False
            if not found:
                raise AttributionError(
                    f"There are no IHC parameters {name!r}. "
                    f"IHC_PARAMETERS is one of {', '.join(PRESETS)}, or a JSON file's path."
                )
        content = path.read_bytes()
        try:
            loaded = cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise AttributionError(f"The IHC parameters in {path} are not valid: {where}: {first['msg']}.") from error
        shown = name if name in PRESETS else f"{path.name}@{hashlib.sha256(content).hexdigest()[:12]}"
        return loaded.model_copy(update={"name": shown})
