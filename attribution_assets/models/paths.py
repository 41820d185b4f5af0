"""Journeys as the models see them: simplified by the path rules."""

from __future__ import annotations

import numpy as np

from attribution_assets.models.journeys import MINUTE, Bools, Journeys
from attribution_assets.models.rules import ModelRules


def simplify(journeys: Journeys, rules: ModelRules) -> tuple[Journeys, Bools]:
    """The journeys after the path rules, and which of the sessions remain, shape (sessions,). No journey is dropped."""
    path = rules.path
    journeys = _relabelled(journeys, path.grouped(journeys.labels))
    left = np.ones(len(journeys.time), dtype=bool)

    def leave(dropped: Bools) -> None:
        nonlocal journeys
        kept = ~dropped
        kept |= ~journeys.has(kept)[journeys.journey]
        left[left] = kept
        journeys = journeys.only(kept)

    if path.exclude_channels:
        leave(journeys.from_channels(path.exclude_channels))
    if path.drop_direct:
        leave(journeys.from_channels(rules.direct_among(journeys.labels)))
    if path.collapse_minutes is not None:
        repeats = np.diff(journeys.channel, prepend=-1) == 0
        soon = np.diff(journeys.time, prepend=0) <= path.collapse_minutes * MINUTE
        leave(repeats & soon & (journeys.position > 0))
    if path.last_sessions is not None:
        leave(journeys.position < journeys.sizes[journeys.journey] - path.last_sessions)
    return journeys, left


def _relabelled(journeys: Journeys, names: list[str]) -> Journeys:
    """The journeys with new names for their labels; equal names become one label.

    Labels are in alphabetical order, so that sums round the same way whatever the order in which channels were met.
    """
    labels = tuple(sorted(set(names)))
    number = np.array([labels.index(name) for name in names], dtype=np.int64)
    return Journeys(journeys.offsets, journeys.time, number[journeys.channel], labels)
