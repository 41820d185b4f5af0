"""The parameters of the IHC model: the result of an account's training, as JSON, and how such files are read."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from attribution_assets.errors import AttributionError

_PRESET_FOLDER = Path(__file__).parent / "presets"

PRESETS = tuple(sorted(path.stem for path in _PRESET_FOLDER.glob("*.json")))
"""The parameters that come with the package."""

SELF_TRAINED = "self-trained "
"""How the name of parameters begins that were learned without answers of the service."""

BELOW_ONE = 1 - 1e-6
"""The highest degree with which an initializer does not cut its journey."""

OUTPUTS = ("initializer", "holder", "closer", "ihc")
"""What the model gives each session: its credit in the three phases, and their weighted combination."""

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
    """What the model needs in addition to the journeys.

    `phase_weights` weigh the three phases; `channel_weights` favour channels in a phase (1 for a channel not named);
    the memberships are piecewise linear tables of (hours, degree), two knots at one hour making a jump.
    `self_trained` says that they were learned from journeys alone, by a rule that is not the service's. `name` says in results
    which parameters these are: the preset, or the file's name and a hash of its content, after `self-trained` if they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = "unnamed"
    description: str = ""
    self_trained: bool = False
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
            return read_json(cls, _PRESET_FOLDER / f"{name}.json", "IHC parameters").model_copy(update={"name": name})
        if not is_file(name):
            raise AttributionError(
                f"There are no IHC parameters {name!r}. Set IHC_PARAMETERS to {', '.join(PRESETS)}, or the path of a JSON file."
            )
        loaded = read_json(cls, Path(name).expanduser(), "IHC parameters")
        return loaded.model_copy(update={"name": f"{SELF_TRAINED}{loaded.name}"}) if loaded.self_trained else loaded

    @property
    def told(self) -> str:
        """The name, and of a preset that it is of another company."""
        return f"{self.name}, of another company" if self.name in PRESETS else self.name

    def as_json(self) -> str:
        """The content of a file of these parameters."""
        left_out = {"name"} if self.self_trained else {"name", "self_trained"}
        return self.model_dump_json(exclude=left_out, indent=1) + "\n"

    def write(self, path: Path) -> None:
        """Writes the parameters as JSON, for IHC_PARAMETERS. Raises AttributionError where `path` cannot be written."""
        unfinished = path.parent / f".{path.name}.tmp"
        try:
            unfinished.write_text(self.as_json(), encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise AttributionError(f"{path} cannot be written: {error.strerror}. Choose another --output.") from error
        finally:
            with suppress(OSError):
                unfinished.unlink()


Model = TypeVar("Model", bound=BaseModel)


def is_file(name: str) -> bool:
    """Whether there is a file with this path. False for text that cannot be a path."""
    try:
        return Path(name).expanduser().is_file()
    except (OSError, RuntimeError):  # no name of a file, or of a user's home
        return False


def read_json(model: type[Model], path: Path, what: str) -> Model:
    """The content of a JSON file, with its file's name and a hash of its content as the model's `name`.

    Raises AttributionError for content that is not as the model says.
    """
    content = path.read_bytes()
    try:
        loaded = model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise AttributionError(f"{path} contains no valid {what}: {where}: {first['msg']}.") from error
    return loaded.model_copy(update={"name": f"{path.name}@{hashlib.sha256(content).hexdigest()[:12]}"})
