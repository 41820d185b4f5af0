"""`attribution report` and the asset report_files: the files have the numbers of the report, and need nothing else."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from attribution_assets.analysis.reports.form import Answer, Asked, Column, Page, Report
from attribution_assets.command.cli import main
from attribution_assets.pages.html import html_file
from attribution_assets.pages.registry import REPORTS
from attribution_assets.pages.shown import Shown, Table, without_folders
from attribution_assets.pages.workbook import LONGEST_NAME, csv_of, workbook
from attribution_assets.warehouse import Days
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.test_comparison import attribution, materialized, report_sample


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Ten days of the sample, attributed and reported by every model."""
    templates.copy("compared", report_sample, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


class Addresses(HTMLParser):
    """What an HTML file would load or lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "action"}]


def named(*names: str) -> Table:
    """A table whose one column has these texts."""
    report = Report("names", "Names", "", (Column("name", "text", ""),), lambda _settings, _asked: Answer(()))
    return Table(report, Answer([{"name": name} for name in names]))


def on_a_page(*answers: Answer) -> str:
    """The HTML file of one page, with a table for each answer."""
    tables = [replace(named(), answer=answer) for answer in answers]
    page = Page("names", "Names", "Which?", tuple(table.report for table in tables))
    return re.sub(r"\s+", " ", html_file([Shown(page, Asked(), tables)], "Names").partition("<main")[2].partition("</main>")[0])


def by(model: str) -> dict[str, str | None]:
    """The basis of what the model credits."""
    return {"model": model, "parameters": "challenge", "computed_by": None, "learned_from": None, "currency": None}


def told(answer: Answer) -> list[str]:
    """What a workbook says below the rows."""
    sheet = openpyxl.load_workbook(io.BytesIO(workbook([replace(named(), answer=answer)])))["Names"]
    return [str(cell.value) for [cell] in sheet.iter_rows(min_row=2) if cell.value]


def test_a_table_of_other_days_or_another_basis_than_its_page_says_so() -> None:
    first = Answer([], Days("2023-09-01", "2023-09-02"), by("ihc"), is_final=True)

    alike = on_a_page(first, first)
    other = on_a_page(first, Answer([], Days("2023-08-01", "2023-08-31"), by("markov")))

    assert (alike.count('class="days"'), alike.count("By the model")) == (1, 1)
    assert re.findall(r'class="days">([^<]*)<', other) == ["2023-09-01 to 2023-09-02", "2023-08-01 to 2023-08-31"]
    assert re.findall(r"By the model <strong>(\w+)", other) == ["ihc", "markov"]


@pytest.mark.parametrize(
    ("is_final", "provisional_from", "said"),
    [(True, None, ["Final"]), (False, "2023-09-02", ["Provisional"]), (None, None, [])],
    ids=["final", "provisional", "not known"],
)
def test_only_what_is_known_to_be_final_is_called_final(
    is_final: bool | None, provisional_from: str | None, said: list[str]
) -> None:
    days = Days("2023-09-01", "2023-09-02")
    answer = Answer([], days, by("ihc"), is_final=is_final, provisional_from=provisional_from)

    assert re.findall(r'class="mark \w+">(\w+)<', on_a_page(answer)) == said
    assert [line.split(" ")[0].strip(".") for line in told(answer) if re.match("Final|Provisional", line)] == said


def test_parameters_without_a_model_are_said() -> None:
    answer = Answer([], Days("2023-09-01", "2023-09-02"), {"parameters": "whole journeys"})

    assert "Parameters <strong>whole journeys</strong>." in on_a_page(answer)
    assert "Parameters: whole journeys." in told(answer)


def test_the_workbook_has_the_channels_of_a_run_to_the_last_digit(sample: Shop, tmp_path: Path) -> None:
    told = json.loads(attribution(sample, "run", "--json").stdout)

    attribution(sample, "report", "--xlsx", str(tmp_path / "report.xlsx"), "--start", told["report_start"])

    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")["Channels"]
    found = {row[0]: row[1:4] for row in sheet.iter_rows(min_row=2, max_row=len(told["channels"]) + 1, values_only=True)}
    assert found == {
        row["channel"]: pytest.approx((row["cost"], row["orders"], row["revenue"]), rel=1e-14) for row in told["channels"]
    }


def test_the_html_file_shows_the_same_to_the_cent(sample: Shop, tmp_path: Path) -> None:
    told = json.loads(attribution(sample, "run", "--json").stdout)

    attribution(sample, "report", "--html", str(tmp_path / "report.html"), "--start", told["report_start"])

    text = (tmp_path / "report.html").read_text()
    for row in told["channels"]:
        cells = [f"{row[name]:,.2f}" for name in ("cost", "orders", "revenue")]
        shown = re.search(rf">{re.escape(row['channel'].replace('&', '&amp;'))}</td>(.*?)</tr>", text, re.DOTALL)
        assert shown
        assert re.findall(r">([^<>\n]+)</td>", shown[1])[:3] == cells


def test_the_html_file_needs_no_server_and_no_network(sample: Shop, tmp_path: Path) -> None:
    attribution(sample, "report", "--html", str(tmp_path / "report.html"))

    assert [address for address in Addresses((tmp_path / "report.html").read_text()).found if not address.startswith("#")] == []


def test_the_same_database_gives_the_same_bytes(sample: Shop, tmp_path: Path) -> None:
    def files() -> list[bytes]:
        attribution(sample, "report", "--html", str(tmp_path / "r.html"), "--xlsx", str(tmp_path / "r.xlsx"))
        return [(tmp_path / name).read_bytes() for name in ("r.html", "r.xlsx")]

    assert files() == files()


def test_each_sheet_has_typed_numbers_and_a_frozen_header(sample: Shop, tmp_path: Path) -> None:
    attribution(sample, "report", "--xlsx", str(tmp_path / "report.xlsx"))

    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")["Days"]
    first = next(sheet.iter_rows(min_row=2, max_row=2))
    assert sheet.freeze_panes == "A2"
    assert [cell.data_type for cell in first] == ["d", "n", "n", "n", "n", "n", "b"]


def test_a_name_that_a_spreadsheet_would_compute_is_text_in_a_workbook() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(workbook([named("=1+1", "http://example.com")])))["Names"]

    assert [(cell.value, cell.data_type) for [cell] in sheet.iter_rows(min_row=2, max_row=3)] == [
        ("=1+1", "s"),
        ("http://example.com", "s"),
    ]


def test_csv_is_raw_for_programs_and_guarded_for_spreadsheets() -> None:
    table = named("=1+1", "plain")

    assert csv_of(table, is_for_spreadsheets=False) == "name\n=1+1\nplain\n"
    assert csv_of(table, is_for_spreadsheets=True) == "name\n'=1+1\nplain\n"


def test_names_with_html_are_shown_as_they_are(sample: Shop, tmp_path: Path) -> None:
    sample.execute("UPDATE channel_report SET channel = '<script>alert(1)</script>' WHERE channel = 'Referral'")

    attribution(sample, "report", "--html", str(tmp_path / "report.html"))

    text = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert(1)" not in text


def test_a_report_of_another_model_says_so(sample: Shop, tmp_path: Path) -> None:
    attribution(sample, "report", "--html", str(tmp_path / "report.html"), "--model", "last_touch", MODELS="all")

    assert "By the model <strong>last_touch</strong>" in (tmp_path / "report.html").read_text()


def test_a_database_without_results_says_what_to_do(shop: Shop, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", "--database", str(shop.database), "--html", str(tmp_path / "r.html")])

    assert (result.exit_code, (tmp_path / "r.html").exists()) == (1, False)
    assert "Run `attribution run` first." in result.stderr


def test_a_file_that_cannot_be_written_leaves_nothing_behind(sample: Shop, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    command = ["report", "--database", str(sample.database), "--html", str(tmp_path / "folder")]
    result = CliRunner().invoke(main, command)

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert not list(tmp_path.glob(".folder*"))


def test_report_without_a_file_is_a_wrong_question(sample: Shop) -> None:
    result = CliRunner().invoke(main, ["report", "--database", str(sample.database)])

    assert result.exit_code == 2
    assert "Give --html, --xlsx or both." in result.stderr


def test_the_asset_writes_both_files_into_the_exports_folder(sample: Shop) -> None:
    shown = materialized(sample, "report_files", start="2023-09-03", end="2023-09-07")

    assert shown["html"].value == str(sample.exports / "report.html")
    assert "2023-09-03 to 2023-09-07" in (sample.exports / "report.html").read_text()
    assert openpyxl.load_workbook(sample.exports / "report.xlsx")["Days"].max_row > 5


def test_every_report_has_a_sheet_of_its_own() -> None:
    names = [report.title[:LONGEST_NAME].casefold() for report in REPORTS.values()]

    assert sorted(names) == sorted({*names})


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--start", "2023-09-05", "--end", "2023-09-01"), 1, "reversed"),
        (("--start", "2030-01-01", "--end", "2030-01-31"), 1, "no results"),
        (("--model", "shapley"), 1, "shapley is not computed"),
        (("--model", "best"), 1, "There is no model 'best'"),
    ],
)
def test_a_report_of_nothing_is_no_file(sample: Shop, tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    result = attribution(sample, "report", *options, "--html", str(tmp_path / "r.html"), "--xlsx", str(tmp_path / "r.xlsx"))

    assert (result.exit_code, said in result.stderr.replace("The report under shapley", "shapley")) == (code, True), (
        result.stderr
    )
    assert not (tmp_path / "r.html").exists()
    assert not (tmp_path / "r.xlsx").exists()


def test_two_reports_need_two_files(sample: Shop, tmp_path: Path) -> None:
    result = attribution(sample, "report", "--html", str(tmp_path / "r"), "--xlsx", str(tmp_path / "r"))

    assert (result.exit_code, "two files" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("There is no database /srv/data/shop.db.", "There is no database shop.db."),
        ("DAGSTER_HOME /a/b holds the history of /c/d.db, not", "DAGSTER_HOME b holds the history of d.db, not"),
        ("Set ATTRIBUTION_WEB_URL=https://example.com/a/b", "Set ATTRIBUTION_WEB_URL=https://example.com/a/b"),
        ("claimed / credited", "claimed / credited"),
        ("Import them at /worker/process-data/.", "Import them at /worker/process-data/."),
    ],
)
def test_a_problem_is_told_without_folders(text: str, shown: str) -> None:
    assert without_folders(text) == shown
