"""What the terminal shows: tables, numbers and the progress of a run; no command and no computation."""

from __future__ import annotations

import io
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd
    from rich.console import Console


def print_frame(title: str, frame: pd.DataFrame, formats: dict[str, str], otherwise: str) -> None:
    """A table of the frame: text as it is, numbers formatted, and an empty cell for an undefined value."""
    from rich import box
    from rich.table import Table

    label, *numbers = frame.columns
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column(label)
    for name in numbers:
        table.add_column(str(name), justify="right")
    for row in frame.to_dict("records"):
        cells = (row[name] for name in numbers)
        shown = [
            cell if isinstance(cell, str) else "" if cell != cell else formats.get(name, otherwise).format(cell)
            for name, cell in zip(numbers, cells, strict=True)
        ]
        table.add_row(row[label], *shown)
    console().print(table)


def print_rows(title: str, rows: Sequence[dict[str, Any]], formats: dict[str, str], summed: Sequence[str]) -> None:
    """A table of the rows, with sums of some columns: text as it is, numbers with two decimals unless `formats` has theirs."""
    from rich import box
    from rich.table import Table

    def shown(name: str, value: Any) -> str:
        return value if isinstance(value, str) else "" if value is None else formats.get(name, "{:,.2f}").format(value)

    table = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True, show_edge=False, padding=(0, 1, 0, 0))
    for i, (name, value) in enumerate(rows[0].items()):
        footer = shown(name, math.fsum(row[name] or 0 for row in rows)) if name in summed else "" if i else "total"
        table.add_column(name, justify="left" if isinstance(value, str) else "right", footer=footer, overflow="fold")
    for row in rows:
        table.add_row(*(shown(name, value) for name, value in row.items()))
    console().print(table)


@contextmanager
def progress() -> Iterator[Callable[[dg.DagsterEvent], None]]:
    """A handler of Dagster events: a bar per step on a terminal, a line per step elsewhere; and what the package logs."""
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with _own_stderr() as stderr:
        screen = Console(file=stderr, highlight=False)
        bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<30}"),
            BarColumn(),
            TextColumn("{task.fields[rows]:>20}"),
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
                tasks[step] = bars.add_task(step, total=None, rows="")
            elif event.is_step_materialization and data.materialization.asset_key.path[-1] == step:
                rows[step] += data.materialization.metadata["dagster/partition_row_count"].value
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
    """Standard output: as wide as the terminal, 160 columns elsewhere, and text exactly as given."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, markup=False, emoji=False, highlight=False)
