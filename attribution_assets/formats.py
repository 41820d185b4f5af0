"""Numbers and names as people read and write them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

DIRECT_CHANNELS = ("Direct", "Direct Traffic")
"""How direct traffic is named where nobody says how."""

DIRECT_WORDS = (["direct"], ["direct", "traffic"], ["direct", "none"])
"""The words of direct traffic's names there: Direct, direct traffic, (direct) / (none)."""


def number(value: float | None) -> str:
    """The number with two decimals; empty if it is undefined."""
    return "" if value is None else f"{value:,.2f}"


def as_markdown(name: str) -> str:
    """The name as markdown that shows it as it is, in one line of a table."""
    return re.sub(r"([\\`*_\[\]<>|~&#])", r"\\\1", " ".join(name.split()))


def in_words(value: Any) -> str:
    """A value of an offending row for people: no more digits than are significant, empty for NULL."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return "" if value is None else str(value)


def is_direct(channel: str, direct_channels: Collection[str]) -> bool:
    """Whether the channel is one of these, by its exact name.

    While these are DIRECT_CHANNELS, it also is if it is named so in other letters, or as Google Analytics has it:
    `(direct) / (none)`, `(direct)`, or the medium `(none)`.
    """
    if channel in direct_channels:
        return True
    words = re.findall(r"[^\W_]+", channel.casefold())
    return {*direct_channels} == {*DIRECT_CHANNELS} and (words in DIRECT_WORDS or channel.strip().casefold() == "(none)")


def spelling(channel: str) -> str:
    """What the names of one channel have in common that differ in case, spaces, dashes, plural, brand or branded, or traffic.

    "Social - Paid" and "social paid", "Direct" and "Direct Traffic", "SEA - Brand" and "SEA - Branded" have the same.
    """
    words = re.findall(r"[^\W_]+", channel.casefold())
    if len(words) > 1 and words[-1] == "traffic":
        words = words[:-1]
    return "".join("brand" if word == "branded" else _singular(word) for word in words) or channel


def _singular(word: str) -> str:
    is_plural = word.endswith("s") and not word.endswith("ss") and (len(word) > 3 or word == "ads")
    return word.removesuffix("s") if is_plural else word
