"""CSVFilesIOManager: which files a run's output replaces, what is in them, and what a reader gets back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.io_managers import CSVFilesIOManager
from attribution_assets.warehouse import Query
from attribution_assets_tests.support import Shop

DAYS = dg.DailyPartitionsDefinition("2023-09-01", end_date="2023-09-06")  # the end is excluded
DAY_COLUMN = {"partition_expr": "date"}
HEADER = "channel_name,date,cost,ihc,ihc_revenue,CPO,ROAS\n"
FIRST = "Email,2023-09-01,2.000000,1.000000,50.000000,2.000000,25.000000\n"
SECOND = "Email,2023-09-02,0.000000,0.500000,10.000000,0.000000,\nSEA,2023-09-02,3.000000,0.000000,0.000000,,0.000000\n"
FOURTH = "Email,2023-09-04,1.000000,1.000000,1.000000,1.000000,1.000000\n"


@pytest.fixture
def reported(shop: Shop) -> Shop:
    """A database with channel_reporting of three days; nothing happened on the third."""
    shop.warehouse.prepare()
    shop.execute(
        "INSERT INTO channel_reporting VALUES ('SEA', '2023-09-02', 3, 0, 0), ('Email', '2023-09-04', 1, 1, 1), "
        "('Email', '2023-09-02', 0, 0.5, 10), ('Email', '2023-09-01', 2, 1, 50)"
    )
    return shop


def manager(shop: Shop) -> CSVFilesIOManager:
    return CSVFilesIOManager(database=str(shop.database), exports=str(shop.exports))


def exported(shop: Shop) -> dict[str, str]:
    return {name: content.decode() for name, content in shop.csv_bytes().items()}


# -- through contexts, without a run -----------------------------------------------------------------------------------


def write(
    shop: Shop,
    first: str,
    last: str | None = None,
    value: Any = None,
    metadata: dict[str, str] = DAY_COLUMN,
) -> None:
    """Hands the report (or another value) to the IO manager as the output of a run over the days `first` to `last`."""
    with dg.build_output_context(
        asset_key="channel_reporting_csv",
        definition_metadata=metadata,
        asset_partitions_def=DAYS,
        asset_partition_key_range=dg.PartitionKeyRange(first, last) if last else None,
        partition_key=None if last else first,
    ) as context:
        manager(shop).handle_output(context, Query("channel_reporting_csv") if value is None else value)


def read(shop: Shop, first: str | None = None, last: str | None = None) -> pd.DataFrame:
    """What the IO manager gives a reader of the days `first` to `last`; an unpartitioned one, without them."""
    with dg.build_input_context(
        asset_key="channel_reporting_csv",
        asset_partitions_def=DAYS if first else None,
        asset_partition_key_range=dg.PartitionKeyRange(first, last) if first and last else None,
        partition_key=None if last else first,
    ) as context:
        return manager(shop).load_input(context)


def test_a_day_is_exported_to_its_file_and_all_days_to_the_whole_one(reported: Shop) -> None:
    write(reported, "2023-09-02")

    assert exported(reported) == {
        "channel_reporting.csv": HEADER + FIRST + SECOND + FOURTH,
        "channel_reporting/2023-09-02.csv": HEADER + SECOND,
    }


def test_a_range_is_exported_to_a_file_for_each_day_also_the_empty_one(reported: Shop) -> None:
    write(reported, "2023-09-02", "2023-09-04")

    assert exported(reported) == {
        "channel_reporting.csv": HEADER + FIRST + SECOND + FOURTH,
        "channel_reporting/2023-09-02.csv": HEADER + SECOND,
        "channel_reporting/2023-09-03.csv": HEADER,
        "channel_reporting/2023-09-04.csv": HEADER + FOURTH,
    }


def test_the_file_of_another_day_stays_as_it_is(reported: Shop) -> None:
    write(reported, "2023-09-01")
    reported.execute("DELETE FROM channel_reporting")

    write(reported, "2023-09-02")

    assert exported(reported) == {
        "channel_reporting.csv": HEADER,
        "channel_reporting/2023-09-01.csv": HEADER + FIRST,
        "channel_reporting/2023-09-02.csv": HEADER,
    }


def test_a_reversed_range_is_refused_and_no_file_changes(reported: Shop) -> None:
    write(reported, "2023-09-01", "2023-09-04")
    before = exported(reported)
    reported.execute("DELETE FROM channel_reporting")

    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        write(reported, "2023-09-03", "2023-09-01")

    assert exported(reported) == before


@pytest.mark.parametrize("value", [pd.DataFrame(), "channel_reporting_csv", 3], ids=["frame", "text", "number"])
def test_a_value_that_is_no_query_is_refused_with_what_to_return(reported: Shop, value: Any) -> None:
    with pytest.raises(AttributionError, match=r"channel_reporting_csv returned .*\. Return a Query"):
        write(reported, "2023-09-02", value=value)

    assert exported(reported) == {}


def test_an_asset_that_does_not_name_its_day_column_is_named(reported: Shop) -> None:
    with pytest.raises(AttributionError, match=r"channel_reporting_csv.*partition_expr"):
        write(reported, "2023-09-02", metadata={})

    assert exported(reported) == {}


def test_a_day_column_that_the_query_does_not_have_is_named(reported: Shop) -> None:
    with pytest.raises(AttributionError, match=r"channel_reporting_csv.*event_date"):
        write(reported, "2023-09-02", metadata={"partition_expr": "event_date"})

    assert exported(reported) == {}


def test_a_database_that_is_not_there_leaves_the_old_files(reported: Shop) -> None:
    write(reported, "2023-09-02")
    before = exported(reported)
    reported.database.unlink()

    with pytest.raises(AttributionError, match="There is no database"):
        write(reported, "2023-09-02")

    assert exported(reported) == before


def test_a_reader_gets_the_rows_of_its_day(reported: Shop) -> None:
    write(reported, "2023-09-01", "2023-09-04")

    rows = read(reported, "2023-09-02")

    assert list(rows.columns) == HEADER.strip().split(",")
    assert rows[["channel_name", "date", "cost", "ihc", "ihc_revenue"]].to_numpy().tolist() == [
        ["Email", "2023-09-02", 0.0, 0.5, 10.0],
        ["SEA", "2023-09-02", 3.0, 0.0, 0.0],
    ]


def test_what_is_undefined_is_read_as_missing(reported: Shop) -> None:
    write(reported, "2023-09-02")

    rows = read(reported, "2023-09-02").set_index("channel_name")

    assert rows["CPO"].isna().to_dict() == {"Email": False, "SEA": True}
    assert rows["ROAS"].isna().to_dict() == {"Email": True, "SEA": False}


def test_a_reader_gets_the_rows_of_its_range_as_one_frame_of_numbers(reported: Shop) -> None:
    write(reported, "2023-09-01", "2023-09-04")

    rows = read(reported, "2023-09-02", "2023-09-04")

    assert list(zip(rows["channel_name"], rows["date"], strict=True)) == [
        ("Email", "2023-09-02"),
        ("SEA", "2023-09-02"),
        ("Email", "2023-09-04"),
    ]
    assert {str(rows[column].dtype) for column in ("cost", "ihc", "ihc_revenue", "CPO", "ROAS")} == {"float64"}


def test_a_reader_without_partitions_gets_the_whole_file(reported: Shop) -> None:
    write(reported, "2023-09-02")

    rows = read(reported)

    assert list(rows["date"]) == ["2023-09-01", "2023-09-02", "2023-09-02", "2023-09-04"]


def test_a_reversed_range_is_not_read_as_everything(reported: Shop) -> None:
    write(reported, "2023-09-01", "2023-09-04")

    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        read(reported, "2023-09-03", "2023-09-01")


@pytest.mark.parametrize("channel", ["NA", "None", "007", "Köln, paid"])
def test_a_channel_is_read_back_as_it_was_written(reported: Shop, channel: str) -> None:
    reported.execute("UPDATE channel_reporting SET channel_name = ? WHERE date = '2023-09-04'", channel)
    write(reported, "2023-09-04")

    rows = read(reported, "2023-09-04")

    assert list(rows["channel_name"]) == [channel]


def test_a_day_that_was_never_exported_says_what_to_do(reported: Shop) -> None:
    write(reported, "2023-09-02")

    with pytest.raises(AttributionError, match=r"2023-09-04.*Materialize channel_reporting_csv"):
        read(reported, "2023-09-04")


# -- through runs ------------------------------------------------------------------------------------------------------


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(reported: Shop, instance: dg.DagsterInstance) -> Run:
    """Materializes assets over the days `first` to `last`, or over one partition key."""

    def over(assets: list[dg.AssetsDefinition], first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
        ends = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else {}
        return dg.materialize(
            assets,
            resources={"io_manager": manager(reported)},
            instance=instance,
            partition_key=None if last else first,
            tags={name: day for name, day in ends.items() if day},
        )

    return over


def daily(**options: Any) -> Callable[..., dg.AssetsDefinition]:
    """An asset whose range of days is one run."""
    decorate: Callable[..., dg.AssetsDefinition] = dg.asset(
        partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), metadata=DAY_COLUMN, **options
    )
    return decorate


@daily()
def channel_reporting_csv() -> Query:
    return Query("channel_reporting_csv")


def test_a_run_of_one_day_exports_that_day(reported: Shop, run: Run) -> None:
    run([channel_reporting_csv], "2023-09-02")

    assert exported(reported) == {
        "channel_reporting.csv": HEADER + FIRST + SECOND + FOURTH,
        "channel_reporting/2023-09-02.csv": HEADER + SECOND,
    }


def test_a_run_of_a_range_exports_its_days(reported: Shop, run: Run) -> None:
    run([channel_reporting_csv], "2023-09-01", "2023-09-03")

    assert sorted(exported(reported)) == [
        "channel_reporting.csv",
        "channel_reporting/2023-09-01.csv",
        "channel_reporting/2023-09-02.csv",
        "channel_reporting/2023-09-03.csv",
    ]


def test_a_run_again_writes_the_same_bytes(reported: Shop, run: Run) -> None:
    run([channel_reporting_csv], "2023-09-01", "2023-09-04")
    before = exported(reported)

    run([channel_reporting_csv], "2023-09-01", "2023-09-04")

    assert exported(reported) == before


def test_a_range_gives_what_its_days_give_one_by_one(reported: Shop, run: Run) -> None:
    for day in ("2023-09-02", "2023-09-01", "2023-09-03"):
        run([channel_reporting_csv], day)
    one_by_one = exported(reported)
    for file in reported.exports.rglob("*.csv"):
        file.unlink()

    run([channel_reporting_csv], "2023-09-01", "2023-09-03")

    assert exported(reported) == one_by_one


def test_a_run_of_a_reversed_range_fails_and_writes_nothing(reported: Shop, run: Run) -> None:
    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        run([channel_reporting_csv], "2023-09-03", "2023-09-01")

    assert exported(reported) == {}


def test_each_day_of_a_range_shows_its_own_rows_and_file(reported: Shop, run: Run) -> None:
    result = run([channel_reporting_csv], "2023-09-02", "2023-09-03")

    shown = {}
    for event in result.get_asset_materialization_events():
        metadata = event.step_materialization_data.materialization.metadata
        shown[event.partition] = (metadata["dagster/partition_row_count"].value, metadata["path"].value)
    folder = reported.exports / "channel_reporting"
    assert shown == {
        "2023-09-02": (2, str(folder / "2023-09-02.csv")),
        "2023-09-03": (0, str(folder / "2023-09-03.csv")),
    }


def test_a_run_whose_exports_folder_cannot_be_written_stops_before_it_computes(
    tmp_path: Path, reported: Shop, run: Run
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    reported.exports = tmp_path / "file" / "exports"
    computed = []

    @daily(name="channel_reporting_csv")
    def asset() -> Query:
        computed.append(True)
        return Query("channel_reporting_csv")

    with pytest.raises(dg.DagsterResourceFunctionError) as raised:
        run([asset], "2023-09-02")

    assert isinstance(raised.value.__cause__, AttributionError)
    assert f"The exports folder {reported.exports} cannot be written" in str(raised.value.__cause__)
    assert computed == []


def test_a_downstream_asset_reads_the_exported_days(run: Run) -> None:
    seen: list[str] = []

    @daily()
    def reader(channel_reporting_csv: pd.DataFrame) -> None:
        seen.extend(channel_reporting_csv["date"])

    run([channel_reporting_csv, reader], "2023-09-01", "2023-09-02")

    assert seen == ["2023-09-01", "2023-09-02", "2023-09-02"]
