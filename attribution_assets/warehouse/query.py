"""Query and Frames: how an asset returns its rows, computed by the database or by the asset itself, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from attribution_assets.shipped import read_sql
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.dialect import Engine, in_dialect
from attribution_assets.warehouse.schema import Table

if TYPE_CHECKING:
    import pandas as pd

ROWS_PER_FRAME = 25_000
"""About how many rows a streamed frame holds: the unit of memory of a run."""

ROWS_SUMMED = 250_000
"""About how many rows a frame holds that is counted and then forgotten."""

RETURN_THIS = "Return a Query, a pandas frame, or Output(iterator of frames)."


@dataclass(frozen=True)
class Query:
    """The SELECT in `sql/<name>.sql` and the values of its named parameters.

    `guards` name further files of sql/ with the same parameters, whose rows (one column: `problem`) are reasons not to run it.
    `driven_by`: the rows that drive it, as "table WHERE condition": for each of them SQLite looks up about `lookups_per_row`
    others. Empty where it reads few rows. `is_lenient`: it takes sources as they are. An id may stand in several rows, and
    there may be no times of day. `computed`: tables that it reads as their own queries give them now, not as they are stored.
    """

    name: str
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    driven_by: str = ""
    lookups_per_row: float = 1
    is_lenient: bool = False
    computed: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The statement for SQLite. Raises FileNotFoundError where sql/ has no such file."""
        return self.text_in("sqlite")

    def text_in(self, engine: Engine) -> str:
        """The statement for the engine. Raises FileNotFoundError where sql/ has no such file."""
        computed = ", ".join(f"{table} AS ({read_sql(table)}\n)" for table in self.computed)
        return in_dialect(f"WITH {computed} {read_sql(self.name)}" if computed else read_sql(self.name), engine)


def bounds_of(days: Days) -> dict[str, str]:
    """The parameters of a query that needs nothing but the days."""
    return {"first_day": days.first, "last_day": days.last}


@dataclass(frozen=True)
class Source:
    """Rows of a table as they are stored: those of its days.

    `share`: another table with the same keys and days, and the one of its columns that stands beside the rows.
    """

    table: Table
    day_column: str
    days: Days
    share: tuple[Table, str] | None = None


Rows = Callable[["pd.DataFrame"], "pd.DataFrame"]
"""A function of rows that have whole conversions. Executors of a cluster may run it, so it can be pickled."""


@dataclass
class Frames:
    """Frames of bounded size, one after another; the rows of one conversion are never split over two. Iterable once.

    `source`: the stored rows that the frames are, or that `function` makes them from, where they come from such. So a cluster
    can compute them where its rows are.
    """

    frames: Iterable[pd.DataFrame]
    source: Source | None = None
    function: Rows | None = None

    def beside(self, other: Frames, column: str, frames: Iterable[pd.DataFrame]) -> Frames:
        """These frames with a column of the other ones, whose rows have the same keys: `frames` are both put together."""
        if not self.source or not other.source or self.function or other.function:
            return Frames(frames)
        return Frames(frames, replace(self.source, share=(other.source.table, column)))

    def each(self, function: Rows) -> Frames:
        """The frames that the function makes of these, one of each."""
        return Frames(map(function, self.frames), self.source if self.function is None else None, function)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return iter(self.frames)
