"""Channels by rules: those that come along, those of a file, at the import and in a database that is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.importing.channel_rules import CONDITIONS, SHIPPED, as_tracked, read_rules
from attribution_assets.importing.channels import channels_of
from attribution_assets.shipped import read_sql
from attribution_assets_tests.importing.importing import Imports
from attribution_assets_tests.support import Shop

VISITS = "session_id,user_id,event_date,event_time,utm_source,utm_medium,utm_campaign,referrer,click_id\n"

RULES = """
[sites]
ours = ["shop", "news.example.org"]

[[rule]]
channel = "Brand"
campaign = ["brand", ".*-brand"]
medium = "cpc"

[[rule]]
channel = "Ours"
site = "ours"

[[rule]]
channel = "Partners"
referrer = '.*\\.partner\\.com'
"""


@pytest.fixture
def channels(imports: Imports) -> Callable[..., Result]:
    """`attribution channels`."""

    def run(*arguments: str) -> Result:
        command = ["channels", *arguments, "--database", str(imports.shop.database)]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    return run


def done(result: Result) -> dict[str, Any]:
    assert (result.exit_code, result.stderr) == (0, "")
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def refusal(result: Result) -> str:
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    return result.stderr.removeprefix("Error: ").strip()


def visits(imports: Imports, rows: str, header: str = VISITS, **options: str) -> dict[str, Any]:
    """Imports visits of user u on 2023-09-01: of each its id, and what is tracked of it."""
    lines = [f"{row.partition(',')[0]},u,2023-09-01,10:00:00,{row.partition(',')[2]}\n" for row in rows.split()]
    return imports.done("session_sources", imports.file("visits.csv", header + "".join(lines)), **options)


def names(imports: Imports) -> dict[str, str]:
    return dict(imports.shop.execute("SELECT session_id, channel_name FROM session_sources ORDER BY session_id"))


# -- the rules that come along ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracked", "channel"),
    [
        (("google", "cpc", "", "", ""), "Paid Search"),
        (("GOOGLE", "CPC", "Brand", "", ""), "Paid Search"),
        (("google", "cpm", "", "", ""), "Paid Search"),
        (("google", "cpc", "eshop-sale", "", ""), "Paid Shopping"),
        (("google", "cpc", "workshop", "", ""), "Paid Search"),
        (("google", "cpc", "cross-network", "", ""), "Cross-network"),
        (("instagram", "paid_social", "", "", ""), "Paid Social"),
        (("youtube.com", "cpv", "", "", ""), "Paid Video"),
        (("somewhere", "cpm", "", "", ""), "Display"),
        (("somewhere", "ppc", "", "", ""), "Paid Other"),
        (("www.amazon.de", "referral", "", "", ""), "Organic Shopping"),
        (("m.facebook.com", "referral", "", "", ""), "Organic Social"),
        (("anything", "sm", "", "", ""), "Organic Social"),
        (("vimeo", "", "", "", ""), "Organic Video"),
        (("de.search.yahoo.com", "referral", "", "", ""), "Organic Search"),
        (("anything", "organic", "", "", ""), "Organic Search"),
        (("mail.google.com", "referral", "", "", ""), "Referral"),
        (("e-mail", "newsletter", "", "", ""), "Email"),
        (("partner", "affiliate", "", "", ""), "Affiliates"),
        (("podcast", "audio", "", "", ""), "Audio"),
        (("sms", "", "", "", ""), "SMS"),
        (("app", "web-push", "", "", ""), "Mobile Push Notifications"),
        (("spring", "flyer", "", "", ""), "Unassigned"),
    ],
)
def test_the_rules_that_come_along_are_those_of_google_analytics_4(tracked: tuple[str, ...], channel: str) -> None:
    source, medium, campaign, referrer, click_id = tracked

    assert channels_of([(source, medium, campaign, referrer, click_id)], read_rules(SHIPPED)) == [channel]


@pytest.mark.parametrize(
    ("tracked", "channel"),
    [
        (("", "", "", "", ""), "Direct"),
        (("(direct)", "(none)", "", "", ""), "Direct"),
        (("", "", "", "https://www.google.com/search?q=shirt", ""), "Organic Search"),
        (("", "", "", "https://blog.example.com:8080/best?x", ""), "Referral"),
        (("", "", "", "android-app://com.google.android.gm/", ""), "Referral"),
        (("", "", "", "https://www.google.com/", "gclid=EAIaIQ"), "Paid Search"),
        (("(direct)", "(none)", "", "", "gclid=EAIaIQ"), "Paid Search"),
        (("google", "organic", "", "", "gclid=EAIaIQ"), "Paid Search"),
        (("google", "organic", "", "", "fbclid=IwAR0"), "Organic Search"),
        (("newsletter", "email", "", "", "gclid=EAIaIQ"), "Email"),
        (("", "", "", "", "fbclid=IwAR0"), "Organic Social"),
        (("", "", "", "", "unheard=of"), "Unassigned"),
    ],
)
def test_without_source_and_medium_they_follow_from_the_click_id_then_the_referrer(
    tracked: tuple[str, ...], channel: str
) -> None:
    source, medium, campaign, referrer, click_id = tracked

    assert channels_of([(source, medium, campaign, referrer, click_id)], read_rules(SHIPPED)) == [channel]


def test_of_an_address_the_host_counts_and_of_a_click_id_its_kind() -> None:
    assert as_tracked(" a ", "", "", "https://user@WWW.Example.com:80/x?y=://z", "GCLID=1=2") == (
        "a",
        "",
        "",
        "example.com",
        "gclid",
    )
    assert as_tracked("", "", "", "example.com?x", "").referrer == "example.com"


def test_the_rules_that_come_along_are_printed_to_begin_with(channels: Callable[..., Result]) -> None:
    printed = CliRunner().invoke(main, ["channels", "rules"])

    assert printed.stdout == SHIPPED.read_text()
    assert "support.google.com/analytics/answer/9756891" in printed.stdout


# -- a file of rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracked", "channel"),
    [
        (("google", "CPC", "spring-Brand", "", ""), "Brand"),
        (("google", "cpc", "brand-2", "", ""), "Unassigned"),
        (("google", "email", "brand", "", ""), "Unassigned"),
        (("shop", "cpc", "brand", "", ""), "Brand"),
        (("shop", "", "", "", ""), "Ours"),
        (("www.shop.de", "", "", "", ""), "Ours"),
        (("my.news.example.org", "", "", "", ""), "Ours"),
        (("example.org", "", "", "", ""), "Unassigned"),
        (("x", "y", "", "https://a.partner.com/1", ""), "Partners"),
    ],
)
def test_the_first_rule_of_which_all_conditions_hold_gives_the_channel(
    tmp_path: Path, tracked: tuple[str, ...], channel: str
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    source, medium, campaign, referrer, click_id = tracked

    assert channels_of([(source, medium, campaign, referrer, click_id)], read_rules(tmp_path / "rules.toml")) == [channel]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("", "rules.toml: there is no rule. Write [[rule]], and below it a channel and its conditions."),
        ("rule = 1", "rules.toml: there is no rule. Write [[rule]], and below it a channel and its conditions."),
        ("rules = 1", "rules.toml: there is no rules in rules for channels. Did you mean rule?"),
        ("[[rule]]\nsource = 'x'", 'rules.toml, rule 1: it names no channel. Write channel = "NAME".'),
        (
            "[[rule]]\nchannel = 'A'",
            f"rules.toml, rule 1: it has no condition. Write at least one of {', '.join(CONDITIONS)}.",
        ),
        (
            "[[rule]]\nchannel = 'A'\nmedum = 'x'",
            "rules.toml, rule 1: there is no medum in a rule. Did you mean medium?",
        ),
        (
            "[[rule]]\nchannel = 'A'\nsource = 'x'\n[[rule]]\nchannel = 'B'\nmedium = ['cpc', '(']",
            (
                "rules.toml, rule 2: medium has the pattern '(', which is no regular expression: missing ), unterminated "
                "subpattern. Put a \\ before a character that is meant as such."
            ),
        ),
        (
            "[[rule]]\nchannel = 'A'\nmedium = 3",
            "rules.toml, rule 1: medium is 3. It is a pattern such as 'cpc|ppc', or a list of patterns.",
        ),
        (
            "[sites]\nsearch = ['google']\n[[rule]]\nchannel = 'A'\nsite = 'serch'",
            "rules.toml, rule 1: there is no sites.serch in these rules. Did you mean search?",
        ),
        (
            "click_ids.gclid = 'google'\n[[rule]]\nchannel = 'A'\nsource = 'x'",
            'rules.toml: click_ids.gclid is \'google\'. Write { source = "google", medium = "cpc" }.',
        ),
        ("[[rule", "rules.toml is no TOML: Expected ']]' at the end of an array declaration (at end of document)."),
    ],
)
def test_rules_that_mean_nothing_are_refused_in_one_line(
    imports: Imports, channels: Callable[..., Result], rules: str, message: str
) -> None:
    file = imports.file("rules.toml", rules)

    assert refusal(channels("test", file)).replace(f"{imports.folder}/", "") == message


def test_a_file_of_rules_that_is_not_there_is_named(channels: Callable[..., Result]) -> None:
    assert refusal(channels("apply", "no.toml")) == (
        "There is no file no.toml. `attribution channels rules` prints rules to begin with."
    )


# -- at the import ------------------------------------------------------------------------------------------------------


def test_an_import_derives_the_channel_and_keeps_what_it_is_derived_from(imports: Imports) -> None:
    told = visits(imports, "s1,google,cpc,brand,, s2,,,,https://a.org/b,gclid=1 s3,,,,, s4,flyer,,,,")

    assert told["channels"] == [
        {"channel": "Unassigned", "sessions": 1},
        {"channel": "Paid Search", "sessions": 2},
        {"channel": "Direct", "sessions": 1},
    ]
    assert imports.shop.execute(
        "SELECT session_id, channel_name, utm_source, utm_medium, utm_campaign, referrer, click_id FROM session_sources"
    ) == [
        ("s1", "Paid Search", "google", "cpc", "brand", None, None),
        ("s2", "Paid Search", None, None, None, "https://a.org/b", "gclid=1"),
        ("s3", "Direct", None, None, None, None, None),
        ("s4", "Unassigned", "flyer", None, None, None, None),
    ]


def test_an_import_prints_the_sessions_of_each_channel_and_those_of_none(imports: Imports) -> None:
    file = imports.file("visits.csv", f"{VISITS}s1,u,2023-09-01,10:00:00,google,cpc,,,\n")

    printed = imports.run("session_sources", file).stdout

    assert "Sessions by channel, by the rules:\n           0  Unassigned\n           1  Paid Search\n" in printed


def test_columns_of_click_ids_become_the_click_id_with_its_kind(imports: Imports) -> None:
    visits(imports, "s1,,1 s2,2,", header="session_id,user_id,event_date,event_time,FBCLID,gclid\n")

    assert imports.shop.execute("SELECT channel_name, click_id FROM session_sources") == [
        ("Paid Search", "gclid=1"),
        ("Organic Social", "fbclid=2"),
    ]


def test_a_channel_that_the_file_has_stays(imports: Imports) -> None:
    told = visits(
        imports, "s1,Mine,google,cpc", header="session_id,user_id,event_date,event_time,channel_name,utm_source,utm_medium\n"
    )

    assert (names(imports), "channels" in told) == ({"s1": "Mine"}, False)


def test_a_mapping_can_name_other_rules_beside_it(imports: Imports) -> None:
    imports.file("rules.toml", RULES)

    visits(imports, "s1,google,cpc,brand,,", mapping='channels = "rules.toml"')

    assert names(imports) == {"s1": "Brand"}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("channels = 1", 'mapping.toml: channels is 1. It is a file with rules, such as "channels.toml".'),
        (
            'channels = "no.toml"',
            "There is no file no.toml. `attribution channels rules` prints rules to begin with.",
        ),
    ],
)
def test_rules_that_a_mapping_cannot_name_are_refused(imports: Imports, mapping: str, message: str) -> None:
    assert imports.refused("session_sources", imports.file("visits.csv", VISITS), mapping=mapping) == message


def test_rules_for_a_channel_that_follows_from_none_are_refused(imports: Imports) -> None:
    imports.file("rules.toml", RULES)
    file = imports.file("visits.csv", VISITS.replace("click_id", "channel_name"))

    assert imports.refused("session_sources", file, mapping='channels = "rules.toml"') == (
        "mapping.toml: channels names rules, but they are for session_sources without a channel_name. Leave out one of them."
    )


def test_without_a_channel_and_what_it_follows_from_nothing_is_imported(imports: Imports) -> None:
    file = imports.file("visits.csv", "session_id,user_id,event_date,event_time\n")

    assert imports.refused("session_sources", file).startswith("visits.csv has no column for channel_name of session_sources.")


def test_the_same_visits_again_change_not_a_byte(imports: Imports) -> None:
    rows = "s1,google,cpc,brand,, s2,,,,https://a.org/b,gclid=1"
    visits(imports, rows)
    before = imports.shop.database.read_bytes()

    assert visits(imports, rows)["equal"] == 2
    assert imports.shop.database.read_bytes() == before


# -- in a database ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tracked(imports: Imports) -> Imports:
    """Two brand clicks, one newsletter, one flyer, and a visit of which nothing is tracked."""
    visits(imports, "s1,google,cpc,brand,, s2,google,cpc,brand,, s3,shop,email,,, s4,flyer,,,, s5,,,,,")
    return imports


def test_rules_are_tried_without_a_change(tracked: Imports, channels: Callable[..., Result]) -> None:
    before = tracked.shop.database.read_bytes()

    told = done(channels("test", tracked.file("rules.toml", RULES), "--json"))

    assert told == {
        "rules": [
            {"rule": 1, "channel": "Brand", "sessions": 2, "example": "google / cpc / brand"},
            {"rule": 2, "channel": "Ours", "sessions": 1, "example": "shop / email / (none)"},
            {"rule": 3, "channel": "Partners", "sessions": 0, "example": None},
        ],
        "unassigned": {"sessions": 1, "most_frequent": [{"example": "flyer / (none) / (none)", "sessions": 1}]},
        "changed": 3,
        "changes": [
            {"from": "Paid Search", "to": "Brand", "sessions": 2},
            {"from": "Email", "to": "Ours", "sessions": 1},
        ],
        "kept": 1,
    }
    assert tracked.shop.database.read_bytes() == before


def test_what_rules_would_do_is_printed(tracked: Imports, channels: Callable[..., Result]) -> None:
    lines = [" ".join(line.split()) for line in channels("test", tracked.file("rules.toml", RULES)).stdout.splitlines()]

    assert lines[3:6] == ["1 Brand 2 google / cpc / brand", "2 Ours 1 shop / email / (none)", "3 Partners 0"]
    assert lines[6:] == [
        "Unassigned, because no rule holds: 1 sessions.",
        "1 flyer / (none) / (none)",
        "Nothing is tracked of 1 sessions, so they keep their channel.",
        "Another channel than now: 3 sessions.",
        "2 Paid Search → Brand",
        "1 Email → Ours",
    ]


def test_applied_rules_rewrite_the_channels_and_a_second_time_nothing(
    tracked: Imports, channels: Callable[..., Result]
) -> None:
    rules = tracked.file("rules.toml", RULES)

    first = channels("apply", rules)
    before = tracked.shop.database.read_bytes()
    second = channels("apply", rules)

    assert names(tracked) == {"s1": "Brand", "s2": "Brand", "s3": "Ours", "s4": "Unassigned", "s5": "Direct"}
    assert first.stdout.startswith("Changed the channel of 3 sessions.\n           2  Paid Search → Brand\n")
    assert second.stdout.startswith("Changed the channel of 0 sessions.\n")
    assert tracked.shop.database.read_bytes() == before


def test_channels_that_differ_in_their_letters_are_rewritten_whatever_the_collation(
    imports: Imports, channels: Callable[..., Result]
) -> None:
    imports.shop.execute("CREATE TABLE session_sources (session_id, channel_name text COLLATE NOCASE, utm_medium)")
    imports.shop.execute("INSERT INTO session_sources VALUES ('s1', 'EMAIL', 'email')")

    assert done(channels("apply", "--json"))["changed"] == 1
    assert names(imports) == {"s1": "Email"}


def test_an_interrupted_change_of_channels_leaves_the_old_ones(tracked: Imports, channels: Callable[..., Result]) -> None:
    tracked.shop.execute(
        "CREATE TRIGGER stop AFTER UPDATE ON session_sources WHEN new.session_id = 's3' BEGIN SELECT raise(ABORT, 'full'); END"
    )

    assert refusal(channels("apply", tracked.file("rules.toml", RULES))).endswith("full.")
    assert names(tracked)["s1"] == "Paid Search"


@pytest.mark.parametrize("command", ["test", "apply"])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT 1", "shop.db has no table session_sources. Make one with `attribution import session_sources FILE`."),
        (
            "CREATE VIEW session_sources AS SELECT 's1' AS session_id, 'A' AS channel_name, 'google' AS utm_source",
            "session_sources in shop.db is a view, so its channels cannot be written. Change what the view says.",
        ),
        (
            "CREATE TABLE session_sources (session_id text, utm_source text)",
            "session_sources in shop.db has no column channel_name. Add it as text, then apply the rules.",
        ),
        (
            "CREATE TABLE session_sources (session_id text, channel_name text)",
            (
                "session_sources in shop.db has none of the columns utm_source, utm_medium, utm_campaign, referrer, click_id, "
                "from which a channel follows. Import them with `attribution import session_sources FILE`."
            ),
        ),
    ],
)
def test_sessions_that_no_rules_can_be_applied_to_are_refused(
    imports: Imports, channels: Callable[..., Result], command: str, statement: str, message: str
) -> None:
    imports.shop.execute(statement)

    assert refusal(channels(command)).replace(f"{imports.folder}/", "") == message


def test_a_run_restates_the_days_whose_channels_were_rewritten(shop: Shop) -> None:
    for statement in read_sql("optional_sources").split(";"):
        if "session_sources ADD COLUMN utm_" in statement:
            shop.execute(statement)
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Search")
    shop.session("s2", "anna", "2023-09-02 10:00:00", "Email")
    shop.conversion("c1", "anna", "2023-09-03 10:00:00")
    shop.execute("UPDATE session_sources SET utm_source = 'google', utm_medium = 'cpc' WHERE session_id = 's1'")
    environment = {"ATTRIBUTION_DATABASE": str(shop.database), "ATTRIBUTION_END_DATE": "2023-09-03"}

    def asked(*command: str) -> str:
        result = CliRunner().invoke(main, [*command], env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    def stale() -> list[str]:
        days = json.loads(asked("status", "--json"))
        return [day["day"] for day in days if any(asset["state"] == "stale" for asset in day["assets"].values())]

    asked("run")
    assert stale() == []
    asked("channels", "apply")
    assert stale() == ["2023-09-01", "2023-09-02", "2023-09-03"]
    asked("run")
    assert stale() == []
    assert shop.table("channel_reporting", "channel_name, date")[:1] == [("Email", "2023-09-02")]
    assert ("Paid Search", "2023-09-01") in shop.table("channel_reporting", "channel_name, date")
