"""Alerts: what they say, that each is sent once and to whom, and that no secret is seen."""

from __future__ import annotations

import logging
import os
import signal
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import trustme
from click.testing import CliRunner, Result
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from filelock import FileLock

from attribution_assets.analysis.alerts import (
    Alert,
    FailedCheck,
    FailedRun,
    Sighting,
    Stale,
    alert_of_run,
    alert_of_stale_days,
    seen_again,
)
from attribution_assets.analysis.plan import prepared_plan
from attribution_assets.command.cli import main
from attribution_assets.command.run import alerting, execute_plan
from attribution_assets.definitions import build_defs
from attribution_assets.orchestration import alerts
from attribution_assets.orchestration.alerts import alerts_of_failed_runs, send
from attribution_assets.orchestration.history import COMMAND_TAG
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets.orchestration.sending import NotSentError, targets
from attribution_assets.settings import Settings
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.live import LOOKBACK, REPOSITORY, LiveDagster, busy
from attribution_assets_tests.receiving import SECRET, Webhook, mail_server, webhook
from attribution_assets_tests.support import Shop, wait_for

ALERT = Alert("run 1", "shop.db: attribute_conversions failed", ("The disk is full.",))
SENSORS = """
query ($repository: RepositorySelector!) { sensorsOrError(repositorySelector: $repository) { ... on Sensors { results {
  name description sensorState { ticks(limit: 100) { skipReason cursor logKey error { message } } }
} } } }
"""
UNTIL_THE_THIRD = {**LOOKBACK, "ATTRIBUTION_END_DATE": "2023-09-03"}
MAIL: dict[str, Any] = {"alert_email": ["ann@shop.example"], "alert_sender": "us@shop.example"}


def at(monkeypatch: pytest.MonkeyPatch, moment: float) -> None:
    """It is so many seconds after 1970."""
    monkeypatch.setattr(time, "time", lambda: moment)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook that is up."""
    with webhook() as server:
        yield server


def attribution_run(shop: Shop, *options: str, **environment: str) -> Result:
    """`attribution run` with a history of its own in files."""
    arguments = ["run", *options, "--database", str(shop.database), "--exports", str(shop.exports)]
    home = str(shop.database.parent / "home")
    return CliRunner().invoke(main, arguments, env={**UNTIL_THE_THIRD, "DAGSTER_HOME": home, **environment})


def break_sources(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET revenue = 'much' WHERE conv_id = 'c2'")


def mend_sources(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET revenue = 2.2 WHERE conv_id = 'c2'")


# -- what they say ------------------------------------------------------------------------------------------------------


def failed_run(**of_run: Any) -> FailedRun:
    usual = {"id": "4f6c", "what": "attribute_conversions", "days": "2023-09-01 to 2023-09-03", "because": "late data"}
    return FailedRun(**{**usual, "problem": "The disk is full.", "failed_checks": (), "retries": 0, **of_run})


def test_a_failed_run_is_told_with_its_days_its_problem_and_why_it_was_launched() -> None:
    assert alert_of_run(failed_run(), "shop.db", None) == Alert(
        "run 4f6c",
        "shop.db: attribute_conversions failed for 2023-09-01 to 2023-09-03",
        (
            "The disk is full.",
            "Run 4f6c of attribute_conversions, launched because: late data.",
            "`attribution status` says which days are missing or stale.",
        ),
    )


def test_a_run_that_failed_by_checks_is_named_for_them() -> None:
    checks = (FailedCheck("channel_reporting", "orders_are_whole"), FailedCheck("channel_reporting", "costs_are_whole"))

    assert alert_of_run(failed_run(failed_checks=checks), "shop.db", None).title == (
        "shop.db: check orders_are_whole of channel_reporting, check costs_are_whole of channel_reporting failed "
        "for 2023-09-01 to 2023-09-03"
    )


def test_the_last_try_says_how_often_the_run_was_started_again() -> None:
    told = alert_of_run(failed_run(retries=2, because="", days=""), "shop.db", None)

    assert told.title == "shop.db: attribute_conversions failed"
    assert told.lines[1] == "Run 4f6c of attribute_conversions, after 2 retries."


def test_an_alert_links_to_the_web_application_where_there_is_one() -> None:
    assert alert_of_run(failed_run(), "shop.db", "https://shop.example").lines[-1] == "https://shop.example/health/"


def test_names_of_the_database_stay_in_one_line_and_are_no_markup() -> None:
    told = alert_of_run(failed_run(problem="Channel <!channel> & co\r\nhas\u2028spoken\x00\ud800"), "<b>.db", None)

    assert told.lines[0] == "Channel <!channel> & co has spoken"
    assert told.as_slack().splitlines()[:2] == [
        "&lt;b&gt;.db: attribute_conversions failed for 2023-09-01 to 2023-09-03",
        "Channel &lt;!channel&gt; &amp; co has spoken",
    ]


def test_a_long_problem_is_cut() -> None:
    line = alert_of_run(failed_run(problem="x" * 5_000), "shop.db", None).lines[0]

    assert (len(line), line[-2:]) == (1_000, "x…")


def test_several_stale_days_are_one_alert() -> None:
    stale = {"channel_costs": ["2023-09-01", "2023-09-02", "2023-09-05"], "channel_reporting": ["2023-09-02"]}

    told = alert_of_stale_days(stale, ["channel_costs of 2023-09-01: costs changed."], 86_400, 24, "shop.db", None)

    assert told.title == "shop.db: 3 days have been stale for more than 24 hours"
    assert told.lines == (
        "channel_costs of 2023-09-01: costs changed.",
        "First seen stale at 1970-01-02 00:00 UTC.",
        "`attribution status` shows them; an `attribution run` of these days restates them.",
    )


def test_of_many_reasons_the_first_ten_are_told() -> None:
    told = alert_of_stale_days({"a": ["2023-09-01"]}, [f"reason {n}." for n in range(12)], 0, 1.5, "shop.db", None)

    assert told.title == "shop.db: 1 day has been stale for more than 1.5 hours"
    assert told.lines[9:11] == ("reason 9.", "And 2 more reasons.")


# -- since when days are stale ------------------------------------------------------------------------------------------


def test_a_day_that_stays_stale_keeps_the_time_at_which_it_was_first_seen() -> None:
    first = seen_again([], {"costs": {"2023-09-01": Stale(3, "late")}}, 100, 5)

    assert seen_again(first, {"costs": {"2023-09-01": Stale(3, "late"), "2023-09-02": Stale(4, "late")}}, 200, 8) == [
        Sighting(100, 5, False, {"costs": ("2023-09-01",)}),
        Sighting(200, 8, False, {"costs": ("2023-09-02",)}),
    ]


def test_a_day_that_was_restated_in_between_is_stale_anew() -> None:
    first = seen_again([], {"costs": {"2023-09-01": Stale(3, "late")}}, 100, 5)

    assert seen_again(first, {"costs": {"2023-09-01": Stale(6, "late")}}, 200, 8) == [
        Sighting(200, 8, False, {"costs": ("2023-09-01",)})
    ]


def test_a_day_that_is_right_again_is_forgotten() -> None:
    first = seen_again([], {"costs": {"2023-09-01": Stale(3, "late")}}, 100, 5)

    assert seen_again(first, {}, 200, 8) == []


def test_sightings_are_stored_as_ranges_of_days() -> None:
    sighting = Sighting(100, 5, True, {"costs": ("2023-09-01", "2023-09-02", "2023-09-05")})

    assert sighting.stored()["days"] == {"costs": [["2023-09-01", "2023-09-02"], ["2023-09-05", "2023-09-05"]]}
    assert Sighting.of(sighting.stored()) == sighting


# -- sending ------------------------------------------------------------------------------------------------------------


def test_the_webhook_gets_what_slack_expects(hook: Webhook) -> None:
    targets(Settings(alert_url=hook.url))["webhook"](ALERT)

    assert hook.texts == ["shop.db: attribute_conversions failed\nThe disk is full."]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_told_by_its_status_alone(hook: Webhook, status: int) -> None:
    hook.status = status

    with pytest.raises(NotSentError, match=rf"^it answered {status}$"):
        targets(Settings(alert_url=hook.url))["webhook"](ALERT)
    assert len(hook.texts) == 1  # no redirect was followed


@pytest.mark.parametrize("is_up", [True, False])
def test_no_logger_shows_the_url(hook: Webhook, caplog: pytest.LogCaptureFixture, is_up: bool) -> None:
    caplog.set_level(logging.DEBUG)
    if not is_up:
        hook.server_close()

    with nullcontext() if is_up else pytest.raises(NotSentError, match=r"^the connection failed$"):
        targets(Settings(alert_url=hook.url))["webhook"](ALERT)

    assert SECRET not in caplog.text
    assert not logging.getLogger("urllib3.connectionpool").disabled


def mail_to(url: str, **others: Any) -> None:
    targets(Settings(**{**MAIL, "smtp_url": url, **others}))["mail server"](ALERT)


def test_an_e_mail_goes_to_every_address() -> None:
    with mail_server() as mailbox:
        mail_to(f"smtp://127.0.0.1:{mailbox.port}", alert_email=["ann@shop.example", "bo@shop.example"])

    [mail] = mailbox.mails
    assert mailbox.recipients == [["ann@shop.example", "bo@shop.example"]]
    assert (mail["From"], mail["To"]) == ("us@shop.example", "ann@shop.example, bo@shop.example")
    assert mail["Subject"] == "shop.db: attribute_conversions failed"
    assert mail.get_content().replace("\r\n", "\n") == "shop.db: attribute_conversions failed\nThe disk is full.\n"


@pytest.fixture
def server_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """For a server whose certificate this process accepts."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return context


def test_the_password_is_sent_once_the_server_has_encrypted_the_connection(server_tls: ssl.SSLContext) -> None:
    with mail_server(starttls=server_tls) as mailbox:
        mail_to(f"smtp://ann:p%40ss%2Fword@127.0.0.1:{mailbox.port}")

    assert mailbox.logins == [(b"ann", b"p@ss/word")]
    assert len(mailbox.mails) == 1


def test_smtps_is_encrypted_from_the_start(server_tls: ssl.SSLContext) -> None:
    with mail_server(tls=server_tls) as mailbox:
        mail_to(f"smtps://ann%40shop.example:p%40ss%2Fword@127.0.0.1:{mailbox.port}", alert_sender=None)

    assert mailbox.logins == [(b"ann@shop.example", b"p@ss/word")]
    assert mailbox.mails[0]["From"] == "ann@shop.example"


def test_no_password_is_sent_to_a_server_that_does_not_encrypt() -> None:
    with mail_server() as mailbox, pytest.raises(NotSentError, match=r"^it offers no encryption, so the password was not sent"):
        mail_to(f"smtp://ann:secret@127.0.0.1:{mailbox.port}")

    assert (mailbox.logins, mailbox.mails) == ([], [])


def test_no_password_is_sent_to_a_server_whose_certificate_is_of_nobody_known(
    server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with (
        mail_server(starttls=server_tls) as mailbox,
        pytest.raises(NotSentError, match=r"^its certificate or encryption is not"),
    ):
        mail_to(f"smtp://ann:secret@127.0.0.1:{mailbox.port}")

    assert mailbox.logins == []


def test_a_wrong_password_is_told_by_the_status_alone(server_tls: ssl.SSLContext) -> None:
    with mail_server(starttls=server_tls) as mailbox, pytest.raises(NotSentError, match=r"^it answered 535$"):
        mail_to(f"smtp://ann:wrong@127.0.0.1:{mailbox.port}")


def test_an_address_that_is_refused_takes_the_e_mail_from_no_other(caplog: pytest.LogCaptureFixture) -> None:
    with mail_server() as mailbox:
        mail_to(f"smtp://127.0.0.1:{mailbox.port}", alert_email=["ann@nowhere.example", "bo@shop.example"])

    assert mailbox.recipients == [["bo@shop.example"]]
    assert caplog.messages == ["The mail server refused 1 of 2 recipients of an alert."]


def test_a_mail_server_that_refuses_everybody_has_not_got_it() -> None:
    with mail_server() as mailbox, pytest.raises(NotSentError, match=r"^it refused every recipient$"):
        mail_to(f"smtp://127.0.0.1:{mailbox.port}", alert_email=["ann@nowhere.example"])


def test_a_mail_server_that_is_down_is_told_in_a_few_words() -> None:
    with mail_server() as mailbox:
        pass

    with pytest.raises(NotSentError, match=r"^the connection failed$"):
        mail_to(f"smtp://127.0.0.1:{mailbox.port}")


# -- once each ----------------------------------------------------------------------------------------------------------


def test_an_alert_is_sent_once(hook: Webhook, instance: dg.DagsterInstance) -> None:
    settings = Settings(alert_url=hook.url)

    assert send(instance, settings, [ALERT]) == "Sent: 1. Waiting: 0."
    assert send(instance, settings, [ALERT]) == "There is nothing to tell."
    assert len(hook.texts) == 1


def test_an_alert_waits_for_a_webhook_that_is_down(
    hook: Webhook, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(alert_url=hook.url)
    hook.status = 503
    other = Alert("run 2", "Another", ())

    assert send(instance, settings, [ALERT, other]) == "Sent: 0. Waiting: 2."
    assert caplog.messages == ["An alert could not be sent to the webhook: it answered 503."]
    assert len(hook.texts) == 1  # it was not tried with the other

    hook.status = 200
    assert send(instance, settings, [ALERT]) == "Sent: 2. Waiting: 0."
    assert hook.texts[1:] == ["Another", ALERT.as_slack()]


def test_the_mail_server_gets_what_the_webhook_misses_and_each_gets_it_once(
    hook: Webhook, instance: dg.DagsterInstance
) -> None:
    hook.status = 503
    with mail_server() as mailbox:
        settings = Settings(alert_url=hook.url, **MAIL, smtp_url=f"smtp://127.0.0.1:{mailbox.port}")
        assert send(instance, settings, [ALERT]) == "Sent: 1. Waiting: 1."
        hook.status = 200
        assert send(instance, settings, []) == "Sent: 1. Waiting: 0."

    assert (len(mailbox.mails), len(hook.texts)) == (1, 2)


def test_an_alert_is_given_up_after_a_day(
    hook: Webhook, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.status = 503
    send(instance, Settings(alert_url=hook.url), [ALERT])
    at(monkeypatch, time.time() + 2 * 24 * 3600)

    send(instance, Settings(alert_url=hook.url), [])

    assert caplog.messages[-1] == f"An alert could not be sent for a day, so it is given up: {ALERT.title}"
    assert send(instance, Settings(alert_url=hook.url), []) == "There is nothing to tell."


def test_what_is_remembered_is_forgotten_after_two_days(
    hook: Webhook, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(instance, Settings(alert_url=hook.url), [ALERT])
    at(monkeypatch, time.time() + 3 * 24 * 3600)
    send(instance, Settings(alert_url=hook.url), [Alert("run 2", "Another", ())])

    [stored] = instance.daemon_cursor_storage.get_cursor_values({alerts.MEMORY}).values()
    assert "run 2" in stored
    assert "run 1" not in stored


def test_a_target_that_is_no_longer_set_is_not_waited_for(hook: Webhook, instance: dg.DagsterInstance) -> None:
    hook.status = 503
    send(instance, Settings(alert_url=hook.url), [ALERT])

    with mail_server() as mailbox:
        assert send(instance, Settings(**MAIL, smtp_url=f"smtp://127.0.0.1:{mailbox.port}"), []) == "There is nothing to tell."


def test_processes_that_send_at_once_send_each_alert_once(hook: Webhook, tmp_path: Path) -> None:
    settings = Settings(alert_url=hook.url)

    with dagster_instance(tmp_path / "home") as instance, ThreadPoolExecutor(4) as threads:
        said = [*threads.map(lambda _: send(instance, settings, [ALERT]), range(4))]

    assert sorted(said) == ["Sent: 1. Waiting: 0.", *["There is nothing to tell."] * 3]
    assert len(hook.texts) == 1


def test_stale_days_are_told_later_if_another_process_is_sending(
    computed: Automated, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed.choices["alert_url"] = hook.url
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")
    _, cursor = sensor_tick(computed, "stale_days")
    at(monkeypatch, time.time() + 25 * 3600)
    monkeypatch.setattr(alerts, "SECONDS_FOR_OTHERS", 0)

    with FileLock(Path(computed.instance.root_directory) / ".attribution_alerts.lock"):
        said, cursor = sensor_tick(computed, "stale_days", cursor)

    assert said == "Another process is sending alerts. The next look sends what it leaves."
    assert sensor_tick(computed, "stale_days", cursor)[0] == "Sent: 1. Waiting: 0."


# -- failed runs --------------------------------------------------------------------------------------------------------


def sensor_tick(automated: Automated, name: str, cursor: str | None = None) -> tuple[str, str | None]:
    """What a tick of the sensor says, and its new cursor."""
    result: Any = build_defs(automated.settings).resolve_sensor_def(name)(
        dg.build_sensor_context(automated.instance, cursor=cursor)
    )
    skipped = result if isinstance(result, dg.SkipReason) else result.skip_reason
    return str(skipped.skip_message), getattr(result, "cursor", None)


def test_a_failed_run_is_told_by_the_sensor_once(automated: Automated, hook: Webhook) -> None:
    automated.choices["alert_url"] = hook.url
    automated.shop.execute("UPDATE conversions SET revenue = 'much' WHERE conv_id = 'buys8'")
    run = automated.materialize("2023-09-08", "customer_journeys")
    assert not run.success

    assert sensor_tick(automated, "failed_runs")[0] == "Sent: 1. Waiting: 0."
    assert sensor_tick(automated, "failed_runs")[0] == "There is nothing to tell."
    [text] = hook.texts
    title, problem, which, _ = text.splitlines()
    assert title == "shop.db: check conversions_are_sound of customer_journeys failed for 2023-09-08"
    assert "buys8" in problem
    assert run.dagster_run.run_id in which


def test_a_run_that_succeeds_is_not_told(automated: Automated, hook: Webhook) -> None:
    automated.choices["alert_url"] = hook.url
    automated.attribute("2023-09-08")

    assert sensor_tick(automated, "failed_runs")[0] == "There is nothing to tell."
    assert hook.texts == []


def test_a_run_that_a_user_cancelled_has_not_failed(automated: Automated) -> None:
    run = automated.instance.create_run_for_job(automated_job(automated))
    automated.instance.report_run_canceled(run)

    assert list(alerts_of_failed_runs(automated.instance, automated.settings)) == []


def automated_job(automated: Automated) -> dg.JobDefinition:
    return build_defs(automated.settings).resolve_job_def("attribute_conversions")


@pytest.mark.parametrize(
    ("tags", "minutes_ago", "is_told"),
    [
        ({"dagster/auto_retry_run_id": "5e7a"}, 1, False),  # was started again
        ({"dagster/will_retry": "true"}, 1, False),
        ({}, 1, False),  # Dagster has not decided yet
        ({"dagster/will_retry": "false", "dagster/retry_number": "2"}, 1, True),
        ({"dagster/will_retry": "true"}, 11, True),  # it should have been, and was not
    ],
)
def test_a_run_that_dagster_starts_again_is_not_told(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str], minutes_ago: float, is_told: bool
) -> None:
    retries = {"run_retries": {"enabled": True, "max_retries": 2}}
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("attribution_assets"), "__repository__")
    now = time.time()
    with dg.DagsterInstance.ephemeral(settings=retries) as instance:
        run = dg.DagsterRun("report_channels", tags=tags, remote_job_origin=RemoteJobOrigin(repository, "report_channels"))
        instance.run_storage.add_run(run)
        instance.run_storage.handle_run_event(
            run.run_id,
            dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, run.job_name),
            update_timestamp=datetime.fromtimestamp(now - minutes_ago * 60, UTC),
        )

        assert len([*alerts_of_failed_runs(instance, Settings(alert_url=hook.url))]) == is_told


@pytest.mark.parametrize(("hours_ago", "is_told"), [(23, True), (25, False)])
def test_a_failure_is_told_for_a_day_whatever_changes_of_its_run_later(
    instance: dg.DagsterInstance, hours_ago: float, is_told: bool
) -> None:
    run = dg.DagsterRun("report_channels")
    instance.run_storage.add_run(run)
    instance.run_storage.handle_run_event(
        run.run_id,
        dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, run.job_name),
        update_timestamp=datetime.fromtimestamp(time.time() - hours_ago * 3600, UTC),
    )
    instance.add_run_tags(run.run_id, {"seen": "true"})

    assert len([*alerts_of_failed_runs(instance, Settings())]) == is_told


def test_a_run_of_a_reversed_range_is_told_without_days(instance: dg.DagsterInstance) -> None:
    reversed_range = {"dagster/asset_partition_range_start": "2023-09-03", "dagster/asset_partition_range_end": "2023-09-01"}
    run = dg.DagsterRun("report_channels", tags=reversed_range)
    instance.add_run(run)
    instance.report_run_failed(run)

    [told] = alerts_of_failed_runs(instance, Settings())

    assert told.title == "attribution.db: report_channels failed"


def test_without_a_target_there_is_no_sensor_of_alerts() -> None:
    with_target = {
        sensor.name for sensor in build_defs(Settings(alert_url="https://x.example")).get_repository_def().sensor_defs
    }
    without = {sensor.name for sensor in build_defs(Settings()).get_repository_def().sensor_defs}

    assert with_target - without == {"failed_runs", "stale_days"}
    assert "failed_runs" not in without


def test_the_sensors_of_alerts_are_on_by_default() -> None:
    defs = build_defs(Settings(alert_url="https://x.example"))

    assert {defs.resolve_sensor_def(name).default_status for name in ("failed_runs", "stale_days")} == {
        dg.DefaultSensorStatus.RUNNING
    }


# -- stale days ---------------------------------------------------------------------------------------------------------


def test_days_that_stay_stale_are_told_once(computed: Automated, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    computed.choices |= {"alert_url": hook.url, "alert_stale_hours": 24}
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id IN ('anna5', 'anna6')")
    now = time.time()

    def tick(hours: float, cursor: str | None) -> tuple[str, str | None]:
        at(monkeypatch, now + hours * 3600)
        return sensor_tick(computed, "stale_days", cursor)

    said, cursor = tick(0, None)
    assert said == "There is nothing to tell."
    said, cursor = tick(23.9, cursor)
    assert said == "There is nothing to tell."
    said, cursor = tick(24.1, cursor)
    assert said == "Sent: 1. Waiting: 0."
    said, cursor = tick(24 * 7, cursor)
    assert said == "There is nothing to tell."

    [text] = hook.texts
    assert text.splitlines()[:2] == [
        "shop.db: 2 days have been stale for more than 24 hours",
        "channel_costs of 2023-09-05: costs of 2023-09-05 changed.",
    ]


def test_days_that_are_restated_in_time_are_not_told(
    computed: Automated, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed.choices |= {"alert_url": hook.url}
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")
    _, cursor = sensor_tick(computed, "stale_days")
    computed.sum_costs("2023-09-05")
    computed.report("2023-09-05")
    at(monkeypatch, time.time() + 48 * 3600)

    assert sensor_tick(computed, "stale_days", cursor) == ("There is nothing to tell.", "[]")
    assert hook.texts == []


def test_stale_days_are_not_looked_for_while_a_run_is_in_progress(computed: Automated, hook: Webhook) -> None:
    computed.choices["alert_url"] = hook.url
    computed.instance.create_run_for_job(automated_job(computed))

    assert sensor_tick(computed, "stale_days", "[]") == (
        "Runs are in progress. Stale days are looked for when they have finished.",
        "[]",
    )


# -- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Three days of sessions and orders."""
    busy(shop, days=3)
    return shop


def test_a_failed_command_is_told_once_by_what_made_it_fail(sold: Shop, hook: Webhook) -> None:
    break_sources(sold)
    environment = {"ATTRIBUTION_ALERT_URL": hook.url, "ATTRIBUTION_WEB_URL": "https://shop.example/"}

    assert attribution_run(sold, **environment).exit_code == 1

    [text] = hook.texts
    title, problem, which, link = text.splitlines()
    assert title == "shop.db: check conversions_are_sound of customer_journeys failed for 2023-09-01 to 2023-09-03"
    assert problem.startswith("customer_journeys was not written, because its sources are broken: conversions: 'c2' has")
    assert "of attribute_conversions, launched because: `attribution run`." in which
    assert link == "https://shop.example/health/"


def test_a_check_of_results_that_fails_is_told_once(sold: Shop, hook: Webhook) -> None:
    assert attribution_run(sold).exit_code == 0
    sold.execute(
        "CREATE TRIGGER spoilt AFTER INSERT ON channel_reporting BEGIN "
        "UPDATE channel_reporting SET cost = cost + 1 WHERE rowid = new.rowid; END"
    )

    assert attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url).exit_code == 1

    [text] = hook.texts
    assert text.startswith("shop.db: check ")
    assert " of channel_reporting failed for 2023-09-01 to 2023-09-03\n" in text


def test_a_command_that_succeeds_tells_nothing(sold: Shop, hook: Webhook) -> None:
    assert attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url).exit_code == 0

    assert hook.texts == []


@pytest.mark.dagster_home
def test_the_command_and_the_sensor_together_tell_a_failure_once(sold: Shop, hook: Webhook, tmp_path: Path) -> None:
    break_sources(sold)
    attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url)

    with dagster_instance(tmp_path / "home") as instance:
        sensor = build_defs(sold.settings(alert_url=hook.url)).resolve_sensor_def("failed_runs")
        told: Any = sensor(dg.build_sensor_context(instance))

    assert told.skip_message == "There is nothing to tell."
    assert len(hook.texts) == 1


def test_what_could_not_be_told_is_told_by_the_next_command(sold: Shop) -> None:
    break_sources(sold)
    with webhook() as down:
        url = {"ATTRIBUTION_ALERT_URL": down.url}
    failed = attribution_run(sold, **url)
    mend_sources(sold)

    with webhook(down.server_port) as up:
        assert attribution_run(sold, **url).exit_code == 0
        assert attribution_run(sold, **url).exit_code == 0

    assert failed.exit_code == 1
    assert [text.splitlines()[0] for text in up.texts] == [
        "shop.db: check conversions_are_sound of customer_journeys failed for 2023-09-01 to 2023-09-03"
    ]


def test_a_problem_before_any_run_is_told(tmp_path: Path, hook: Webhook) -> None:
    missing = Shop.at(tmp_path / "gone.db", tmp_path / "exports")

    result = attribution_run(missing, ATTRIBUTION_ALERT_URL=hook.url)

    assert result.exit_code == 1
    [text] = hook.texts
    assert text.splitlines()[:2] == ["gone.db: `attribution run` failed", result.stderr.strip().removeprefix("Error: ")]
    assert not (tmp_path / "home").exists()


def test_the_same_problem_before_any_run_is_told_once_a_day(sold: Shop, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attribution_run(sold).exit_code == 0
    options = ("--start", "2024-01-01")

    for today in ("2026-01-01", "2026-01-01", "2026-01-02"):
        monkeypatch.setattr(alerts, "today", lambda today=today: today)
        assert attribution_run(sold, *options, ATTRIBUTION_ALERT_URL=hook.url).exit_code == 1

    assert len(hook.texts) == 2


@pytest.mark.dagster_home
def test_a_home_of_another_database_is_told(sold: Shop, hook: Webhook, tmp_path: Path) -> None:
    assert attribution_run(sold).exit_code == 0
    other = sold.copy_sources(tmp_path / "other")

    result = attribution_run(other, ATTRIBUTION_ALERT_URL=hook.url, DAGSTER_HOME=str(tmp_path / "home"))

    assert "holds the history of another database" in result.stderr
    assert "holds the history of another database" in hook.texts[0]


def test_a_resource_that_cannot_be_set_up_is_told_once(sold: Shop, hook: Webhook) -> None:
    assert attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url, IHC_BACKEND="api").exit_code == 1

    [text] = hook.texts
    assert text.splitlines()[1].startswith("IHC_API_KEY is not set")


@pytest.mark.dagster_home
def test_a_killed_command_is_told_by_the_next_one(sold: Shop, hook: Webhook, tmp_path: Path) -> None:
    assert attribution_run(sold).exit_code == 0
    with dagster_instance(tmp_path / "home") as instance:
        job = build_defs(sold.settings()).resolve_job_def("report_channels")
        killed = instance.create_run_for_job(job, tags=COMMAND_TAG, status=dg.DagsterRunStatus.STARTED)

    assert attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url).exit_code == 0

    [text] = hook.texts
    assert "The `attribution run` that this run belonged to was killed." in text
    assert killed.run_id in text


def test_a_command_that_is_interrupted_has_not_failed(sold: Shop, hook: Webhook, tmp_path: Path) -> None:
    settings = sold.settings(alert_url=hook.url, dagster_home=tmp_path / "home", end_date="2023-09-03")

    def interrupt(event: dg.DagsterEvent) -> None:
        if event.is_step_success:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(DagsterExecutionInterruptedError), alerting(settings):
        execute_plan(settings, prepared_plan(settings, None, None, ()), interrupt)

    assert attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url).exit_code == 0
    assert hook.texts == []


def test_trouble_with_alerts_does_not_hide_the_problem(
    sold: Shop, hook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, f"Permission denied: {hook.url}")

    break_sources(sold)
    monkeypatch.setattr(alerts, "send", refuse)

    result = attribution_run(sold, ATTRIBUTION_ALERT_URL=hook.url)

    assert result.stderr.splitlines()[-1].startswith("Error: customer_journeys was not written")
    assert "Alerts could not be sent, because of a PermissionError." in caplog.messages


@pytest.mark.dagster_home
def test_the_secret_urls_are_nowhere(sold: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    break_sources(sold)
    with webhook() as down:
        environment = {
            "ATTRIBUTION_ALERT_URL": down.url,
            "ATTRIBUTION_SMTP_URL": f"smtp://ann:{SECRET}@127.0.0.1:{down.server_port}",
            "ATTRIBUTION_ALERT_EMAIL": "ann@shop.example",
        }

    result = attribution_run(sold, **environment)

    assert sum("An alert could not be sent" in message for message in caplog.messages) == 2
    assert SECRET not in result.output + caplog.text
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


# -- a running Dagster --------------------------------------------------------------------------------------------------


def newest_tick(dagster: LiveDagster) -> str:
    """What the newest tick of `failed_runs` says; nothing while it is in progress."""
    sensors = dagster.graphql(SENSORS, repository=REPOSITORY)["sensorsOrError"]["results"]
    [ticks] = [sensor["sensorState"]["ticks"] for sensor in sensors if sensor["name"] == "failed_runs"]
    return ticks[0]["skipReason"] or ""


@pytest.mark.live
@pytest.mark.long
def test_the_daemon_tells_a_failed_run_once_when_the_webhook_is_up_again(sold: Shop, tmp_path: Path) -> None:
    break_sources(sold)
    with webhook() as down:
        environment = {**LOOKBACK, "ATTRIBUTION_ALERT_URL": down.url}

    log = tmp_path / "dagster" / "dg_dev.log"
    with LiveDagster(sold, log.parent, **environment) as dagster:
        failed = dagster.wait_for_run(dagster.materialize(["customer_journeys"], "2023-09-02"))
        wait_for(lambda: "An alert could not be sent to the webhook: the connection failed." in log.read_text())
        with webhook(down.server_port) as up:
            wait_for(lambda: up.texts)
            wait_for(lambda: newest_tick(dagster).startswith("Sent: 1."), every=0.5)
            wait_for(lambda: newest_tick(dagster) == "There is nothing to tell.", every=0.5)
            seen = str(dagster.graphql(SENSORS, repository=REPOSITORY))

    assert failed.status == "FAILURE"
    [text] = up.texts
    assert text.startswith("shop.db: check conversions_are_sound of customer_journeys failed for 2023-09-02\n")
    assert failed.id in text
    assert "failed_runs" in seen
    assert SECRET not in seen
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []
