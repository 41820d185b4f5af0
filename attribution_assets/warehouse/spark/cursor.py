"""How a statement of sql/ runs in a session of Spark, as a connection to one state of a lake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from attribution_assets.warehouse.lake.opened import Opened
from attribution_assets.warehouse.spark.statement import as_statement

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from attribution_assets.warehouse.spark.cluster import Session


@dataclass
class SparkCursor:
    """Runs statements in a Spark session, as a connection to one state of the lake. A result that one names has a view."""

    session: Session
    state: Opened
    rows: DataFrame | None = None
    _fetched: Iterator[tuple[Any, ...]] | None = None

    def execute(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> SparkCursor:
        """The statement's rows. Of named values, it gets those that it names."""
        self.rows, self._fetched = self.frame(text, parameters), None
        return self

    def frame(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> DataFrame:
        """The statement's rows as a frame of Spark's: nothing is computed before they are asked for."""
        for name in self.state.results.keys() & set(re.findall(r"\w+", text.lower())):
            self.session.name_result(self.state.results[name])
        statement = as_statement(text)
        if isinstance(parameters, Mapping):
            named = set(re.findall(r":(\w+)", statement))
            return self.session.spark.sql(statement, {name: value for name, value in parameters.items() if name in named})
        return self.session.spark.sql(statement, [*parameters])

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns of the last statement."""
        return [(name,) for name in self.rows.columns] if self.rows else None

    def batches(self, rows_per_batch: int) -> Iterator[pa.RecordBatch]:
        """The rows in batches, in their order."""
        if self.rows:
            yield from self.rows.toArrow().to_batches(max_chunksize=rows_per_batch)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return next(iter(self), None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return [*self]

    def fetchmany(self, size: int, /) -> list[tuple[Any, ...]]:
        """So many rows, or those that are left."""
        return [row for _, row in zip(range(size), self, strict=False)]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one after another."""
        if self._fetched is None:
            self._fetched = map(tuple, self.rows.collect() if self.rows else ())
        return self._fetched

    def may_stand_twice(self, table: str, key: str) -> bool:
        """Whether two rows have keys with the same hash. Grouping hashes takes a third of what grouping keys takes."""
        hashes = f"SELECT xxhash64({key}) AS hash FROM {table}"
        twice = f"SELECT 1 FROM ({hashes}) AS hashes GROUP BY hash HAVING count(*) > 1 LIMIT 1"
        return self.execute(twice).fetchone() is not None

    def has_no_rows(self, view: str) -> None:
        """From here on, nobody looks through what the view reads."""
        self.state.sources.has_no_rows(view)
        self.session.empty_views()
