"""Every choice the user has: its default, where it is read from, which source wins, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError

from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError
from attribution_assets.settings import Settings, read_settings
from attribution_assets.warehouse import Location
from attribution_assets_tests.support import EVEN

CHOICES: list[tuple[str, str, str, Any]] = [  # variable, text, field, value
    ("ATTRIBUTION_DATABASE", "/some/lake/", "database", Location(Path("/some/lake"), is_lake=True)),
    ("ATTRIBUTION_LAKE_KEEP_DAYS", "30", "lake_keep_days", 30),
    ("ATTRIBUTION_SOURCES", "/some/sources", "sources", SecretStr("/some/sources")),
    ("ATTRIBUTION_EXPORTS", "/some/exports", "exports", Path("/some/exports")),
    ("ATTRIBUTION_LOOKBACK_DAYS", "7", "lookback_days", 7),
    ("ATTRIBUTION_INCLUDE_CONVERTING_SESSION", "true", "include_converting_session", True),
    ("ATTRIBUTION_NOBODY", "null, 0", "nobody", ("null", "0")),
    ("ATTRIBUTION_START_DATE", "2023-09-01", "start_date", date(2023, 9, 1)),
    ("ATTRIBUTION_END_DATE", "2023-09-30", "end_date", date(2023, 9, 30)),
    ("ATTRIBUTION_COMPUTE", "duckdb", "compute", "duckdb"),
    ("ATTRIBUTION_SPARK", "sc://spark:15002/;token=t0", "spark", SecretStr("sc://spark:15002/;token=t0")),
    ("IHC_PARAMETERS", "alternative", "ihc_parameters", "alternative"),
    ("ATTRIBUTION_RESTATE_PARAMETERS", "true", "restate_parameters", True),
    ("IHC_BACKEND", "embedded", "ihc_backend", "embedded"),
    ("IHC_API_KEY", "some-key", "ihc_api_key", SecretStr("some-key")),
    ("IHC_API_URL", "http://127.0.0.1:8000/ihc", "ihc_api_url", "http://127.0.0.1:8000/ihc"),
    ("IHC_CONV_TYPE_ID", "new", "ihc_conv_type_id", "new"),
    ("IHC_MAX_JOURNEYS", "10", "ihc_max_journeys", 10),
    ("IHC_MAX_SESSIONS", "200", "ihc_max_sessions", 200),
    ("IHC_LONG_JOURNEYS", "fail", "ihc_long_journeys", "fail"),
    ("IHC_CONCURRENCY", "1", "ihc_concurrency", 1),
    ("IHC_TIMEOUT", "2.5", "ihc_timeout", 2.5),
    ("IHC_REDISTRIBUTION", "/some/redistribution.json", "ihc_redistribution", Path("/some/redistribution.json")),
    ("IHC_ON_PARTIAL", "embedded", "ihc_on_partial", "embedded"),
    ("IHC_LEDGER", "/some/ledger.db", "ihc_ledger", Path("/some/ledger.db")),
    ("ATTRIBUTION_MODELS", "markov, linear", "models", ("linear", "markov")),
    ("ATTRIBUTION_TRAINING_DAYS", "30", "training_days", 30),
    ("ATTRIBUTION_POSITION_SHARES", "0.3,0.3,0.3,0.1", "position_shares", (0.3, 0.3, 0.3, 0.1)),
    ("ATTRIBUTION_HALF_LIFE_HOURS", "24", "half_life_hours", 24),
    ("ATTRIBUTION_MARKOV_ORDER", "2", "markov_order", 2),
    ("ATTRIBUTION_MARKOV_NON_CONVERTING", "false", "markov_non_converting", False),
    ("ATTRIBUTION_DIRECT_CHANNELS", "Typed in,(none)", "direct_channels", ("Typed in", "(none)")),
    ("ATTRIBUTION_CHANNEL_GROUPS", "/some/groups.csv", "channel_groups", Path("/some/groups.csv")),
    ("ATTRIBUTION_EXCLUDE_CHANNELS", '["Ads, paid", "Email"]', "exclude_channels", ("Ads, paid", "Email")),
    ("ATTRIBUTION_DROP_DIRECT", "true", "drop_direct", True),
    ("ATTRIBUTION_COLLAPSE_MINUTES", "30", "collapse_minutes", 30),
    ("ATTRIBUTION_LAST_SESSIONS", "5", "last_sessions", 5),
    ("ATTRIBUTION_CONVERSIONS", "backend", "conversions", "backend"),
    ("ATTRIBUTION_BREAKDOWNS", "market,conversions.market", "breakdowns", ("market", "conversions.market")),
    ("ATTRIBUTION_FUNNEL_STEPS", "view_item,purchase", "funnel_steps", ("view_item", "purchase")),
    ("ATTRIBUTION_FUNNEL_ORDER", "ordered", "funnel_order", "ordered"),
    ("ATTRIBUTION_SPEND_WINS", "session", "spend_wins", "session"),
    ("ATTRIBUTION_SEED", "1", "seed", 1),
    ("ATTRIBUTION_CURRENCY", "SEK", "currency", "SEK"),
    ("ATTRIBUTION_SCHEDULE_HOUR", "6", "schedule_hour", 6),
    ("ATTRIBUTION_SCHEDULE_TIME_ZONE", "Europe/Berlin", "schedule_time_zone", "Europe/Berlin"),
    ("ATTRIBUTION_CSV_ESCAPE", "false", "csv_escape", False),
    ("ATTRIBUTION_CAMPAIGN_FILE", "/some/results.csv", "campaign_file", Path("/some/results.csv")),
    ("ATTRIBUTION_WEB_DATABASE", "/some/web.db", "web_database", Path("/some/web.db")),
    ("ATTRIBUTION_WEB_PUBLIC", "true", "web_public", True),
    ("ATTRIBUTION_WEB_URL", "https://reports.shop.example:8443/", "web_url", "https://reports.shop.example:8443"),
    ("ATTRIBUTION_ALERT_URL", "https://hooks.example/T1/secret", "alert_url", SecretStr("https://hooks.example/T1/secret")),
    ("ATTRIBUTION_ALERT_EMAIL", "ann@shop.example, bo@shop.example", "alert_email", ("ann@shop.example", "bo@shop.example")),
    ("ATTRIBUTION_ALERT_SENDER", "us@shop.example", "alert_sender", "us@shop.example"),
    ("ATTRIBUTION_ALERT_STALE_HOURS", "6", "alert_stale_hours", 6),
    ("ATTRIBUTION_SMTP_URL", "smtp://ann:p%40ss@mail.example:587", "smtp_url", SecretStr("smtp://ann:p%40ss@mail.example:587")),
    ("DAGSTER_HOME", "/some/home", "dagster_home", Path("/some/home")),
]
TOGETHER = {
    "ATTRIBUTION_SOURCES": ("ATTRIBUTION_DATABASE", "/some/lake/"),
    "ATTRIBUTION_ALERT_EMAIL": ("ATTRIBUTION_SMTP_URL", "smtp://mail.example"),
    "ATTRIBUTION_SMTP_URL": ("ATTRIBUTION_ALERT_EMAIL", "ann@shop.example"),
}
"""Variables that are refused alone, each with what it needs."""
OTHER: dict[str, Any] = {  # of each field: neither the default nor the value above
    "database": Location(Path("/other/shop.db")),
    "lake_keep_days": 3,
    "sources": SecretStr("mysql://db/other"),
    "exports": Path("/other/exports"),
    "lookback_days": 3,
    "include_converting_session": False,
    "nobody": ("unknown",),
    "start_date": date(2022, 9, 1),
    "end_date": date(2022, 9, 30),
    "compute": "sqlite",
    "spark": SecretStr("sc://other"),
    "ihc_parameters": "other.json",
    "restate_parameters": False,
    "ihc_backend": None,
    "ihc_api_key": SecretStr("other-key"),
    "ihc_api_url": "https://other.example/ihc",
    "ihc_conv_type_id": "returning",
    "ihc_max_journeys": 20,
    "ihc_max_sessions": 300,
    "ihc_long_journeys": "latest",
    "ihc_concurrency": 2,
    "ihc_timeout": 3,
    "ihc_redistribution": Path("/other/redistribution.json"),
    "ihc_on_partial": "fail",
    "ihc_ledger": Path("/other/ledger.db"),
    "models": ("ihc",),
    "training_days": 60,
    "position_shares": (0.5, 0.0, 0.5),
    "half_life_hours": 48,
    "markov_order": 3,
    "markov_non_converting": True,
    "direct_channels": ("Direct",),
    "channel_groups": Path("/other/groups.csv"),
    "exclude_channels": ("Referral",),
    "drop_direct": False,
    "collapse_minutes": 10,
    "last_sessions": 3,
    "conversions": "tracked",
    "breakdowns": ("device",),
    "funnel_steps": ("page_view", "purchase"),
    "funnel_order": "any",
    "spend_wins": "platform",
    "seed": 2,
    "currency": "EUR",
    "schedule_hour": 1,
    "schedule_time_zone": "UTC",
    "csv_escape": True,
    "campaign_file": Path("/other/results.csv"),
    "web_database": Path("/other/web.db"),
    "web_public": False,
    "web_url": "https://other.example",
    "alert_url": SecretStr("https://hooks.example/T2/other"),
    "alert_email": ("cy@shop.example",),
    "alert_sender": "others@shop.example",
    "alert_stale_hours": 48,
    "smtp_url": SecretStr("smtps://mail.example"),
    "dagster_home": Path("/other/home"),
}


def default(field: str) -> Any:
    return getattr(Settings(), field)


def set_what_it_needs(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    if variable in TOGETHER:
        monkeypatch.setenv(*TOGETHER[variable])


def test_the_defaults(tmp_path: Path) -> None:
    assert Settings().model_dump() == {
        "database": {"path": tmp_path / "data" / "attribution.db", "is_lake": False, "url": SecretStr(""), "bucket": None},
        "lake_keep_days": 7,
        "sources": None,
        "spark": None,
        "exports": tmp_path / "data" / "exports",
        "lookback_days": 90,
        "include_converting_session": False,
        "nobody": (),
        "start_date": None,
        "end_date": None,
        "compute": "auto",
        "ihc_parameters": None,
        "restate_parameters": False,
        "ihc_backend": None,
        "ihc_api_key": None,
        "ihc_api_url": "https://api.ihc-attribution.com/v1/compute_ihc",
        "ihc_conv_type_id": None,
        "ihc_max_journeys": 100,
        "ihc_max_sessions": 3000,
        "ihc_long_journeys": "latest",
        "ihc_concurrency": 4,
        "ihc_timeout": 60,
        "ihc_redistribution": None,
        "ihc_on_partial": "fail",
        "ihc_ledger": tmp_path / "data" / "ihc_ledger.db",
        "models": (),
        "training_days": 90,
        "position_shares": (0.4, 0.2, 0.4),
        "half_life_hours": 168,
        "markov_order": 1,
        "markov_non_converting": True,
        "direct_channels": ("Direct", "Direct Traffic"),
        "channel_groups": None,
        "exclude_channels": (),
        "drop_direct": False,
        "collapse_minutes": None,
        "last_sessions": None,
        "conversions": "tracked",
        "breakdowns": (),
        "funnel_steps": ("page_view", "add_to_cart", "checkout"),
        "funnel_order": "any",
        "spend_wins": "platform",
        "seed": 0,
        "currency": "EUR",
        "schedule_hour": 1,
        "schedule_time_zone": "UTC",
        "csv_escape": True,
        "campaign_file": None,
        "web_database": tmp_path / "data" / "web.db",
        "web_public": False,
        "web_url": None,
        "alert_url": None,
        "alert_email": (),
        "alert_sender": None,
        "alert_stale_hours": 24,
        "smtp_url": None,
        "dagster_home": None,
    }


def test_every_choice_is_tested_here() -> None:
    assert [field for _, _, field, _ in CHOICES] == list(Settings.model_fields)


def test_every_choice_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


# Where they are read from ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variable", "text", "field", "value"), CHOICES)
def test_a_variable_of_the_environment_is_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: Any
) -> None:
    assert default(field) != value

    set_what_it_needs(monkeypatch, variable)
    monkeypatch.setenv(variable, text)

    assert getattr(Settings(), field) == value


@pytest.mark.parametrize(("variable", "text", "field", "value"), CHOICES)
def test_a_variable_in_the_env_file_of_the_current_folder_is_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: Any
) -> None:
    set_what_it_needs(monkeypatch, variable)
    Path(".env").write_text(f"# ours\n{variable}={text}\n")

    assert getattr(Settings(), field) == value


def test_an_env_file_of_another_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("ATTRIBUTION_LOOKBACK_DAYS=7\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert Settings().lookback_days == 90


@pytest.mark.parametrize(("variable", "text", "field", "value"), CHOICES)
def test_the_environment_wins_over_the_env_file(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: Any
) -> None:
    set_what_it_needs(monkeypatch, variable)
    Path(".env").write_text(f"{variable}={OTHER[field]}\n")
    monkeypatch.setenv(variable, text)

    assert getattr(Settings(), field) == value


@pytest.mark.parametrize(("variable", "field"), [(variable, field) for variable, _, field, _ in CHOICES])
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, variable: str, field: str) -> None:
    unset = default(field)
    monkeypatch.setenv(variable, "")

    assert getattr(Settings(), field) == unset


@pytest.mark.parametrize(("variable", "field"), [(variable, field) for variable, _, field, _ in CHOICES])
def test_an_empty_variable_in_the_env_file_counts_as_unset(variable: str, field: str) -> None:
    unset = default(field)
    Path(".env").write_text(f"{variable}=\n")

    assert getattr(Settings(), field) == unset


def test_an_empty_variable_of_the_environment_leaves_the_word_to_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ATTRIBUTION_LOOKBACK_DAYS=7\n")
    monkeypatch.setenv("ATTRIBUTION_LOOKBACK_DAYS", "")

    assert Settings().lookback_days == 7


@pytest.mark.parametrize(("variable", "text", "field"), [choice[:3] for choice in CHOICES])
def test_a_keyword_argument_wins_over_the_environment_and_the_env_file(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str
) -> None:
    set_what_it_needs(monkeypatch, variable)
    Path(".env").write_text(f"{variable}={text}\n")
    monkeypatch.setenv(variable, text)

    assert getattr(Settings(**{field: OTHER[field]}), field) == OTHER[field]


def test_variables_of_other_programs_are_nothing_to_us(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Settings()
    Path(".env").write_text("DATABASE=/their/shop.db\nPOSTGRES_PASSWORD=x\n")
    monkeypatch.setenv("LOOKBACK_DAYS", "7")

    assert Settings() == expected


# Paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["ATTRIBUTION_DATABASE", "ATTRIBUTION_EXPORTS", "DAGSTER_HOME"])
def test_a_relative_path_starts_at_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "some/place")

    settings = Settings()
    assert tmp_path / "some" / "place" in {settings.database.path, settings.exports, settings.dagster_home}


def test_a_path_stays_where_it_was_when_the_current_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(database="shop.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert settings.database.path == tmp_path / "shop.db"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert Settings(database="~/shop.db").database.path == tmp_path / "home" / "shop.db"


# Refused --------------------------------------------------------------------------------------------------------------


def test_a_lookback_of_zero_days_is_the_conversions_own_day() -> None:
    assert Settings(lookback_days=0).lookback_days == 0


def test_a_negative_lookback_is_refused() -> None:
    with pytest.raises(ValidationError, match="lookback_days"):
        Settings(lookback_days=-1)


def test_a_first_day_after_the_last_is_refused_and_both_variables_are_named() -> None:
    with pytest.raises(
        ValidationError, match="ATTRIBUTION_START_DATE 2023-09-02 is later than ATTRIBUTION_END_DATE 2023-09-01"
    ):
        Settings(start_date="2023-09-02", end_date="2023-09-01")


def test_one_day_may_be_the_first_and_the_last() -> None:
    assert Settings(start_date="2023-09-01", end_date="2023-09-01").end_date == date(2023, 9, 1)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("alert_url", "hooks.example/T1/secret"),
        ("alert_url", "ftp://hooks.example/T1/secret"),
        ("alert_url", "https:///T1/secret"),
        ("alert_url", "https://hooks.example:secret/T1"),
        ("alert_url", "https://[secret/T1"),
        ("alert_url", "https://hooks.example/T1 secret"),
        ("alert_url", "https://hooks.example/T1/secret\u2026"),
        ("smtp_url", "mail.example:587"),
        ("smtp_url", "https://ann:secret@mail.example"),
        ("smtp_url", "smtp://ann:sec/ret@mail.example"),
        ("smtp_url", "smtp://ann:sec#ret@mail.example"),
        ("smtp_url", "smtp://ann@mail.example"),
        ("smtp_url", "smtp://ann:secret@mail.example/inbox"),
    ],
)
def test_a_secret_url_that_is_none_is_refused_in_one_line_that_does_not_show_it(field: str, text: str) -> None:
    others = {"alert_email": "ann@shop.example"} if field == "smtp_url" else {}

    with pytest.raises(AttributionError) as refused:
        read_settings(**{field: text, **others})

    assert str(refused.value).startswith(f"ATTRIBUTION_{field.upper()}: write it as ")
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value) + repr(refused.value.__cause__)
    assert "ret@" not in str(refused.value)


def test_secret_urls_are_not_shown_with_the_settings() -> None:
    settings = Settings(
        alert_url="https://hooks.example/xyz", smtp_url="smtp://ann:xyz@mail.example", alert_email="ann@shop.example"
    )

    assert "xyz" not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("web_url", "shop.example", "ATTRIBUTION_WEB_URL: write it as https://host or https://host:port."),
        ("web_url", "https://shop.example?page=1", "ATTRIBUTION_WEB_URL: write it as https://host or https://host:port."),
        ("web_url", "https://shop.example/reports", "ATTRIBUTION_WEB_URL: write it as https://host or https://host:port."),
        ("alert_sender", "us", "ATTRIBUTION_ALERT_SENDER: 'us' is not an e-mail address. Write name@host."),
        ("alert_sender", "a@b\nBcc: c@d", "is not an e-mail address. Write name@host."),
        ("alert_email", "ann@shop.example,bo", "ATTRIBUTION_ALERT_EMAIL: 'bo' is not an e-mail address. Write name@host."),
        ("alert_email", "ann@shop.example", "ATTRIBUTION_ALERT_EMAIL needs ATTRIBUTION_SMTP_URL"),
        ("smtp_url", "smtp://mail.example", "ATTRIBUTION_SMTP_URL needs ATTRIBUTION_ALERT_EMAIL"),
        ("alert_stale_hours", "0", "ATTRIBUTION_ALERT_STALE_HOURS: "),
    ],
)
def test_a_target_of_alerts_that_is_none_is_refused_in_one_line(field: str, text: str, said: str) -> None:
    with pytest.raises(AttributionError) as refused:
        read_settings(**{field: text})

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


API = {"ihc_api_key": "secret", "ihc_conv_type_id": "mine"}


@pytest.mark.parametrize(
    ("base", "changed"),
    [
        ({}, {"lookback_days": 30}),
        ({}, {"include_converting_session": True}),
        ({}, {"nobody": ["null"]}),
        ({}, {"spend_wins": "session"}),
        ({}, {"conversions": "backend"}),
        ({}, {"ihc_parameters": "alternative"}),
        ({}, API),
        ({}, {"ihc_redistribution": "redistribution.json"}),
        (API, {"ihc_conv_type_id": "other"}),
        (API, {"ihc_api_url": "https://example.org/v1/compute_ihc"}),
        (API, {"ihc_max_sessions": 200}),
        (API, {"ihc_long_journeys": "fail"}),
        ({**API, "ihc_on_partial": "embedded"}, {"ihc_parameters": "alternative"}),
    ],
)
def test_a_choice_that_changes_results_changes_the_fingerprint(base: dict[str, Any], changed: dict[str, Any]) -> None:
    rule = {"direction": "any_session", "receive_threshold": 0, "redistribution_channel_labels": ["Direct"]}
    Path("redistribution.json").write_text(json.dumps({"closer": rule}))

    assert Settings(**base).fingerprint() != Settings(**{**base, **changed}).fingerprint()


@pytest.mark.parametrize(
    ("base", "changed"),
    [
        ({}, {"database": "other.db", "exports": "elsewhere", "dagster_home": "home", "ihc_ledger": "other_ledger.db"}),
        ({}, {"start_date": "2023-09-01", "end_date": "2023-09-30"}),
        ({}, {"compute": "duckdb"}),
        ({}, {"csv_escape": False}),
        ({}, {"restate_parameters": True}),
        ({}, {"breakdowns": ["market"]}),
        ({}, {"alert_url": "https://hooks.example/T1", "alert_stale_hours": 6, "web_url": "https://shop.example"}),
        ({}, {"alert_email": "ann@shop.example", "alert_sender": "us@shop.example", "smtp_url": "smtp://mail.example"}),
        ({}, {"ihc_conv_type_id": "other", "ihc_max_sessions": 200, "ihc_long_journeys": "fail"}),  # of the API, not asked
        (API, {"ihc_api_key": "another"}),
        (API, {"ihc_concurrency": 1, "ihc_timeout": 5, "ihc_max_journeys": 1}),
        (API, {"ihc_parameters": "alternative"}),  # of the embedded model, not asked
    ],
)
def test_a_choice_that_changes_no_result_leaves_the_fingerprint(base: dict[str, Any], changed: dict[str, Any]) -> None:
    assert Settings(**base).fingerprint() == Settings(**{**base, **changed}).fingerprint()


def test_who_is_nobody_changes_every_hash_whatever_the_order() -> None:
    one, other = Settings(nobody=["null", "0"]), Settings(nobody=["0", "null", "0"])

    assert one.fingerprint() == other.fingerprint() != Settings().fingerprint()
    assert one.models_fingerprint() == other.models_fingerprint() != Settings().models_fingerprint()
    assert one.learning_fingerprint() == other.learning_fingerprint() != Settings().learning_fingerprint()


def test_the_fingerprint_is_that_of_a_parameter_file_s_content() -> None:
    file = Path("mine.json")
    file.write_text(EVEN)
    before = Settings(ihc_parameters="mine.json").fingerprint()

    file.write_text(EVEN.replace('"holder": 1', '"holder": 2'))

    assert Settings(ihc_parameters="mine.json").fingerprint() != before


EVERYTHING = {
    "models": ["all"],
    "lookback_days": 30,
    "markov_order": 3,
    "seed": 7,
    "training_days": 60,
    "half_life_hours": 24,
    "channel_groups": "groups.csv",
    "drop_direct": True,
    "last_sessions": 5,
}
HASHES: list[tuple[dict[str, Any], str, str, str]] = [  # settings, and the hashes of results, of models, of what is learned
    ({}, "5fce1504", "2134e456", "c585cf75"),
    ({"models": ["all"]}, "5fce1504", "2134e456", "c585cf75"),
    ({"models": ["linear", "markov"]}, "5fce1504", "2134e456", "c585cf75"),
    ({"lookback_days": 30}, "3155ffc8", "97841b4e", "5b6cddd0"),
    ({"include_converting_session": True}, "c632c9e0", "10320ca5", "fac9e272"),
    ({"nobody": ()}, "5fce1504", "2134e456", "c585cf75"),
    ({"position_shares": (0.5, 0.0, 0.5)}, "5fce1504", "d3709561", "c585cf75"),
    ({"position_shares": (0.3, 0.3, 0.3, 0.1)}, "5fce1504", "f3e35784", "c585cf75"),
    ({"position_shares": (0.4, 0.2, 0.4)}, "5fce1504", "2134e456", "c585cf75"),
    ({"half_life_hours": 24}, "5fce1504", "660276ce", "c585cf75"),
    ({"half_life_hours": 168}, "5fce1504", "2134e456", "c585cf75"),
    ({"direct_channels": ("Direct",)}, "5fce1504", "2714b78f", "8582ba44"),
    ({"direct_channels": ("Direct Traffic", "Direct")}, "5fce1504", "2134e456", "c585cf75"),
    ({"markov_order": 2}, "5fce1504", "ddc5543f", "babd8d79"),
    ({"markov_non_converting": False}, "5fce1504", "b51ba160", "ba4b72ad"),
    ({"training_days": 30}, "5fce1504", "9d161fdb", "00978565"),
    ({"seed": 1}, "5fce1504", "58addf0b", "402c42f4"),
    ({"channel_groups": "groups.csv"}, "5fce1504", "7bfca5a2", "9a4fd197"),
    ({"exclude_channels": ("SEO", "Email")}, "5fce1504", "880ff72c", "c74c0220"),
    ({"drop_direct": True}, "5fce1504", "2f063bec", "f06f1763"),
    ({"collapse_minutes": 30}, "5fce1504", "6a26b6a2", "0368e038"),
    ({"last_sessions": 5}, "5fce1504", "af04a7e9", "173ee898"),
    ({"ihc_parameters": "alternative"}, "7b855e8f", "47850c1c", "c585cf75"),
    ({"ihc_redistribution": "redistribution.json"}, "57185754", "22901b98", "c585cf75"),
    (API, "38a62b10", "68e71ee8", "c585cf75"),
    ({**API, "ihc_max_sessions": 200, "ihc_long_journeys": "fail"}, "9da72e27", "b8e71efe", "c585cf75"),
    ({**API, "ihc_on_partial": "embedded"}, "8f831e4e", "b97ca770", "c585cf75"),
    (EVERYTHING, "3155ffc8", "66e45694", "f8d90931"),
]
"""They stand in users' tables: with another hash, everything would be learned and computed anew."""


@pytest.mark.parametrize(("choices", "results", "models", "learned"), HASHES, ids=str)
def test_the_hashes_stay_as_users_tables_have_them(choices: dict[str, Any], results: str, models: str, learned: str) -> None:
    rule = {"direction": "any_session", "receive_threshold": 0, "redistribution_channel_labels": ["Direct"]}
    Path("redistribution.json").write_text(json.dumps({"closer": rule}))
    Path("groups.csv").write_text("channel_name,channel_group\nSEO,Search\nSEA,Search\n")
    settings = Settings(**choices)

    assert settings.fingerprint() == results
    assert settings.models_fingerprint() == models
    assert settings.learning_fingerprint() == learned


@pytest.mark.parametrize("source", ["environment", ".env"])
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"ATTRIBUTION_LOOKBACK_DAYS": "-1"}, "ATTRIBUTION_LOOKBACK_DAYS"),
        ({"ATTRIBUTION_LOOKBACK_DAYS": "many"}, "ATTRIBUTION_LOOKBACK_DAYS"),
        ({"ATTRIBUTION_INCLUDE_CONVERTING_SESSION": "perhaps"}, "ATTRIBUTION_INCLUDE_CONVERTING_SESSION"),
        ({"ATTRIBUTION_START_DATE": "01/09/2023"}, "ATTRIBUTION_START_DATE"),
        ({"ATTRIBUTION_START_DATE": "2023-09-02", "ATTRIBUTION_END_DATE": "2023-09-01"}, "ATTRIBUTION_START_DATE"),
        ({"ATTRIBUTION_DATABASE": "~nobody-of-that-name/shop.db"}, "ATTRIBUTION_DATABASE"),
    ],
)
def test_the_command_says_in_one_line_which_variable_is_wrong(
    monkeypatch: pytest.MonkeyPatch, source: str, wrong: dict[str, str], named: str
) -> None:
    if source == ".env":
        Path(".env").write_text("".join(f"{variable}={text}\n" for variable, text in wrong.items()))
    else:
        for variable, text in wrong.items():
            monkeypatch.setenv(variable, text)

    result = CliRunner().invoke(main, ["run"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert named in result.output


# Mistakes around them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ATTRIBUTION_LOOKBACK", "Did you mean ATTRIBUTION_LOOKBACK_DAYS?"),
        ("ATTRIBUTION_DATABSE", "Did you mean ATTRIBUTION_DATABASE?"),
        ("IHC_APIKEY", "Did you mean IHC_API_KEY?"),
        ("ATTRIBUTION_API_KEY", "Did you mean IHC_API_KEY?"),
        ("ATTRIBUTION_IHC_PARAMETERS", "Did you mean IHC_PARAMETERS?"),
        ("ATTRIBUTION_QUX", "docs/settings.md lists all settings."),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_one_that_is_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "3")
    (tmp_path / ".env").write_text(f"{name.lower()}=3\n")

    expected = Settings(_env_file=None)
    assert read_settings() == expected

    assert [record.message for record in caplog.records] == [
        f"{name} in the environment is not a setting, so it is ignored. {hint}",
        f"{name} in .env is not a setting, so it is ignored. {hint}",
    ]


def test_no_known_variable_and_none_of_other_programs_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for variable, text, *_ in CHOICES:
        monkeypatch.setenv(variable, text)
    Path(".env").write_text("".join(f"{variable.lower()}={text}\n" for variable, text, *_ in CHOICES))
    for other in ("DAGSTER_QUX", "LOOKBACK_DAYS", "MY_ATTRIBUTION_LOOKBACK", "IHC_API_KEY_0123ABCD"):
        monkeypatch.setenv(other, "3")

    read_settings()

    assert caplog.records == []


def test_the_command_says_it_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "attribution_assets", "run"]

    ran = subprocess.run(command, env={**os.environ, "ATTRIBUTION_LOOKBACK": "3"}, capture_output=True, text=True, check=False)

    said, error = ran.stderr.splitlines()
    assert said == (
        "ATTRIBUTION_LOOKBACK in the environment is not a setting, so it is ignored. Did you mean ATTRIBUTION_LOOKBACK_DAYS?"
    )
    assert error.startswith("Error: There is no database ")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Direct", "utf-16"),
        ("Direct", "utf-16-le"),  # without a mark: valid UTF-8, full of NULs
        ("Täglich", "utf-16-be"),
        ("Direct", "utf-32"),
        ("Täglich", "latin-1"),
    ],
)
def test_an_env_file_that_is_not_utf_8_is_said_in_one_line(name: str, encoding: str) -> None:
    Path(".env").write_bytes(f"ATTRIBUTION_DIRECT_CHANNELS={name}\n".encode(encoding))

    result = CliRunner().invoke(main, ["run"])

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {Path('.env').absolute()} is not UTF-8 text, maybe UTF-16 from PowerShell or Latin-1 from an old editor. "
        "Save it again as UTF-8.\n"
    )


def test_an_env_file_may_begin_with_a_mark() -> None:
    Path(".env").write_text("ATTRIBUTION_LOOKBACK_DAYS=7\n", encoding="utf-8-sig")

    assert read_settings().lookback_days == 7


def test_an_env_file_that_is_a_folder_is_said_in_one_line() -> None:
    Path(".env").mkdir()

    with pytest.raises(AttributionError, match=r"^/.*/\.env is a folder, so no settings can be read from it\."):
        read_settings()


def test_a_virtual_environment_of_that_name_is_let_be() -> None:
    Path(".env").mkdir()
    Path(".env/pyvenv.cfg").touch()

    assert read_settings() == Settings()


def test_an_env_file_that_is_a_broken_link_is_said_in_one_line() -> None:
    Path(".env").symlink_to("nowhere")

    with pytest.raises(AttributionError, match=r"^/.*/\.env is a link to a file that does not exist\."):
        read_settings()


def test_an_env_file_that_cannot_be_read_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ATTRIBUTION_LOOKBACK_DAYS=7\n")

    def refuse(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)  # root may read any file

    with pytest.raises(AttributionError, match=r"^/.*/\.env cannot be read: Permission denied\. Make it readable, or remove"):
        read_settings()


# The database ---------------------------------------------------------------------------------------------------------


def test_a_name_with_a_slash_at_its_end_is_a_lake(tmp_path: Path) -> None:
    lake = Settings(database="lake/").database

    assert (lake.path, lake.is_lake) == (tmp_path / "lake", True)
    assert Location.of(str(lake)) == lake


def test_a_folder_with_our_marker_is_a_lake(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    assert not Settings(database="lake").database.is_lake

    (tmp_path / "lake" / "attribution_lake.json").write_text("{}")

    assert Settings(database="lake").database.is_lake


def test_another_url_than_that_of_postgresql_is_refused_without_its_password() -> None:
    with pytest.raises(AttributionError, match="ATTRIBUTION_DATABASE: The database cannot be at snowflake://") as error:
        read_settings(database="snowflake://reader:secret@host/shop")

    assert "secret" not in str(error.value)
    assert "reader" not in str(error.value)
