"""Tables as markdown, small enough for the Dagster UI to show them whole and at once on a screen of 1440 pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import dagster as dg

from attribution_assets.formats import as_markdown

SHOWN_AT_ONCE = 1000
"""The UI shows markdown shorter than this at once, and longer markdown behind a link."""

LETTERS, GAP = 64, 2
"""How many letters fit beside each other, and how many of them the space between two columns takes."""

LETTERS_OF_NAME = 12
"""How many letters the first column has at least. Longer names are shown in several lines."""

BREAK = "\u200b"
"""A space without width, at which a line may break."""


def tables(title: str, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, dg.MarkdownMetadataValue]:
    """The rows as a table under `title`. What is too wide or too long for one goes on in `<title> (2)` and so forth.

    The first column is a name, which each of the tables repeats; the others are numbers. No name and no number is cut.
    """
    pieces: list[str] = []
    for columns in _side_by_side(heading, rows):
        room = LETTERS - GAP - sum(_width(heading, rows, column) for column in columns)
        longest = max(room, LETTERS_OF_NAME)
        top = "|".join([heading[0], *(_breakable(as_markdown(heading[column]), LETTERS_OF_NAME) for column in columns)])
        lines = start = [top, "|".join(["-", *["-:"] * len(columns)])]
        for name, *numbers in rows:
            line = "|".join([as_markdown(_breakable(name, longest)), *(numbers[column - 1] for column in columns)])
            if len(lines) > len(start) and len("\n".join([*lines, line])) >= SHOWN_AT_ONCE:
                pieces.append("\n".join(lines))
                lines = start
            lines = [*lines, line]
        pieces.append("\n".join(lines))
    titles = (f"{title} ({number})" if number > 1 else title for number in range(1, len(pieces) + 1))
    return {name: dg.MetadataValue.md(piece) for name, piece in zip(titles, pieces, strict=True)}


def _side_by_side(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[int]]:
    """The columns of numbers, as many together as fit beside the names."""
    groups: list[list[int]] = [[]]
    room = full = LETTERS - GAP - LETTERS_OF_NAME
    for column in range(1, len(heading)):
        width = _width(heading, rows, column)
        if groups[-1] and width > room:
            groups.append([])
            room = full
        groups[-1].append(column)
        room -= width
    return groups


def _width(heading: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> int:
    words = re.findall(r"[^\s_]+_?", heading[column])
    return GAP + max(map(len, (*words, *(row[column] for row in rows))))


def _breakable(name: str, longest: int) -> str:
    """The name, with places to break a line in words that are longer: after underscores, and within what is still too long."""
    words = (
        re.sub(rf"_+(?=[^_])|[^_]{{{longest}}}(?=[^_])", rf"\g<0>{BREAK}", word) if len(word) > longest else word
        for word in name.split()
    )
    return " ".join(words)
