"""The lake whose queries run on a Spark cluster: executors read and write its files, and delta-rs commits what they wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pyspark.errors import PySparkException

from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.dialect import Engine
from attribution_assets.warehouse.frames import in_sum
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.opened import AtState
from attribution_assets.warehouse.lake.replacement import Replacement
from attribution_assets.warehouse.query import Frames, Query, Rows, Source
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.spark.cluster import Cluster
from attribution_assets.warehouse.spark.cursor import SparkCursor
from attribution_assets.warehouse.spark.mapping import mapped, summed
from attribution_assets.warehouse.spark.replacement import SparkReplacement
from attribution_assets.warehouse.warehouse import Written

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class SparkLakeWarehouse(LakeWarehouse):
    """A lake in a folder that this machine and all executors see under one path. What queries compute stays on the cluster.

    Looking up days, versions and columns needs no cluster: this machine reads it from the files, as of every lake.
    """

    engine: ClassVar[Engine] = "spark"

    spark: str = field(default="", repr=False)
    """The cluster: `sc://HOST:PORT`, whose parameters may hold a token."""

    @property
    def here(self) -> LakeWarehouse:
        """The same lake, computed on this machine."""
        return LakeWarehouse(**{of_lake.name: getattr(self, of_lake.name) for of_lake in fields(LakeWarehouse)})

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return Cluster(self.spark)

    def computed_by(self) -> dict[str, str]:
        """The cluster, its version and application, and the version of the client."""
        with self._plain_errors(), self._computing() as cursor:
            return {"cluster": self.cluster.name, **cast("SparkCursor", cursor).session.versions()}

    @contextmanager
    def _computing(self, *, with_server: bool = True) -> Iterator[AtState]:
        with (
            self.connect(with_server=with_server) as cursor,
            self.cluster.session(cursor.state.sources, self.reading) as session,
        ):
            yield SparkCursor(session, cursor.state)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            with super()._plain_errors():
                yield
        except PySparkException as error:
            raise self.cluster.in_words(error) from None  # its cause may have a token

    def _date_at_end(
        self, table: str, day_column: str, has_times: bool, order: Literal["ASC", "DESC"], until: str
    ) -> str | None:
        return self.here._date_at_end(table, day_column, has_times, order, until)

    def replace_days(
        self, table: Table, day_column: str, days: Days, rows: Query | pd.DataFrame | Iterable[pd.DataFrame]
    ) -> Written:
        """As of every lake. What a function makes of stored conversions, executors compute where these are."""
        if not isinstance(rows, Frames) or not rows.source or not rows.function or not delta.partition_of(table):
            return super().replace_days(table, day_column, days, rows)
        with self._plain_errors():
            return self.committed(
                table.name, partial(self._replace_by_function, table, day_column, days, rows.source, rows.function)
            )

    def summed(self, query: Query, read: Table, function: Rows, table: Table) -> pd.DataFrame:
        """As of every lake, computed and summed by executors."""
        with self._proven(query) as cursor:
            answer = summed(cast("SparkCursor", cursor), query, read, function, table).toArrow()
        return in_sum([answer.to_pandas()], table)

    def _replace_by_function(self, table: Table, day_column: str, days: Days, source: Source, function: Rows) -> Written:
        with self._computing() as cursor:
            computed = mapped(cast("SparkCursor", cursor), source, function, table)
            return self._replace_by_files(cursor, table, day_column, days, computed)

    def _replace_by_files(self, cursor: Any, table: Table, day_column: str, days: Days, rows: DataFrame) -> Written:
        replacement = SparkReplacement(self.path / table.name, self.keep_days, table, day_column, days, cursor)
        return replacement.make(rows, lambda: self._check_unchanged(cursor.state))

    def _replace_by_answer(
        self,
        cursor: Any,
        table: Table,
        day_column: str,
        days: Days,
        statement: str,
        parameters: Mapping[str, str | int | float],
    ) -> Written:
        """Executors write the rows of touchpoints; those of small tables come to this machine, which writes them."""
        rows = cursor.frame(statement, parameters)
        if delta.partition_of(table):
            return self._replace_by_files(cursor, table, day_column, days, rows)
        answer = rows.toArrow()
        with self.connect(with_server=False) as here:
            if here.state.stored[table.name] != cursor.state.stored[table.name]:
                raise delta.overtaken(self.path / table.name)
            here.duck.register("computed", answer)
            here.execute("CREATE TEMP TABLE answer AS SELECT * FROM computed")
            self._check_unchanged(cursor.state)
            return Replacement(self.path / table.name, self.keep_days, table, day_column, days, here).make()
