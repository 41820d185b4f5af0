"""The reports that people read: the same numbers as the command's, with what is to be known about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from attribution_assets.analysis.reports.explained import CELL, JOURNEY, WHY
from attribution_assets.analysis.reports.form import Answer, Asked, Report
from attribution_assets.analysis.reports.overview import CELLS
from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.models import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates

FIRST, LAST = "2023-09-01", "2023-09-10"
CHOICES = {"models": MODELS, "breakdowns": ["campaign_id", "market"], "end_date": LAST, "lookback_days": 14}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Shop:
    """Ten days of the sample after a run, with everything that can be reported; nothing writes into it."""
    folder = templates.copy("reports", report_sample, tmp_path_factory.mktemp("reports"))
    return Shop.at(folder / "shop.db", folder / "exports")


def report_sample(folder: Path) -> None:
    write_sample(folder / "shop.db", days=10, end=pd.Timestamp(LAST).date(), sessions=2_000, seed=0)
    command(Shop.at(folder / "shop.db", folder / "exports"), "run")


def command(shop: Shop, *asked: str) -> Any:
    """What the command prints as JSON, with the settings of the sample."""
    environment = {
        "ATTRIBUTION_DATABASE": str(shop.database),
        "ATTRIBUTION_EXPORTS": str(shop.exports),
        "ATTRIBUTION_MODELS": "all",
        "ATTRIBUTION_BREAKDOWNS": "campaign_id,market",
        "ATTRIBUTION_END_DATE": LAST,
        "ATTRIBUTION_LOOKBACK_DAYS": "14",
        "DAGSTER_HOME": str(shop.database.with_name("home")),
    }
    result = CliRunner().invoke(main, [*asked, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


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


def test_credit_that_is_out_of_date_says_so(sample: Shop, tmp_path: Path) -> None:
    database = tmp_path / "copy.db"
    sample.execute("VACUUM INTO ?", str(database))
    copy = Shop.at(database, tmp_path / "exports")
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
        ({"date": "2023-09-05", "channel": "Email"}, CELL),
        ({"conversion": "c1", "channel": "Email"}, JOURNEY),
    ],
)
def test_why_leads_from_cells_to_conversions_to_journeys(values: dict[str, str], report: Report) -> None:
    assert WHY.shown(Asked(values=values)) == (report,)
