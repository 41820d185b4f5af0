"""Where benchmarks write what they measured: between two marks of docs/benchmarks.md."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def write(mark: str, figures: str) -> None:
    """Puts the figures between `<!-- mark -->` and `<!-- /mark -->`, in place of those that are there."""
    marked = f"<!-- {mark} -->\n{figures}\n<!-- /{mark} -->"
    text = DOCUMENT.read_text(encoding="utf-8")
    text = re.sub(rf"<!-- {mark} -->.*<!-- /{mark} -->", lambda _: marked, text, flags=re.DOTALL)
    DOCUMENT.write_text(text, encoding="utf-8")
