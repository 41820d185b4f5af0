"""Paths: which sequences of channels convert, how long they are and take, and which channels assist."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from attribution_assets.models.journeys import HOUR, Bools, Floats, Ints, Journeys

SECTIONS = ("path", "length", "lag", "channel")
"""What an item of the report is: a path, a number of sessions, a number of days, a channel."""

TOP_PATHS = 100
"""How many paths are kept, the ones with the most conversions."""

SEPARATOR = " > "
"""Between the channels of a path."""


def path_report(journeys: Journeys, converted: Bools, converted_at: Ints, revenue: Floats) -> pd.DataFrame:
    """The report on journeys, converting and not, as one table of four sections.

    `converted`, shape (journeys,): whether the journey ends in a conversion. `converted_at`, in nanoseconds, and `revenue`,
    shape (journeys,) each: looked at where it does.

    Returns section, item (text), place (1, 2, ... within the section), journeys, conversions, revenue, rate (conversions per
    journey; NaN in `lag`, which has conversions alone), assisted (NaN but in `channel`):

    - `path`: the channels of a journey in order, as `path_text` writes them, the 100 with the most conversions (then journeys,
      then by name).
    - `length`: how many sessions a journey has.
    - `lag`: how many whole days lie between the first session and the conversion.
    - `channel`: `conversions` are those whose last session is the channel's, `assisted` those of journeys that have the channel
      and end with another; `journeys` and `rate`: those that have it, and the share of these that converts.
    """
    value = np.where(converted, revenue, 0.0)
    first = journeys.time[journeys.offsets]
    lag = (converted_at - first) // (24 * HOUR)
    whole = pd.DataFrame({"converted": converted, "revenue": value, "length": journeys.sizes, "lag": lag})
    paths = _summed(whole.assign(item=_paths(journeys)))
    paths = paths.sort_values(["conversions", "journeys", "item"], ascending=[False, False, True]).head(TOP_PATHS)
    lags = _summed(whole[converted].assign(item=whole["lag"])).assign(rate=np.nan)
    sections = [paths, _summed(whole.assign(item=whole["length"])), lags, _channels(journeys, converted, value)]
    return pd.concat(
        [
            section.assign(section=name, item=section["item"].astype("str"), place=np.arange(1, len(section) + 1))
            for name, section in zip(SECTIONS, sections, strict=True)
        ],
        ignore_index=True,
    ).reindex(columns=["section", "item", "place", "journeys", "conversions", "revenue", "rate", "assisted"])


def path_text(channels: Iterable[str]) -> str:
    """The channels with ` > ` between them; different paths are different texts.

    A name that contains `>`, begins with a quotation mark or a space, ends with a space, or is empty is written in quotation
    marks, as in JSON.
    """
    return SEPARATOR.join(map(_unmistakable, channels))


def _unmistakable(name: str) -> str:
    is_plain = name and ">" not in name and not name.startswith('"') and name == name.strip()
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _paths(journeys: Journeys) -> pd.Series:
    """The path of each journey as text."""
    codes: dict[bytes, str] = {}
    numbers = np.ascontiguousarray(journeys.channel)
    texts = []
    for start, size in zip(journeys.offsets.tolist(), journeys.sizes.tolist(), strict=True):
        part = numbers[start : start + size]
        key = part.tobytes()
        if key not in codes:
            codes[key] = path_text(journeys.labels[channel] for channel in part)
        texts.append(codes[key])
    return pd.Series(texts, dtype="str")


def _summed(journeys: pd.DataFrame) -> pd.DataFrame:
    """Journeys, conversions, revenue and rate by `item`, in its order."""
    summed = journeys.groupby("item", sort=True).agg(
        journeys=("converted", "size"), conversions=("converted", "sum"), revenue=("revenue", "sum")
    )
    return summed.assign(rate=summed["conversions"] / summed["journeys"]).reset_index()


def _channels(journeys: Journeys, converted: Bools, revenue: Floats) -> pd.DataFrame:
    """Every channel that occurs, by how many conversions it was the last of."""
    channels = len(journeys.labels)
    journey, channel = np.divmod(np.unique(journeys.journey * channels + journeys.channel), channels)
    has = np.bincount(channel, minlength=channels)
    has_converted = np.bincount(channel, weights=converted[journey], minlength=channels)
    last = journeys.channel[journeys.last]
    closed = np.bincount(last, weights=converted, minlength=channels)
    table = pd.DataFrame(
        {
            "item": journeys.labels,
            "journeys": has,
            "conversions": closed.astype(np.int64),
            "revenue": np.bincount(last, weights=revenue, minlength=channels),
            "rate": has_converted / np.maximum(has, 1),
            "assisted": has_converted - closed,
        }
    )
    return table[has > 0].sort_values(["conversions", "assisted", "item"], ascending=[False, False, True])
