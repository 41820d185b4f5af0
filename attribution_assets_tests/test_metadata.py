"""What the UI shows of each day that a run has written, and of the assets themselves: read from Dagster's own events."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import dagster as dg
import pytest

from attribution_assets.catalog.attribution import IHC_RESULTS
from attribution_assets.catalog.sources import SOURCES
from attribution_assets.catalog.tables import TABLES, names, table_named
from attribution_assets.definitions import build_defs
from attribution_assets.models import MODELS
from attribution_assets.orchestration.chart import BARS, LETTERS, channel_chart, scale_end
from attribution_assets.orchestration.history import range_tags, reason_tags
from attribution_assets.orchestration.markdown import BREAK, SHOWN_AT_ONCE, tables
from attribution_assets.orchestration.shown import row_of_day
from attribution_assets.warehouse import Days
from attribution_assets_tests.history import History
from attribution_assets_tests.support import EVEN, PROJECT, Shop, every_table

DATES = {"start_date": "2023-09-01", "end_date": "2023-09-09"}

DAILY = names(TABLES)


def whole_graph() -> dg.AssetGraph:
    """The graph with every table of the catalog."""
    return build_defs(every_table(models=MODELS)).resolve_asset_graph()


NOT_OF_INPUTS = {"backend", "parameters", "model", "currency", "date_basis", "dimension", "rules", "settings"}
"""The columns that say by what a row was computed, and not from which rows."""


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, Any]]:
    """What the run's materializations of an asset show, by day."""
    return {
        event.partition or "": {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Parameters with which each of a journey's two sessions gets half."""
    path = tmp_path_factory.mktemp("parameters") / "even.json"
    path.write_text(EVEN)
    return str(path)


def fill(shop: Shop) -> None:
    """anna's order of 09-02 has two sessions; zoe buys on the same day without any; nothing happens on 09-03."""
    shop.session("a1", "anna", "2023-09-01 10:00:00", "Email", cost=2, holder=0)
    shop.session("a2", "anna", "2023-09-02 10:00:00", "Ads", cost=12.5, holder=0)
    shop.session("d1", "dora", "2023-09-02 10:00:00", "Direct", cost="missing")
    shop.conversion("buys", "anna", "2023-09-02 12:00:00", 60)
    shop.conversion("strange", "zoe", "2023-09-02 13:00:00", 999.9)


@pytest.fixture
def small_shop(shop: Shop) -> Shop:
    """A shop to change."""
    fill(shop)
    return shop


# -- days of conversions ----------------------------------------------------------------------------------------------


def test_each_day_shows_the_conversions_that_have_a_session_and_those_that_have_none(
    small_shop: Shop, instance: dg.DagsterInstance
) -> None:
    days = shown(small_shop.attribute(instance, "2023-09-02", "2023-09-03", **DATES), "customer_journeys")

    assert {day: list(of_day.values())[:4] for day, of_day in days.items()} == {
        "2023-09-02": [2, 1, 1, 999.9],
        "2023-09-03": [0, 0, 0, 0.0],
    }
    assert list(days["2023-09-03"])[:4] == [
        "dagster/partition_row_count",
        "conversions with a session",
        "conversions without a session",
        "revenue without a session",
    ]


def test_each_day_shows_conversions_and_revenue_attributed_and_not(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    days = shown(small_shop.attribute(instance, "2023-09-02", "2023-09-03", **DATES), "attribution_customer_journey")

    assert list(days["2023-09-02"].items())[:5] == [
        ("dagster/partition_row_count", 2),
        ("conversions attributed", 1),
        ("revenue attributed", 60.0),
        ("conversions not attributed", 1),
        ("revenue not attributed", 999.9),
    ]
    assert list(days["2023-09-03"].values())[:5] == [0, 0, 0.0, 0, 0.0]


def test_each_day_shows_the_model_and_its_parameters_as_they_stand_in_the_rows(
    small_shop: Shop, instance: dg.DagsterInstance, even: str
) -> None:
    result = small_shop.attribute(instance, "2023-09-02", "2023-09-03", ihc_parameters=even, **DATES)
    stored = small_shop.execute("SELECT DISTINCT backend, parameters FROM ihc_results")

    day, empty = shown(result, "ihc_results").values()
    assert [(day["model"], day["parameters"])] == stored
    assert day["parameters"].startswith("even.json@")
    assert "model" not in empty


def test_a_day_that_two_models_computed_shows_both(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    small_shop.attribute(instance, "2023-09-02", **DATES)
    small_shop.execute("UPDATE ihc_results SET backend = 'api', parameters = 'mine' WHERE session_id = 'a1'")

    of_day = row_of_day(IHC_RESULTS, small_shop.settings(), small_shop.warehouse, Days("2023-09-02", "2023-09-02"))

    assert set(of_day["2023-09-02"]["model"].split(",")) == {"api", "embedded"}
    assert set(of_day["2023-09-02"]["parameters"].split(",")) == {"mine", "challenge"}


def test_each_day_shows_the_lookback_and_the_hash_of_the_settings(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    choices = {"lookback_days": 7, "include_converting_session": True, **DATES}
    expected = f"lookback 7 days, hash {small_shop.settings(**choices).fingerprint()}"

    attributed = small_shop.attribute(instance, "2023-09-02", "2023-09-03", **choices)
    summed = small_shop.sum_costs(instance, "2023-09-02", "2023-09-03", **choices)
    reported = small_shop.report(instance, "2023-09-02", "2023-09-03", **choices)

    made = [*((attributed, table) for table in DAILY[:3]), (summed, "channel_costs"), (reported, "channel_reporting")]
    for result, asset in made:
        assert [of_day["settings"] for of_day in shown(result, asset).values()] == [expected] * 2


# -- days of costs ----------------------------------------------------------------------------------------------------


def test_each_day_shows_its_sessions_and_what_they_cost(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    small_shop.session("a3", "anna", "2023-09-02 11:00:00", "Ads", cost=0.123)

    days = shown(small_shop.sum_costs(instance, "2023-09-01", "2023-09-03", **DATES), "channel_costs")

    assert {day: list(of_day.items())[:3] for day, of_day in days.items()} == {
        "2023-09-01": [("dagster/partition_row_count", 1), ("sessions", 1), ("cost", 2.0)],
        "2023-09-02": [("dagster/partition_row_count", 2), ("sessions", 3), ("cost", 12.62)],
        "2023-09-03": [("dagster/partition_row_count", 0), ("settings", days["2023-09-03"]["settings"])],
    }


# -- days of reports --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, memory: History, even: str) -> dict[str, dict[str, Any]]:
    """What channel_reporting shows of three days, with a lookback of 3 days until 2023-09-05."""
    folder = tmp_path_factory.mktemp("reported")
    shop = Shop(folder / "shop.db", folder / "exports")
    fill(shop)
    choices = {"start_date": "2023-09-01", "end_date": "2023-09-05", "lookback_days": 3, "ihc_parameters": even}
    instance = memory.empty()
    shop.attribute(instance, "2023-09-01", "2023-09-03", **choices)
    return shown(shop.report(instance, "2023-09-01", "2023-09-03", **choices), "channel_reporting")


def test_each_day_shows_its_totals_without_those_that_are_undefined(
    reported: dict[str, dict[str, Any]],
) -> None:
    numbers = {
        day: {name: of_day[name] for name in ("cost", "orders", "revenue", "CPO", "ROAS") if name in of_day}
        for day, of_day in reported.items()
    }

    assert numbers == {
        "2023-09-01": {"cost": 2.0, "orders": 0.5, "revenue": 30.0, "CPO": 4.0, "ROAS": 15.0},
        "2023-09-02": {"cost": 12.5, "orders": 0.5, "revenue": 30.0, "CPO": 25.0, "ROAS": 2.4},
        "2023-09-03": {"cost": 0.0, "orders": 0.0, "revenue": 0.0},
    }


def test_each_day_shows_after_which_day_it_is_final_and_whether_that_is_past(reported: dict[str, dict[str, Any]]) -> None:
    assert {day: (of_day["final after"], of_day["final"]) for day, of_day in reported.items()} == {
        "2023-09-01": ("2023-09-04", True),
        "2023-09-02": ("2023-09-05", True),
        "2023-09-03": ("2023-09-06", False),
    }


def test_each_day_shows_all_its_channels_and_the_total(reported: dict[str, dict[str, Any]]) -> None:
    assert reported["2023-09-02"]["channels"].splitlines() == [
        "channel|cost|orders|revenue|CPO|ROAS",
        "-|-:|-:|-:|-:|-:",
        "Ads|12.50|0.50|30.00|25.00|2.40",
        "Direct|0.00|0.00|0.00||",
        "total|12.50|0.50|30.00|25.00|2.40",
    ]
    assert reported["2023-09-03"]["channels"].splitlines()[2:] == ["total|0.00|0.00|0.00||"]


def test_each_day_of_a_run_shows_a_chart_of_its_own_and_nothing_about_the_run(reported: dict[str, dict[str, Any]]) -> None:
    days = {day: ElementTree.tostring(picture(of_day["chart"]), "unicode") for day, of_day in reported.items()}

    assert [day in chart for day, chart in days.items()] == [True, True, True]
    assert {day for chart in days.values() for day in re.findall(r"2023-\d\d-\d\d", chart)} == set(days)
    assert [name for of_day in reported.values() for name in of_day if "run" in name] == []


@pytest.fixture(scope="module")
def many_channels(tmp_path_factory: pytest.TempPathFactory, memory: History) -> dict[str, Any]:
    """What a day with 40 channels shows, of which the last 9 earned 92, 93, ... 100; the best has an awkward name."""
    folder = tmp_path_factory.mktemp("many_channels")
    shop = Shop(folder / "shop.db", folder / "exports")
    for i in range(40):
        name = "<b>|*A & B*\n[x](y)" if i == 39 else f"Some quite long channel {i:02}"
        shop.session(f"s{i}", f"u{i}", "2023-09-01 10:00:00", name, cost=1)
        if i > 30:
            shop.conversion(f"c{i}", f"u{i}", "2023-09-01 12:00:00", 61 + i)
    instance = memory.empty()
    shop.attribute(instance, "2023-09-01", **DATES)
    [of_day] = shown(shop.report(instance, "2023-09-01", **DATES), "channel_reporting").values()
    return of_day


def test_a_channel_that_costs_and_earns_nothing_is_shown_however_many_earn_more(many_channels: dict[str, Any]) -> None:
    tables = [text.splitlines() for name, text in many_channels.items() if name.startswith("channels")]
    rows = [row for table in tables for row in table[2:]]

    assert {table[0] for table in tables} == {"channel|cost|orders|revenue|CPO|ROAS"}
    assert rows[0] == r"\<b\>\|\*A \& B\* \[x\](y)|1.00|1.00|100.00|1.00|100.00"
    assert rows[9:] == [
        *(f"Some quite long channel {i:02}|1.00|0.00|0.00||0.00" for i in range(31)),
        "total|40.00|9.00|864.00|4.44|21.60",
    ]


def test_tables_of_many_channels_are_each_short_enough_to_be_shown_at_once(many_channels: dict[str, Any]) -> None:
    tables = {name: text for name, text in many_channels.items() if name.startswith("channels")}

    assert list(tables) == ["channels", "channels (2)", "channels (3)"]
    assert max(map(len, tables.values())) < SHOWN_AT_ONCE


def test_whatever_its_channels_a_chart_is_short_enough_to_be_shown_at_once(many_channels: dict[str, Any]) -> None:
    labels = "".join(picture(many_channels["chart"]).itertext())

    assert len(many_channels["chart"]) < SHOWN_AT_ONCE
    assert "<b>|*A & B*" in labels
    assert re.search(r"\d\d others", labels)


def test_the_metadata_of_a_day_is_small(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    results = [
        small_shop.attribute(instance, "2023-09-02", **DATES),
        small_shop.sum_costs(instance, "2023-09-01", "2023-09-02", **DATES),
        small_shop.report(instance, "2023-09-01", "2023-09-02", **DATES),
    ]

    sizes: dict[str, list[int]] = {}
    for event in (event for result in results for event in result.get_asset_materialization_events()):
        whole, bare = event.materialization, event.materialization._replace(metadata={})
        size = len(dg.serialize_value(whole)) - len(dg.serialize_value(bare))
        sizes.setdefault(event.materialization.asset_key.to_user_string(), []).append(size)
    reports = sizes.pop("channel_reporting")
    assert max(size for of_asset in sizes.values() for size in of_asset) < 1200
    assert max(reports) < 2800  # with the chart


def test_rows_stay_and_the_run_succeeds_where_what_is_to_be_shown_cannot_be_found_out(
    small_shop: Shop, instance: dg.DagsterInstance
) -> None:
    small_shop.attribute(instance, "2023-09-02", **DATES)

    result = small_shop.report(instance, "2023-09-02", ihc_parameters="gone.json", **DATES)

    assert result.success
    assert len(small_shop.table("channel_reporting")) == 2
    assert shown(result, "channel_reporting") == {"2023-09-02": {"dagster/partition_row_count": 2}}
    log = [entry.user_message.splitlines()[0] for entry in instance.all_logs(result.run_id) if entry.user_message]
    assert (
        "channel_reporting for 2023-09-02 was written, but the metadata that the UI shows beside it could not be computed."
        in log
    )


# -- days that are restated -------------------------------------------------------------------------------------------


def test_a_restated_day_shows_what_it_was_before_and_a_new_day_does_not(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    small_shop.attribute(instance, "2023-09-02", **DATES)
    new = shown(small_shop.report(instance, "2023-09-01", "2023-09-01", **DATES), "channel_reporting")
    small_shop.execute("UPDATE session_costs SET cost = 5 WHERE session_id = 'a1'")
    small_shop.sum_costs(instance, "2023-09-01", **DATES)

    again = shown(small_shop.report(instance, "2023-09-01", "2023-09-02", **DATES), "channel_reporting")

    [was] = new.values()
    assert again["2023-09-01"]["cost"] == 5
    assert again["2023-09-01"]["before"] == f"cost 2.00, orders {was['orders']:.2f}, revenue {was['revenue']:.2f}"
    assert [name for name in ("before", "because") if name in {**was, **again["2023-09-02"]}] == []


def test_a_restated_day_shows_the_reason_that_its_run_was_given(small_shop: Shop, instance: dg.DagsterInstance) -> None:
    job = build_defs(small_shop.settings(**DATES)).resolve_job_def("sum_costs")
    tags = {**range_tags(Days("2023-09-01", "2023-09-01")), **reason_tags(["sessions of 2023-09-01 changed"])}

    first, second = (shown(job.execute_in_process(instance=instance, tags=tags), "channel_costs") for _ in range(2))

    assert "because" not in first["2023-09-01"]
    assert second["2023-09-01"]["because"] == "sessions of 2023-09-01 changed"
    assert second["2023-09-01"]["before"] == "cost 2.00"


def test_a_run_tells_a_few_of_its_reasons_each_once_and_the_number_of_the_others() -> None:
    assert list(reason_tags(["a", "b", "a"]).values()) == ["a; b"]
    assert list(reason_tags("abcde").values()) == ["a; b; c; 2 more"]


# -- the chart --------------------------------------------------------------------------------------------------------


SVG = "{http://www.w3.org/2000/svg}"


def picture(markdown: str) -> ElementTree.Element:
    """The SVG of a chart, from the one link that the markdown is."""
    link = re.fullmatch(r"!\[Cost, revenue and ROAS by channel\]\(<data:image/svg\+xml,([^<>\n]*)>\)", markdown)
    assert link
    return ElementTree.fromstring(unquote(link[1]))


def channel(name: str, cost: float, revenue: float, roas: float | None) -> dict[str, Any]:
    return {"channel": name, "cost": cost, "revenue": revenue, "ROAS": roas}


def bars(svg: ElementTree.Element) -> list[list[tuple[int, int]]]:
    """Top and length of each bar: first those of costs, then those of revenues."""
    return [
        [(int(y), int(length)) for y, length in re.findall(r"M\d+ (\d+)h(\d+)", path.attrib["d"])]
        for path in svg.iter(f"{SVG}path")
        if "stroke-width" in path.attrib
    ]


COLOURS = {"gray": (128, 128, 128), "chocolate": (210, 105, 30), "slateblue": (106, 90, 205)}
WHITE, DARK = (255, 255, 255), (3, 6, 21)
"""The pages of the Dagster UI."""


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """As WCAG defines it; what is drawn needs 3 to be seen."""

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour]
        return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_costs_and_revenues_are_bars_of_one_scale_below_each_other() -> None:
    costs, revenues = bars(picture(channel_chart("", [channel("A", 50, 100, 2.0), channel("B", 25, 10, 0.4)])))

    assert [length for _, length in costs] == [BARS / 2, BARS / 4]
    assert [length for _, length in revenues] == [BARS, BARS / 10]
    assert costs[0][0] < revenues[0][0] < costs[1][0] < revenues[1][0]


def test_the_chart_names_its_days_and_each_channel_with_its_roas() -> None:
    svg = picture(channel_chart("2023-09-01 to 2023-09-02", [channel("A & <B>", 1, 13.1, 13.1), channel("Free", 0, 1, None)]))

    labels = "".join(svg.itertext()).splitlines()
    assert [label.split() for label in labels] == [
        ["2023-09-01", "to", "2023-09-02", "ROAS"],
        ["A", "&", "<B>", "13.10"],
        ["Free", "cost", "revenue20"],
    ]


@pytest.mark.parametrize(
    ("highest", "end"), [(0, 1), (-5, 1), (0.3, 0.3), (1, 1), (61, 80), (100, 100), (1234.5, 2000), (8_100_000, 10_000_000)]
)
def test_the_scale_ends_at_the_next_round_number_whose_half_is_round(highest: float, end: float) -> None:
    assert scale_end([highest, -7.0]) == pytest.approx(end)


def test_bars_are_measured_against_the_end_that_the_chart_names() -> None:
    svg = picture(channel_chart("", [channel("A", 305, 610, 2.0)]))

    assert "".join(svg.itertext()).endswith("800")
    assert [length for of_amount in bars(svg) for _, length in of_amount] == [round(BARS * 305 / 800), round(BARS * 610 / 800)]


@pytest.mark.parametrize("page", [WHITE, DARK], ids=["light", "dark"])
def test_all_colours_of_the_chart_stand_out_from_the_page(page: tuple[int, int, int]) -> None:
    svg = picture(channel_chart("", [channel("A", 50, 100, 2.0)]))
    used = {element.get(use) for element in svg.iter() for use in ("stroke", "fill")} - {None}

    assert "background" not in svg.attrib["style"]
    assert used == set(COLOURS)
    assert [name for name in COLOURS if contrast(COLOURS[name], page) < 3] == []


def test_a_name_that_is_too_long_is_cut() -> None:
    labels = "".join(picture(channel_chart("", [channel("x" * 100, 1, 1, 1.0)])).itertext())

    assert f"\n{'x' * (LETTERS - 1)}… " in labels


@pytest.mark.parametrize("channels", [[], [channel("Free", 0, 0, None)], [channel("Refund", -5, -9, 1.8)]])
def test_a_chart_without_any_amount_has_no_bars(channels: list[dict[str, Any]]) -> None:
    assert bars(picture(channel_chart("", channels))) == [[], []]


# -- tables -----------------------------------------------------------------------------------------------------------


def test_columns_that_do_not_fit_beside_each_other_go_on_in_a_second_table() -> None:
    shown = tables("orders", ["channel", *"ABCDEFGH"], [["Email", *["1,234.56"] * 8]])

    assert {name: table.value.splitlines() for name, table in shown.items()} == {
        "orders": ["channel|A|B|C|D|E", "-|-:|-:|-:|-:|-:", "Email" + 5 * "|1,234.56"],
        "orders (2)": ["channel|F|G|H", "-|-:|-:|-:", "Email" + 3 * "|1,234.56"],
    }


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("Paid Search Non Brand Germany", ["Paid Search Non Brand Germany"]),
        ("search_brand", [r"search\_brand"]),
        ("paid_search_non_brand", [r"paid\_", r"search\_", r"non\_", "brand"]),
        ("x" * 30, ["x" * 12, "x" * 12, "x" * 6]),
    ],
)
def test_a_word_of_a_name_that_is_too_wide_beside_its_numbers_can_break_and_loses_nothing(
    name: str, shown_as: list[str]
) -> None:
    [table] = tables("channels", ["channel", "cost", "revenue"], [[name, "1" * 24, "1" * 22]]).values()

    assert table.value.splitlines()[2].split("|")[0].split(BREAK) == shown_as


# -- the assets themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asset", DAILY)
def test_every_column_says_of_which_columns_of_its_upstream_assets_it_is_made(asset: str) -> None:
    graph = whole_graph()
    node = graph.get(dg.AssetKey(asset))

    lineage = node.metadata["dagster/column_lineage"].deps_by_column

    assert sorted(lineage) == sorted(column.name for column in node.metadata["dagster/column_schema"].columns)
    for column, made_of in lineage.items():
        assert made_of or column in NOT_OF_INPUTS | ({"date"} if asset == "channel_values" else set())
        for source in made_of:
            assert source.asset_key in node.parent_keys
            schema = graph.get(source.asset_key).metadata["dagster/column_schema"]
            assert source.column_name in {upstream.name for upstream in schema.columns}


@pytest.mark.parametrize("asset", DAILY)
def test_every_asset_links_to_its_function_and_its_sql(asset: str) -> None:
    node = whole_graph().get(dg.AssetKey(asset))

    links = node.metadata["dagster/code_references"].code_references

    places = [Path(link.file_path).read_text().splitlines()[(link.line_number or 1) - 1] for link in links[:-1]]
    query, function = (PROJECT / "sql" / f"{asset}.sql").exists(), f"def {asset}("
    assert len(places) == query + table_named(asset).is_python
    assert not query or places[0].startswith("-- One row per ")
    assert not table_named(asset).is_python or function in places[-1]
    assert links[-1].file_path.endswith("orchestration/daily.py")  # what makes an asset of the entry


@pytest.mark.parametrize("asset", DAILY + [source.name for source in SOURCES])
def test_every_description_names_the_days_or_who_fills_the_table(asset: str) -> None:
    description = whole_graph().get(dg.AssetKey(asset)).description

    assert description is not None
    assert ("A day is " in description) == (asset in DAILY)
    assert ("Filled by you" in description) == (asset not in DAILY)


def test_the_graph_loads_without_a_warning() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import attribution_assets.definitions as loaded; loaded.defs()"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stderr == ""
