"""Draws a terminal as SVG: `make picture` gives it what `attribution run` prints, and keeps the picture as docs/report.svg.

Run it when the report looks different; a test compares the picture with what the command prints.
"""

from __future__ import annotations

import io
import re
import sys

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

COLUMNS = 100
SHOWN_FOLDER = "/home/you"


def drawn(text: str) -> str:
    """The terminal as an SVG file. It loads no font, and no font's underscores are cut off at the end of a line."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ ", "bold green") + Text("attribution run"))
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="attribution run", theme=DIMMED_MONOKAI, unique_id="report")
    return re.sub(
        r'\s*@font-face \{.*?\}|<clipPath id="report-line.*?</clipPath>\n?| clip-path="url\(#report-line-\d+\)"',
        "",
        svg,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    [folder] = sys.argv[1:]
    print(drawn(sys.stdin.buffer.read().decode().replace("\r", "").replace(folder, SHOWN_FOLDER)), end="")
