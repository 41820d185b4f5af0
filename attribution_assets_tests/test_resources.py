"""The IHC model as a Dagster resource: the rows it answers with, and runs that wrong parameters stop in time."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import PRESETS, IHCParameters, attribute
from attribution_assets.orchestration.resources import EmbeddedIHCResource
from attribution_assets.warehouse import schema
from attribution_assets_tests.support import Shop

DAY = "2023-09-02"


def journeys() -> pd.DataFrame:
    """Rows of customer_journeys: two conversions, one of two sessions and one of one, in no order of theirs."""
    return pd.DataFrame(
        [
            ("second", "s3", DAY, "2023-09-02 08:00:00", "Email", 1, 1, 1, 0),
            ("first", "s2", "2023-09-01", "2023-09-01 10:00:00", "Direct Traffic", 1, 1, 1, 0),
            ("first", "s1", "2023-09-01", "2023-09-01 07:00:00", "Email", 0, 1, 0, 0),
        ],
        columns=list(schema()["customer_journeys"].column_names),
        index=[5, 5, 2],
    )


@pytest.fixture
def small_shop(shop: Shop) -> Shop:
    """A user who comes twice on one day and buys on the next."""
    shop.session("s1", "u", "2023-09-01 10:00:00", "Email")
    shop.session("s2", "u", "2023-09-01 15:00:00", "Direct Traffic")
    shop.conversion("c", "u", f"{DAY} 10:00:00")
    return shop


# Rows -----------------------------------------------------------------------------------------------------------------


def test_results_have_exactly_the_columns_of_their_table() -> None:
    results = EmbeddedIHCResource().results(journeys())

    assert sorted(results.columns) == sorted(schema()["ihc_results"].column_names)


@pytest.mark.parametrize("preset", PRESETS)
def test_results_are_the_models_answer_in_the_order_given(preset: str) -> None:
    given = journeys()

    results = EmbeddedIHCResource(parameters=preset).results(given)

    answer = attribute(given, preset)
    pd.testing.assert_frame_equal(results[list(answer.columns)], answer, check_exact=True)
    assert results["conv_date"].tolist() == [DAY, "2023-09-01", "2023-09-01"]


@pytest.mark.parametrize("preset", PRESETS)
def test_results_say_who_computed_them_with_which_parameters(preset: str) -> None:
    results = EmbeddedIHCResource(parameters=preset).results(journeys())

    assert set(results["backend"]) == {"embedded"}
    assert set(results["parameters"]) == {preset}


def test_no_journeys_give_no_results_with_the_same_columns() -> None:
    results = EmbeddedIHCResource().results(journeys().iloc[:0])

    assert len(results) == 0
    assert sorted(results.columns) == sorted(schema()["ihc_results"].column_names)


# Runs -----------------------------------------------------------------------------------------------------------------


def test_a_run_without_a_choice_uses_the_challenge_parameters(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    small_shop.attribute(instance, DAY)

    assert small_shop.table("ihc_results", "DISTINCT backend, parameters") == [("embedded", "challenge")]


def test_a_run_with_a_file_of_parameters_stores_its_name_and_hash(
    small_shop: Shop, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    path = parameters_file(tmp_path)

    small_shop.attribute(instance, DAY, ihc_parameters=str(path))

    name = IHCParameters.load(path).name
    assert name.startswith("ours.json@")
    assert small_shop.table("ihc_results", "DISTINCT backend, parameters") == [("embedded", name)]


def test_a_run_computes_with_the_parameters_it_names(small_shop: Shop, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    # Half a start and half a close at 5 h, all flags 1, each phase 2/3 : 1/3, 1/2 : 1/2, 1/3 : 2/3.
    path = parameters_file(tmp_path)

    small_shop.attribute(instance, DAY, ihc_parameters=str(path))

    assert small_shop.table("ihc_results", "session_id, initializer, holder, closer") == [
        ("s1", pytest.approx(2 / 3), pytest.approx(1 / 2), pytest.approx(1 / 3)),
        ("s2", pytest.approx(1 / 3), pytest.approx(1 / 2), pytest.approx(2 / 3)),
    ]


@pytest.mark.parametrize("wrong", ["chalenge", "broken.json", "invalid.json"])
def test_wrong_parameters_stop_a_run_before_anything_is_written(
    small_shop: Shop, instance: dg.DagsterInstance, tmp_path: Path, wrong: str
) -> None:
    write_wrong_files(tmp_path)
    before = everything(small_shop)

    with pytest.raises(dg.DagsterError) as raised:
        small_shop.attribute(instance, DAY, ihc_parameters=wrong)

    assert isinstance(raised.value.__cause__, AttributionError)
    assert wrong in str(raised.value.__cause__)
    assert everything(small_shop) == before


@pytest.mark.parametrize("wrong", ["chalenge", "broken.json", "invalid.json"])
def test_wrong_parameters_leave_the_rows_of_an_earlier_run_as_they_were(
    small_shop: Shop, instance: dg.DagsterInstance, tmp_path: Path, wrong: str
) -> None:
    write_wrong_files(tmp_path)
    small_shop.attribute(instance, DAY)
    small_shop.session("s3", "u", "2023-09-01 20:00:00")  # which a run would now find
    before = everything(small_shop)

    with pytest.raises(dg.DagsterError):
        small_shop.attribute(instance, DAY, ihc_parameters=wrong)

    assert everything(small_shop) == before


def parameters_file(folder: Path) -> Path:
    """An hour adds a tenth to f_I and takes a tenth from f_C; no channel is favoured."""
    path = folder / "ours.json"
    content = {
        "phase_weights": {"initializer": 0.2, "holder": 0.5, "closer": 0.3},
        "channel_weights": {},
        "initializer_membership": [[0, 0], [10, 1]],
        "closer_membership": [[0, 1], [10, 0]],
    }
    path.write_text(json.dumps(content))
    return path


def write_wrong_files(folder: Path) -> None:
    (folder / "broken.json").write_text("{")
    (folder / "invalid.json").write_text('{"phase_weights": {}}')


def everything(shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every table there is."""
    tables = [name for (name,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: shop.table(table) for table in tables}
