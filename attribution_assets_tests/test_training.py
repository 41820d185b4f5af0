"""`attribution ihc train`: parameters from the journeys of a database, and how far its report would move with them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from attribution_assets.analysis.comparison import compare_models
from attribution_assets.analysis.training import train_on
from attribution_assets.command.cli import main
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.model import EngagedJourneys
from attribution_assets.ihc.training import train
from attribution_assets.models.journeys import HOUR
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import SHARED, Shop
from attribution_assets_tests.templates import Templates

CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"
LAST_DAY = "2023-09-12"
START = datetime(2023, 9, 1)


def attribution(database: str | Path, *command: str | Path, **environment: str) -> Result:
    of_test = {"ATTRIBUTION_DATABASE": str(database), "ATTRIBUTION_END_DATE": LAST_DAY, "COLUMNS": "200", **environment}
    return CliRunner().invoke(main, [*map(str, command)], env=of_test)


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Twelve days of the sample, of which nothing is computed; 219 journeys have two or more sessions."""
    templates.copy("to train on", write_days, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def write_days(folder: Path) -> None:
    write_sample(folder / "shop.db", days=12, end=date(2023, 9, 12), sessions=40_000, seed=1, with_shop=False)


@pytest.mark.every_warehouse
def test_the_journeys_of_every_warehouse_train_the_same(shop: Shop) -> None:
    # Two sessions of each user, 1 to 100 hours apart.
    for gap in range(1, 101):
        first, second = START, START + timedelta(hours=gap)
        shop.session(f"{gap}a", f"user {gap}", f"{first}", "Email")
        shop.session(f"{gap}b", f"user {gap}", f"{second}", "Search")
        shop.conversion(f"conversion {gap}", f"user {gap}", f"{second + timedelta(seconds=1)}")
    shop.publish()
    times = pd.Timestamp(START).value + np.array([[0, gap * HOUR] for gap in range(1, 101)]).ravel()
    same = EngagedJourneys(np.arange(0, 200, 2), times, np.tile([0, 1], 100), ("Email", "Search"), np.ones(200), np.ones(200))

    trained = train_on(shop.settings(end_date=LAST_DAY), None, None)

    assert trained.training == train(same)
    assert trained.channels["channel_label"].tolist() == ["Email", "Search"]
    assert trained.channels[["in_use", "trained"]].sum().tolist() == pytest.approx([100, 100], abs=1e-6)


def test_a_run_with_the_file_reports_the_orders_that_training_printed_and_says_self_trained(
    sample: Shop, tmp_path: Path
) -> None:
    trained = train_on(sample.settings(end_date=LAST_DAY), None, None).channels
    printed = attribution(sample.database, "ihc", "train", "--output", tmp_path / "params.json")
    history = {"DAGSTER_HOME": str(tmp_path / "home"), "ATTRIBUTION_EXPORTS": str(tmp_path / "exports")}

    ran = attribution(sample.database, "run", IHC_PARAMETERS=str(tmp_path / "params.json"), **history)

    assert (printed.exit_code, ran.exit_code) == (0, 0), printed.output + ran.output
    credited = sample.execute(
        "SELECT channel_name, sum(ihc) FROM channel_reporting GROUP BY channel_name ORDER BY channel_name"
    )
    assert dict(credited) == pytest.approx(dict(zip(trained["channel_label"], trained["trained"], strict=True)), abs=1e-5)
    [(parameters,)] = sample.execute("SELECT DISTINCT parameters FROM ihc_results")
    assert parameters.startswith("self-trained params.json@")
    assert "with the parameters self-trained params.json@" in ran.stdout
    for label, orders in zip(trained["channel_label"], trained["trained"], strict=True):
        assert any(line.startswith(label) and f"{orders:,.2f}" in line for line in printed.stdout.splitlines())


def test_the_orders_in_use_are_those_of_the_settings(sample: Shop, tmp_path: Path) -> None:
    by = {
        preset: train_on(sample.settings(end_date=LAST_DAY, ihc_parameters=preset), None, None)
        for preset in ("challenge", "alternative")
    }
    by["challenge"].training.parameters.write(tmp_path / "params.json")
    own = train_on(sample.settings(end_date=LAST_DAY, ihc_parameters=str(tmp_path / "params.json")), None, None)

    assert by["challenge"].channels["in_use"].tolist() != by["alternative"].channels["in_use"].tolist()
    assert own.channels["shift"].abs().max() == 0


def test_only_the_conversions_of_the_days_are_trained_on(sample: Shop) -> None:
    settings = sample.settings(end_date=LAST_DAY)

    whole, part = train_on(settings, None, None), train_on(settings, "2023-09-04", "2023-09-12")

    assert part.training.journeys < whole.training.journeys
    assert (part.days.first, part.days.last) == ("2023-09-04", "2023-09-12")


def test_where_the_api_computes_ihc_a_note_says_what_is_compared(sample: Shop) -> None:
    settings = sample.settings(end_date=LAST_DAY, ihc_api_key="key", ihc_conv_type_id="type")

    _, note = train_on(settings, None, None).notes

    assert note.startswith("The IHC API computes your credit now.")
    assert "the embedded model with challenge" in note


def test_few_journeys_are_warned_of(sample: Shop, tmp_path: Path) -> None:
    result = attribution(sample.database, "ihc", "train", "--output", tmp_path / "params.json")

    assert result.exit_code == 0, result.output
    assert "Only 219 journeys of 2 to 36 sessions were there to learn from. Below 400," in result.stdout


def test_too_few_journeys_are_refused_in_one_line_and_nothing_is_written(sample: Shop, tmp_path: Path) -> None:
    result = attribution(sample.database, "ihc", "train", "--end", "2023-09-01", "--output", tmp_path / "params.json")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There are ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "params.json").exists()


def test_a_file_that_cannot_be_written_is_refused_in_one_line(sample: Shop, tmp_path: Path) -> None:
    result = attribution(sample.database, "ihc", "train", "--output", tmp_path / "no" / "params.json")

    assert result.exit_code == 1
    assert "params.json cannot be written: No such file or directory. Choose another --output." in result.stderr


@pytest.mark.skipif(not CHALLENGE.is_file(), reason=f"the journeys of the challenge are not there: {CHALLENGE}")
def test_the_command_prints_the_hour_of_the_cut_and_what_it_leaves_open(tmp_path: Path) -> None:
    database = tmp_path / "challenge.db"
    database.write_bytes(CHALLENGE.read_bytes())

    result = attribution(database, "ihc", "train", "--output", tmp_path / "params.json")

    assert result.exit_code == 0, result.output
    assert "self-trained from 807 journeys of 2 to 36 sessions of 10 days (2023-08-29 to 2023-09-07)" in result.stdout
    assert "A gap of 52.5 hours or more cuts a journey (90 % interval: " in result.stdout
    assert "computed on 808 of the 808 journeys of two or more sessions" in result.stdout
    assert IHCParameters.load(str(tmp_path / "params.json")).self_trained


def test_a_comparison_trains_self_trained_parameters_again_and_no_preset(sample: Shop, tmp_path: Path) -> None:
    history = {"DAGSTER_HOME": str(tmp_path / "home"), "ATTRIBUTION_EXPORTS": str(tmp_path / "exports")}
    attribution(sample.database, "ihc", "train", "--output", tmp_path / "params.json", "--use")
    ran = attribution(sample.database, "run", ATTRIBUTION_MODELS="ihc,linear", **history)
    days = Days("2023-09-01", LAST_DAY)
    chosen = sample.settings(end_date=LAST_DAY, models=["ihc", "linear"])
    of_preset = sample.settings(end_date=LAST_DAY, models=["ihc", "linear"], ihc_parameters="challenge")

    alone, again = (compare_models(chosen, days, "linear", relearn=relearn) for relearn in (False, True))
    preset = compare_models(of_preset, days, "linear", relearn=True)

    assert ran.exit_code == 0, ran.output
    assert (again.relearned, preset.relearned) == (("ihc",), ())
    pd.testing.assert_series_equal(again.channels["orders"], alone.channels["orders"])
    low, high = (again.channels[f"orders_shift_{end}"] for end in ("low", "high"))
    assert not np.allclose(low, alone.channels["orders_shift_low"])
    assert ((low <= again.channels["orders_shift"]) & (again.channels["orders_shift"] <= high)).mean() > 0.8
