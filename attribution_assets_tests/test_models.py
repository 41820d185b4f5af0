"""What other models say, as assets: credit and reports that add up, restated like the rest; nothing where none is chosen."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st

from attribution_assets.analysis.crediting import model_rows
from attribution_assets.analysis.learning import channel_values
from attribution_assets.assets.models import models_of_days, values_of_days
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.table import ATTRIBUTE
from attribution_assets.catalog.tables import CHECKS, query_of
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_assets, build_defs, build_resources
from attribution_assets.errors import AttributionError
from attribution_assets.models import MODELS, read_channel_groups
from attribution_assets.orchestration.history import range_tags
from attribution_assets.orchestration.markdown import BREAK
from attribution_assets.orchestration.status import day_states
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.automated import Automated, september
from attribution_assets_tests.history import History
from attribution_assets_tests.support import SHARED, Shop, definitions
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.warehouse.any_database import computed as computed_alone

ALL: dict[str, Any] = {"models": MODELS, "lookback_days": 3, "start_date": "2023-08-30", "end_date": "2023-09-10"}
TABLES = ("channel_values", "model_attribution", "model_reporting")
CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"


def sell(shop: Shop) -> Shop:
    """Anna buys on 2023-09-02 after Email and Ads, ben on the 3rd after Email; carl comes by Ads on the 2nd and never buys."""
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email", cost=2)
    shop.session("s2", "anna", "2023-09-02 10:00:00", "Ads", cost=3)
    shop.conversion("c1", "anna", "2023-09-02 12:00:00", 100)
    shop.session("s3", "ben", "2023-09-03 10:00:00", "Email", cost="missing")
    shop.conversion("c2", "ben", "2023-09-03 12:00:00", 50)
    shop.session("s4", "carl", "2023-09-02 09:00:00", "Ads", cost=5)
    return shop


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """What was sold, of which nothing is computed yet."""
    return sell(shop)


@pytest.fixture
def reported(tmp_path: Path, instance: dg.DagsterInstance, memory: History, templates: Templates) -> Shop:
    """What was sold, credited and reported by every model, of which the instance knows."""

    def compute(folder: Path) -> None:
        run(sell(Shop(folder / "shop.db", folder / "exports")), instance)
        memory.keep(folder / "history")

    memory.put_back(templates.copy("reported by every model", compute, tmp_path) / "history")
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def run(shop: Shop, instance: dg.DagsterInstance, start: str = "2023-09-01", end: str = "2023-09-05", **choices: Any) -> None:
    """What `attribution run` does, in process."""
    choices = {**ALL, **choices}
    shop.attribute(instance, start, end, **choices)
    shop.sum_costs(instance, start, end, **choices)
    shop.report(instance, "2023-08-30", end, **choices)


def materialize(
    shop: Shop, instance: dg.DagsterInstance, asset: str, day: str, of: Mapping[str, Any] | None = None, **config: Any
) -> None:
    """One day of one asset, as the UI does it; `of`: settings that are others."""
    settings = shop.settings(**{**ALL, **(of or {})})
    dg.materialize(
        build_assets(settings),
        selection=[asset],
        partition_key=day,
        resources=build_resources(settings),
        instance=instance,
        run_config={"ops": {asset: {"config": config}}} if config else None,
    )


def credit(shop: Shop, model: str) -> dict[str, float]:
    """Of each session that has some, rounded to what a reader checks by head."""
    rows = shop.execute("SELECT session_id, credit FROM model_attribution WHERE model = ? AND credit <> 0", model)
    return {session: round(share, 9) for session, share in sorted(rows)}


def report(shop: Shop, model: str, basis: str) -> list[tuple[Any, ...]]:
    columns = "date, channel_name, cost, round(orders, 9), round(revenue, 6), round(CPO, 6), round(ROAS, 6)"
    where = "model = ? AND date_basis = ? ORDER BY date, channel_name"
    return shop.execute(f"SELECT {columns} FROM model_reporting WHERE {where}", model, basis)


def totals(database: Path) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Orders, revenue and cost of every model on each date basis."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT model, date_basis, total(orders), total(revenue), total(cost) FROM model_reporting GROUP BY 1, 2"
        )
        return {(model, basis): tuple(figures) for model, basis, *figures in rows}


# -- credit ------------------------------------------------------------------------------------------------------------


def test_every_model_credits_the_same_journeys_by_its_own_rule(reported: Shop) -> None:
    assert {model: credit(reported, model) for model in MODELS if model != "ihc"} == {
        "first_touch": {"s1": 1, "s3": 1},
        "last_touch": {"s2": 1, "s3": 1},
        "last_non_direct_touch": {"s2": 1, "s3": 1},
        "linear": {"s1": 0.5, "s2": 0.5, "s3": 1},
        "position_based": {"s1": 0.5, "s2": 0.5, "s3": 1},
        "time_decay": {"s1": round(1 / (1 + 2 ** (24 / 168)), 9), "s2": round(1 / (1 + 2 ** (-24 / 168)), 9), "s3": 1},
        "markov": {"s1": round(1 / 3, 9), "s2": round(2 / 3, 9), "s3": 1},  # worth 1/2 and 1 on the 2nd: see test_learning
        "shapley": {"s1": 0.5, "s2": 0.5, "s3": 1},
    }


def test_ihc_is_the_credit_of_attribution_customer_journey(reported: Shop) -> None:
    ihc = reported.execute("SELECT conv_id, session_id, credit FROM model_attribution WHERE model = 'ihc'")
    assert sorted(ihc) == reported.table("attribution_customer_journey", "conv_id, session_id, ihc")


def test_no_session_at_or_after_the_conversion_gets_credit_from_any_model(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.session("at", "anna", "2023-09-02 12:00:00", "Social")
    sold.session("after", "anna", "2023-09-02 12:00:01", "Social")

    run(sold, instance)

    assert sold.execute("SELECT DISTINCT session_id FROM model_attribution WHERE conv_id = 'c1'") == [("s1",), ("s2",)]


@hypothesis.settings.get_profile("databases")
@hypothesis.given(
    sessions=st.lists(st.integers(0, 20), max_size=12), conversions=st.lists(st.integers(0, 20), min_size=1, max_size=3)
)
def test_whenever_sessions_and_conversions_come_credit_goes_only_to_sessions_before(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[int], conversions: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("random")
    shop = Shop(folder / "shop.db", folder / "exports")
    for number, second in enumerate(sessions):
        shop.session(f"s{number}", "anna", f"2023-09-02 10:00:{second:02}", "Email" if number % 2 else "Ads")
    for number, second in enumerate(conversions):
        shop.conversion(f"c{number}", "anna", f"2023-09-02 10:00:{second:02}")
    shop.warehouse.prepare()
    settings = shop.settings(**{**ALL, "models": [model for model in MODELS if model != "ihc"]})
    day = Days("2023-09-02", "2023-09-02")
    values = channel_values(settings, day)

    journeys = shop.warehouse.stream_query(query_of(settings, CUSTOMER_JOURNEYS, day), schema()["customer_journeys"])
    credited = list(model_rows(settings, journeys, values))

    shares = [share for rows in credited for share in zip(rows["conv_id"], rows["session_id"], rows["credit"], strict=True)]
    for conv_id, session_id, share in shares:
        assert share == 0 or sessions[int(session_id[1:])] < conversions[int(conv_id[1:])]
    with_sessions = {f"c{i}" for i, second in enumerate(conversions) if any(session < second for session in sessions)}
    assert {conv_id for conv_id, _, _ in shares} == with_sessions


def test_every_row_says_by_which_rules_it_was_computed(sold: Shop, instance: dg.DagsterInstance) -> None:
    run(sold, instance, drop_direct=True, last_sessions=3)

    settings = sold.settings(**{**ALL, "drop_direct": True, "last_sessions": 3})
    by_rules = {("without direct; last 3 sessions", settings.models_fingerprint())}
    learned = {("without direct; last 3 sessions", settings.learning_fingerprint())}
    assert {name: set(sold.table(name, "rules, settings")) for name in TABLES} == {
        "channel_values": learned,
        "model_attribution": by_rules,
        "model_reporting": by_rules,
    }


def test_each_day_shows_what_was_learned_credited_and_reported_and_the_hash_that_stands_in_its_rows(
    reported: Shop, instance: dg.DagsterInstance
) -> None:
    def shown(asset: str) -> dict[str, Any]:
        [record] = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=["2023-09-02"]), limit=1
        ).records
        materialization = record.asset_materialization
        assert materialization
        return {name: found.value for name, found in materialization.metadata.items()}

    for asset in TABLES:
        [(by_rules,)] = reported.execute(f"SELECT DISTINCT settings FROM {asset}")
        assert shown(asset)["settings"] == f"lookback 3 days, hash {by_rules}"
    assert shown("channel_values")["most valuable, markov"] == "Ads, 1.0000"
    assert (shown("model_attribution")["models"], shown("model_attribution")["conversions attributed"]) == (9, 1)
    figures = ("cost", "orders of the day's conversions", "revenue of the day's conversions")
    assert [shown("model_reporting")[figure] for figure in figures] == [8, 1, 100]


@pytest.mark.parametrize(
    "other",
    [
        {"position_shares": (0.5, 0.0, 0.5)},
        {"half_life_hours": 24},
        {"direct_channels": ("Ads",)},
        {"markov_order": 2},
        {"markov_non_converting": False},
        {"training_days": 30},
        {"seed": 1},
        {"exclude_channels": ("Ads",)},
        {"drop_direct": True},
        {"collapse_minutes": 30},
        {"last_sessions": 2},
        {"lookback_days": 7},
        {"include_converting_session": True},
        {"ihc_parameters": "alternative"},
    ],
    ids=str,
)
def test_the_hash_tells_apart_whatever_determines_credit(shop: Shop, other: dict[str, Any]) -> None:
    assert shop.settings(**other).models_fingerprint() != shop.settings().models_fingerprint()


def test_the_hashes_tell_apart_groups_by_what_stands_in_their_file(shop: Shop, tmp_path: Path) -> None:
    hashes = set()
    for text in ("", "Ads,Paid\n", "Ads,Other\n"):
        groups = tmp_path / "groups.csv"
        groups.write_text(f"channel_name,channel_group\n{text}")
        settings = shop.settings(channel_groups=groups)
        hashes |= {settings.models_fingerprint(), settings.learning_fingerprint()}

    assert len(hashes) == 6
    groups.write_text("channel_name,channel_group\n")
    assert shop.settings(channel_groups=groups).models_fingerprint() == shop.settings().models_fingerprint()


def test_the_choice_of_models_does_not_change_the_hash(shop: Shop) -> None:
    assert shop.settings(models=["linear"]).models_fingerprint() == shop.settings(models=["all"]).models_fingerprint()


# -- reports -----------------------------------------------------------------------------------------------------------


def test_a_report_stands_on_the_date_of_the_session_or_of_the_conversion_and_cost_on_that_of_the_session(
    reported: Shop,
) -> None:
    assert report(reported, "linear", "session") == [
        ("2023-09-01", "Email", 2, 0.5, 50, 4, 25),
        ("2023-09-02", "Ads", 8, 0.5, 50, 16, 6.25),
        ("2023-09-03", "Email", 0, 1, 50, 0, None),
    ]
    assert report(reported, "linear", "conversion") == [
        ("2023-09-01", "Email", 2, 0, 0, None, 0),
        ("2023-09-02", "Ads", 8, 0.5, 50, 16, 6.25),
        ("2023-09-02", "Email", 0, 0.5, 50, 0, None),
        ("2023-09-03", "Email", 0, 1, 50, 0, None),
    ]


def test_a_channel_that_cost_nothing_and_earned_nothing_on_a_day_has_no_row(reported: Shop) -> None:
    assert [row[:2] for row in report(reported, "last_touch", "conversion")] == [
        ("2023-09-01", "Email"),
        ("2023-09-02", "Ads"),  # and no Email, which has no credit there
        ("2023-09-03", "Email"),
    ]


def test_every_model_adds_up_to_the_attributed_conversions_on_both_dates(reported: Shop) -> None:
    assert totals(reported.database) == {
        (model, basis): pytest.approx((2, 150, 10), abs=1e-9) for model in MODELS for basis in ("session", "conversion")
    }


def test_ihc_by_sessions_is_channel_reporting_to_the_last_bit(reported: Shop) -> None:
    figures = "channel_name, date, cost, orders, revenue"
    ihc = reported.execute(f"SELECT {figures} FROM model_reporting WHERE model = 'ihc' AND date_basis = 'session'")
    assert sorted(ihc) == reported.table("channel_reporting")


@pytest.fixture(params=["sample", "challenge"])
def computed(request: pytest.FixtureRequest, tmp_path: Path, templates: Templates) -> Shop:
    """Everything computed by `attribution run`, of a sample and of the real database."""
    if request.param == "challenge" and not CHALLENGE.exists():
        pytest.skip("../shared/real/challenge/challenge.db is not there")

    def compute(folder: Path) -> None:
        database = folder / "shop.db"
        environment = {"ATTRIBUTION_MODELS": "all", "ATTRIBUTION_DATABASE": str(database), "DAGSTER_HOME": str(folder)}
        if request.param == "sample":
            write_sample(database, days=12, end=date(2023, 9, 12), sessions=1_000, seed=1, with_shop=False)
            environment["ATTRIBUTION_END_DATE"] = "2023-09-12"
        else:
            shutil.copy(CHALLENGE, database)
        result = CliRunner().invoke(main, ["run"], env=environment)
        assert result.exit_code == 0, result.output

    templates.copy(f"{request.param} by every model", compute, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def test_every_model_reports_what_was_attributed_and_spent(computed: Shop, request: pytest.FixtureRequest) -> None:
    [(orders, revenue)] = computed.execute(
        "SELECT count(*), sum(revenue) FROM conversions WHERE conv_id IN (SELECT conv_id FROM customer_journeys)"
    )
    [(cost,)] = computed.execute("SELECT sum(cost) FROM session_costs")

    assert totals(computed.database) == {
        (model, basis): pytest.approx((orders, revenue, cost), abs=1e-6)
        for model in MODELS
        for basis in ("session", "conversion")
    }
    if request.node.callspec.params["computed"] == "challenge":
        assert (orders, revenue, cost) == pytest.approx((1940, 111_721.66, 293_876.849), abs=1e-6)


def test_no_model_gives_a_session_less_than_nothing_or_an_order_more_than_one(computed: Shop) -> None:
    of_orders = computed.execute(
        "SELECT model, conv_id, min(credit), max(credit), abs(sum(credit) - 1) FROM model_attribution GROUP BY 1, 2"
    )

    assert min(least for *_, least, _, _ in of_orders) >= 0
    assert max(most for *_, most, _ in of_orders) <= 1
    assert max(off for *_, off in of_orders) < 1e-12
    assert len(of_orders) == len(MODELS) * len(computed.execute("SELECT DISTINCT conv_id FROM customer_journeys"))


def test_ihc_by_sessions_is_channel_reporting_to_the_last_bit_on_every_day(computed: Shop) -> None:
    figures = "channel_name, date, cost, orders, revenue"
    ihc = computed.execute(f"SELECT {figures} FROM model_reporting WHERE model = 'ihc' AND date_basis = 'session'")

    assert sorted(ihc) == computed.table("channel_reporting")


def test_ratios_are_empty_exactly_where_they_are_undefined(computed: Shop) -> None:
    rows = computed.execute("SELECT cost, orders, revenue, CPO, ROAS FROM model_reporting")

    assert {(orders == 0, CPO is None) for _, orders, _, CPO, _ in rows} == {(True, True), (False, False)}
    assert {(cost == 0, ROAS is None) for cost, *_, ROAS in rows} == {(True, True), (False, False)}
    assert all(CPO is None or cost / orders == CPO for cost, orders, _, CPO, _ in rows)
    assert all(ROAS is None or revenue / cost == ROAS for cost, _, revenue, _, ROAS in rows)


def test_a_report_alone_sums_the_costs_that_nobody_has_summed(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.attribute(instance, "2023-09-01", "2023-09-05", **ALL)

    materialize(sold, instance, "model_reporting", "2023-09-02")

    assert report(sold, "linear", "session") == [("2023-09-02", "Ads", 8, 0.5, 50, 16, 6.25)]


# -- path rules --------------------------------------------------------------------------------------------------------


def test_grouped_channels_share_credit_orders_and_cost(sold: Shop, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("channel_name,channel_group\nAds,Paid\nEmail,Paid\n")

    run(sold, instance, channel_groups=groups)

    assert report(sold, "markov", "conversion") == [
        ("2023-09-01", "Paid", 2, 0, 0, None, 0),
        ("2023-09-02", "Paid", 8, 1, 100, 8, 12.5),
        ("2023-09-03", "Paid", 0, 1, 50, 0, None),
    ]
    assert set(sold.table("model_attribution", "channel_name")) == {("Paid",)}


def test_the_file_of_groups_is_read_once_for_all_frames(sold: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("channel_name,channel_group\nAds,Paid\n")
    settings = sold.settings(**ALL, channel_groups=groups)
    sold.warehouse.prepare()
    read: list[Path] = []

    def reading(path: Path) -> dict[str, str]:
        read.append(path)
        return read_channel_groups(path)

    def frames() -> Iterator[pd.DataFrame]:
        for day in ("2023-09-02", "2023-09-03"):
            query = query_of(settings, CUSTOMER_JOURNEYS, Days(day, day))
            for journeys in sold.warehouse.stream_query(query, schema()["customer_journeys"]):
                yield journeys.assign(ihc=1 / len(journeys))

    monkeypatch.setattr("attribution_assets.settings.read_channel_groups", reading)
    values = channel_values(settings, Days("2023-09-01", "2023-09-03"))
    assert len(read) == 1
    credited = list(model_rows(settings, frames(), values))
    assert len(read) == 2

    assert len(credited) == 2
    assert {name for rows in credited for name in rows["channel_name"]} == {"Email", "Paid"}


def test_a_run_reads_groups_that_changed_since_the_last_run_of_the_same_process(
    sold: Shop, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("channel_name,channel_group\n")
    settings = sold.settings(**ALL, channel_groups=groups)
    job = build_defs(settings).resolve_job_def(ATTRIBUTE.name)
    for group in ("Paid", "Bought"):
        groups.write_text(f"channel_name,channel_group\nAds,{group}\n")
        job.execute_in_process(instance=instance, tags=range_tags(Days("2023-09-02", "2023-09-02")))

        assert set(sold.table("model_attribution", "channel_name, settings")) == {
            (channel, settings.models_fingerprint()) for channel in ("Email", group)
        }
        assert set(sold.table("channel_values", "channel_name, settings")) == {
            (channel, settings.learning_fingerprint()) for channel in ("Email", group)
        }


@pytest.mark.parametrize(
    ("rules", "named", "left"),
    [
        ({}, "whole journeys", ["direct", "first", "last", "soon"]),
        ({"exclude_channels": ["Email"]}, "without Email", ["direct", "last"]),
        ({"drop_direct": True}, "without direct", ["first", "last", "soon"]),
        ({"drop_direct": True, "direct_channels": ["Ads"]}, "without direct", ["direct", "first", "soon"]),
        ({"collapse_minutes": 30}, "repeats within 30 minutes collapsed", ["direct", "first", "last"]),
        ({"last_sessions": 2}, "last 2 sessions", ["direct", "last"]),
        ({"exclude_channels": ["Direct"], "last_sessions": 1}, "without Direct; last 1 sessions", ["last"]),
    ],
    ids=str,
)
def test_every_path_rule_of_the_settings_is_followed_and_named_and_loses_nothing(
    shop: Shop, rules: dict[str, Any], named: str, left: list[str]
) -> None:
    for session, at, channel in (
        ("first", "2023-09-02 09:00:00", "Email"),
        ("soon", "2023-09-02 09:30:00", "Email"),
        ("direct", "2023-09-02 11:00:00", "Direct"),
        ("last", "2023-09-02 11:30:00", "Ads"),
    ):
        shop.session(session, "anna", at, channel, cost=1)
    shop.conversion("c1", "anna", "2023-09-02 12:00:00", 100)

    computed_alone(shop.settings(**{**ALL, **rules}), Days("2023-09-02", "2023-09-02"))

    assert credit(shop, "linear") == dict.fromkeys(left, round(1 / len(left), 9))
    for model in set(MODELS) - {"ihc"}:
        assert credit(shop, model).keys() <= set(left)
    assert len(credit(shop, "ihc")) > 1  # IHC has rules of its own
    assert shop.execute("SELECT count(*) FROM model_attribution") == [(4 * len(MODELS),)]
    assert all(figures == pytest.approx((1, 100, 4), abs=1e-9) for figures in totals(shop.database).values())
    assert {row for name in TABLES for row in shop.table(name, "rules")} == {(named,)}


def test_sessions_that_a_rule_leaves_out_get_no_credit_and_nothing_is_lost(sold: Shop, instance: dg.DagsterInstance) -> None:
    run(sold, instance, exclude_channels=["Ads"])

    assert credit(sold, "last_touch") == {"s1": 1, "s3": 1}
    assert sold.execute("SELECT credit FROM model_attribution WHERE model = 'linear' AND session_id = 's2'") == [(0.0,)]
    assert totals(sold.database)["last_touch", "session"] == pytest.approx((2, 150, 10), abs=1e-9)


# -- restatement -------------------------------------------------------------------------------------------------------


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "late",
    [
        "INSERT INTO session_sources VALUES ('late', 'ben', '2023-09-02', '08:00:00', 'Ads', 1, 1, 0)",
        "UPDATE conversions SET revenue = 70 WHERE conv_id = 'c2'",
        "DELETE FROM conversions WHERE conv_id = 'c2'",
        "UPDATE conversions SET conv_date = '2023-09-04' WHERE conv_id = 'c2'",
        "UPDATE session_sources SET channel_name = 'Mail' WHERE session_id = 's3'",
    ],
    ids=["late session", "refund", "cancelled", "moved", "renamed"],
)
def test_after_late_data_a_run_gives_what_a_rebuild_gives_with_the_values_that_were_learned(
    reported: Shop, instance: dg.DagsterInstance, tmp_path: Path, late: str
) -> None:
    learned = reported.table("channel_values")
    reported.execute(late)
    run(reported, instance, "2023-09-03", "2023-09-04")

    rebuilt = reported.copy_sources(tmp_path / "rebuilt", learned=True)
    run(rebuilt, instance)

    assert reported.table("channel_values") == learned
    for name in ("model_attribution", "model_reporting"):
        assert sorted(reported.table(name), key=str) == sorted(rebuilt.table(name), key=str)


def test_a_run_of_some_days_leaves_the_rows_of_all_others(reported: Shop, instance: dg.DagsterInstance) -> None:
    for name in ("model_attribution", "model_reporting"):
        reported.execute(f"UPDATE {name} SET rules = 'untouched'")
    reported.session("late", "ben", "2023-09-02 08:00:00", "Ads")

    reported.attribute(instance, "2023-09-03", **ALL)
    reported.report(instance, "2023-09-02", "2023-09-03", **ALL)

    assert set(reported.table("model_attribution", "conv_date, rules")) == {
        ("2023-09-02", "untouched"),
        ("2023-09-03", "whole journeys"),
    }
    assert set(reported.table("model_reporting", "date, rules")) == {
        ("2023-09-01", "untouched"),
        ("2023-09-02", "whole journeys"),
        ("2023-09-03", "whole journeys"),
    }


def test_a_channel_that_came_after_its_day_was_learned_has_no_value_there(reported: Shop, instance: dg.DagsterInstance) -> None:
    reported.session("new", "ben", "2023-09-03 11:00:00", "Social")

    run(reported, instance, "2023-09-03", "2023-09-03")

    assert credit(reported, "markov")["s3"] == credit(reported, "shapley")["s3"] == 1
    assert credit(reported, "last_touch")["new"] == 1


def test_a_range_equals_its_single_days(sold: Shop, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    single = sold.copy_sources(tmp_path / "single")
    run(sold, instance, "2023-09-01", "2023-09-03")
    for day in (3, 1, 2):
        single.attribute(instance, f"2023-09-0{day}", **ALL)
    single.sum_costs(instance, "2023-09-01", "2023-09-03", **ALL)
    single.report(instance, "2023-08-30", "2023-09-03", **ALL)

    for name in TABLES:
        assert single.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") == sold.execute(
            f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4"
        )


def test_both_engines_give_the_same_bits(sold: Shop, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    other = sold.copy_sources(tmp_path / "duckdb")
    groups = tmp_path / "groups.csv"
    groups.write_text('channel_name,channel_group\nAds,"Paid ""A"", Ünö"\n')
    run(sold, instance, compute="sqlite", channel_groups=groups)
    run(other, instance, compute="duckdb", channel_groups=groups)

    for name in TABLES:
        rows = [shop.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") for shop in (sold, other)]
        assert rows[0] == rows[1]
        assert rows[0]


def test_credit_without_learned_values_is_refused_in_one_line(reported: Shop, instance: dg.DagsterInstance) -> None:
    reported.execute("DELETE FROM channel_values WHERE date = '2023-09-02'")

    with pytest.raises(AttributionError, match=r"^There are no markov values for 2023-09-02 yet\. Materialize .*$"):
        materialize(reported, instance, "model_attribution", "2023-09-02")


def test_values_that_other_rules_learned_are_not_used(reported: Shop, instance: dg.DagsterInstance) -> None:
    with pytest.raises(AttributionError, match=r"^There are no markov values for 2023-09-02 yet\. Materialize .*$"):
        materialize(reported, instance, "model_attribution", "2023-09-02", of={"markov_order": 2})

    run(reported, instance, "2023-09-02", "2023-09-02", markov_order=2)
    hashes = {order: reported.settings(**ALL, markov_order=order).learning_fingerprint() for order in (1, 2)}
    assert set(reported.table("channel_values", "date, settings")) == {
        ("2023-09-01", hashes[1]),
        ("2023-09-02", hashes[2]),
        *((f"2023-09-0{day}", hashes[1]) for day in (3, 4, 5)),
    }


@pytest.mark.parametrize("gone", ["", "WHERE conv_id = 'c1'"], ids=["all", "one conversion"])
def test_credit_of_journeys_without_ihc_is_refused_in_one_line(reported: Shop, instance: dg.DagsterInstance, gone: str) -> None:
    before = reported.table("model_attribution")
    reported.execute(f"DELETE FROM attribution_customer_journey {gone}")

    with pytest.raises(
        AttributionError, match=r"^attribution_customer_journey does not match customer_journeys\. Attribute .*$"
    ):
        materialize(reported, instance, "model_attribution", "2023-09-02")

    assert reported.table("model_attribution") == before


def test_what_a_config_tells_to_relearn_is_learned_anew(reported: Shop, instance: dg.DagsterInstance) -> None:
    before = reported.table("channel_values")
    reported.session("late", "dora", "2023-09-01 10:00:00", "Email")

    def learn(**config: Any) -> None:
        materialize(reported, instance, "channel_values", "2023-09-02", **config)

    learn()
    assert reported.table("channel_values") == before
    learn(relearn=True)
    changed = {row[0] for row in set(reported.table("channel_values")) ^ set(before)}
    assert changed == {"2023-09-02"}


# -- automation --------------------------------------------------------------------------------------------------------


BY_MODELS = ("linear", "markov")


@pytest.fixture
def automated(tmp_path: Path, instance: dg.DagsterInstance) -> Automated:
    """Ten days of which nothing is computed yet, and two models."""
    automated = Automated.of_ten_days(tmp_path, instance)
    automated.choices["models"] = BY_MODELS
    return automated


def computed_by(
    models: tuple[str, ...], folder: Path, instance: dg.DagsterInstance, memory: History, templates: Templates
) -> Automated:
    """Everything computed until 2023-09-10, and looked at once by the sensor."""

    def compute(template: Path) -> None:
        automated = Automated.of_ten_days(template, instance)
        automated.choices["models"] = models
        automated.compute()
        assert automated.conditions_request() == {}
        automated.keep(memory)

    automated = Automated.put_back(templates.copy(f"computed by {len(models)} models", compute, folder), memory)
    automated.choices["models"] = BY_MODELS
    return automated


@pytest.fixture
def computed_by_models(tmp_path: Path, instance: dg.DagsterInstance, memory: History, templates: Templates) -> Automated:
    """Everything computed by the two models."""
    return computed_by(BY_MODELS, tmp_path, instance, memory, templates)


@pytest.fixture
def computed_before_models(tmp_path: Path, instance: dg.DagsterInstance, memory: History, templates: Templates) -> Automated:
    """Everything computed without a model, before the two were chosen."""
    return computed_by((), tmp_path, instance, memory, templates)


def test_models_follow_the_attribution_and_their_reports_follow_them(automated: Automated) -> None:
    for asset in ("customer_journeys", "ihc_results", "attribution_customer_journey"):
        automated.rerun(asset, "2023-09-08")

    requested = automated.conditions_request()

    assert requested["channel_values"] == requested["model_attribution"] == september(8)
    assert requested["model_reporting"] == requested["channel_reporting"] == september(5, 6, 7, 8)


def test_credit_by_models_that_is_newer_requests_the_reports_of_its_lookback(automated: Automated) -> None:
    automated.attribute("2023-09-08")

    assert automated.conditions_request() == dict.fromkeys(
        ("channel_reporting", "channel_reporting_csv", "channel_report", "channel_report_csv", "model_reporting"),
        september(5, 6, 7, 8),
    )


def test_values_learned_anew_request_the_credit_of_their_day_and_the_reports_of_its_lookback(
    computed_by_models: Automated,
) -> None:
    computed_by_models.rerun("channel_values", "2023-09-08")

    assert computed_by_models.conditions_request() == {
        "model_attribution": september(8),
        "model_reporting": september(5, 6, 7, 8),
    }


def test_models_that_are_chosen_later_are_computed_for_all_days_by_themselves(computed_before_models: Automated) -> None:
    assert computed_before_models.conditions_request() == dict.fromkeys(TABLES, september(*range(1, 11)))


def test_reports_by_models_that_reach_conversions_not_attributed_by_them_are_refused_until_these_are(
    computed_before_models: Automated,
) -> None:
    computed_before_models.attribute("2023-09-08")

    with pytest.raises(AttributionError, match=r"^model_reporting was written but failed a check.*orders, reported 0"):
        computed_before_models.report("2023-09-05", "2023-09-08")

    computed_before_models.attribute("2023-09-01", "2023-09-10")
    computed_before_models.report("2023-09-01", "2023-09-10")
    assert computed_before_models.conditions_request() == {}


def test_credit_that_a_check_refused_leaves_the_reports_of_its_reach_as_they_were_until_it_is_right(
    computed_by_models: Automated,
) -> None:
    shop, before = computed_by_models.shop, computed_by_models.shop.table("model_reporting")
    shop.execute(  # a writer that goes wrong
        "CREATE TRIGGER wrong AFTER INSERT ON model_attribution WHEN new.conv_id = 'buys8' BEGIN "
        "UPDATE model_attribution SET credit = 0.5 * credit WHERE conv_id = 'buys8' AND model = 'linear'; END"
    )
    both = {dg.AssetKey("model_attribution"), dg.AssetKey("model_reporting")}
    job = definitions(computed_by_models.settings).resolve_implicit_global_asset_job_def().get_subset(asset_selection=both)

    with pytest.raises(AttributionError, match=r"1 credit of a conversion of 2023-09-07 to 2023-09-08 did not sum to 1"):
        job.execute_in_process(instance=computed_by_models.instance, tags=range_tags(Days("2023-09-07", "2023-09-08")))

    assert shop.table("model_reporting") == before
    assert computed_by_models.conditions_request() == {"model_reporting": september(4)}  # the 7th was right, not the 8th
    assert "a check failed" in str(day_states(computed_by_models.settings, computed_by_models.instance, *september(8, 8)))

    shop.execute("DROP TRIGGER wrong")
    computed_by_models.rerun("model_attribution", "2023-09-08")

    assert computed_by_models.conditions_request() == {"model_reporting": september(4, 5, 6, 7, 8)}


def test_values_stay_fresh_whatever_becomes_of_their_journeys(automated: Automated) -> None:
    automated.attribute("2023-09-08")
    automated.rerun("customer_journeys", "2023-09-08")
    automated.shop.session("late", "anna", "2023-09-08 09:00:00")

    [state] = day_states(automated.settings, automated.instance, "2023-09-08", "2023-09-08")

    assert state["assets"]["customer_journeys"]["state"] == "stale"
    assert state["assets"]["channel_values"]["state"] == "fresh"
    assert state["assets"]["model_attribution"]["state"] == "stale"


def test_a_changed_revenue_makes_the_reports_by_models_stale_too(computed_by_models: Automated) -> None:
    computed_by_models.shop.execute("UPDATE conversions SET revenue = 11 WHERE conv_id = 'buys8'")

    days = day_states(computed_by_models.settings, computed_by_models.instance, "2023-09-01", "2023-09-10")

    stale = {asset: [day["day"] for day in days if day["assets"][asset]["state"] == "stale"] for asset in days[0]["assets"]}
    assert stale["model_reporting"] == stale["channel_reporting"] == september(5, 6, 7, 8)
    assert stale["channel_values"] == stale["model_attribution"] == []


def test_revenue_that_moves_to_another_conversion_of_the_same_session_requests_the_reports(automated: Automated) -> None:
    automated.shop.session("ben", "ben", "2023-09-05 10:00:00")
    automated.shop.conversion("first", "ben", "2023-09-06 10:00:00", 10)
    automated.shop.conversion("second", "ben", "2023-09-07 10:00:00", 20)
    automated.compute()
    reported = automated.shop.table("channel_reporting")
    automated.shop.execute("UPDATE conversions SET revenue = 30 - revenue WHERE user_id = 'ben'")

    assert automated.late_data_requests() == {"report_channels": september(3, 4, 5, 6, 7)}
    automated.report("2023-09-03", "2023-09-07")

    assert automated.shop.table("channel_reporting") == reported  # its session has earned 30 as before
    assert automated.late_data_requests() == {}
    of_day = "model = 'linear' AND date_basis = 'conversion' AND date = '2023-09-06'"
    assert automated.shop.execute(f"SELECT revenue FROM model_reporting WHERE {of_day}") == [(10 + 20,)]  # anna's and ben's


def test_a_report_by_models_made_while_its_revenue_was_another_for_a_time_is_requested(computed_by_models: Automated) -> None:
    computed_by_models.shop.execute("UPDATE conversions SET revenue = 99 WHERE conv_id = 'buys8'")
    assert computed_by_models.rerun("model_reporting", "2023-09-08").success
    computed_by_models.shop.execute("UPDATE conversions SET revenue = 10 WHERE conv_id = 'buys8'")

    assert computed_by_models.late_data_requests() == {"report_channels": september(8)}


def test_values_are_requested_once_and_the_models_every_time(automated: Automated) -> None:
    automated.attribute("2023-09-08")
    for asset in ("customer_journeys", "ihc_results", "attribution_customer_journey"):
        automated.rerun(asset, "2023-09-08")

    requested = automated.conditions_request()

    assert "channel_values" not in requested
    assert requested["model_attribution"] == september(8)


# -- without models, and the commands ----------------------------------------------------------------------------------


MODEL_CHECKS = [(table.name, check.name) for table, check in CHECKS if table.of_models]


def test_without_models_the_graph_has_none_of_this(shop: Shop) -> None:
    with_models, without = (
        {key.to_user_string() for key in build_defs(shop.settings(models=models)).resolve_asset_graph().get_all_asset_keys()}
        for models in (MODELS, ())
    )

    assert with_models - without == {*TABLES, "model_comparison", "path_report"}
    assert not any(asset in without for asset, _ in MODEL_CHECKS)


def test_run_check_and_status_know_the_models(sold: Shop) -> None:
    environment = {
        "ATTRIBUTION_MODELS": "linear,shapley",
        "ATTRIBUTION_DATABASE": str(sold.database),
        "ATTRIBUTION_LOOKBACK_DAYS": "3",
        "ATTRIBUTION_END_DATE": "2023-09-05",
    }

    def told(*command: str) -> Any:
        result = CliRunner().invoke(main, [*command, "--json"], env=environment)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    told("run")
    found = {(finding["asset"], finding["check"]) for finding in told("check") if finding["result"] == "passed"}
    assert set(MODEL_CHECKS) <= found

    states: dict[str, set[str]] = defaultdict(set)
    sold.session("late", "dora", "2023-09-01 10:00:00", "Email")
    for day in told("status", "--start", "2023-09-01", "--end", "2023-09-03"):
        for asset, state in day["assets"].items():
            states[asset].add(state["state"])

    assert states["channel_values"] == states["model_attribution"] == {"missing", "fresh"}  # no conversion on the 1st
    assert states["model_reporting"] == {"fresh", "stale"}  # as the costs of the 1st are, which have a session more


def test_check_and_status_say_in_words_what_stands_of_every_model(computed: Shop) -> None:
    environment = {
        "ATTRIBUTION_MODELS": "all",
        "ATTRIBUTION_DATABASE": str(computed.database),
        "ATTRIBUTION_END_DATE": "2023-09-12",
        "DAGSTER_HOME": str(computed.database.parent),
    }

    checked, status = (CliRunner().invoke(main, [command], env=environment) for command in ("check", "status"))

    assert (checked.exit_code, status.exit_code) == (0, 0), checked.output + status.output
    for asset, name in MODEL_CHECKS:
        assert re.search(rf"{name} +{asset} +passed", checked.stdout)
    assert re.search(
        r"attribution +costs +reporting +CSV +report +report CSV +values +models +by model +provisional", status.stdout
    )
    assert "stale" not in status.stdout


def test_models_that_are_no_longer_chosen_and_lie_in_reach_disturb_no_report(
    reported: Shop, instance: dg.DagsterInstance
) -> None:
    run(reported, instance, "2023-09-01", "2023-09-02", models=("linear",))  # the 3rd still has all

    assert {row[0] for row in reported.execute("SELECT model FROM model_reporting WHERE date <= '2023-09-02'")} == {"linear"}
    assert totals(reported.database)["linear", "session"] == pytest.approx((2, 150, 10), abs=1e-9)


def test_a_model_that_was_added_is_missing_until_the_days_run_again(sold: Shop, instance: dg.DagsterInstance) -> None:
    run(sold, instance, models=("linear",))
    environment = {"ATTRIBUTION_DATABASE": str(sold.database), "ATTRIBUTION_LOOKBACK_DAYS": "3"}

    result = CliRunner().invoke(main, ["check"], env={**environment, "ATTRIBUTION_MODELS": "linear,shapley"})

    assert result.exit_code == 1
    assert "only 1 of the models" in result.stdout


def test_models_that_were_never_computed_are_not_checked(sold: Shop) -> None:
    environment = {"ATTRIBUTION_DATABASE": str(sold.database), "ATTRIBUTION_END_DATE": "2023-09-05"}
    CliRunner().invoke(main, ["run"], env=environment)

    result = CliRunner().invoke(main, ["check"], env={**environment, "ATTRIBUTION_MODELS": "all"})

    assert result.exit_code == 0, result.output
    assert "model_" not in result.stdout


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ATTRIBUTION_MODELS", "linear,guess", "there is no model 'guess'"),
        ("ATTRIBUTION_POSITION_SHARES", "0.5,0.4,0.2", "write three shares that sum to 1"),
        ("ATTRIBUTION_POSITION_SHARES", "0.5,0.5", "write three shares that sum to 1"),
        ("ATTRIBUTION_POSITION_SHARES", "-0.5,1,0.5", "write three shares that sum to 1"),
        ("ATTRIBUTION_POSITION_SHARES", "nan,0.5,0.5", "write three shares that sum to 1"),
        ("ATTRIBUTION_POSITION_SHARES", "0.5,x,0.5", "Input should be a valid number"),
        ("ATTRIBUTION_HALF_LIFE_HOURS", "0", "Input should be greater than 0"),
        ("ATTRIBUTION_HALF_LIFE_HOURS", "a week", "Input should be a valid number"),
        ("ATTRIBUTION_MARKOV_ORDER", "0", "Input should be greater than or equal to 1"),
        ("ATTRIBUTION_MARKOV_ORDER", "two", "Input should be a valid integer"),
        ("ATTRIBUTION_MARKOV_NON_CONVERTING", "perhaps", "Input should be a valid boolean"),
        ("ATTRIBUTION_SEED", "-1", "Input should be greater than or equal to 0"),
        ("ATTRIBUTION_EXCLUDE_CHANNELS", '["Ads', "Unterminated string"),
        ("ATTRIBUTION_TRAINING_DAYS", "0", "Input should be greater than or equal to 1"),
        ("ATTRIBUTION_LAST_SESSIONS", "0", "Input should be greater than or equal to 1"),
        ("ATTRIBUTION_COLLAPSE_MINUTES", "-1", "Input should be greater than or equal to 0"),
        ("ATTRIBUTION_CHANNEL_GROUPS", "groups.csv", "line 3: Ads already has a group"),
        ("ATTRIBUTION_CHANNEL_GROUPS", "none.csv", "cannot be read"),
    ],
)
def test_a_bad_setting_stops_the_definitions_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    (tmp_path / "groups.csv").write_text("channel_name,channel_group\nAds,Paid\nAds,Other\n")
    monkeypatch.setenv(variable, value)

    with pytest.raises(AttributionError) as raised:
        build_defs()

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_channel_with_a_comma_is_named_in_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_EXCLUDE_CHANNELS", '["Ads, paid", "Email"]')

    assert build_defs() is not None


def test_the_most_valuable_channel_of_any_model_that_learns_is_shown(shop: Shop) -> None:
    shop.warehouse.prepare()
    for model, channel, value in [("echo", "Email", 0.25), ("echo", "Ads", 0.5), ("markov", "Email", 1.0)]:
        shop.execute("INSERT INTO channel_values VALUES ('2023-09-01', ?, ?, ?, '', '')", model, channel, value)

    shown = values_of_days(shop.settings(), shop.warehouse, Days("2023-09-01", "2023-09-02"))

    assert {name: value for name, value in shown["2023-09-01"].items() if name != "settings"} == {
        "channels": 2,
        "most valuable, echo": "Ads, 0.5000",
        "most valuable, markov": "Email, 1.0000",
    }
    assert list(shown["2023-09-02"]) == ["settings"]


def test_a_day_shows_the_figures_of_each_model_by_channel(shop: Shop, instance: dg.DagsterInstance) -> None:
    sell(shop).session("s5", "dora", "2023-09-01 10:00:00", "Direct", cost="missing")  # neither costs nor earns anything
    choices = ALL | {"models": ("first_touch", "last_touch", "linear")}
    shop.attribute(instance, "2023-09-02", "2023-09-03", **choices)
    shop.report(instance, "2023-09-01", "2023-09-02", **choices)

    shown = models_of_days(shop.settings(**choices), shop.warehouse, Days("2023-09-01", "2023-09-03"))

    def rows(day: str, figure: str) -> list[str]:
        heading, _, *rows = str(shown[day][figure].value).replace(BREAK, "").splitlines()
        assert heading == r"channel|first\_touch|last\_touch|linear"
        return rows

    assert rows("2023-09-01", "orders") == ["Email|1.00|0.00|0.50"]
    assert rows("2023-09-02", "orders") == ["Ads|0.00|1.00|0.50"]
    assert rows("2023-09-02", "revenue") == ["Ads|0.00|100.00|50.00"]
    assert rows("2023-09-02", "CPO") == ["Ads||8.00|16.00"]
    assert rows("2023-09-02", "ROAS") == ["Ads|0.00|12.50|6.25"]
    assert list(shown["2023-09-03"]) == ["settings"]
