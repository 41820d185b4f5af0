"""SQLiteIOManager: which days a run's output replaces, in which forms it may come, and what a reader gets."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.io_managers import SQLiteIOManager
from attribution_assets.warehouse import Frames, Query
from attribution_assets.warehouse.query import ROWS_PER_FRAME
from attribution_assets_tests.support import Shop

DAYS = dg.DailyPartitionsDefinition("2023-09-01", end_date="2023-09-06")  # the end is excluded
TABLE = "attribution_customer_journey"
OLD = [(f"c{day}", "s", 1.0, f"2023-09-0{day}") for day in range(1, 6)]

Row = tuple[Any, ...]


@pytest.fixture
def filled(shop: Shop) -> Shop:
    """A database with one attributed conversion on each of the five days."""
    shop.warehouse.prepare()
    for row in OLD:
        shop.execute(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?)", *row)
    return shop


def frame(*rows: Row) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["conv_id", "session_id", "ihc", "conv_date"])


def rows_of(read: pd.DataFrame) -> list[Row]:
    return list(read.itertuples(index=False, name=None))


def manager(shop: Shop) -> SQLiteIOManager:
    return SQLiteIOManager(database=str(shop.database))


def tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


# -- through contexts, without a run -----------------------------------------------------------------------------------


DAY_COLUMN = {"partition_expr": "conv_date"}


def write(
    shop: Shop, value: Any, first: str, last: str | None = None, table: str = TABLE, metadata: dict[str, str] = DAY_COLUMN
) -> None:
    """Hands the value to the IO manager as the output of a run over the days `first` to `last`."""
    with dg.build_output_context(
        asset_key=table,
        definition_metadata=metadata,
        asset_partitions_def=DAYS,
        asset_partition_key_range=dg.PartitionKeyRange(first, last) if last else None,
        partition_key=None if last else first,
    ) as context:
        manager(shop).handle_output(context, value)


def read(
    shop: Shop,
    read_as: type,
    first: str | None = None,
    last: str | None = None,
    table: str = TABLE,
    metadata: dict[str, str] = DAY_COLUMN,
) -> Any:
    """What the IO manager gives a reader of the days `first` to `last`; an unpartitioned one, without them."""
    with (
        dg.build_output_context(definition_metadata=metadata) as upstream,
        dg.build_input_context(
            asset_key=table,
            dagster_type=dg.PythonObjectDagsterType(read_as),
            upstream_output=upstream,
            asset_partitions_def=DAYS if first else None,
            asset_partition_key_range=dg.PartitionKeyRange(first, last) if first and last else None,
            partition_key=None if last else first,
        ) as context,
    ):
        return manager(shop).load_input(context)


def test_a_frame_replaces_the_day_of_the_run(filled: Shop) -> None:
    write(filled, frame(("n", "s", 1.0, "2023-09-02")), "2023-09-02")

    assert filled.table(TABLE) == [OLD[0], *OLD[2:], ("n", "s", 1.0, "2023-09-02")]


def test_a_frame_replaces_the_range_of_the_run(filled: Shop) -> None:
    write(filled, frame(("n", "s", 1.0, "2023-09-03")), "2023-09-02", "2023-09-04")

    assert filled.table(TABLE) == [OLD[0], OLD[4], ("n", "s", 1.0, "2023-09-03")]


def test_the_schema_step_comes_before_the_first_write(shop: Shop) -> None:
    write(shop, frame(("n", "s", 1.0, "2023-09-02")), "2023-09-02")

    assert shop.table(TABLE) == [("n", "s", 1.0, "2023-09-02")]
    assert shop.execute("PRAGMA journal_mode") == [("wal",)]


def test_an_empty_frame_clears_the_days_and_leaves_the_table(filled: Shop) -> None:
    write(filled, frame(), "2023-09-01", "2023-09-05")

    assert filled.table(TABLE) == []


def test_a_row_of_another_day_is_refused(filled: Shop) -> None:
    with pytest.raises(AttributionError, match=f"{TABLE} has conv_date '2023-09-04', outside the run's days"):
        write(filled, frame(("n", "s", 1.0, "2023-09-04")), "2023-09-02", "2023-09-03")

    assert filled.table(TABLE) == OLD


def test_a_reversed_range_is_refused_and_deletes_nothing(filled: Shop) -> None:
    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        write(filled, frame(), "2023-09-03", "2023-09-01")

    assert filled.table(TABLE) == OLD


def test_a_reversed_range_is_not_read_as_everything(filled: Shop) -> None:
    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        read(filled, pd.DataFrame, "2023-09-03", "2023-09-01")


@pytest.mark.parametrize(
    "value",
    [None, 3, "SELECT 1", "", b"", {}, {"conv_id": ["c"]}, [("c", "s", 1.0, "2023-09-02")]],
    ids=repr,
)
def test_a_value_of_another_kind_is_refused_with_what_to_return(filled: Shop, value: Any) -> None:
    with pytest.raises(AttributionError, match=rf"{TABLE} returned .*\. Return a Query, a pandas frame, or Output\("):
        write(filled, value, "2023-09-02")

    assert filled.table(TABLE) == OLD


def test_an_iterator_of_anything_but_frames_is_refused_with_what_to_return(filled: Shop) -> None:
    rows = frame(("n", "s", 1.0, "2023-09-02")).itertuples(index=False)

    with pytest.raises(AttributionError, match=rf"{TABLE} .*\. Return a Query, a pandas frame, or Output\("):
        write(filled, rows, "2023-09-02")

    assert filled.table(TABLE) == OLD


def test_an_asset_without_a_declared_table_is_named(shop: Shop) -> None:
    with pytest.raises(AttributionError, match=r"challenge_db_create\.sql declares no table campaign_reporting\. Add it there"):
        write(shop, frame(), "2023-09-02", table="campaign_reporting")


def test_an_asset_without_a_declared_table_cannot_be_read(shop: Shop) -> None:
    with pytest.raises(AttributionError, match=r"challenge_db_create\.sql declares no table campaign_reporting\. Add it there"):
        read(shop, pd.DataFrame, "2023-09-02", table="campaign_reporting")


def test_an_asset_that_does_not_name_its_day_column_is_named(filled: Shop) -> None:
    with pytest.raises(AttributionError, match=f"{TABLE}.*partition_expr"):
        write(filled, frame(), "2023-09-02", metadata={})

    assert filled.table(TABLE) == OLD


def test_the_days_of_an_asset_that_does_not_name_its_day_column_cannot_be_read(filled: Shop) -> None:
    with pytest.raises(AttributionError, match=f"{TABLE}.*partition_expr"):
        read(filled, pd.DataFrame, "2023-09-02", metadata={})


def test_a_reader_gets_the_rows_of_its_day(filled: Shop) -> None:
    rows = read(filled, pd.DataFrame, "2023-09-02")

    assert rows_of(rows) == [OLD[1]]


def test_a_reader_gets_the_rows_of_its_range_as_one_frame(filled: Shop) -> None:
    rows = read(filled, pd.DataFrame, "2023-09-02", "2023-09-04")

    assert rows_of(rows) == OLD[1:4]


def test_a_reader_without_partitions_gets_all_rows(filled: Shop) -> None:
    filled.execute(f"INSERT INTO {TABLE} VALUES ('early', 's', 1.0, '2022-01-01')")

    rows = read(filled, pd.DataFrame)

    assert rows_of(rows) == [("early", "s", 1.0, "2022-01-01"), *OLD]


def test_a_reader_of_an_empty_day_gets_typed_columns(filled: Shop) -> None:
    filled.execute(f"DELETE FROM {TABLE}")

    rows = read(filled, pd.DataFrame, "2023-09-02")

    assert rows.dtypes.astype(str).to_dict() == {"conv_id": "str", "session_id": "str", "ihc": "float64", "conv_date": "str"}


def test_a_reader_of_frames_gets_them_one_after_another(filled: Shop) -> None:
    rows = read(filled, Frames, "2023-09-02", "2023-09-04")

    assert isinstance(rows, Frames)
    assert [row for piece in rows for row in rows_of(piece)] == OLD[1:4]


def test_frames_are_of_bounded_size(filled: Shop) -> None:
    filled.execute(
        f"WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n LIMIT {ROWS_PER_FRAME}) "
        f"INSERT INTO {TABLE} SELECT 'n' || n, 's', 1.0, '2023-09-02' FROM n"
    )

    rows = read(filled, Frames, "2023-09-02")

    lengths = [len(piece) for piece in rows]
    assert max(lengths) <= ROWS_PER_FRAME
    assert sum(lengths) == ROWS_PER_FRAME + 1


# -- through runs ------------------------------------------------------------------------------------------------------


class Runs:
    """Materializes assets on one database."""

    def __init__(self, shop: Shop, instance: dg.DagsterInstance) -> None:
        self.shop, self.instance = shop, instance

    def __call__(
        self,
        assets: Sequence[dg.AssetsDefinition | dg.AssetSpec],
        first: str | None = None,
        last: str | None = None,
        selection: Sequence[dg.AssetsDefinition] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """A run over the days `first` to `last`; over one partition key, without `last`; unpartitioned, without both."""
        return dg.materialize(
            assets,
            resources={"io_manager": manager(self.shop)},
            instance=self.instance,
            partition_key=None if last else first,
            tags=tags(first, last) if first and last else None,
            selection=selection,
        )


@pytest.fixture
def run(filled: Shop, instance: dg.DagsterInstance) -> Runs:
    return Runs(filled, instance)


def daily(**options: Any) -> Callable[..., dg.AssetsDefinition]:
    """An asset whose range of days is one run."""
    decorate: Callable[..., dg.AssetsDefinition] = dg.asset(
        partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), metadata=DAY_COLUMN, **options
    )
    return decorate


def attribution(rows: Callable[[Sequence[str]], Any]) -> dg.AssetsDefinition:
    """The asset attribution_customer_journey, which returns `rows` of the run's days."""

    @daily(name=TABLE)
    def asset(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # with a type, Dagster takes Output or the rest
        return rows(context.partition_keys)

    return asset


def new(day: str) -> Row:
    return (f"n{day}", "s", 1.0, day)


def as_frame(days: Sequence[str]) -> pd.DataFrame:
    return frame(*map(new, days))


def as_output_of_an_iterator(days: Sequence[str]) -> dg.Output[Iterator[pd.DataFrame]]:
    return dg.Output(frame(new(day)) for day in days)


def as_frames(days: Sequence[str]) -> Frames:
    return Frames(frame(new(day)) for day in days)


def as_query(days: Sequence[str]) -> Query:
    """Reads ihc_results, where the test has put the rows."""
    return Query(TABLE, {"first_day": days[0], "last_day": days[-1]})


every_form = pytest.mark.parametrize(
    "rows", [as_frame, as_output_of_an_iterator, as_frames, as_query], ids=["frame", "iterator", "frames", "query"]
)


@pytest.fixture
def results(filled: Shop) -> None:
    """ihc_results with a new conversion on each day, for the form that reads them."""
    for day in DAYS.get_partition_keys():
        conv_id, session_id, ihc, conv_date = new(day)
        filled.execute(
            "INSERT INTO ihc_results VALUES (?, ?, ?, 0, 0, 0, ?, 'embedded', 'test')", conv_id, session_id, conv_date, ihc
        )


@pytest.mark.usefixtures("results")
@every_form
def test_a_run_of_one_day_replaces_that_day(filled: Shop, run: Runs, rows: Callable[[Sequence[str]], Any]) -> None:
    run([attribution(rows)], "2023-09-02")

    assert filled.table(TABLE) == sorted([OLD[0], *OLD[2:], new("2023-09-02")])


@pytest.mark.usefixtures("results")
@every_form
def test_a_run_of_a_range_replaces_its_days(filled: Shop, run: Runs, rows: Callable[[Sequence[str]], Any]) -> None:
    run([attribution(rows)], "2023-09-02", "2023-09-04")

    assert filled.table(TABLE) == sorted([OLD[0], OLD[4], new("2023-09-02"), new("2023-09-03"), new("2023-09-04")])


@pytest.mark.usefixtures("results")
@every_form
def test_a_run_again_changes_nothing(filled: Shop, run: Runs, rows: Callable[[Sequence[str]], Any]) -> None:
    run([attribution(rows)], "2023-09-02", "2023-09-04")
    before = filled.table(TABLE)

    run([attribution(rows)], "2023-09-02", "2023-09-04")

    assert filled.table(TABLE) == before


@pytest.mark.usefixtures("results")
@every_form
def test_a_range_gives_what_its_days_give_one_by_one(filled: Shop, run: Runs, rows: Callable[[Sequence[str]], Any]) -> None:
    for day in ("2023-09-03", "2023-09-02", "2023-09-04"):
        run([attribution(rows)], day)
    one_by_one = filled.table(TABLE)
    filled.execute(f"DELETE FROM {TABLE} WHERE conv_date BETWEEN '2023-09-02' AND '2023-09-04'")

    run([attribution(rows)], "2023-09-02", "2023-09-04")

    assert filled.table(TABLE) == one_by_one


def test_a_run_of_a_reversed_range_fails_and_deletes_nothing(filled: Shop, run: Runs) -> None:
    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        run([attribution(as_frame)], "2023-09-04", "2023-09-02")

    assert filled.table(TABLE) == OLD


def test_a_run_whose_asset_fails_leaves_the_old_rows(filled: Shop, run: Runs) -> None:
    def broken(days: Sequence[str]) -> dg.Output[Iterator[pd.DataFrame]]:
        def pieces() -> Iterator[pd.DataFrame]:
            yield frame(new(days[0]))
            raise TimeoutError("the API does not answer")

        return dg.Output(pieces())

    with pytest.raises(TimeoutError, match="the API does not answer"):
        run([attribution(broken)], "2023-09-02", "2023-09-04")

    assert filled.table(TABLE) == OLD


def test_a_run_whose_asset_returns_nothing_fails_and_deletes_nothing(filled: Shop, run: Runs) -> None:
    with pytest.raises(AttributionError, match=f"{TABLE} returned NoneType. Return a Query, a pandas frame"):
        run([attribution(lambda days: None)], "2023-09-02")

    assert filled.table(TABLE) == OLD


def test_a_run_of_an_asset_without_a_declared_table_fails(run: Runs) -> None:
    @daily()
    def campaign_reporting() -> pd.DataFrame:
        return frame()

    with pytest.raises(AttributionError, match="declares no table campaign_reporting"):
        run([campaign_reporting], "2023-09-02")


def test_each_day_of_a_range_shows_its_own_number_of_rows(run: Runs) -> None:
    two_then_none = attribution(lambda days: frame(("n", "s", 0.5, days[0]), ("n", "t", 0.5, days[0])))

    result = run([two_then_none], "2023-09-02", "2023-09-03")

    counts = {
        event.partition: event.step_materialization_data.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
    }
    assert counts == {"2023-09-02": 2, "2023-09-03": 0}


def test_a_source_that_is_a_view_is_mentioned_in_the_log(filled: Shop, run: Runs) -> None:
    filled.execute("ALTER TABLE session_costs RENAME TO costs")
    filled.execute("CREATE VIEW session_costs AS SELECT * FROM costs")

    result = run([attribution(as_frame)], "2023-09-02")

    log = [entry.user_message for entry in run.instance.all_logs(result.run_id)]
    assert "session_costs is a view, so it cannot be indexed. Its tables should have indexes." in log


def test_a_downstream_asset_reads_the_run_s_day(run: Runs) -> None:
    seen = []

    @daily()
    def reader(attribution_customer_journey: pd.DataFrame) -> None:
        seen.append(attribution_customer_journey)

    run([attribution(as_frame), reader], "2023-09-02")

    assert [rows_of(read) for read in seen] == [[new("2023-09-02")]]


def test_a_downstream_asset_reads_the_run_s_range_as_one_frame(run: Runs) -> None:
    seen = []

    @daily()
    def reader(attribution_customer_journey: pd.DataFrame) -> None:
        seen.append(attribution_customer_journey)

    run([attribution(as_frame), reader], "2023-09-02", "2023-09-04")

    assert [rows_of(read) for read in seen] == [[new("2023-09-02"), new("2023-09-03"), new("2023-09-04")]]


def test_an_input_annotated_frames_is_streamed(run: Runs) -> None:
    seen: list[Any] = []

    @daily()
    def reader(attribution_customer_journey: Frames) -> None:
        seen.append(type(attribution_customer_journey))
        seen.extend(row for piece in attribution_customer_journey for row in rows_of(piece))

    run([attribution(as_frame), reader], "2023-09-02", "2023-09-03")

    assert seen == [Frames, new("2023-09-02"), new("2023-09-03")]


def test_frames_flow_from_one_table_to_the_next(filled: Shop, run: Runs) -> None:
    @daily()
    def ihc_results(attribution_customer_journey: Frames) -> Frames:
        return Frames(
            piece.assign(initializer=0.0, holder=0.0, closer=0.0, backend="test", parameters="test")
            for piece in attribution_customer_journey
        )

    run([attribution(as_frames), ihc_results], "2023-09-02", "2023-09-03")

    assert filled.table("ihc_results", "conv_id, session_id, ihc, conv_date") == [new("2023-09-02"), new("2023-09-03")]


def test_an_input_without_annotation_is_one_frame(run: Runs) -> None:
    seen = []

    def reads(attribution_customer_journey) -> None:  # type: ignore[no-untyped-def]
        seen.append(attribution_customer_journey)

    run([attribution(as_frame), daily(name="reader")(reads)], "2023-09-02")

    assert [rows_of(read) for read in seen] == [[new("2023-09-02")]]


def test_a_partition_mapping_widens_what_is_read(run: Runs) -> None:
    seen = []
    ahead = dg.TimeWindowPartitionMapping(start_offset=0, end_offset=2)

    @daily(ins={TABLE: dg.AssetIn(partition_mapping=ahead)})
    def reader(attribution_customer_journey: pd.DataFrame) -> None:
        seen.append(attribution_customer_journey)

    run([attribution(as_frame), reader], "2023-09-02", selection=[reader])

    assert [rows_of(read) for read in seen] == [OLD[1:4]]


def test_an_unpartitioned_asset_reads_all_partitions(filled: Shop, run: Runs) -> None:
    filled.execute(f"INSERT INTO {TABLE} VALUES ('early', 's', 1.0, '2022-01-01')")
    seen = []

    @dg.asset
    def reader(attribution_customer_journey: pd.DataFrame) -> None:
        seen.append(attribution_customer_journey)

    run([attribution(as_frame), reader], selection=[reader])

    assert [rows_of(read) for read in seen] == [OLD]


def test_a_value_is_loaded_from_the_definitions_by_hand(filled: Shop, instance: dg.DagsterInstance) -> None:
    defs = dg.Definitions(assets=[attribution(as_frame)], resources={"io_manager": manager(filled)})

    one_day = defs.load_asset_value(TABLE, partition_key="2023-09-02", python_type=pd.DataFrame, instance=instance)
    all_days = defs.load_asset_value(TABLE, python_type=pd.DataFrame, instance=instance)

    assert isinstance(one_day, pd.DataFrame)
    assert isinstance(all_days, pd.DataFrame)
    assert (rows_of(one_day), rows_of(all_days)) == ([OLD[1]], OLD)
