"""`attribution compare` and `paths`, and the assets model_comparison and path_report: the same numbers as the tables have."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from attribution_assets.analysis.comparison import LOOKBACKS, compare_models, compared_days, report_paths
from attribution_assets.analysis.learning import journeys_learned_from
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_assets, build_resources
from attribution_assets.errors import NotFoundError, NotReadyError
from attribution_assets.models import MODELS, ModelRules
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import OF_MODELS, Shop
from attribution_assets_tests.templates import Templates

WHOLE = Days("2023-09-01", "2023-09-09")

FIGURES = ["cost", "orders", "revenue"]


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Ten days of the sample, attributed and reported by every model; the last has no conversion."""
    templates.copy("compared", report_sample, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def report_sample(folder: Path) -> None:
    write_sample(folder / "shop.db", days=10, end=pd.Timestamp("2023-09-10").date(), sessions=2_000, seed=0, with_shop=False)
    result = CliRunner().invoke(main, ["run"], env=environment(folder / "shop.db", MODELS="all"))
    assert result.exit_code == 0, result.output


def environment(database: Path, **settings: str) -> dict[str, str]:
    of_test = {"DATABASE": str(database), "END_DATE": "2023-09-10", "LOOKBACK_DAYS": "14", **settings}
    home = {"DAGSTER_HOME": str(database.parent / "home"), "ATTRIBUTION_EXPORTS": str(database.parent / "exports")}
    return {f"ATTRIBUTION_{name}": value for name, value in of_test.items()} | home


def attribution(shop: Shop, *command: str, **settings: str) -> Result:
    return CliRunner().invoke(main, command, env=environment(shop.database, **settings))


def settings(shop: Shop, **choices: Any) -> Settings:
    return shop.settings(**{"models": MODELS, "lookback_days": 14, "end_date": "2023-09-10", **choices})


def test_the_comparison_has_the_sums_of_model_reporting_by_conversion(sample: Shop) -> None:
    days = Days("2023-09-03", "2023-09-07")
    stored = sample.execute(
        "SELECT model, channel_name, sum(cost), sum(orders), sum(revenue) FROM model_reporting "
        "WHERE date_basis = 'conversion' AND date BETWEEN ? AND ? GROUP BY model, channel_name ORDER BY 1, 2",
        days.first,
        days.last,
    )

    channels = compare_models(settings(sample), days).channels.sort_values(["model", "channel_name"])

    assert list(zip(channels["model"], channels["channel_name"], strict=True)) == [row[:2] for row in stored]
    for row, expected in zip(channels[FIGURES].to_numpy(), stored, strict=True):
        assert list(row) == pytest.approx(expected[2:], abs=1e-9)


def test_intervals_of_models_that_learned_again_show_what_they_do_not_know_and_figures_stay(sample: Shop) -> None:
    days, of = Days("2023-09-03", "2023-09-09"), settings(sample, models=["linear", "markov", "shapley"])
    alone, again = (compare_models(of, days, "linear", relearn=relearn) for relearn in (False, True))

    both = alone.channels.merge(again.channels, on=["model", "channel_name"], suffixes=("", "_again"))
    width = {end: both[f"orders_shift_high{end}"] - both[f"orders_shift_low{end}"] for end in ("", "_again")}
    ratio = (width["_again"].groupby(both["model"]).sum() / width[""].groupby(both["model"]).sum()).to_dict()
    assert both["orders"].tolist() == both["orders_again"].tolist()
    assert both["orders_shift"].tolist() == both["orders_shift_again"].tolist()
    assert min(ratio["markov"], ratio["shapley"]) > 1.2
    assert alone.notes == []
    assert again.notes[-1].startswith("The intervals also show what is chance in what markov and shapley learned")


def test_with_relearn_compare_says_so_and_so_does_the_table(sample: Shop) -> None:
    chosen = {"MODELS": "linear,markov"}

    printed = attribution(sample, "compare", "--relearn", "--base", "linear", "--json", **chosen)
    kept = attribution(sample, "compare", "--relearn", "--base", "linear", "--keep", **chosen)

    found = json.loads(printed.stdout)
    assert "in what markov learned: 200 times again" in found["notes"][-1]
    assert kept.exit_code == 0, kept.output
    assert set(sample.table("model_comparison", "rules")) == {
        ("whole journeys; intervals show what is chance in what markov learned",)
    }
    assert sorted(sample.table("model_comparison", "model, channel_name, orders_shift_low")) == [
        (row["model"], row["channel"], pytest.approx(row["orders_shift_low"], abs=1e-9))
        for row in sorted(found["channels"], key=lambda row: (row["model"], row["channel"]))
    ]


@pytest.mark.every_warehouse
def test_every_warehouse_counts_the_same_whole_journeys(shop: Shop) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email")
    shop.session("s2", "anna", "2023-09-02 10:00:00", "Ads")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00")
    for number in range(3):
        shop.session(f"n{number}", f"user {number}", "2023-09-02 10:00:00", "Ads")
    shop.publish()
    shop.warehouse.prepare()

    found = journeys_learned_from(shop.settings(models=["markov"]), ModelRules(models=("markov",)), "2023-09-02")

    assert {tuple(row) for row in found.astype({"channels": "str"}).itertuples(index=False)} == {
        ('["Email", "Ads"]', 1, 1),
        ('["Ads"]', 0, 3),
    }


def test_every_model_is_compared_where_none_is_chosen_and_nothing_is_written(sample: Shop) -> None:
    before = sample.results()

    comparison = compare_models(settings(sample, models=()), Days("2023-09-03", "2023-09-07"))

    assert list(comparison.channels["model"].unique()) == list(MODELS)
    assert comparison.base == "ihc"
    assert sample.results() == before


def test_values_that_were_never_learned_are_learned_for_the_comparison(sample: Shop, tmp_path: Path) -> None:
    copied = sample.copy_sources(tmp_path / "other")
    attribution(copied, "run")
    days = Days("2023-09-03", "2023-09-07")

    pd.testing.assert_frame_equal(
        compare_models(settings(copied, models=()), days).channels, compare_models(settings(sample), days).channels
    )


def test_a_file_from_before_there_were_models_is_compared_as_it_is(sample: Shop, tmp_path: Path) -> None:
    older = Shop.at(Path(shutil.copy(sample.database, tmp_path / "older.db")), tmp_path)
    for table in OF_MODELS:
        older.execute(f"DROP TABLE {table}")

    comparison = compare_models(settings(older, models=()), WHOLE)

    pd.testing.assert_frame_equal(comparison.channels, compare_models(settings(sample), WHOLE).channels)
    assert not set(OF_MODELS) & {name for (name,) in older.execute("SELECT name FROM sqlite_master")}


def test_other_lookbacks_attribute_other_conversions(sample: Shop) -> None:
    lookbacks = compare_models(settings(sample), WHOLE).lookbacks

    assert set(lookbacks["model"]) == set(MODELS)
    assert sorted(lookbacks["lookback_days"].unique()) == sorted(LOOKBACKS)
    assert set(lookbacks.loc[lookbacks["lookback_days"] == 14, "moved"]) == {0.0}
    assert (lookbacks["moved"] <= 1).all()
    linear = lookbacks[lookbacks["model"] == "linear"].set_index("lookback_days")["conversions"]
    [(attributed,)] = sample.execute("SELECT count(DISTINCT conv_id) FROM customer_journeys")
    assert linear[14] == pytest.approx(attributed)
    assert linear[7] <= linear[14] <= linear[30]


def test_where_the_api_computes_ihc_no_lookback_is_asked_of_it(sample: Shop) -> None:
    by_api = settings(sample, ihc_backend="api")

    lookbacks = compare_models(by_api, Days("2023-09-03", "2023-09-07")).lookbacks

    assert set(lookbacks["model"]) == set(MODELS) - {"ihc"}


def test_a_base_that_is_not_compared_is_refused_in_one_line(sample: Shop) -> None:
    with pytest.raises(NotFoundError, match=r"^guess is not one of the models to compare: first_touch, .*ihc\.$"):
        compare_models(settings(sample), Days("2023-09-03", "2023-09-07"), "guess")


def test_days_without_journeys_are_refused_in_one_line(sample: Shop) -> None:
    with pytest.raises(NotReadyError, match=r"^There are no journeys for 2022-01-01 yet\. Run `attribution run` .*first\.$"):
        compare_models(settings(sample), Days("2022-01-01", "2022-01-01"))


def test_before_any_run_there_is_nothing_to_compare(shop: Shop) -> None:
    shop.warehouse.prepare()

    with pytest.raises(NotReadyError, match=r"has no attributed conversions yet\. Run `attribution run` first\.$"):
        compared_days(shop.settings(), None, None)


# -- the commands ------------------------------------------------------------------------------------------------------


def test_compare_shows_each_channel_under_each_model(sample: Shop) -> None:
    result = attribution(sample, "compare", "--base", "last_touch")

    assert result.exit_code == 0, result.output
    titles = (f"Orders, conversions of {WHOLE}", "Revenue", "ROAS", "in brackets, the places gained over last_touch")
    for title in (
        *titles,
        "Orders compared with last_touch",
        "Credit that moves to other channels under another lookback",
        "Direct Traffic",
        *MODELS,
    ):
        assert title in result.stdout


def test_compare_says_where_no_channel_is_direct(sample: Shop) -> None:
    days = ("--start", "2023-09-03", "--end", "2023-09-04")
    note = (
        "No channel is direct traffic. So last_non_direct_touch equals last_touch, and ATTRIBUTION_DROP_DIRECT drops nothing. "
        "Name yours in ATTRIBUTION_DIRECT_CHANNELS."
    )

    known = attribution(sample, "compare", *days, "--json", MODELS="last_touch,last_non_direct_touch")
    unasked = attribution(sample, "compare", *days, "--json", MODELS="last_touch", DIRECT_CHANNELS="Typed in")
    unknown = attribution(sample, "compare", *days, "--json", DIRECT_CHANNELS="Typed in", MODELS="last_non_direct_touch")
    printed = attribution(sample, "compare", *days, DIRECT_CHANNELS="Typed in", MODELS="last_non_direct_touch")

    assert [json.loads(result.stdout)["notes"] for result in (known, unasked, unknown)] == [[], [], [note]]
    assert printed.stdout.endswith(f"{note}\n")


def test_compare_writes_every_figure_as_csv_with_the_parameters_of_ihc_and_the_currency(sample: Shop, tmp_path: Path) -> None:
    result = attribution(sample, "compare", "--csv", str(tmp_path / "models.csv"))

    assert result.exit_code == 0, result.output
    written = pd.read_csv(tmp_path / "models.csv")
    comparison = compare_models(settings(sample, models=()), WHOLE)
    parameters = pd.Series(["challenge" if model == "ihc" else None for model in comparison.channels["model"]])
    expected = comparison.channels.assign(parameters=parameters, currency="EUR")
    pd.testing.assert_frame_equal(written, expected, check_exact=True, check_dtype=False)


def test_compare_prints_one_json_object_of_the_chosen_models(sample: Shop) -> None:
    result = attribution(sample, "compare", "--start", "2023-09-03", "--end", "2023-09-07", "--json", MODELS="linear,markov")

    told = json.loads(result.stdout)
    assert {name: told[name] for name in ("start", "end", "base")} == {
        "start": "2023-09-03",
        "end": "2023-09-07",
        "base": "linear",
    }
    assert {row["model"] for row in told["channels"]} == {row["model"] for row in told["lookbacks"]} == {"linear", "markov"}


def test_paths_shows_and_writes_the_four_sections(sample: Shop, tmp_path: Path) -> None:
    result = attribution(sample, "paths", "--csv", str(tmp_path / "paths.csv"))

    assert result.exit_code == 0, result.output
    for title in ("By path", "By sessions", "By days to conversion", "By channel", "assisted"):
        assert title in result.stdout
    report = report_paths(settings(sample), WHOLE)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "paths.csv", dtype={"item": "str"}), report, check_dtype=False)
    assert len(json.loads(attribution(sample, "paths", "--json").stdout)) == len(report)


def test_paths_says_where_it_shows_only_the_first_rows(sample: Shop) -> None:
    report = report_paths(settings(sample), WHOLE)
    count = (report["section"] == "path").sum()

    some, every = attribution(sample, "paths").stdout, attribution(sample, "paths", "--all").stdout

    assert count > 20
    assert f"20 of {count} rows. --all shows every one." in some
    assert "--all" not in every
    assert len(every.splitlines()) - len(some.splitlines()) >= count - 20 - some.count("--all")


@pytest.mark.parametrize("command", ["compare", "paths"])
def test_a_csv_that_cannot_be_written_is_said_in_one_line(sample: Shop, tmp_path: Path, command: str) -> None:
    file = tmp_path / "none" / "x.csv"

    result = attribution(sample, command, "--csv", str(file))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {file} cannot be written: No such file or directory. Choose another file with --csv.\n"


# -- paths -------------------------------------------------------------------------------------------------------------


def test_the_path_report_counts_each_attributed_conversion_once(sample: Shop) -> None:
    report = report_paths(settings(sample), WHOLE)

    [(conversions, revenue)] = sample.execute(
        "SELECT count(*), sum(revenue) FROM conversions WHERE conv_id IN (SELECT conv_id FROM customer_journeys)"
    )
    for section in ("length", "lag", "channel"):
        of_section = report[report["section"] == section]
        assert of_section["conversions"].sum() == conversions
        assert of_section["revenue"].sum() == pytest.approx(revenue)
    lengths = report[report["section"] == "length"]
    assert lengths["journeys"].sum() > conversions  # and who did not convert


def test_paths_are_simplified_by_the_path_rules(sample: Shop) -> None:
    whole, last = (report_paths(settings(sample, last_sessions=count), WHOLE) for count in (None, 1))

    assert set(last.loc[last["section"] == "length", "item"]) == {"1"}
    assert set(whole.loc[whole["section"] == "length", "item"]) > {"1", "2"}


# -- the assets --------------------------------------------------------------------------------------------------------


def materialized(shop: Shop, asset: str, **config: Any) -> dict[str, dg.MetadataValue]:
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            build_assets(settings(shop)),
            selection=[asset],
            resources=build_resources(settings(shop)),
            instance=instance,
            run_config={"ops": {asset: {"config": config}}},
        )
        [event] = result.get_asset_materialization_events()
        return dict(event.materialization.metadata)


def test_model_comparison_is_what_compare_says_as_a_table(sample: Shop) -> None:
    shown = materialized(sample, "model_comparison", start="2023-09-03", end="2023-09-07", base="linear")

    expected = compare_models(settings(sample), Days("2023-09-03", "2023-09-07"), "linear").channels
    stored = sample.execute("SELECT * FROM model_comparison ORDER BY rowid")
    assert [row[:16] for row in stored] == [
        tuple(None if value != value else value for value in row) for row in expected.itertuples(index=False)
    ]
    assert {row[16:19] for row in stored} == {("linear", "2023-09-03", "2023-09-07")}
    assert shown["chart"].value.startswith("![orders by linear")  # type: ignore[union-attr]
    assert len(str(shown["chart"].value)) < 1_000  # else the UI hides it behind a link
    assert "Direct Traffic|" in str(shown["orders"].value)
    assert shown["dagster/row_count"].value == len(stored)


def test_materialized_again_a_table_without_days_is_replaced_as_a_whole(sample: Shop) -> None:
    for end in ("2023-09-10", "2023-09-04"):
        materialized(sample, "path_report", end=end)

    days = Days("2023-09-01", "2023-09-04")
    assert sample.execute("SELECT DISTINCT first_day, last_day FROM path_report") == [(days.first, days.last)]
    assert len(sample.table("path_report", "place")) == len(report_paths(settings(sample), days))


# -- CSV for spreadsheets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["compare", "paths"])
def test_a_channel_named_like_a_formula_is_text_in_a_spreadsheet(sample: Shop, tmp_path: Path, command: str) -> None:
    sample.execute("UPDATE customer_journeys SET channel_label = '=1+2' WHERE channel_label = 'Referral'")
    sample.execute("UPDATE session_sources SET channel_name = '=1+2' WHERE channel_name = 'Referral'")

    assert texts(sample, command, tmp_path / "safe.csv") >= {"'=1+2"}
    assert texts(sample, command, tmp_path / "raw.csv", CSV_ESCAPE="false") >= {"=1+2"}


@pytest.mark.parametrize("escape", ["true", "false"])
def test_a_carriage_return_in_a_name_does_not_end_a_line(sample: Shop, tmp_path: Path, escape: str) -> None:
    sample.execute("UPDATE session_sources SET channel_name = 'a' || char(13) || 'b' WHERE channel_name = 'Referral'")

    assert "a\rb" in texts(sample, "paths", tmp_path / "paths.csv", CSV_ESCAPE=escape)


def texts(shop: Shop, command: str, file: Path, **settings: str) -> set[str]:
    """The cells of the CSV file that the command writes."""
    result = attribution(shop, command, "--csv", str(file), **settings)
    assert result.exit_code == 0, result.output
    with file.open(encoding="utf-8", newline="") as opened:
        return {cell for row in csv.reader(opened) for cell in row}
