"""The reports that people read: the same numbers as the command's, with what is to be known about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from attribution_assets.analysis.reports.breakdowns import BREAKDOWNS_PAGE, BREAKDOWNS_REPORT, SESSIONS_REPORT
from attribution_assets.analysis.reports.explained import CELL, JOURNEY, WHY
from attribution_assets.analysis.reports.form import Answer, Asked, Report
from attribution_assets.analysis.reports.models import MODEL_COMPARISON, MODEL_REPORTING, MODELS_PAGE
from attribution_assets.analysis.reports.overview import CELLS, CHANNELS, DAYS, OVERVIEW, TOTALS
from attribution_assets.analysis.reports.paths import PATH_REPORT, PATHS
from attribution_assets.analysis.reports.reconciliation import CONVERSIONS, SPEND, UNUSUAL_DAYS
from attribution_assets.analysis.reports.shop import (
    CAMPAIGNS_PAGE,
    CATEGORY_TYPE_PERFORMANCE,
    CLAIMS,
    CONVERSION_RATE,
    CUSTOMERS,
    FILTERED_AGGREGATION,
    FUNNEL_CHANNELS,
    FUNNEL_DAYS,
    FUNNEL_PAGE,
    FUNNEL_STEPS,
    PRODUCTS,
    STATUS_DISTRIBUTION,
    STATUS_TOTALS,
)
from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError, NotFoundError, NotReadyError
from attribution_assets.models import MODELS
from attribution_assets.orchestration.health import CHECKS, FRESHNESS, HEALTH, RESTATEMENTS, STATUS
from attribution_assets.orchestration.home import history
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.days import is_date
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates

FIRST, LAST = "2023-09-01", "2023-09-10"
CHOICES: dict[str, Any] = {"models": MODELS, "breakdowns": ["campaign_id", "market"], "end_date": LAST, "lookback_days": 14}


@pytest.fixture
def copy(sample: Shop, tmp_path: Path) -> Shop:
    """A copy of the sample that may be changed; it has the sample's history no more."""
    sample.execute("VACUUM INTO ?", str(tmp_path / "copy.db"))
    return Shop.at(tmp_path / "copy.db", tmp_path / "exports")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Shop:
    """Ten days of the sample after a run, with everything that can be reported; nothing writes into it."""
    folder = templates.copy("reports", report_sample, tmp_path_factory.mktemp("reports"))
    return Shop.at(folder / "shop.db", folder / "exports")


def report_sample(folder: Path) -> None:
    write_sample(folder / "shop.db", days=10, end=pd.Timestamp(LAST).date(), sessions=2_000, seed=0)
    shop = Shop.at(folder / "shop.db", folder / "exports")
    for column in ("campaign_id", "market"):
        shop.execute(f"ALTER TABLE session_sources ADD COLUMN {column} text")
    for source in ("conversions_backend", "ad_costs"):
        shop.execute(schema()[source].create)
    shop.execute("UPDATE session_sources SET market = 'DE', campaign_id = channel_name WHERE event_time < '18'")
    shop.execute(
        "INSERT INTO conversions_backend SELECT conv_id, user_id, conv_date, 'DE', revenue, NULL FROM conversions "
        "WHERE conv_time < '20'"
    )
    shop.execute(
        "INSERT INTO ad_costs (date, campaign_id, cost, conversions, revenue) "
        "SELECT event_date, campaign_id, 10, 2, 50 FROM session_sources "
        "WHERE campaign_id LIKE 'P%' GROUP BY event_date, campaign_id"
    )
    command(shop, "run")
    kept(shop, "compare")
    kept(shop, "paths")


def kept(shop: Shop, *asked: str, **environment: str) -> Result:
    return CliRunner().invoke(main, [*asked, "--keep"], env={**variables(shop), **environment})


def command(shop: Shop, *asked: str) -> Any:
    """What the command prints as JSON, with the settings of the sample."""
    result = CliRunner().invoke(main, [*asked, "--json"], env=variables(shop))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def variables(shop: Shop) -> dict[str, str]:
    return {
        "ATTRIBUTION_DATABASE": str(shop.database),
        "ATTRIBUTION_EXPORTS": str(shop.exports),
        "ATTRIBUTION_MODELS": "all",
        "ATTRIBUTION_BREAKDOWNS": "campaign_id,market",
        "ATTRIBUTION_END_DATE": LAST,
        "ATTRIBUTION_LOOKBACK_DAYS": "14",
        "DAGSTER_HOME": str(shop.database.with_name("home")),
    }


def asked(
    report: Report, settings: Settings, start: str | None = None, end: str | None = None, model: str = "ihc", **values: str
) -> Answer:
    """What the report answers at one state of the database, as a page asks it; its rows have its columns."""
    with settings.at_one_state() as at_one_state:
        answer = report.asked(at_one_state, Asked(start, end, model, values))
    for row in answer.rows:
        assert {column.name for column in report.columns} <= row.keys()
    return answer


def of_sample(
    report: Report, sample: Shop, start: str | None = None, end: str | None = None, model: str = "ihc", **values: str
) -> Answer:
    return asked(report, sample.settings(**CHOICES), start, end, model, **values)


def shown(report: Report, answer: Answer, *names: str) -> list[tuple[Any, ...]]:
    """The rows as a table has them: the columns of these names, or all."""
    return [tuple(row[name] for name in names or [column.name for column in report.columns]) for row in answer.rows]


def printed(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows with as many digits as `compare` and `paths` print as JSON."""
    return [tuple(round(value, 10) if isinstance(value, float) else value for value in row) for row in rows]


# -- all reports -------------------------------------------------------------------------------------------------------

ALL = {
    report.name: report
    for page in (OVERVIEW, WHY, MODELS_PAGE, PATHS, BREAKDOWNS_PAGE, FUNNEL_PAGE, CAMPAIGNS_PAGE, HEALTH)
    for report in page.reports
}
HOLDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("text", "day"), str),
    "count": int,
    **dict.fromkeys(("amount", "number", "credit", "share", "rate"), (int, float)),
    "flag": bool,
}


@pytest.mark.parametrize("report", ALL.values(), ids=ALL)
def test_every_column_holds_what_it_says(sample: Shop, report: Report) -> None:
    [(conv_id,), *_] = sample.execute("SELECT conv_id FROM customer_journeys ORDER BY conv_id")
    values = {"date": "2023-09-05", "channel": "FB & IG Ads", "conversion": conv_id}
    settings = sample.settings(**CHOICES, dagster_home=sample.database.with_name("home"))

    answer = asked(report, settings, **{name: values[name] for name in report.requires})

    assert answer.rows or report.name in {"unusual_days", "restatements"}
    for column in report.columns:
        held = [row[column.name] for row in answer.rows]
        assert column.may_be_undefined or None not in held
        known = [value for value in held if value is not None]
        assert all(isinstance(value, HOLDS[column.kind]) for value in known)
        assert column.kind == "flag" or not any(isinstance(value, bool) for value in known)
        assert column.kind != "day" or all(is_date(value) for value in known)
    assert answer.total is None or answer.total[report.columns[0].name] == "total"


@pytest.mark.parametrize("report", ALL.values(), ids=ALL)
def test_what_can_be_asked_for_is_in_the_rows_and_is_never_sql(sample: Shop, report: Report) -> None:
    settings = sample.settings(**CHOICES, dagster_home=sample.database.with_name("home"))
    for name in {*report.filters} - {"date_basis", "date"} if not report.requires else ():
        assert asked(report, settings, **{name: "'; DROP TABLE channel_report; --"}).rows == []


BY_SESSIONS = (
    TOTALS,
    CHANNELS,
    DAYS,
    CELLS,
    MODEL_REPORTING,
    BREAKDOWNS_REPORT,
    SESSIONS_REPORT,
    FUNNEL_STEPS,
    FUNNEL_CHANNELS,
    CUSTOMERS,
    PRODUCTS,
)


@pytest.mark.parametrize("report", [*BY_SESSIONS, UNUSUAL_DAYS, CONVERSIONS, SPEND], ids=lambda report: report.name)
def test_days_without_results_are_those_asked_for_and_have_no_rows(sample: Shop, report: Report) -> None:
    for start, end in (("2024-05-01", "2024-05-31"), ("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31")):
        answer = of_sample(report, sample, start, end)

        assert (answer.days, [*answer.rows], answer.total) == (Days(start, end), [], None)
        assert (answer.is_final, answer.provisional_from) == (None, None)


def test_days_of_which_only_some_have_results_are_those_asked_for_and_a_note_says_which_have(sample: Shop) -> None:
    answers = [of_sample(report, sample, "2023-09-09", "9999-12-31") for report in (TOTALS, FUNNEL_STEPS, UNUSUAL_DAYS)]

    assert {str(answer.days) for answer in answers} == {"2023-09-09 to 9999-12-31"}
    assert {answer.notes[-1] for answer in answers} == {"There are results of 2023-09-09 to 2023-09-10 only."}


def test_days_between_those_with_results_have_no_rows_and_are_not_final(copy: Shop) -> None:
    copy.execute("DELETE FROM channel_report WHERE date BETWEEN '2023-09-04' AND '2023-09-05'")

    answer = of_sample(TOTALS, copy, "2023-09-04", "2023-09-05")

    assert (answer.rows, answer.total, answer.is_final, answer.provisional_from) == ((), None, None, None)


@pytest.mark.parametrize(
    "report", [CLAIMS, STATUS_TOTALS, CONVERSION_RATE, FILTERED_AGGREGATION], ids=lambda report: report.name
)
def test_campaigns_of_days_without_results_have_no_rows(sample: Shop, report: Report) -> None:
    answer = of_sample(report, sample, "2024-05-01", "2024-05-31")

    assert (answer.rows, answer.total, answer.is_final, answer.provisional_from) == ([], None, None, None)


# -- overview ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reported(shop: Shop) -> Shop:
    """A report of two days: on the first Ads and Email, on the second Ads alone."""
    shop.warehouse.prepare()
    row = "INSERT INTO channel_report VALUES (?, ?, ?, ?, ?, NULL, NULL, 'ihc', 'challenge', 'EUR', '2023-12-01')"
    shop.execute(row, "2023-09-01", "Ads", 10.0, 1.0, 30.0)
    shop.execute(row, "2023-09-01", "Email", 2.0, 3.0, 60.0)
    shop.execute(row, "2023-09-02", "Ads", 20.0, 2.0, 50.0)
    return shop


def test_a_channel_of_the_range_before_alone_is_shown_with_nothing_on_the_days(reported: Shop) -> None:
    answer = asked(CHANNELS, reported.settings(), "2023-09-02", "2023-09-02")

    assert shown(CHANNELS, answer) == [
        ("Ads", 20.0, 2.0, 50.0, 10.0, 2.5, 10.0, 1.0, 30.0),
        ("Email", 0.0, 0.0, 0.0, None, None, 2.0, 3.0, 60.0),
    ]
    assert answer.total
    assert [sum(row[name] for row in answer.rows) for name in ("orders_before", "revenue_before")] == [
        answer.total["orders_before"],
        answer.total["revenue_before"],
    ]


def test_a_channel_that_is_new_had_nothing_in_the_range_before(reported: Shop) -> None:
    reported.execute("UPDATE channel_report SET channel = 'TV' WHERE date = '2023-09-02'")

    answer = asked(CHANNELS, reported.settings(), "2023-09-02", "2023-09-02")

    assert shown(CHANNELS, answer, "channel", "cost_before", "orders_before") == [
        ("TV", 0.0, 0.0),
        ("Ads", 10.0, 1.0),
        ("Email", 2.0, 3.0),
    ]


def test_without_a_range_before_nothing_is_known_of_it(reported: Shop) -> None:
    answer = asked(CHANNELS, reported.settings(), "2023-09-01", "2023-09-02")

    assert {row["cost_before"] for row in answer.rows} == {None}


def test_cells_of_one_day_are_shown_whichever_days_came_last(reported: Shop) -> None:
    reported.execute(
        "INSERT INTO channel_report SELECT '2023-12-01', channel, 1, 1, 1, 1, 1, model, parameters, currency, "
        "final_after FROM channel_report WHERE date = '2023-09-02'"
    )

    answer = asked(CELLS, reported.settings(), date="2023-09-01")

    assert shown(CELLS, answer, "date", "channel") == [("2023-09-01", "Ads"), ("2023-09-01", "Email")]
    assert answer.days == Days("2023-09-01", "2023-09-01")


# -- why ---------------------------------------------------------------------------------------------------------------


def test_a_cell_has_the_conversions_that_the_command_explains_it_by(sample: Shop) -> None:
    said = command(sample, "explain", "--date", "2023-09-05", "--channel", "FB & IG Ads")

    answer = of_sample(CELL, sample, date="2023-09-05", channel="FB & IG Ads")

    assert [*answer.rows] == said["conversions"]
    assert answer.total == pytest.approx({"conv_id": "total", "orders": said["orders"], "revenue": said["revenue"]})
    assert answer.notes == (f"The sessions of FB & IG Ads on 2023-09-05 cost {said['cost']:,.2f}.",)
    assert (answer.basis["parameters"], answer.provisional_from) == ("challenge", "2023-09-05")


def test_a_journey_has_the_sessions_that_the_command_explains_a_conversion_by(sample: Shop) -> None:
    [(conv_id,), *_] = sample.execute("SELECT conv_id FROM customer_journeys GROUP BY conv_id HAVING count(*) = 3")
    said = command(sample, "explain", "--conversion", conv_id)

    answer = of_sample(JOURNEY, sample, conversion=conv_id)

    assert [*answer.rows] == said["sessions"]
    assert answer.total == pytest.approx({"timestamp": "total", "orders": 1, "revenue": said["revenue"]})
    assert answer.notes == (f"{conv_id}, {said['conv_date']} {said['conv_time']}, revenue {said['revenue']:,.2f}.",)


def test_a_journey_claims_nothing_about_later_orders(sample: Shop) -> None:
    [(conv_id,), *_] = sample.execute("SELECT conv_id FROM customer_journeys ORDER BY conv_date DESC, conv_id")

    answer = of_sample(JOURNEY, sample, conversion=conv_id)

    assert (answer.is_final, answer.provisional_from) == (None, None)


def test_a_cell_is_final_once_no_later_order_can_reach_it(sample: Shop) -> None:
    settings = sample.settings(**{**CHOICES, "end_date": "2023-09-19"})

    answers = [asked(CELL, settings, date=day, channel="FB & IG Ads") for day in ("2023-09-05", "2023-09-06")]

    assert [(answer.is_final, answer.provisional_from) for answer in answers] == [(True, None), (False, "2023-09-06")]


def test_a_conversion_of_nobody_says_that_no_channel_has_it(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.conversion("c1", "anna", "2023-09-01 10:00:00", revenue=20)

    answer = asked(JOURNEY, shop.settings(nobody=["anna"]), conversion="c1")

    assert (answer.rows, answer.total) == ([], None)
    assert answer.notes == (
        "c1, 2023-09-01 10:00:00, revenue 20.00: the user is one of ATTRIBUTION_NOBODY, so it is credited to no channel.",
    )


def test_credit_of_ihc_says_so_where_another_model_was_asked_for(sample: Shop) -> None:
    answer = of_sample(CELL, sample, model="last_touch", date="2023-09-05", channel="FB & IG Ads")

    assert answer.basis["model"] == "ihc"
    assert answer.notes[1] == "This is the credit of ihc. That of last_touch is in the table model_attribution."


def test_credit_that_is_out_of_date_says_so(copy: Shop) -> None:
    copy.execute("UPDATE channel_reporting SET cost = cost + 1 WHERE date = '2023-09-05' AND channel_name = 'FB & IG Ads'")

    answer = of_sample(CELL, copy, date="2023-09-05", channel="FB & IG Ads")

    assert "is out of date: cost is" in answer.notes[-1]


def test_a_cell_without_its_channel_or_with_no_date_is_refused_in_one_line(sample: Shop) -> None:
    with pytest.raises(AttributionError, match=r"^Conversions behind a number: give channel\.$"):
        of_sample(CELL, sample, date="2023-09-05")
    with pytest.raises(AttributionError, match="'5 September' is not a date"):
        of_sample(CELL, sample, date="5 September", channel="FB & IG Ads")


@pytest.mark.parametrize("hostile", ["'; DROP TABLE conversions; --", "x' OR '1' = '1", "<script>", "🌵"])
def test_what_is_asked_for_is_a_value_and_never_sql(sample: Shop, hostile: str) -> None:
    with pytest.raises(NotFoundError):
        of_sample(JOURNEY, sample, conversion=hostile)
    with pytest.raises(NotFoundError):
        of_sample(CELL, sample, date="2023-09-05", channel=hostile)


@pytest.mark.parametrize(
    ("values", "report"),
    [
        ({}, CELLS),
        ({"channel": "Email"}, CELLS),
        ({"date": "2023-09-05"}, CELLS),
        ({"date": "2023-09-05", "channel": "Email"}, CELL),
        ({"conversion": "c1", "channel": "Email"}, JOURNEY),
    ],
)
def test_why_leads_from_cells_to_conversions_to_journeys(values: dict[str, str], report: Report) -> None:
    assert WHY.shown(Asked(values=values)) == (report,)


# -- models and paths --------------------------------------------------------------------------------------------------


def test_every_model_has_the_sums_of_its_report(sample: Shop) -> None:
    sums = sample.execute(
        "SELECT model, channel_name, sum(cost), sum(orders), sum(revenue) FROM model_reporting WHERE date_basis = 'session' "
        "AND date BETWEEN '2023-09-03' AND '2023-09-07' GROUP BY model, channel_name ORDER BY 1, 2"
    )

    answer = of_sample(MODEL_REPORTING, sample, "2023-09-03", "2023-09-07")
    rows = sorted(shown(MODEL_REPORTING, answer, "model", "channel", "cost", "orders", "revenue"))

    assert [row[:2] for row in rows] == [row[:2] for row in sums]
    for row, expected in zip(rows, sums, strict=True):
        assert row[2:] == pytest.approx(expected[2:])
    assert list(dict.fromkeys(row["model"] for row in answer.rows)) == list(MODELS)
    assert answer.basis["model"] == ", ".join(MODELS)
    assert "ihc: challenge" in str(answer.basis["parameters"])
    assert answer.provisional_from == "2023-09-03"


def test_ihc_is_among_the_models_where_none_is_chosen(sample: Shop) -> None:
    answer = asked(MODEL_REPORTING, sample.settings(end_date=LAST))

    assert {row["model"] for row in answer.rows} == {"ihc"}


def test_a_model_that_was_chosen_later_is_named_as_not_computed(copy: Shop) -> None:
    copy.execute("DELETE FROM model_reporting WHERE model = 'markov'")

    assert of_sample(MODEL_REPORTING, copy).notes == ("Not computed on these days: markov. Run all days again.",)


def test_every_model_can_be_asked_for_one_channel(sample: Shop) -> None:
    answer = of_sample(MODEL_REPORTING, sample, channel="Newsletter & Email")

    assert [row["model"] for row in answer.rows] == list(MODELS)
    assert {row["channel"] for row in answer.rows} == {"Newsletter & Email"}


def test_the_comparison_that_is_kept_is_the_one_that_compare_prints(sample: Shop) -> None:
    said = command(sample, "compare")
    names = ("model", "channel", "orders", "orders_shift", "orders_shift_low", "orders_shift_high", "is_noise", "rank_change")

    answer = of_sample(MODEL_COMPARISON, sample)

    assert printed(shown(MODEL_COMPARISON, answer, *names)) == [tuple(row[name] for name in names) for row in said["channels"]]
    assert (answer.days, answer.is_final) == (Days(said["start"], said["end"]), None)


def test_the_basis_of_the_comparison_is_that_of_each_model(sample: Shop) -> None:
    of_comparison, of_models = (of_sample(report, sample).basis for report in (MODEL_COMPARISON, MODEL_REPORTING))

    assert of_comparison == of_models
    assert of_comparison["learned_from"] == "your journeys, another company's journeys"


def test_the_paths_that_are_kept_are_those_that_paths_prints(sample: Shop) -> None:
    said = command(sample, "paths")

    answer = of_sample(PATH_REPORT, sample)

    assert printed(shown(PATH_REPORT, answer)) == [tuple(row[column.name] for column in PATH_REPORT.columns) for row in said]
    assert answer.basis["parameters"] == "whole journeys"


def test_what_is_kept_can_be_asked_for_by_its_section(sample: Shop) -> None:
    answer = of_sample(PATH_REPORT, sample, section="length")

    assert {row["section"] for row in answer.rows} == {"length"}


KEPT = pytest.mark.parametrize(("report", "name"), [(MODEL_COMPARISON, "compare"), (PATH_REPORT, "paths")])


@KEPT
def test_what_is_kept_of_other_days_says_of_which_and_how_to_compute_these(sample: Shop, report: Report, name: str) -> None:
    with pytest.raises(
        NotReadyError,
        match=rf"is of 2023-09-01 to 2023-09-\d\d\. Run `attribution {name} --keep --start 2023-09-03 --end 2023-09-05`\.$",
    ):
        of_sample(report, sample, "2023-09-03", "2023-09-05")


@KEPT
def test_what_was_never_kept_says_how_to_compute_it(copy: Shop, report: Report, name: str) -> None:
    copy.execute(f"DELETE FROM {report.name}")

    with pytest.raises(NotReadyError, match=rf"nothing in {report.name} yet\. Run `attribution {name} --keep`\.$"):
        of_sample(report, copy)
    with pytest.raises(NotReadyError, match=r"--keep` with ATTRIBUTION_MODELS set\.$"):
        asked(report, copy.settings())


@KEPT
def test_days_that_were_kept_answer_the_same_days(sample: Shop, copy: Shop, report: Report, name: str) -> None:
    days = ("--start", "2023-09-03", "--end", "2023-09-05")

    result = kept(copy, name, *days)

    assert (result.exit_code, result.stdout) == (0, "")
    answer = of_sample(report, copy, "2023-09-03", "2023-09-05")
    assert (answer.days, bool(answer.rows)) == (Days("2023-09-03", "2023-09-05"), True)


@KEPT
def test_what_was_kept_with_other_settings_says_so(sample: Shop, report: Report, name: str) -> None:
    answer = asked(report, sample.settings(**{**CHOICES, "last_sessions": 2}))

    assert "whole journeys; other settings than now" in str(answer.basis["parameters"])
    assert "challenge" not in str(answer.basis["parameters"])


@KEPT
def test_nothing_is_kept_without_models_or_where_it_is_to_be_printed(copy: Shop, report: Report, name: str) -> None:
    without_models = kept(copy, name, ATTRIBUTION_MODELS="")
    printed = kept(copy, name, "--json")

    assert (without_models.exit_code, printed.exit_code) == (1, 2)
    assert without_models.stderr.startswith(f"Error: Without models there is no table {report.name}. Set ATTRIBUTION_MODELS")
    assert "Give either --keep, or --csv or --json." in printed.stderr


def test_what_is_kept_is_a_run_in_the_history_of_the_database(copy: Shop) -> None:
    kept(copy, "paths")

    with history(copy.settings(dagster_home=copy.database.with_name("home"))) as instance:
        [run] = instance.get_runs()
        assert (run.status, run.tags["because"]) == (dg.DagsterRunStatus.SUCCESS, "`--keep`")


# -- breakdowns --------------------------------------------------------------------------------------------------------


def test_the_values_of_a_dimension_add_up_to_the_channels_under_each_model(sample: Shop) -> None:
    for model in ("ihc", "last_touch"):
        answer = of_sample(BREAKDOWNS_REPORT, sample, "2023-09-03", "2023-09-07", model, dimension="market")
        of_models = of_sample(MODEL_REPORTING, sample, "2023-09-03", "2023-09-07")

        for channel in {row["channel"] for row in answer.rows}:
            [whole] = [row for row in of_models.rows if (row["model"], row["channel"]) == (model, channel)]
            of_channel = [row for row in answer.rows if row["channel"] == channel]
            for name in ("cost", "orders", "revenue"):
                assert sum(row[name] for row in of_channel) == pytest.approx(whole[name])
        assert {row["value"] for row in answer.rows} == {"DE", "(none)"}
        assert (answer.basis["model"], answer.provisional_from) == (model, "2023-09-03")


def test_a_breakdown_by_the_date_of_conversions_is_neither_provisional_nor_said_to_be_final(sample: Shop) -> None:
    [stored] = sample.execute(
        "SELECT sum(sessions), sum(orders), sum(revenue) FROM breakdown_reporting WHERE date_basis = 'conversion' "
        "AND model = 'ihc' AND dimension = 'market' AND value = 'DE' AND channel = 'FB & IG Ads'"
    )

    answer = of_sample(
        BREAKDOWNS_REPORT, sample, dimension="market", value="DE", channel="FB & IG Ads", date_basis="conversion"
    )

    assert shown(BREAKDOWNS_REPORT, answer, "sessions", "orders", "revenue") == [pytest.approx(stored)]
    assert (answer.is_final, answer.provisional_from) == (None, None)


def test_another_basis_of_dates_is_refused(sample: Shop) -> None:
    with pytest.raises(AttributionError, match=r"^'week' is no date_basis\. Choose from session, conversion\.$"):
        of_sample(BREAKDOWNS_REPORT, sample, date_basis="week")


def test_days_of_a_breakdown_are_added_up_with_their_ratios(shop: Shop) -> None:
    shop.warehouse.prepare()
    row = "INSERT INTO breakdown_reporting VALUES (?, 'ihc', 'session', 'Ads', ?, 'DE', ?, 1, ?, NULL, ?, ?, NULL, NULL, NULL)"
    shop.execute("ALTER TABLE session_sources ADD COLUMN market text")
    shop.execute(row, "2023-09-01", "market", 3, 10.0, 1.0, 30.0)
    shop.execute(row, "2023-09-02", "market", 1, 2.0, 0.0, 0.0)
    shop.execute(row, "2023-09-02", "conversions.market", 0, 0.0, 1.0, 30.0)
    names = ("dimension", "sessions", "cost", "cpc", "orders", "revenue", "cpo", "roas", "conversion_rate")

    answer = asked(BREAKDOWNS_REPORT, shop.settings(breakdowns=["market"]))

    assert shown(BREAKDOWNS_REPORT, answer, *names) == [
        ("conversions.market", 0, 0.0, None, 1.0, 30.0, None, None, None),
        ("market", 4, 12.0, 3.0, 1.0, 30.0, 12.0, 2.5, 0.25),
    ]


def test_sessions_are_added_up_by_channel_campaign_and_market(shop: Shop) -> None:
    shop.warehouse.prepare()
    for column in ("campaign_id", "market"):
        shop.execute(f"ALTER TABLE session_sources ADD COLUMN {column} text")
    row = "INSERT INTO session_report VALUES (?, 'Ads', 'brand', ?, ?, 1, ?, ?, ?, NULL)"
    shop.execute(row, "2023-09-01", "DE", 3, 1, 30.0, 6.0)
    shop.execute(row, "2023-09-02", "DE", 1, 0, 0.0, 2.0)
    shop.execute(row, "2023-09-02", "AT", 0, 0, 0.0, 1.0)

    answer = asked(SESSIONS_REPORT, shop.settings())

    assert shown(SESSIONS_REPORT, answer) == [
        ("Ads", "brand", "DE", 4, 1, 30.0, 8.0, 2.0),
        ("Ads", "brand", "AT", 0, 0, 0.0, 1.0, None),
    ]
    assert answer.total == {"channel": "total", "sessions": 4, "conversions": 1, "revenue": 30.0, "cost": 9.0, "cpc": 2.25}


def test_a_breakdown_that_is_not_in_the_graph_says_what_switches_it_on(shop: Shop) -> None:
    shop.warehouse.prepare()
    with pytest.raises(NotReadyError, match=r"switched off\. Name columns in ATTRIBUTION_BREAKDOWNS"):
        asked(BREAKDOWNS_REPORT, shop.settings())
    with pytest.raises(NotReadyError, match=r"needs session_sources\.market, which .*shop\.db does not have"):
        asked(BREAKDOWNS_REPORT, shop.settings(breakdowns=["market"]))
    with pytest.raises(NotReadyError, match=r"needs session_sources\.campaign_id and session_sources\.market, which"):
        asked(SESSIONS_REPORT, shop.settings())


# -- the shop ----------------------------------------------------------------------------------------------------------


def test_the_funnel_has_the_steps_that_the_command_prints(sample: Shop) -> None:
    said = command(sample, "funnel", "--start", "2023-09-03", "--end", "2023-09-07")
    total = said["total"]

    answer = of_sample(FUNNEL_STEPS, sample, "2023-09-03", "2023-09-07")

    assert shown(FUNNEL_STEPS, answer) == [
        (
            step,
            position,
            total["sessions"],
            total["steps"][step],
            total["rates"][step],
            total["levels"][f"level_{position}"],
            said["drop_off"][position - 1]["sessions"],
            said["drop_off"][position - 1]["share"],
        )
        for position, step in enumerate(said["steps"], start=1)
    ]
    assert answer.days == Days("2023-09-03", "2023-09-07")


def test_the_funnel_has_a_row_for_each_channel_and_step_and_for_each_day_and_step(sample: Shop) -> None:
    said = command(sample, "funnel")
    steps = said["steps"]

    channels = of_sample(FUNNEL_CHANNELS, sample)
    days = of_sample(FUNNEL_DAYS, sample)

    assert shown(FUNNEL_CHANNELS, channels, "channel", "step", "reached", "rate") == [
        (row["channel"], step, row["steps"][step], row["rates"][step]) for row in said["channels"] for step in steps
    ]
    assert shown(FUNNEL_DAYS, days, "date", "step", "reached", "level") == [
        (row["date"], step, row[step], row[f"level_{place}"])
        for row in said["days"]
        for place, step in enumerate(steps, start=1)
    ]


def test_one_step_of_every_channel_can_be_asked_for(sample: Shop) -> None:
    answer = of_sample(FUNNEL_CHANNELS, sample, step="checkout")

    assert {row["step"] for row in answer.rows} == {"checkout"}


@pytest.mark.parametrize(("report", "name"), [(PRODUCTS, "products"), (CUSTOMERS, "customers")])
def test_products_and_buyers_are_those_that_the_command_prints(sample: Shop, report: Report, name: str) -> None:
    assert [*of_sample(report, sample).rows] == command(sample, "funnel")[name]


def test_a_funnel_that_there_is_not_says_why(shop: Shop) -> None:
    shop.warehouse.prepare()

    with pytest.raises(NotReadyError, match=r"has no funnel yet: it has no events\.$"):
        asked(FUNNEL_STEPS, shop.settings())


def test_a_funnel_of_other_steps_says_how_to_compute_it(sample: Shop) -> None:
    with pytest.raises(NotReadyError, match="computed with other steps than page_view, checkout"):
        asked(FUNNEL_STEPS, sample.settings(**{**CHOICES, "funnel_steps": ["page_view", "checkout"]}))


def test_claims_are_those_that_the_command_prints_and_can_still_change(sample: Shop) -> None:
    said = command(sample, "campaigns")["claims"]

    answer = of_sample(CLAIMS, sample)

    assert [*answer.rows] == said["campaigns"]
    assert (answer.basis["parameters"], answer.provisional_from) == ("challenge", said["provisional_from"])
    assert answer.total
    assert answer.total["claimed_conversions"] == sum(row["claimed_conversions"] or 0 for row in answer.rows)


def test_without_claims_the_report_says_what_they_need(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.execute(schema()["campaign_results"].create)
    shop.execute("INSERT INTO campaign_performance VALUES ('2023-09-01', 'A', 'ON', 'X', 'Y', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)")

    with pytest.raises(
        NotReadyError, match=r"No platform claims anything in .* ad_costs needs the columns conversions and revenue"
    ):
        asked(CLAIMS, shop.settings())


@pytest.mark.parametrize(
    ("report", "name"),
    [
        (STATUS_DISTRIBUTION, "status_distribution"),
        (STATUS_TOTALS, "status_totals"),
        (CATEGORY_TYPE_PERFORMANCE, "category_type"),
    ],
)
def test_sums_of_campaigns_are_those_that_the_command_prints(sample: Shop, report: Report, name: str) -> None:
    assert [*of_sample(report, sample, LAST, LAST).rows] == command(sample, "campaigns", "--start", LAST, "--end", LAST)[name]


def test_conversion_rates_name_the_highest_and_the_lowest(sample: Shop) -> None:
    said = command(sample, "campaigns")["conversion_rate"]

    answer = of_sample(CONVERSION_RATE, sample)

    assert [*answer.rows] == said["customers"]
    assert answer.notes == tuple(
        f"{name.capitalize()}: {said[name]['customer_id']}, {said[name]['conversion_rate']:.6f}."
        for name in ("highest", "lowest")
    )


def test_means_are_of_the_type_conversion_unless_others_are_asked_for(sample: Shop) -> None:
    of_conversions = of_sample(FILTERED_AGGREGATION, sample)
    of_others = of_sample(FILTERED_AGGREGATION, sample, status="ENABLED", type="AWARENESS")

    assert shown(FILTERED_AGGREGATION, of_conversions) == [
        tuple(row.values()) for row in command(sample, "campaigns")["filtered"]
    ]
    assert of_conversions.notes == ("Of rows with type CONVERSION.",)
    assert of_others.notes == ("Of rows with status ENABLED and type AWARENESS.",)
    assert of_others.rows != of_conversions.rows
    assert of_sample(FILTERED_AGGREGATION, sample, status="ENABLED").notes == (
        "Of rows with status ENABLED and type CONVERSION.",
    )
    assert of_sample(FILTERED_AGGREGATION, sample, type="'; DROP TABLE campaign_performance; --").rows == []


# -- reconciliation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("report", "name"), [(CONVERSIONS, "conversions"), (SPEND, "spend")])
def test_what_does_not_agree_is_what_the_command_prints(sample: Shop, report: Report, name: str) -> None:
    said = command(sample, "reconcile", "--start", "2023-09-03", "--end", "2023-09-07")

    answer = of_sample(report, sample, "2023-09-03", "2023-09-07")

    assert [*answer.rows] == said[name]
    assert answer.rows
    assert answer.total
    assert {figure: said["totals"][figure] for figure in answer.total if figure != "date"} == {
        figure: value for figure, value in answer.total.items() if figure != "date"
    }


def test_days_with_unusually_many_conversions_are_listed(shop: Shop) -> None:
    for day in range(1, 11):
        for number in range(40 if day == 10 else day % 2 + 2):
            shop.conversion(f"c{day}-{number}", "anna", f"2023-09-{day:02} 10:00:00")
    shop.warehouse.prepare()
    shop.execute(
        "INSERT INTO channel_report SELECT conv_date, 'Email', 0, 0, 0, NULL, NULL, 'ihc', 'challenge', 'EUR', conv_date "
        "FROM conversions GROUP BY conv_date"
    )

    answer = asked(UNUSUAL_DAYS, shop.settings())

    assert shown(UNUSUAL_DAYS, answer, "date", "conversions") == [("2023-09-10", 40)]


def test_without_a_backend_or_spend_the_report_says_what_it_needs(shop: Shop) -> None:
    shop.warehouse.prepare()

    with pytest.raises(NotReadyError, match="conversion_reconciliation needs conversions_backend, which"):
        asked(CONVERSIONS, shop.settings())
    with pytest.raises(NotReadyError, match="spend_reconciliation needs ad_costs"):
        asked(SPEND, shop.settings())


# -- health ------------------------------------------------------------------------------------------------------------


def of_history(report: Report, shop: Shop, *range_: str, **values: str) -> Answer:
    """What the report says of the shop with the history of its runs."""
    settings = shop.settings(**CHOICES, dagster_home=shop.database.with_name("home"))
    return asked(report, settings, *range_, **values)


@pytest.fixture
def alive(templates: Templates, tmp_path: Path) -> Shop:
    """The sample with its history, which may be run again."""
    folder = templates.copy("reports", report_sample, tmp_path / "alive")
    return Shop.at(folder / "shop.db", folder / "exports")


def test_the_status_has_the_states_that_the_command_prints(sample: Shop) -> None:
    said = command(sample, "status", "--start", "2023-09-09", "--end", "2023-09-10")

    answer = of_history(STATUS, sample, "2023-09-09", "2023-09-10")

    assert shown(STATUS, answer, "day", "asset", "state", "because", "final", "final_on", "last_run") == [
        (day["day"], asset, of_asset["state"], of_asset["because"], False, day["final_on"], "success")
        for day in reversed(said)
        for asset, of_asset in day["assets"].items()
    ]
    assert answer.days == Days("2023-09-09", "2023-09-10")


def test_the_status_is_that_of_the_history_until_a_search_finds_late_data(sample: Shop) -> None:
    sample.session("late", "anna", "2023-09-09 10:00:00")

    states = {row["state"] for row in of_history(STATUS, sample, "2023-09-09", "2023-09-09").rows}

    assert states == {"fresh"}
    assert "stale" in {
        of["state"]
        for day in command(sample, "status", "--start", "2023-09-09", "--end", "2023-09-09")
        for of in day["assets"].values()
    }


def test_the_last_days_with_results_are_shown_where_nobody_says_which(sample: Shop) -> None:
    assert of_history(STATUS, sample).days == Days(FIRST, LAST)


def test_a_check_has_what_its_newest_evaluation_found_and_failed_ones_come_first(alive: Shop) -> None:
    warned = [row for row in of_history(CHECKS, alive).rows if row["result"] != "passed"]
    alive.execute("UPDATE conversions SET revenue = 'much' WHERE conv_date = '2023-09-05'")
    CliRunner().invoke(main, ["run", "--start", "2023-09-05", "--end", "2023-09-05"], env=variables(alive))

    answer = of_history(CHECKS, alive)

    assert {row["result"] for row in warned} == {"warning", "not_yet"}
    assert [row["check"] for row in answer.rows if row["result"] == "failed"] == ["conversions_are_sound"]
    assert answer.rows[0]["days"] == "2023-09-05"
    results = [row["result"] for row in answer.rows]
    assert results == sorted(results, key=("failed", "warning", "not_yet", "passed").index)
    assert "conversion" in answer.rows[0]["sentence"]


def test_a_day_whose_amounts_changed_is_a_restatement_with_before_after_and_why(alive: Shop) -> None:
    assert of_history(RESTATEMENTS, alive).rows == []
    [(session,)] = alive.execute(
        "SELECT session_id FROM session_costs JOIN session_sources USING (session_id) "
        "WHERE event_date = '2023-09-10' AND cost > 0 ORDER BY session_id LIMIT 1"
    )
    alive.execute("UPDATE session_costs SET cost = cost + 5 WHERE session_id = ?", session)
    command(alive, "run", "--start", LAST, "--end", LAST)

    answer = of_history(RESTATEMENTS, alive, asset="channel_costs")
    [row] = answer.rows
    assert {row["day"] for row in of_history(RESTATEMENTS, alive).rows} == {LAST}

    before, after = (float(row[name].removeprefix("cost ").replace(",", "")) for name in ("before", "after"))
    assert (row["day"], row["because"]) == (LAST, "`attribution run`")
    assert after - before == pytest.approx(5)


def test_freshness_has_the_last_day_of_each_source_and_the_last_run_of_each_group(sample: Shop) -> None:
    answer = of_history(FRESHNESS, sample)

    rows = {row["name"]: row for row in answer.rows}
    assert {name: rows[name]["last_run_status"] for name in ("attribution", "funnel", "campaigns")} == dict.fromkeys(
        ("attribution", "funnel", "campaigns"), "success"
    )
    assert rows["attribution"]["last_day_computed"] == LAST
    assert rows["session_sources"]["last_day_with_rows"] == LAST
    assert rows["session_sources"]["last_run"] is None


@pytest.mark.parametrize("report", [STATUS, CHECKS, RESTATEMENTS])
def test_a_database_that_was_never_run_has_no_history_and_says_so(shop: Shop, report: Report) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.warehouse.prepare()

    answer = asked(report, shop.settings())

    assert (answer.rows, len(answer.notes)) == ((), 1)
    assert answer.notes[0].startswith("Nothing has been run yet")


def test_the_sources_of_a_database_that_was_never_run_have_their_last_days(shop: Shop) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.warehouse.prepare()

    answer = asked(FRESHNESS, shop.settings())

    assert ("session_sources", "2023-09-01", None) in shown(FRESHNESS, answer, "name", "last_day_with_rows", "last_run")
    assert answer.notes[0].startswith("Nothing has been run yet")
