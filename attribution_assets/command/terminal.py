"""What the terminal shows: tables, numbers and the progress of a run; no command and no computation."""

from __future__ import annotations

import io
import logging
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

GAP = 2
"""How many spaces stand between two columns."""

NARROW = 24
"""Text is wrapped at spaces where a column is wider than this, if there is too little room."""


BESIDE_BARS = 64
"""How many columns of the screen the progress of a run needs beside its bars."""


class Column(NamedTuple):
    """A column of a printed table: text to the left, wrapped where room is lacking; numbers to the right, on one line."""

    heading: str
    cells: Sequence[str]
    is_text: bool = False
    total: str = ""

    @property
    def widest(self) -> int:
        """As wide as its longest line, in columns of the screen."""
        from rich.cells import cell_len

        return max(map(cell_len, (self.heading, *self._lines())))

    def narrowest(self, room: int) -> int:
        """As narrow as it can be without a break inside a number or a word; a word of more than half of the room is broken."""
        from rich.cells import cell_len

        whole = max(map(cell_len, self._lines()), default=0)
        longest_word = max((cell_len(word) for line in self._lines() for word in line.split()), default=0)
        least = max(longest_word, min(whole, NARROW)) if self.is_text else whole
        return min(max(least, *map(cell_len, _pieces(self.heading))), (room - GAP) // 2)

    def _lines(self) -> Iterator[str]:
        for text in (*self.cells, self.total):
            yield from text.split("\n")


def print_table(title: str, columns: Sequence[Column]) -> None:
    """Prints the title and a table of the columns, the first of which names the rows.

    Nothing is cut off: where a terminal lacks room, text is wrapped, and columns are printed below the others with the first
    one beside them again. Elsewhere than on a terminal, every row is one line.
    """
    screen = console()
    parts = _parts(columns, screen.width)
    tables = [_table(part, screen.width) for part in parts]
    width = max(screen.measure(table).maximum for table in tables)
    if title:
        indent = " " * ((width - len(title)) // 2)
        screen.print(f"{indent}{title}", style="italic")
    for number, table in enumerate(tables):
        if number:
            screen.print()
        screen.print(table)


def _parts(columns: Sequence[Column], room: int) -> list[list[Column]]:
    """The columns as they are printed beside each other: all, or as many as there is room for, each time after the first."""
    label, *others = columns
    if _width(column.widest for column in columns) <= room:
        return [list(columns)]
    parts = [[label]]
    for column in others:
        if len(parts[-1]) > 1 and _width(each.narrowest(room) for each in (*parts[-1], column)) > room:
            parts.append([label])
        parts[-1].append(column)
    return parts


def _width(widths: Iterable[int]) -> int:
    return sum(width + GAP for width in widths) - 1


def _table(columns: Sequence[Column], room: int) -> Table:
    """The columns beside each other, each as wide as its text if there is room, the first ones first."""
    from rich import box
    from rich.table import Table

    has_totals = any(column.total for column in columns[1:])
    table = Table(box=box.SIMPLE_HEAD, show_footer=has_totals, show_edge=False, padding=(0, 1, 0, 0))
    widths = [column.narrowest(room) for column in columns]
    for number, column in enumerate(columns):
        widths[number] += max(0, min(room - _width(widths), column.widest - widths[number]))
        heading = column.heading if column.widest <= widths[number] else _in_lines(column.heading, widths[number])
        justify: Literal["left", "right"] = "left" if column.is_text else "right"
        table.add_column(heading, column.total, justify=justify, width=widths[number], overflow="fold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _pieces(heading: str) -> list[str]:
    return re.findall(r"[^ _]+[ _]?", heading) or [heading]


def _in_lines(heading: str, width: int) -> str:
    """The heading in lines that are broken after a space or an underscore."""
    lines = [""]
    for piece in _pieces(heading):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def print_frame(title: str, frame: pd.DataFrame, formats: dict[str, str], otherwise: str) -> None:
    """A table of the frame: text as it is, numbers formatted, and an empty cell for an undefined value."""

    def shown(name: str, value: Any) -> str:
        return value if isinstance(value, str) else "" if value != value else formats.get(name, otherwise).format(value)

    label, *numbers = frame.columns
    columns = [Column(name, [shown(name, value) for value in frame[name].tolist()]) for name in numbers]
    print_table(title, [Column(label, frame[label].tolist(), is_text=True), *columns])


def print_rows(title: str, rows: Sequence[dict[str, Any]], formats: dict[str, str], summed: Sequence[str]) -> None:
    """A table of the rows, with sums of some columns: text as it is, numbers with two decimals unless `formats` has theirs."""

    def shown(name: str, value: Any) -> str:
        return value if isinstance(value, str) else "" if value is None else formats.get(name, "{:,.2f}").format(value)

    def total(name: str) -> str:
        return shown(name, math.fsum(row[name] or 0 for row in rows)) if name in summed else ""

    columns = [
        Column(name, [shown(name, row[name]) for row in rows], isinstance(value, str), total(name))
        for name, value in rows[0].items()
    ]
    print_table(title, [columns[0]._replace(total="total"), *columns[1:]])


@contextmanager
def progress() -> Iterator[Callable[[dg.DagsterEvent], None]]:
    """A handler of Dagster events: a bar per step on a terminal, a line per step elsewhere; and what the package logs."""
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column as ProgressColumn

    with _own_stderr() as stderr:
        screen = Console(file=stderr, highlight=False)
        bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", table_column=ProgressColumn(overflow="fold")),
            *([BarColumn(min(40, screen.width - BESIDE_BARS))] if screen.width > BESIDE_BARS else []),
            TextColumn("{task.fields[rows]}", justify="right"),
            TimeElapsedColumn(),
            console=screen,
            disable=not screen.is_terminal,
        )
        tasks: dict[str, Any] = {}
        rows: Counter[str] = Counter()
        checks: Counter[str] = Counter()

        def on_event(event: dg.DagsterEvent) -> None:
            step = event.step_key or ""
            data: Any = event.event_specific_data
            if event.is_step_start:
                rows.pop(step, None)  # of the days of an earlier run
                checks.pop(step, None)
                tasks[step] = bars.add_task(step, total=None, rows="")
            elif event.is_step_materialization and data.materialization.asset_key.path[-1] == step:
                metadata = data.materialization.metadata
                rows[step] += metadata.get("dagster/partition_row_count", metadata.get("dagster/row_count")).value
            elif event.event_type_value == "ASSET_CHECK_EVALUATION":
                checks[step] += 1
            elif event.is_step_success:
                done = f"{rows[step]:,} rows" if step in rows else f"{checks[step]} checks"
                bars.update(tasks[step], total=1, completed=1, rows=done)
                if bars.disable:
                    screen.print(f"{step}: {done} in {data.duration_ms / 1000:.1f} s", soft_wrap=True)

        logger = logging.getLogger("attribution_assets")
        handler = RichHandler(console=screen, show_time=False, show_level=False, show_path=False)
        level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            with bars:
                yield on_event
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """What a terminal shows while something is computed: the last words it was told, with a spinner. Elsewhere nothing."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False, markup=False)
    if not screen.is_terminal:
        yield lambda _: None
        return
    with screen.status("") as status:
        yield status.update


@contextmanager
def _own_stderr() -> Iterator[TextIO]:
    """A copy of standard error: during a run, Dagster redirects the process's own to its log."""
    try:
        copy = os.dup(sys.stderr.fileno())
    except io.UnsupportedOperation:  # something in memory stands in for it, which Dagster leaves alone
        yield sys.stderr
        return
    with os.fdopen(copy, "w", encoding="utf-8") as stderr:
        yield stderr


def console() -> Console:
    """Standard output: as wide as the terminal, without bounds elsewhere, and text exactly as given."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else sys.maxsize, markup=False, emoji=False, highlight=False)
