"""Tallies: how often each piece of a journey occurred. They are all that a model learns from, and those of parts add up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from attribution_assets.models.journeys import Ints, Journeys

END = -1
"""In a piece, instead of a channel: the journey ends."""


def tally(
    labels: Sequence[str], pieces: Callable[[Ints], Iterable[Sequence[int]]], group: Ints, number: Ints, below: int
) -> pd.DataFrame:
    """How often each piece occurs: the columns channels, group and journeys, one row per piece and group.

    `group` and `number`, of the same shape: of each time that a piece occurs, the group of the journey, and which piece it is,
    a number, 0 to `below`. `pieces`: for some numbers, the pieces as indexes into `labels`, or END. In `channels` stands a
    piece by the names of its channels as JSON, and null for END.
    """
    groups, numbers, times = _counted(group, number, below)
    names = [*labels, None]
    distinct, at = np.unique_inverse(numbers)
    texts = [json.dumps([names[channel] for channel in piece]) for piece in pieces(distinct)]
    channels = pd.Categorical.from_codes(at, pd.Index(texts, dtype="str"))
    return pd.DataFrame({"channels": channels, "group": groups, "journeys": times})


def _counted(group: Ints, number: Ints, below: int) -> tuple[Ints, Ints, Ints]:
    """The pairs of a group and a number that occur, in order, and how often each does."""
    if len(group) and (int(group.max()) + 1) * below <= 2 * len(group):
        counts = np.bincount(group * below + number)
        occurring = np.flatnonzero(counts)
        groups, numbers = np.divmod(occurring, below)
        return groups, numbers, np.asarray(counts[occurring], np.int64)
    pairs = pd.DataFrame({"group": group, "number": number}).value_counts(sort=False).sort_index()
    groups, numbers = (pairs.index.get_level_values(name).to_numpy(np.int64) for name in ("group", "number"))
    return groups, numbers, np.asarray(pairs, np.int64)


def pieces_of(channels: Iterable[str]) -> Journeys:
    """The pieces of a tally's column `channels` as journeys without times. Labels are in alphabetical order."""
    pieces: list[list[str | None]] = json.loads(f"[{','.join(channels)}]")
    names = [*chain.from_iterable(pieces)]
    labels = tuple(sorted({name for name in names if name is not None}))
    number: dict[str | None, int] = {**{label: index for index, label in enumerate(labels)}, None: END}
    sizes = np.array([len(piece) for piece in pieces], dtype=np.int64)
    channel = np.array([number[name] for name in names], dtype=np.int64)
    return Journeys(np.cumsum(sizes) - sizes, np.zeros(len(names), dtype=np.int64), channel, labels)
