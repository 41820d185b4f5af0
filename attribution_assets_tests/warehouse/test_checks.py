"""Each check passes on a database that is right, and finds what makes it wrong, on its days and no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.analysis.checking import Finding, run_check, stop_if_failed
from attribution_assets.catalog.span import computed_days
from attribution_assets.catalog.tables import CHECKS, table_named
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.rows import change, refused
from attribution_assets_tests.warehouse.sound import (
    BEFORE_THE_FIRST_REPORT,
    BROKEN,
    CONVERSION_DAYS,
    COSTS,
    DAYS_OF,
    READ_BY,
    REPORT,
    RESULTS_BROKEN,
    SOURCES_BROKEN,
)

OTHER_DAYS = {
    "first_session_day": "2023-11-01",
    "first_day": "2023-11-02",
    "last_day": "2023-11-03",
    "last_conversion_day": "2023-11-04",
}
each_check = pytest.mark.parametrize(("asset", "name"), BROKEN, ids=lambda text: text)


def find(shop: Shop, asset: str, name: str, **parameters: str | float) -> Finding:
    """What the check of this name finds on the asset's days."""
    [check] = [check for check in table_named(asset).checks if check.name == name]
    of_check = BEFORE_THE_FIRST_REPORT if name == "credit_has_a_report" else {}
    return run_check(shop.warehouse, asset, check, {**DAYS_OF.get(asset, CONVERSION_DAYS), **of_check, **parameters})


# -- every check -------------------------------------------------------------------------------------------------------


def test_every_check_is_tried_here() -> None:
    assert set(BROKEN) == {(table.name, check.name) for table, check in CHECKS}


@each_check
def test_a_database_that_is_right_passes(sound: Shop, asset: str, name: str) -> None:
    finding = find(sound, asset, name)

    assert (finding.state, finding.offending, finding.rows, finding.not_yet) == ("passed", 0, [], [])
    assert finding.sentence == finding.check.demand


@each_check
def test_what_is_wrong_is_counted_shown_and_said_in_a_sentence(sound: Shop, asset: str, name: str) -> None:
    statements, rows, sentence = BROKEN[asset, name]
    change(sound, *statements)

    finding = find(sound, asset, name)

    assert finding.rows == rows
    assert finding.offending == len(rows)
    days = "2023-09-01 to 2023-09-03" if asset in DAYS_OF else "2023-09-02 to 2023-09-03"
    if asset in (REPORT, "model_reporting") and name == "conversions_are_sound":  # its sessions' conversions may come later
        days += " and later"
    assert finding.sentence == sentence.format(days)


@pytest.mark.parametrize(("asset", "name"), [key for key in BROKEN if key[1] != "rows_have_a_day"], ids=lambda text: text)
def test_what_is_wrong_on_other_days_is_not_looked_at(sound: Shop, asset: str, name: str) -> None:
    change(sound, *BROKEN[asset, name][0])

    assert find(sound, asset, name, **OTHER_DAYS).state == "passed"


@each_check
def test_a_check_writes_nothing(sound: Shop, asset: str, name: str) -> None:
    change(sound, *BROKEN[asset, name][0])
    before = sound.database.read_bytes()

    find(sound, asset, name)

    assert sound.database.read_bytes() == before


def test_five_of_many_rows_are_shown_in_order(sound: Shop) -> None:
    for number in range(12):
        sound.conversion(f"c{number:02}", "nobody", "2023-09-03 12:00:00")

    finding = find(sound, "customer_journeys", "buyers_have_sessions")

    assert finding.offending == 12
    assert [row["conv_id"] for row in finding.rows] == ["c00", "c01", "c02", "c03", "c04"]
    assert finding.sentence.startswith("12 conversions of 2023-09-02 to 2023-09-03 ")


def test_an_id_in_braces_is_shown_as_it_is(sound: Shop) -> None:
    sound.conversion("{days}", "nobody", "2023-09-03 12:00:00")

    assert find(sound, "customer_journeys", "buyers_have_sessions").rows[0]["conv_id"] == "{days}"


def test_a_check_of_a_table_that_is_not_made_yet_says_to_make_it(shop: Shop) -> None:
    with refused(f"{shop.database} has no table customer_journeys yet", "or materialize customer_journeys first"):
        find(shop, "customer_journeys", "conversions_stand_once")


def test_a_missing_source_is_named(sound: Shop) -> None:
    sound.execute("DROP TABLE ad_costs")  # whose owner needs no session_costs
    sound.execute("DROP TABLE session_costs")

    with refused(f"{sound.database} has no table session_costs"):
        find(sound, COSTS, "sessions_are_sound")


# -- sources -----------------------------------------------------------------------------------------------------------


def test_a_report_looks_at_the_conversions_that_its_sessions_can_belong_to(sound: Shop) -> None:
    sound.conversion("", "nobody", "2023-09-04 12:00:00")

    assert find(sound, REPORT, "conversions_are_sound").offending == 1
    assert find(sound, "customer_journeys", "conversions_are_sound").state == "passed"


def test_costs_look_at_no_conversion_of_a_later_day(sound: Shop) -> None:
    sound.conversion("later", "anna", "2023-09-04 12:00:00", -5)

    assert find(sound, COSTS, "money_is_not_negative").state == "passed"


def test_a_gap_that_no_conversion_reaches_back_to_is_none(sound: Shop) -> None:
    sound.execute("DELETE FROM conversions WHERE conv_id = 'c1'")
    sound.execute("DELETE FROM session_sources WHERE session_id = 's1'")

    assert find(sound, "customer_journeys", "lookback_is_covered").state == "passed"


def test_each_stretch_of_days_without_sessions_is_a_gap(sound: Shop) -> None:
    sound.session("first", "x", "2023-08-20 10:00:00")
    sound.session("long ago", "x", "2023-08-28 10:00:00")

    finding = find(sound, "customer_journeys", "lookback_is_covered", lookback_days=7)

    assert finding.rows == [
        {"from_day": "2023-08-26", "to_day": "2023-08-27", "days": 2, "conversions": 2},
        {"from_day": "2023-08-29", "to_day": "2023-08-31", "days": 3, "conversions": 2},
    ]


def test_a_gap_before_the_first_session_is_no_fault_and_names_both_reasons(sound: Shop) -> None:
    finding = find(sound, "customer_journeys", "lookback_is_covered", lookback_days=2)

    assert (finding.state, finding.offending, finding.rows) == ("not_yet", 0, [])
    assert finding.not_yet == [{"from_day": "2023-08-31", "to_day": "2023-08-31", "days": 1, "conversions": 1}]  # not c2
    assert finding.sentence == (
        "There is no session up to 2023-08-31, so the lookback of 1 of the conversions of 2023-09-02 to 2023-09-03 is not "
        "covered yet: either the shop was not open before, or its earlier sessions were not loaded."
    )


def test_a_date_that_is_none_is_not_the_first_session(sound: Shop) -> None:
    for number, day in enumerate(["", "1969-12-31", "2023-02-30", "20230801"]):
        sound.session(f"odd{number}", "x", f"{day} 10:00:00")

    assert find(sound, "customer_journeys", "lookback_is_covered", lookback_days=2).state == "not_yet"


def test_a_gap_before_the_first_session_and_one_after_it_are_both_told(sound: Shop) -> None:
    sound.execute("DELETE FROM session_sources WHERE session_id = 's2'")

    finding = find(sound, "customer_journeys", "lookback_is_covered", lookback_days=2)

    assert (finding.state, len(finding.rows), len(finding.not_yet)) == ("warning", 1, 1)
    assert finding.sentence.startswith("1 gap without any session ")
    assert " There is no session up to 2023-08-31, " in finding.sentence


def test_without_any_session_there_is_a_gap(sound: Shop) -> None:
    sound.execute("DELETE FROM session_sources")

    assert find(sound, "customer_journeys", "lookback_is_covered").state == "warning"


FORMS = [  # what stands there, what the check calls it, what its remedy makes of it
    ("20230905", "YYYYMMDD", "2023-09-05"),
    (20230905, "YYYYMMDD", "2023-09-05"),
    (20230905.0, "YYYYMMDD", "2023-09-05"),
    ("05.09.2023", "DD.MM.YYYY", "2023-09-05"),
    ("25/09/2023", "DD/MM/YYYY", "2023-09-25"),
    ("09/25/2023", "MM/DD/YYYY", "2023-09-25"),
    ("2023-09-05T23:30:00Z", "timestamp", "2023-09-05"),
    ("2023-09-05 23:30:00.123", "timestamp", "2023-09-05"),
    ("2023-09-05 23:30:00 UTC", "timestamp", "2023-09-05"),
    ("2023-09-05T23:30:00-05:00", "timestamp with +HH:MM", "2023-09-06"),
    ("2023-09-05 00:30:00+02", "timestamp with +HH", "2023-09-04"),
    (1693900800, "Unix seconds", "2023-09-05"),
    ("1693900800", "Unix seconds", "2023-09-05"),
    ("1693900800.5", "Unix seconds", "2023-09-05"),
    (1693900800123, "Unix milliseconds", "2023-09-05"),
    ("1693900800123", "Unix milliseconds", "2023-09-05"),
    (1693900800123456, "Unix microseconds", "2023-09-05"),
    (" 2023-09-05 ", "YYYY-MM-DD between spaces, or as bytes", "2023-09-05"),
]
NO_DAYS = [
    (None, "NULL or empty"),
    ("", "NULL or empty"),
    ("1969-12-31", "before 1970"),
    ("0000-00-00", "no such day"),
    ("2023-13-01", "no such day"),
    ("2023-02-30", "no such day"),
    ("20230230", "no such day"),
    ("30.02.2023", "no such day"),
    ("2023-02-30T10:00:00", "no such day"),
    ("05/09/2023", "DD/MM/YYYY or MM/DD/YYYY"),
    ("9/5/2023", "anything else"),
    ("yesterday", "anything else"),
    (45174, "anything else"),
]


def with_dates(folder: Path, *dates: Any) -> Shop:
    """A session, which cost 2, and a conversion, worth 3, of each date, in columns without a type."""
    shop = Shop.at(folder / "dates.db", folder)
    session = "session_id text, user_id text, event_date, event_time text, channel_name text, "
    change(
        shop,
        f"CREATE TABLE session_sources ({session} holder_engagement int, closer_engagement int, impression_interaction int)",
        "CREATE TABLE session_costs (session_id text, cost real)",
        "CREATE TABLE conversions (conv_id text, user_id text, conv_date, conv_time text, revenue real)",
    )
    for number, day in enumerate(dates):
        shop.execute("INSERT INTO session_sources VALUES (?, 'u', ?, '10:00:00', 'Email', 1, 1, 0)", f"s{number}", day)
        shop.execute("INSERT INTO session_costs VALUES (?, 2)", f"s{number}")
        shop.execute("INSERT INTO conversions VALUES (?, 'u', ?, '12:00:00', 3)", f"c{number}", day)
    return shop


@pytest.mark.parametrize(("day", "form", "meant"), FORMS, ids=str)
def test_a_date_in_another_form_is_named_and_its_remedy_makes_a_day_of_it(
    tmp_path: Path, day: Any, form: str, meant: str
) -> None:
    shop = with_dates(tmp_path, day, "2023-09-01")

    rows = find(shop, "customer_journeys", "rows_have_a_day").rows

    assert [(row["source"], row["date_form"], row["rows"], row["amount"]) for row in rows] == [
        ("conversions", form, 1, 3.0),
        ("session_sources", form, 1, 2.0),
    ]
    for row, column in zip(rows, ("conv_date", "event_date"), strict=True):
        expression = re.sub(r"^Convert(?: to UTC)?: (.*)\.$", r"\1", row["remedy"])
        assert (meant,) in shop.execute(f"SELECT {expression} FROM {row['source']}")
        assert column in expression


@pytest.mark.parametrize(("day", "form"), NO_DAYS, ids=str)
def test_a_date_of_which_nothing_makes_a_day_is_named(tmp_path: Path, day: Any, form: str) -> None:
    shop = with_dates(tmp_path, day, "2023-09-01")

    rows = find(shop, "customer_journeys", "rows_have_a_day").rows

    assert [(row["source"], row["date_form"], row["rows"]) for row in rows] == [
        ("conversions", form, 1),
        ("session_sources", form, 1),
    ]
    assert not any("Convert" in row["remedy"] for row in rows)


def test_one_row_tells_the_order_of_day_and_month_for_all_of_its_source(tmp_path: Path) -> None:
    shop = with_dates(tmp_path, "05/09/2023", "25/09/2023")
    shop.execute("DELETE FROM conversions WHERE conv_id = 'c1'")

    rows = find(shop, "customer_journeys", "rows_have_a_day").rows

    assert {row["source"]: (row["date_form"], row["rows"]) for row in rows} == {
        "session_sources": ("DD/MM/YYYY", 2),
        "conversions": ("DD/MM/YYYY or MM/DD/YYYY", 1),
    }


def test_a_session_without_a_day_counts_once_whatever_its_costs(sound: Shop) -> None:
    change(
        sound,
        "UPDATE session_sources SET event_date = '' WHERE session_id IN ('s1', 's3')",  # s3 has no row of costs
        "ALTER TABLE session_costs RENAME TO kept",
        "CREATE TABLE session_costs AS SELECT * FROM kept UNION ALL SELECT 's1', 5 UNION ALL SELECT 's1', 'much'",
    )

    [row] = find(sound, "customer_journeys", "rows_have_a_day").rows

    assert (row["rows"], row["amount"], row["examples"]) == (2, 7.0, "''")


@pytest.mark.parametrize("revenue", ["'much'", "CAST(X'FF' AS text)", "X'FF'", "NULL"])
def test_a_revenue_that_is_no_number_adds_nothing_to_the_rows_without_a_day(tmp_path: Path, revenue: str) -> None:
    shop = with_dates(tmp_path, "", "")
    shop.execute("DELETE FROM session_sources")
    shop.execute(f"UPDATE conversions SET revenue = {revenue} WHERE conv_id = 'c0'")

    [row] = find(shop, "customer_journeys", "rows_have_a_day").rows

    assert (row["rows"], row["amount"]) == (2, 3.0)


# -- journeys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE customer_journeys SET timestamp = '2023-09-02 12:00:01' WHERE session_id = 's1'",
            "is not before the conversion",
        ),
        (
            "UPDATE customer_journeys SET timestamp = '2023-09-02 12:00:00' WHERE session_id = 's1'",
            "is not before the conversion",
        ),
        (
            "UPDATE customer_journeys SET timestamp = '2023-08-31 23:59:59' WHERE session_id = 's1'",
            "is older than the lookback",
        ),
        ("DELETE FROM session_sources WHERE session_id = 's1'", "is not in session_sources"),
        ("UPDATE session_sources SET event_time = '10:00:01' WHERE session_id = 's1'", "now has another time"),
        ("UPDATE session_sources SET channel_name = 'Ads' WHERE session_id = 's1'", "now has another channel"),
    ],
)
def test_a_touchpoint_out_of_reach_is_told_why(sound: Shop, statement: str, problem: str) -> None:
    sound.execute(statement)

    finding = find(sound, "customer_journeys", "touchpoints_are_in_reach")

    assert [(row["session_id"], row["problem"]) for row in finding.rows] == [("s1", f"the session {problem}")]


@pytest.mark.parametrize("timestamp", ["2023-09-01 00:00:00", "2023-09-02 11:59:59"])
def test_both_ends_of_the_window_are_in_reach(sound: Shop, timestamp: str) -> None:
    sound.execute("UPDATE customer_journeys SET timestamp = ? WHERE session_id = 's1'", timestamp)
    sound.execute(
        "UPDATE session_sources SET event_date = substr(?1, 1, 10), event_time = substr(?1, 12) WHERE session_id = 's1'",
        timestamp,
    )

    assert find(sound, "customer_journeys", "touchpoints_are_in_reach").state == "passed"


def test_the_converting_session_is_in_reach_where_the_setting_says_so(sound: Shop) -> None:
    change(
        sound,
        "UPDATE customer_journeys SET timestamp = '2023-09-02 12:00:00' WHERE session_id = 's1'",
        "UPDATE session_sources SET event_date = '2023-09-02', event_time = '12:00:00' WHERE session_id = 's1'",
    )

    assert find(sound, "customer_journeys", "touchpoints_are_in_reach", include_converting_session=1).state == "passed"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE conversions SET conv_date = '2023-09-03' WHERE conv_id = 'c1'",
        "DELETE FROM conversions WHERE conv_id = 'c1'",
    ],
)
def test_a_conversion_that_moved_or_is_gone_stands_under_a_wrong_day(sound: Shop, statement: str) -> None:
    sound.execute(statement)

    assert [row["conv_id"] for row in find(sound, "customer_journeys", "conversions_stand_once").rows] == ["c1"]


def test_a_session_that_stands_twice_in_a_journey_is_found(sound: Shop) -> None:
    change(
        sound,
        "ALTER TABLE customer_journeys RENAME TO kept",
        "CREATE TABLE customer_journeys AS SELECT * FROM kept UNION ALL SELECT * FROM kept WHERE session_id = 's1'",
    )

    [row] = find(sound, "customer_journeys", "conversions_stand_once").rows

    assert (row["conv_id"], row["touchpoints"], row["sessions"]) == ("c1", 3, 2)


def test_one_conversion_in_ten_without_a_session_is_normal(sound: Shop) -> None:
    sound.execute("DELETE FROM customer_journeys WHERE conv_id = 'c2'")
    for number in range(8):
        sound.conversion(f"more {number}", "anna", "2023-09-02 13:00:00")
        sound.execute(
            "INSERT INTO customer_journeys VALUES (?, 's1', '2023-09-02', '2023-09-01 10:00:00', 'Email', 1, 1, 1, 0)",
            f"more {number}",
        )

    assert find(sound, "customer_journeys", "conversions_have_sessions").state == "passed"


# -- nobody ------------------------------------------------------------------------------------------------------------


def test_a_touchpoint_of_nobody_is_out_of_reach(sound: Shop) -> None:
    finding = find(sound, "customer_journeys", "touchpoints_are_in_reach", nobody='["ben"]')

    assert [(row["session_id"], row["problem"]) for row in finding.rows] == [("s3", "the session belongs to nobody")]


@pytest.mark.parametrize("check", ["buyers_have_sessions", "conversions_have_sessions", "no_user_is_a_placeholder"])
def test_nobody_needs_no_session_and_may_be_many(sound: Shop, check: str) -> None:
    for number in range(3):
        sound.conversion(f"n{number}", "nobody", "2023-09-03 12:00:00")
        sound.conversion(f"b{number}", "ben", "2023-09-03 12:00:00")
        sound.session(f"many{number}", "ben", "2023-09-03 11:00:00")

    assert find(sound, "customer_journeys", check).state == "warning"
    assert find(sound, "customer_journeys", check, nobody='["nobody", "ben"]').state == "passed"


@pytest.mark.parametrize(("touchpoints", "share", "state"), [(4, 0.5, "passed"), (3, 0.8, "passed"), (3, 0.79, "warning")])
def test_a_user_of_many_touchpoints_is_one_above_a_number_and_a_share(
    sound: Shop, touchpoints: int, share: float, state: str
) -> None:
    sound.conversion("c3", "anna", "2023-09-03 13:00:00")  # 2 sessions for 2 conversions, beside ben's 1 for 1

    finding = find(sound, "customer_journeys", "no_user_is_a_placeholder", most_touchpoints=touchpoints, most_of_all=share)

    assert finding.state == state


@pytest.mark.parametrize("check", ["rows_have_a_day", "no_user_is_a_placeholder", "buyers_have_sessions"])
def test_text_that_does_not_decode_stops_no_check_that_a_run_makes_before_it_writes(sound: Shop, check: str) -> None:
    for column in ("user_id", "conv_date", "revenue"):
        sound.execute(f"INSERT INTO conversions VALUES ('{column}', 'x', '2023-09-03', '13:00:00', 5)")
        sound.execute(f"UPDATE conversions SET {column} = CAST(X'4AFF' AS text) WHERE conv_id = '{column}'")

    expected = {"rows_have_a_day": 1, "no_user_is_a_placeholder": 0, "buyers_have_sessions": 2}[check]
    assert find(sound, "customer_journeys", check, nobody='["nobody"]').offending == expected


def test_sessions_before_the_lookback_make_no_user_many(sound: Shop) -> None:
    sound.conversion("c3", "anna", "2023-09-03 13:00:00")

    finding = find(sound, "customer_journeys", "no_user_is_a_placeholder", first_session_day="2023-09-02")

    assert finding.state == "passed"


# -- credit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("off", "state"), [(5e-10, "passed"), (2e-9, "failed"), (-2e-9, "failed")])
def test_credit_adds_up_to_a_billionth(sound: Shop, off: float, state: str) -> None:
    sound.execute("UPDATE attribution_customer_journey SET ihc = ihc + ? WHERE session_id = 's1'", off)

    assert find(sound, "attribution_customer_journey", "credit_adds_up").state == state


def test_credit_under_another_day_than_the_journey_does_not_follow_it(sound: Shop) -> None:
    sound.execute("UPDATE attribution_customer_journey SET conv_date = '2023-09-03' WHERE session_id = 's1'")

    finding = find(sound, "attribution_customer_journey", "credit_follows_journeys")

    assert [row["conv_date"] for row in finding.rows] == ["2023-09-02", "2023-09-03"]


def test_a_session_before_the_first_report_without_credit_loses_none(sound: Shop) -> None:
    change(
        sound,
        "UPDATE customer_journeys SET timestamp = '2023-08-31 23:59:59' WHERE session_id = 's1'",
        "UPDATE attribution_customer_journey SET ihc = 0 WHERE session_id = 's1'",
    )

    assert find(sound, "attribution_customer_journey", "credit_has_a_report").state == "passed"


# -- costs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("DELETE FROM channel_costs WHERE date = '2023-09-01'", ("2023-09-01", "Email", 0, 1, 0.0, 2.0)),
        ("DELETE FROM channel_costs WHERE date = '2023-09-03'", ("2023-09-03", "Email", 0, 1, 0.0, 0.0)),
        (
            "INSERT INTO channel_costs SELECT date, 'X', sessions, cost FROM channel_costs WHERE date = '2023-09-02'",
            ("2023-09-02", "X", 1, 0, 3.0, 0.0),
        ),
        ("INSERT INTO session_costs VALUES ('s3', 0.01)", ("2023-09-03", "Email", 1, 1, 0.0, 0.01)),
        ("DELETE FROM session_sources WHERE session_id = 's1'", ("2023-09-01", "Email", 1, 0, 2.0, 0.0)),
    ],
    ids=["channel lost", "channel without a cost lost", "channel doubled", "cost added", "session deleted"],
)
def test_a_day_whose_costs_do_not_add_up_is_found(
    sound: Shop, statement: str, wrong: tuple[str, str, int, int, float, float]
) -> None:
    sound.execute(statement)

    finding = find(sound, COSTS, "costs_add_up")

    assert [tuple(row.values()) for row in finding.rows] == [wrong]
    assert finding.wrong_days == (wrong[0],)


def test_costs_that_stand_under_another_channel_of_their_day_are_found(sound: Shop) -> None:
    sound.session("s4", "zoe", "2023-09-02 09:00:00", "email", cost=1)
    sound.execute("INSERT INTO channel_costs VALUES ('2023-09-02', 'Email', 1, 1)")

    rows = find(sound, COSTS, "costs_add_up").rows

    assert [(row["channel_name"], row["cost"], row["cost_of_sources"]) for row in rows] == [("Email", 1, 0), ("email", 0, 1)]


def test_a_session_that_moved_makes_both_its_days_wrong(sound: Shop) -> None:
    sound.execute("UPDATE session_sources SET event_date = '2023-09-02' WHERE session_id = 's1'")

    assert find(sound, COSTS, "costs_add_up").wrong_days == ("2023-09-01", "2023-09-02")


def test_what_several_sessions_and_rows_of_costs_add_up_to_is_right(sound: Shop) -> None:
    sound.session("s4", "zoe", "2023-09-01 10:00:00", "TV", cost=None)
    change(
        sound,
        "ALTER TABLE session_costs RENAME TO invoices",
        "CREATE VIEW session_costs AS SELECT * FROM invoices UNION ALL SELECT 's1', 5",
        "UPDATE channel_costs SET cost = 7 WHERE date = '2023-09-01'",
        "INSERT INTO channel_costs VALUES ('2023-09-01', 'TV', 1, 0)",
    )

    assert find(sound, COSTS, "costs_add_up").state == "passed"


@pytest.mark.parametrize(("off", "state"), [(0.004, "passed"), (-0.004, "passed"), (0.006, "failed"), (-0.006, "failed")])
def test_costs_add_up_to_half_a_cent(sound: Shop, off: float, state: str) -> None:
    sound.execute("UPDATE channel_costs SET cost = cost + ? WHERE date = '2023-09-01'", off)

    assert find(sound, COSTS, "costs_add_up").state == state


def test_large_costs_may_differ_by_their_last_digits(sound: Shop) -> None:
    change(
        sound,
        "UPDATE session_costs SET cost = 4e14 WHERE session_id = 's1'",
        "UPDATE channel_costs SET cost = 4e14 + 1 WHERE date = '2023-09-01'",
    )

    assert find(sound, COSTS, "costs_add_up").state == "passed"


# -- the report --------------------------------------------------------------------------------------------------------


NO_JOURNEY = "DELETE FROM customer_journeys WHERE session_id = 's1'"
JOURNEY_MOVED = "UPDATE customer_journeys SET timestamp = '2023-09-02 09:00:00' WHERE session_id = 's1'"
ROW_DOUBLED = "INSERT INTO channel_reporting SELECT 'X', date, cost, ihc, ihc_revenue FROM channel_reporting WHERE cost = 3"
ROW_LOST = "DELETE FROM channel_reporting WHERE date = '2023-09-01'"
CREDIT_LOST = "UPDATE channel_reporting SET ihc = 0, ihc_revenue = 0 WHERE date = '2023-09-01'"


@pytest.mark.parametrize(
    ("statements", "figures"),
    [
        (
            (NO_JOURNEY, CREDIT_LOST),
            [("2023-09-01", "orders", 0.0, 0.25), ("2023-09-01", "revenue", 0.0, 25.0)],
        ),
        (
            (JOURNEY_MOVED,),
            [
                ("2023-09-01", "orders", 0.25, 0.0),
                ("2023-09-01", "revenue", 25.0, 0.0),
                ("2023-09-02", "orders", 0.0, 0.25),
                ("2023-09-02", "revenue", 0.0, 25.0),
            ],
        ),
        (
            (ROW_LOST,),
            [("2023-09-01", "cost", 0.0, 2.0), ("2023-09-01", "orders", 0.0, 0.25), ("2023-09-01", "revenue", 0.0, 25.0)],
        ),
        (
            (ROW_DOUBLED,),
            [("2023-09-02", "cost", 3.0, 0.0), ("2023-09-02", "orders", 0.75, 0.0), ("2023-09-02", "revenue", 75.0, 0.0)],
        ),
        (
            ("UPDATE conversions SET revenue = 200 WHERE conv_id = 'c1'",),
            [("2023-09-01", "revenue", 25.0, 50.0), ("2023-09-02", "revenue", 75.0, 150.0)],
        ),
        (("UPDATE channel_costs SET cost = 0.01 WHERE date = '2023-09-03'",), [("2023-09-03", "cost", 0.0, 0.01)]),
        (("DELETE FROM channel_costs WHERE date = '2023-09-02'",), [("2023-09-02", "cost", 3.0, 0.0)]),
    ],
    ids=[
        "journey of a credit lost",
        "session moved in its journey",
        "row lost",
        "row doubled",
        "revenue changed",
        "cost added",
        "costs lost",
    ],
)
def test_a_report_that_does_not_add_up_is_found(
    sound: Shop, statements: tuple[str, ...], figures: list[tuple[str, str, float, float]]
) -> None:
    change(sound, *statements)

    assert [tuple(row.values())[1:] for row in find(sound, REPORT, "report_adds_up").rows] == figures


def test_what_stands_at_another_channel_is_found(sound: Shop) -> None:
    sound.execute("UPDATE channel_reporting SET channel_name = 'X' WHERE date = '2023-09-01'")

    finding = find(sound, REPORT, "report_adds_up")

    assert {row["channel_name"] for row in finding.rows} == {"Email", "X"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE session_sources SET channel_name = 'X' WHERE session_id = 's1'",
        "UPDATE session_sources SET event_date = '2023-08-31' WHERE session_id = 's1'",
        "DELETE FROM session_sources WHERE session_id = 's1'",
        "UPDATE session_costs SET cost = 7 WHERE session_id = 's1'",
    ],
    ids=["channel renamed", "session moved", "session deleted", "cost changed"],
)
def test_a_report_is_made_of_the_costs_and_journeys_that_were_computed_whatever_the_sources_are_now(
    sound: Shop, statement: str
) -> None:
    sound.execute(statement)

    assert find(sound, REPORT, "report_adds_up").state == "passed"


def test_a_channel_is_named_in_a_report_as_in_the_journey_and_the_costs(sound: Shop) -> None:
    change(
        sound,
        "UPDATE customer_journeys SET channel_label = 'X' WHERE session_id = 's1'",
        "UPDATE channel_costs SET channel_name = 'X' WHERE date = '2023-09-01'",
        "UPDATE channel_reporting SET channel_name = 'X' WHERE date = '2023-09-01'",
    )

    assert find(sound, REPORT, "report_adds_up").state == "passed"


def test_large_sums_may_differ_by_their_last_digits(sound: Shop) -> None:
    change(
        sound,
        "UPDATE conversions SET revenue = 4e14 WHERE conv_id = 'c1'",
        "UPDATE channel_reporting SET ihc_revenue = 1e14 + 1 WHERE date = '2023-09-01'",
        "UPDATE channel_reporting SET ihc_revenue = 3e14 - 1 WHERE date = '2023-09-02'",
    )

    assert find(sound, REPORT, "report_adds_up").state == "passed"


def test_every_wrong_day_is_named_also_of_rows_that_are_not_shown(sound: Shop) -> None:
    for number in range(9):
        sound.execute("INSERT INTO channel_reporting VALUES (?, '2023-09-02', 1, 0, 0)", f"X{number}")
    sound.execute("INSERT INTO channel_reporting VALUES ('X', '2023-09-03', 1, 0, 0)")

    assert find(sound, REPORT, "report_adds_up").wrong_days == ("2023-09-02", "2023-09-03")


@pytest.mark.parametrize(
    ("column", "off", "state"),
    [
        ("cost", 0.004, "passed"),
        ("cost", 0.006, "failed"),
        ("ihc", 5e-7, "passed"),
        ("ihc", -2e-6, "failed"),
        ("ihc_revenue", -0.004, "passed"),
        ("ihc_revenue", -0.006, "failed"),
    ],
)
def test_a_report_adds_up_to_half_a_cent_and_a_millionth_of_an_order(sound: Shop, column: str, off: float, state: str) -> None:
    sound.execute(f"UPDATE channel_reporting SET {column} = {column} + ? WHERE date = '2023-09-01'", off)

    assert find(sound, REPORT, "report_adds_up").state == state


def test_credit_whose_conversion_is_gone_or_later_than_the_reach_is_not_the_reports(sound: Shop) -> None:
    change(
        sound,
        "INSERT INTO attribution_customer_journey VALUES ('gone', 's1', 1, '2023-09-02'), ('later', 's3', 1, '2023-09-05')",
        "INSERT INTO conversions VALUES ('later', 'ben', '2023-09-05', '12:00:00', 7)",
    )

    assert find(sound, REPORT, "report_adds_up").state == "passed"


def test_credit_from_before_the_journeys_were_kept_counts_on_its_sessions_day(sound: Shop) -> None:
    sound.execute("DELETE FROM customer_journeys")

    assert find(sound, REPORT, "report_adds_up").state == "passed"


# -- the models --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "wrong"),
    [
        (
            ["UPDATE model_attribution SET credit = 0.5 + 2e-9 WHERE session_id = 's1'"],
            [("c1", "2023-09-02", "linear", 2, 2, 1 + 2e-9)],
        ),
        (
            [
                "UPDATE model_attribution SET credit = -0.5 WHERE session_id = 's1'",
                "UPDATE model_attribution SET credit = 1.5 WHERE session_id = 's2'",
            ],
            [("c1", "2023-09-02", "linear", 2, 2, 1.0)],
        ),
        (
            [
                "DELETE FROM model_attribution WHERE session_id = 's1'",
                "UPDATE model_attribution SET credit = 1 WHERE session_id = 's2'",
            ],
            [("c1", "2023-09-02", "linear", 1, 2, 1.0)],
        ),
        (
            ["INSERT INTO model_attribution VALUES ('c2', 's1', 'linear', 0, '2023-09-03', '2023-09-01', 'Email', '', '')"],
            [("c2", "2023-09-03", "linear", 2, 1, 1.0)],
        ),
        (
            ["DELETE FROM customer_journeys WHERE conv_id = 'c2'"],
            [("c2", "2023-09-03", "linear", 1, 0, 1.0)],
        ),
        (
            ["UPDATE model_attribution SET model = 'markov' WHERE conv_id = 'c1'"],
            [("c1", "2023-09-02", "only 0 of the models", 0, 2, 0.0)],
        ),
        (
            ["UPDATE model_attribution SET conv_date = '2023-09-03' WHERE conv_id = 'c1'"],
            [
                ("c1", "2023-09-02", "only 0 of the models", 0, 2, 0.0),
                ("c1", "2023-09-03", "linear", 2, 0, 1.0),
            ],
        ),
    ],
    ids=["sum", "negative credit", "session missing", "session of nobody", "order of nobody", "model missing", "moved"],
)
def test_credit_by_a_model_that_is_wrong_is_found(sound: Shop, statements: list[str], wrong: list[tuple[Any, ...]]) -> None:
    change(sound, *statements)

    found = find(sound, "model_attribution", "model_credit_adds_up")

    assert [tuple(row.values()) for row in found.rows] == [(*row[:-1], pytest.approx(row[-1])) for row in wrong]
    assert found.wrong_days == tuple(sorted({row[1] for row in wrong}))


def test_credit_by_models_may_be_off_by_rounding(sound: Shop) -> None:
    sound.execute("UPDATE model_attribution SET credit = 0.5 + 5e-10 WHERE session_id = 's1'")

    assert find(sound, "model_attribution", "model_credit_adds_up").state == "passed"


def test_each_of_the_chosen_models_is_demanded_and_others_are_not_looked_at(sound: Shop) -> None:
    chosen: dict[str, str | int] = {"models": '["linear", "markov"]', "model_count": 2}
    sound.execute(
        "INSERT INTO model_attribution SELECT conv_id, session_id, 'ihc', 7, conv_date, date, '', '', '' FROM model_attribution"
    )

    assert find(sound, "model_attribution", "model_credit_adds_up").state == "passed"
    found = find(sound, "model_attribution", "model_credit_adds_up", **chosen)
    assert [(row["conv_id"], row["model"]) for row in found.rows] == [
        ("c1", "only 1 of the models"),
        ("c2", "only 1 of the models"),
    ]


BY_SESSION = "date_basis = 'session' AND date = '2023-09-01'"
BY_CONVERSION = "date_basis = 'conversion' AND date = '2023-09-02'"


@pytest.mark.parametrize(
    ("statement", "figures"),
    [
        (f"UPDATE model_reporting SET cost = 7 WHERE {BY_SESSION}", [("2023-09-01", "session", "Email", "cost", 7, 2)]),
        (
            "UPDATE channel_costs SET cost = 7 WHERE date = '2023-09-01'",
            [("2023-09-01", "conversion", "Email", "cost", 2, 7), ("2023-09-01", "session", "Email", "cost", 2, 7)],
        ),
        (
            f"UPDATE model_reporting SET orders = 0.4 WHERE {BY_SESSION}",
            [("2023-09-01", "session", "Email", "orders", 0.4, 0.5)],
        ),
        (
            f"UPDATE model_reporting SET revenue = 60 WHERE {BY_SESSION}",
            [("2023-09-01", "session", "Email", "revenue", 60, 50)],
        ),
        (
            f"UPDATE model_reporting SET revenue = 60 WHERE {BY_CONVERSION} AND channel_name = 'Ads'",
            [("2023-09-02", "conversion", None, "revenue", 110, 100), ("2023-09-02", "conversion", "Ads", "revenue", 60, 50)],
        ),
        (
            f"UPDATE model_reporting SET revenue = 100 * (channel_name = 'Ads') WHERE {BY_CONVERSION}",
            [("2023-09-02", "conversion", "Ads", "revenue", 100, 50), ("2023-09-02", "conversion", "Email", "revenue", 0, 50)],
        ),
        (
            f"DELETE FROM model_reporting WHERE {BY_SESSION}",
            [
                ("2023-09-01", "session", "Email", "cost", 0, 2),
                ("2023-09-01", "session", "Email", "orders", 0, 0.5),
                ("2023-09-01", "session", "Email", "revenue", 0, 50),
            ],
        ),
        (
            "UPDATE conversions SET revenue = 55 WHERE conv_id = 'c2'",
            [
                ("2023-09-03", "conversion", None, "revenue", 50, 55),
                ("2023-09-03", "conversion", "Email", "revenue", 50, 55),
                ("2023-09-03", "session", "Email", "revenue", 50, 55),
            ],
        ),
        (
            "UPDATE model_reporting SET date = '2023-09-02' WHERE date_basis = 'session' AND date = '2023-09-03'",
            [
                ("2023-09-02", "session", "Email", "orders", 1, 0),
                ("2023-09-02", "session", "Email", "revenue", 50, 0),
                ("2023-09-03", "session", "Email", "orders", 0, 1),
                ("2023-09-03", "session", "Email", "revenue", 0, 50),
            ],
        ),
    ],
    ids=[
        *("cost", "costs summed anew", "orders", "revenue", "revenue by conversion", "revenue to another channel"),
        *("row lost", "refund", "row moved"),
    ],
)
def test_a_report_by_models_that_does_not_add_up_is_found(
    sound: Shop, statement: str, figures: list[tuple[str, str, str | None, str, float, float]]
) -> None:
    sound.execute(statement)

    found = find(sound, "model_reporting", "model_report_adds_up")

    assert [(row["date"], *list(row.values())[2:]) for row in found.rows] == figures
    assert found.wrong_days == tuple(sorted({date for date, *_ in figures}))


def test_a_model_without_a_report_is_found(sound: Shop) -> None:
    sound.execute(
        "INSERT INTO model_attribution SELECT conv_id, session_id, 'markov', credit, conv_date, date, channel_name, '', '' "
        "FROM model_attribution"
    )

    assert find(sound, "model_reporting", "model_report_adds_up").state == "passed"  # it is not chosen
    found = find(sound, "model_reporting", "model_report_adds_up", models='["linear", "markov"]')
    assert {row["model"] for row in found.rows} == {"markov"}
    assert found.wrong_days == ("2023-09-01", "2023-09-02", "2023-09-03")
    of_costs, of_sessions, of_conversions, of_days = 2 * 2, 2 * 3, 2 * 3, 2 * 2
    assert found.offending == of_costs + of_sessions + of_conversions + of_days


def test_an_order_that_no_channel_has_is_missed_in_the_report_by_its_date(sound: Shop) -> None:
    sound.session("s4", "carl", "2023-09-03 10:00:00", "Ads")
    sound.conversion("c3", "carl", "2023-09-03 12:00:00", 7)

    assert find(sound, "model_reporting", "model_report_adds_up").state == "passed"  # it has not been attributed
    sound.execute("INSERT INTO customer_journeys VALUES ('c3', 's4', '2023-09-03', '2023-09-03 10:00:00', 'Ads', 1, 1, 0, 0)")
    found = find(sound, "model_reporting", "model_report_adds_up")
    assert [tuple(row.values())[2:] for row in found.rows] == [
        ("conversion", None, "orders", 1, 2),
        ("conversion", None, "revenue", 50, 57),
    ]


@pytest.mark.parametrize(("off", "state"), [(5e-7, "passed"), (-2e-6, "failed")])
def test_a_report_by_models_adds_up_to_a_millionth(sound: Shop, off: float, state: str) -> None:
    sound.execute(f"UPDATE model_reporting SET cost = cost + ?, orders = orders + ? WHERE {BY_SESSION}", off, off)

    assert find(sound, "model_reporting", "model_report_adds_up").state == state


# -- what a failure says -----------------------------------------------------------------------------------------------


def test_broken_sources_are_told_as_the_writer_tells_them(sound: Shop) -> None:
    change(sound, *SOURCES_BROKEN["conversions_are_sound"][0], *SOURCES_BROKEN["sessions_are_sound"][0])
    findings = [find(sound, "customer_journeys", name) for name in READ_BY["customer_journeys"]]

    with refused(
        "customer_journeys was not written, because its sources are broken: conversions: 'c1' has revenue 'ten', which is not "
        "a number; session_costs: 's2' has cost '3 Euro', which is not a number; session_sources: 's3' has holder_engagement "
        "2, which is not 0 or 1. Fix these rows, then run again."
    ):
        stop_if_failed(findings)


def test_a_wrong_result_is_told_with_its_rows(sound: Shop) -> None:
    change(sound, *RESULTS_BROKEN["attribution_customer_journey", "credit_adds_up"][0])

    with refused(
        "attribution_customer_journey was written but failed a check, so nothing after it was computed. 1 conversion of "
        "2023-09-02 to 2023-09-03 got credit that does not sum to 1: conv_id c1, conv_date 2023-09-02, sessions 2, ihc 1.25. "
    ):
        stop_if_failed([find(sound, "attribution_customer_journey", "credit_adds_up")])


def test_warnings_stop_nothing(sound: Shop) -> None:
    change(sound, *SOURCES_BROKEN["money_is_not_negative"][0], *SOURCES_BROKEN["buyers_have_sessions"][0])
    findings = [find(sound, "customer_journeys", name) for name in READ_BY["customer_journeys"]]

    assert [finding.state for finding in findings].count("warning") == 2
    stop_if_failed(findings)


# -- computed days -----------------------------------------------------------------------------------------------------


def test_the_computed_days_of_conversions_costs_and_reports_are_those_of_their_tables(sound: Shop) -> None:
    sound.execute("INSERT INTO channel_costs VALUES ('2023-08-30', 'Email', 1, 0)")

    def span(asset: str) -> str:
        return str(computed_days(sound.warehouse, sound.settings(), table_named(asset)))

    assert span("attribution_customer_journey") == "2023-09-02 to 2023-09-03"
    assert span(COSTS) == "2023-08-30 to 2023-09-03"
    assert span(REPORT) == "2023-09-01 to 2023-09-03"


def test_without_results_there_are_no_computed_days(shop: Shop) -> None:
    shop.warehouse.prepare()

    assert computed_days(shop.warehouse, shop.settings(), table_named(REPORT)) is None


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"asks_for_direct": 0, "direct_channels": "[]"},
        {"direct_channels": '["Paid"]', "channel_groups": '{"Ads": "Paid"}'},
    ],
    ids=["nothing asks", "after grouping"],
)
def test_direct_traffic_may_be_unknown_where_nothing_asks_and_is_known_by_its_group(
    sound: Shop, parameters: dict[str, str | int]
) -> None:
    assert find(sound, "model_attribution", "direct_traffic_is_known", **parameters).state == "passed"


def test_direct_traffic_in_the_lookback_is_known_without_a_journey_of_it(sound: Shop) -> None:
    sound.execute("UPDATE channel_costs SET channel_name = '(direct) / (none)' WHERE date = '2023-09-01'")

    finding = find(sound, "model_attribution", "direct_traffic_is_known", direct_channels='["Direct", "Direct Traffic"]')

    assert finding.state == "passed"
