"""What a terminal shows: every figure and heading whole, however narrow it is; and elsewhere, every row as one line."""

from __future__ import annotations

import os
import pty
import re
import select
import termios
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from attribution_assets.command import terminal
from attribution_assets.command.terminal import Column, print_frame, print_table
from attribution_assets_tests.command import Command
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.test_comparison import attribution, environment, report_sample

STYLE = re.compile(r"\x1b\[[0-9;]*m")


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal that tables are printed on."""
    monkeypatch.setattr(terminal, "console", lambda: Console(width=request.param, markup=False, highlight=False))
    return int(request.param)


def at(*widths: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("width", widths, indirect=True)


ALL = Column("channel", ["Ads", "Email"], is_text=True, total="total")
ORDERS = Column("orders_of_model", ["1.00", "2,000.00"], total="2,001.00")
REVENUE = Column("revenue", ["10.00", "20.00"], total="30.00")


@at(60)
def test_columns_for_which_there_is_room_stand_beside_each_other(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Report", [ALL, ORDERS, REVENUE])

    assert capsys.readouterr().out.splitlines() == [
        "              Report",
        "channel  orders_of_model  revenue ",
        "──────────────────────────────────",
        "Ads                 1.00    10.00 ",
        "Email           2,000.00    20.00 ",
        "                                  ",
        "total           2,001.00    30.00 ",
    ]


@at(20)
def test_columns_without_room_follow_below_with_the_names_of_the_rows(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Report", [ALL, ORDERS, REVENUE])

    assert capsys.readouterr().out.splitlines() == [
        "       Report",
        "         orders_of_ ",
        "channel       model ",
        "────────────────────",
        "Ads            1.00 ",
        "Email      2,000.00 ",
        "                    ",
        "total      2,001.00 ",
        "",
        "channel  revenue ",
        "─────────────────",
        "Ads        10.00 ",
        "Email      20.00 ",
        "                 ",
        "total      30.00 ",
    ]


@at(40)
def test_text_is_wrapped_at_spaces_before_columns_are_parted(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", [Column("path", ["Organic Traffic > Direct Traffic"], is_text=True), Column("orders", ["7"])])

    assert capsys.readouterr().out.splitlines() == [
        "path                             orders ",
        "────────────────────────────────────────",
        "Organic Traffic > Direct              7 ",
        "Traffic                                 ",
    ]


MODELS = [*(f"last_non_direct_touch_{number}" for number in range(9)), "ihc"]


@at(80, 60)
def test_ten_models_and_long_channel_names_lose_nothing(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"utm_source_{number}_spring_sale_newsletter_to_all_customers_in_germany_and_austria" for number in range(3)]
    values = {model: [1_000_000.25 + 10 * place + row for row in range(3)] for place, model in enumerate(MODELS)}

    print_frame("Revenue", pd.DataFrame({"channel": names, **values}), {}, "{:,.2f}")

    lines = capsys.readouterr().out.splitlines()
    figures = Counter(f"{value:,.2f}" for column in values.values() for value in column)
    assert Counter(re.findall(r"\d,\S+", "\n".join(lines))) == figures
    assert max(map(cell_len, lines)) <= width
    named = "".join(line.split(" ")[0] for line in lines)
    assert all(name in named for name in names)
    assert not any("…" in line for line in lines)


@at(60)
def test_wide_letters_count_as_two_columns(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", [Column("channel", ["検索広告" * 9], is_text=True), Column("orders", ["1.00"])])

    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert "".join(line.split(" ")[0] for line in lines[2:]) == "検索広告" * 9


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Ten days of the sample, attributed and reported by every model."""
    templates.copy("compared", report_sample, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def shown(shop: Shop, width: int, *command: str) -> str:
    """What the command prints on a terminal, without styles."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (50, width))
    process = Command(*command, says=Path(os.ttyname(its)), TERM="xterm", **environment(shop.database, MODELS="all"))
    content = b""
    while process.is_at_work() or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.1)[0]:
            content += os.read(ours, 65_536)
    os.close(its)
    os.close(ours)
    return STYLE.sub("", content.decode())


def figures(text: str) -> Counter[str]:
    return Counter(re.findall(r"\S*\d\S*", text))


CELL = "SELECT '--date', date, '--channel', channel_name FROM channel_reporting WHERE ihc > 0.1 LIMIT 1"
CONVERSION = "SELECT '--conversion', conv_id FROM customer_journeys GROUP BY 2 ORDER BY count(*) DESC LIMIT 1"


@pytest.mark.parametrize(
    ("command", "about"),
    [("compare", ""), ("paths", ""), ("status", ""), ("check", ""), ("explain", CELL), ("explain", CONVERSION)],
)
def test_no_figure_is_cut_on_a_terminal(sample: Shop, command: str, about: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    arguments = [command, *(sample.execute(about)[0] if about else [])]
    whole = attribution(sample, *arguments, MODELS="all").output

    for columns in (80, 60):
        narrow = shown(sample, columns, *arguments)
        lacking = figures(whole) - figures(narrow)
        assert [figure for figure in lacking if len(figure) < columns // 2 - 1] == []  # of long ids, two are not side by side
        assert "…" not in narrow
        assert max(cell_len(line) for line in narrow.splitlines() if not line.rstrip().endswith(".")) <= columns


def test_the_steps_of_a_run_are_whole_on_a_terminal(sample: Shop, long: bool) -> None:
    for columns in (80, 60) if long else (60,):
        run = shown(sample, columns, "run")
        assert "attribution_customer_journey_checks" in run
        assert "…" not in run


def test_elsewhere_than_on_a_terminal_every_row_is_one_line(sample: Shop) -> None:
    checked = attribution(sample, "check", MODELS="all").stdout

    [line] = [line for line in checked.splitlines() if line.startswith("sessions_are_sound") and "customer_journeys" in line]
    assert line.rstrip().endswith("a date, a time and flags of 0 or 1; its cost is a number.")


def test_a_comparison_says_on_a_terminal_what_it_is_doing(sample: Shop) -> None:
    words = "learning what channels are worth|crediting journeys|drawing conversions|trying other lookbacks"
    sample.execute("DELETE FROM channel_values")

    assert re.search(words, shown(sample, 100, "compare"))
    assert not re.search(words, attribution(sample, "compare", MODELS="all").output)
