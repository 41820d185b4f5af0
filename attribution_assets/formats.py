"""Numbers and names as people read them."""

from __future__ import annotations

import re
from typing import Any


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
