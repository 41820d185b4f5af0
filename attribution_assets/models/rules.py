"""ModelRules: the settings of the models, and the path rules by which their journeys are simplified; data, no computing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from attribution_assets.errors import AttributionError
from attribution_assets.formats import DIRECT_CHANNELS, is_direct
from attribution_assets.models.heuristics import U_SHAPED, PositionShares
from attribution_assets.models.model import Model
from attribution_assets.models.registry import BY_NAME, LEARNED, MODELS, REGISTRY

LEARNED_FROM = ("training_days", "direct_channels", "path")
"""The fields of ModelRules that decide what every model learns: the days of its journeys, and what it sees of them."""

HASHED_AT_DEFAULT = frozenset(
    {
        *("position_shares", "half_life_hours", "direct_channels", "markov_order", "markov_non_converting"),
        *("training_days", "seed", "path"),
        *("channel_groups", "exclude_channels", "drop_direct", "collapse_minutes", "last_sessions"),
    }
)
"""The fields of ModelRules and PathRules that are in every hash. The hashes stand in users' tables, so a newer field is not
named here: it enters a hash only where it is not its default."""


@dataclass(frozen=True)
class PathRules:
    """How a journey is simplified, in this order; each rule sees what the one before left, and none empties a journey.

    `channel_groups`: the channel that stands for some others. `exclude_channels`: their sessions are left out. `drop_direct`:
    so are those of direct channels. `collapse_minutes`: of consecutive sessions of one channel, each at most so many minutes
    after the one before, the first stands for all. `last_sessions`: only so many of the latest stay. A rule that would leave
    no session of a journey leaves all that it found. Sessions that are left out get no credit.
    """

    channel_groups: Mapping[str, str] = field(default_factory=dict)
    exclude_channels: frozenset[str] = frozenset()
    drop_direct: bool = False
    collapse_minutes: float | None = None
    last_sessions: int | None = None

    def grouped(self, labels: Iterable[str]) -> list[str]:
        """For each channel, its group."""
        return [self.channel_groups.get(label, label) for label in labels]

    def __str__(self) -> str:
        """The rules in a few words, as stored on every row."""
        parts = [
            "grouped channels" if self.channel_groups else "",
            f"without {', '.join(sorted(self.exclude_channels))}" if self.exclude_channels else "",
            "without direct" if self.drop_direct else "",
            f"repeats within {self.collapse_minutes:g} minutes collapsed" if self.collapse_minutes is not None else "",
            f"last {self.last_sessions} sessions" if self.last_sessions is not None else "",
        ]
        return "; ".join(filter(None, parts)) or "whole journeys"


@dataclass(frozen=True)
class ModelRules:
    """Which models are chosen, and their settings. `direct_channels` are named as they are after grouping.

    `markov_order`: how many channels a state is. `markov_non_converting`: whether journeys without a conversion count.
    `training_days`: how long the window is from which channels' values are learned; it ends with the day. `seed`: of all that
    is drawn.
    """

    models: tuple[str, ...] = MODELS
    position_shares: PositionShares = U_SHAPED
    half_life_hours: float = 168
    direct_channels: frozenset[str] = frozenset(DIRECT_CHANNELS)
    markov_order: int = 1
    markov_non_converting: bool = True
    training_days: int = 90
    seed: int = 0
    path: PathRules = field(default_factory=PathRules)

    @property
    def learned(self) -> tuple[str, ...]:
        """Those of the models that learn."""
        return tuple(model for model in self.models if model in LEARNED)

    @property
    def asks_for_direct(self) -> bool:
        """Whether the credit of a model depends on which channels are direct."""
        return self.path.drop_direct or any("direct_channels" in BY_NAME[model].uses for model in self.models)

    def direct_among(self, labels: Iterable[str]) -> frozenset[str]:
        """Those of these channels, named as they are after grouping, that are direct."""
        return frozenset(label for label in labels if is_direct(label, self.direct_channels))

    def used_by(self, model: Model, labels: Iterable[str]) -> dict[str, Any]:
        """The settings that the model uses, by name; of the direct channels, those among these labels."""
        rules = replace(self, direct_channels=self.direct_among(labels))
        return {name: getattr(rules, name) for name in model.uses}

    def identity(self) -> dict[str, object]:
        """What determines the credit of the models, whichever are chosen, as JSON takes it."""
        return _identity(self, [field.name for field in fields(self) if field.name != "models"], HASHED_AT_DEFAULT)

    def learning_identity(self) -> dict[str, object]:
        """What determines what is learned from given sessions, whichever models are chosen, as JSON takes it.

        These are the settings that the models that learn use. Should one of them come to use a setting that was not in the hash
        before, its default stays out of it.
        """
        uses = {*LEARNED_FROM, *(name for model in REGISTRY if model.learn for name in model.uses)}
        return _identity(self, uses, HASHED_AT_DEFAULT - {"position_shares", "half_life_hours"})


def _identity(rules: ModelRules | PathRules, names: Iterable[str], at_default: Set[str]) -> dict[str, object]:
    """Those of the fields, as JSON takes them, that are not their default or named in `at_default`."""
    default = type(rules)()
    return {
        name: _as_json(getattr(rules, name))
        for name in names
        if name in at_default or getattr(rules, name) != getattr(default, name)
    }


def _as_json(value: object) -> object:
    if isinstance(value, PathRules):
        return _identity(value, [field.name for field in fields(value)], HASHED_AT_DEFAULT)
    return sorted(value) if isinstance(value, frozenset) else value


def read_channel_groups(path: Path) -> dict[str, str]:
    """The groups in a CSV file with the columns `channel_name` and `channel_group`, by channel.

    A channel that is not listed is its own group. Raises AttributionError for a file that cannot be read, other columns, an
    empty name, and a channel that is listed twice.
    """
    groups: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if rows.fieldnames != ["channel_name", "channel_group"]:
                raise AttributionError(f"{path} must begin with the line channel_name,channel_group.")
            for row in rows:
                channel, group = row["channel_name"], row["channel_group"]
                if not channel or not group or None in row:
                    raise AttributionError(f"{path}, line {rows.line_num}: write a channel, a comma and its group.")
                if channel in groups:
                    raise AttributionError(f"{path}, line {rows.line_num}: {channel} already has a group. List it only once.")
                groups[channel] = group
    except OSError as error:
        raise AttributionError(f"The channel groups in {path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise AttributionError(f"The channel groups in {path} cannot be read: {error}.") from error
    return groups
