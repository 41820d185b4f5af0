"""The client of the IHC API, over real sockets: what it sends, which answers it takes, and when it tries again."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from urllib3.util import Retry

from attribution_assets.ihc.client import LONGEST_WAIT_SECONDS, RETRY, IHCClient, Outcome, RefusedError
from attribution_assets.ihc.endpoint import ENDPOINT, endpoint
from attribution_assets.ihc.packing import Journey
from attribution_assets.ihc.redistribution import Redistribution
from attribution_assets_tests.ihc.journeys import journey
from attribution_assets_tests.ihc.service import (
    FAULTS,
    KEY,
    PHASES,
    Fault,
    Row,
    Service,
    answering,
    first_journey,
    running,
    status,
    status_in_the_body,
)

TRIES = 3
PATIENT = Retry(total=TRIES - 1, backoff_factor=0)

INVALID = {
    "a missing session": "a session is missing",
    "a duplicated session": "a session appears twice, or was never sent",
    "a session of another journey": "a session appears twice, or was never sent",
    "a sum of 0.9": "its ihc sums to 0.9, not 1",
    "NaN": "a value is not a number from 0 to 1",
    "a number above 1": "a value is not a number from 0 to 1",
    "text for a number": "a value is not a number from 0 to 1",
    "a missing phase": "a value is not a number from 0 to 1",
}

TRIED_AGAIN = {
    "429": "429 a bad day",
    "500": "500 a bad day",
    "502": "502 a bad day",
    "503": "503 a bad day",
    "504": "504 a bad day",
    "500 in the body": "500",
    "a reset connection": "the connection failed",
    "an answer cut short": "the connection failed",
    "a read timeout": "no answer within 1 s",
    "a body that is not JSON": "the answer cannot be read",
    "an HTML error page": "the answer cannot be read",
}


# What the tests are made of -------------------------------------------------------------------------------------------


@pytest.fixture
def api() -> Iterator[Service]:
    with running(Service()) as service:
        yield service


def client(api: Service, **options: Any) -> IHCClient:
    """Gives up after three tries, and waits between them only where it is asked to."""
    return IHCClient(
        **{"key": KEY, "conv_type_id": "new", "url": endpoint(api.url), "timeout": 60, "retry": PATIENT, **options}
    )


def patience(fault: str) -> float:
    """For how many seconds an answer is waited for: not for long, where none comes."""
    return 1 if fault == "a read timeout" else 60


def at_first(*faults: Fault) -> Callable[[int], Fault | None]:
    """These faults, one a request, and good answers from then on."""
    return lambda n: faults[n] if n < len(faults) else None


def always(fault: Fault) -> Callable[[int], Fault | None]:
    return lambda _: fault


def ask(api: Service, fault: Fault | None = None, *journeys: Journey, **options: Any) -> Outcome:
    """One journey, unless others are given, by a client that always meets the fault."""
    api.fault = lambda _: fault
    return client(api, **options).ask(journeys or [journey()])


def enveloped(rows: Any, **changes: Any) -> Row:
    return {"statusCode": 200, "value": rows, "partialFailureErrors": [], **changes}


def row(session: int = 0, conv_id: str = "c", **changes: Any) -> Row:
    """A row of an answer: of two sessions, one begins and keeps, the other closes, both with half the credit."""
    shares = {"initializer": 1 - session, "holder": 1 - session, "closer": session, "ihc": 0.5}
    return {"conversion_id": conv_id, "session_id": f"{conv_id}-{session}", **shares, **changes}


# What is sent ---------------------------------------------------------------------------------------------------------


def test_the_journeys_are_sent_as_one_flat_list_of_sessions(api: Service) -> None:
    client(api).ask([journey("c1", sessions=2), journey("c2", sessions=1)])

    common = {"channel_label": "Email", "holder_engagement": 1, "closer_engagement": 0, "impression_interaction": 0}
    assert api.bodies == [
        {
            "customer_journeys": [
                {"conversion_id": "c1", "session_id": "c1-0", "timestamp": "2023-09-01 00:00:00", "conversion": 0, **common},
                {"conversion_id": "c1", "session_id": "c1-1", "timestamp": "2023-09-01 01:00:00", "conversion": 1, **common},
                {"conversion_id": "c2", "session_id": "c2-0", "timestamp": "2023-09-01 00:00:00", "conversion": 1, **common},
            ]
        }
    ]


@pytest.mark.parametrize("conv_type_id", ["new", "new & old=1", "façade/ü"])
def test_conv_type_id_is_a_parameter_of_the_query(api: Service, conv_type_id: str) -> None:
    client(api, conv_type_id=conv_type_id).ask([journey()])

    parts = urlsplit(api.queries[0])
    assert parts.path == "/v1/compute_ihc"
    assert parse_qs(parts.query) == {"conv_type_id": [conv_type_id]}


def test_the_key_is_sent_in_the_header_x_api_key_and_the_body_as_json(api: Service) -> None:
    client(api).ask([journey()])

    assert api.headers[0].get_all("x-api-key") == [KEY]
    assert api.headers[0].get_all("Content-Type") == ["application/json"]


def test_redistribution_parameter_is_sent_as_the_redistribution_says_it(api: Service, tmp_path: Path) -> None:
    holder = {"direction": "any_session", "receive_threshold": 0.1, "redistribution_channel_labels": ["Direct"]}
    (tmp_path / "moved.json").write_text(json.dumps({"holder": holder}))

    client(api, redistribution=Redistribution.load(tmp_path / "moved.json")).ask([journey()])

    assert set(api.bodies[0]) == {"customer_journeys", "redistribution_parameter"}
    assert api.bodies[0]["redistribution_parameter"] == {"holder": holder}


def test_text_arrives_as_it_is_in_any_script(api: Service) -> None:
    sent = journey("Ordre n° 7 \U0001f6d2 \"'\\")

    outcome = client(api).ask([sent])

    assert api.bodies[0]["customer_journeys"] == sent.sessions
    assert list(outcome.answers) == [sent.conv_id]


# Good answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_gives_the_four_shares_of_each_session_sent(api: Service) -> None:
    outcome = ask(api, answering(lambda _: enveloped([row(0), row(1)])))

    assert outcome == Outcome(answers={"c": [(1.0, 1.0, 0.0, 0.5), (0.0, 0.0, 1.0, 0.5)]}, reasons={}, tries=1, strays=0)


def test_shares_stand_in_the_order_of_the_sessions_sent_whatever_the_order_of_the_answer(api: Service) -> None:
    journeys = [journey("c1", sessions=4), journey("c2", sessions=3)]
    in_order = ask(api, None, *journeys)

    backwards = ask(api, answering(lambda good: enveloped(good[::-1])), *journeys)

    assert backwards.answers == in_order.answers
    assert [len(answer) for answer in backwards.answers.values()] == [4, 3]
    assert backwards.answers["c1"][0] != backwards.answers["c1"][-1]


@pytest.mark.parametrize("ihc", [0.4985, 0.5015])
def test_a_sum_that_is_off_by_rounding_is_taken(api: Service, ihc: float) -> None:
    outcome = ask(api, answering(lambda _: enveloped([row(0), row(1, ihc=ihc)])))

    assert outcome.answers["c"][1] == (0.0, 0.0, 1.0, ihc)


@pytest.mark.parametrize(("ihc", "total"), [(0.4975, "0.9975"), (0.5025, "1.002")])
def test_a_sum_that_is_off_by_more_than_2_thousandths_is_not(api: Service, ihc: float, total: str) -> None:
    outcome = ask(api, answering(lambda _: enveloped([row(0), row(1, ihc=ihc)])))

    assert outcome.reasons == {"c": f"its answer is not valid: its ihc sums to {total}, not 1"}


def test_an_id_answered_as_a_number_is_the_text_that_was_sent(api: Service) -> None:
    sent = journey("7", sessions=1)
    sent.sessions[0]["session_id"] = "12"
    answered = row(0, conversion_id=7, session_id=12, closer=1, ihc=1)

    assert ask(api, answering(lambda _: enveloped([answered])), sent).answers == {"7": [(1.0, 1.0, 1.0, 1.0)]}


@pytest.mark.parametrize(
    ("code", "changes"),
    [(200, {"statusCode": 206}), (206, {"statusCode": 206}), (206, {"statusCode": 200}), (200, {"statusCode": "200"})],
)
def test_200_and_206_are_answers_in_the_http_status_and_in_the_body(api: Service, code: int, changes: Row) -> None:
    outcome = ask(api, answering(lambda good: enveloped(good, **changes), code))

    assert list(outcome.answers) == ["c"]


@pytest.mark.parametrize("name", ["statusCode", "partialFailureErrors"])
@pytest.mark.parametrize("content", [None, "left out"])
def test_an_answer_may_say_nothing_of_its_status_and_of_failures(api: Service, name: str, content: str | None) -> None:
    def answered(good: list[Row]) -> Row:
        said = enveloped(good, **{name: content})
        return {key: value for key, value in said.items() if value != "left out"}

    assert list(ask(api, answering(answered)).answers) == ["c"]


def test_a_compressed_answer_is_read(api: Service) -> None:
    zipped = answering(lambda good: gzip.compress(json.dumps(enveloped(good)).encode()), Content_Encoding="gzip")

    assert list(ask(api, zipped).answers) == ["c"]


def test_an_answer_that_is_not_in_utf_8_is_read(api: Service) -> None:
    latin = answering(lambda good: json.dumps(enveloped(good, message="déjà vu"), ensure_ascii=False).encode("latin-1"))

    assert list(ask(api, latin).answers) == ["c"]


# Answers in part ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", INVALID)
def test_an_invalid_answer_is_refused_with_its_reason_and_the_others_of_the_request_are_kept(api: Service, fault: str) -> None:
    outcome = ask(api, FAULTS[fault], journey("bad"), journey("good"), journey("fine", sessions=1))

    assert outcome.reasons == {"bad": f"its answer is not valid: {INVALID[fault]}"}
    assert set(outcome.answers) == {"good", "fine"}
    assert outcome.tries == 1


@pytest.mark.parametrize(
    ("phase", "value"),
    [(phase, -0.0001) for phase in PHASES] + [("closer", value) for value in (True, None, [1], "1", 1.0001, 10**400)],
)
def test_a_share_is_a_number_from_0_to_1(api: Service, phase: str, value: Any) -> None:
    outcome = ask(api, answering(lambda _: enveloped([row(0), row(1, **{phase: value})])))

    assert outcome.reasons == {"c": "its answer is not valid: a value is not a number from 0 to 1"}


def test_a_journey_without_any_row_is_missing(api: Service) -> None:
    outcome = ask(api, first_journey(lambda _: []), journey("lost"), journey("good"))

    assert outcome.reasons == {"lost": "its answer is not valid: it is missing"}
    assert list(outcome.answers) == ["good"]


def test_the_failures_of_a_206_are_the_reasons_and_the_others_are_kept(api: Service) -> None:
    outcome = ask(api, FAULTS["206 with failures"], journey("bad"), journey("good"))

    assert outcome.reasons == {"bad": "the service reports a failure: 406 could not be parsed"}
    assert list(outcome.answers) == ["good"]
    assert outcome.tries == 1


def test_rows_that_belong_to_no_journey_sent_are_counted_and_left_out(api: Service) -> None:
    strange: list[Any] = [row(conv_id="who?"), row(conversion_id=None), {}, None, 7, "c", [row()]]

    outcome = ask(api, answering(lambda good: enveloped(strange + good)))

    assert outcome.strays == len(strange)
    assert list(outcome.answers) == ["c"]


@pytest.mark.parametrize("absent", ["conversion_id", "session_id"])
def test_an_id_that_is_absent_is_not_the_id_none(api: Service, absent: str) -> None:
    sent = journey("None", sessions=1)
    sent.sessions[0]["session_id"] = "None"

    def without(good: list[Row]) -> Row:
        return enveloped([{name: value for name, value in good[0].items() if name != absent}])

    assert list(ask(api, answering(without), sent).reasons) == ["None"]


@pytest.mark.parametrize(
    "failures",
    [
        pytest.param({"conversion_id": "bad", "message": "no"}, id="one, not in a list"),
        pytest.param([{"conversion_id": "bad", "message": "no"}, None, 7, "odd", [], {}, {"conversion_id": {}}], id="odd ones"),
        pytest.param([{"conversion_id": "bad", "message": "no"}] * 2, id="one twice"),
        pytest.param([{"conversion_id": "bad", "message": "n\n\r\to"}], id="lines"),
        pytest.param([{"conversion_id": "bad", "message": {"why": ["no"]}}], id="nested"),
        pytest.param([{"conversion_id": "bad", "message": "no" * 100_000}], id="long"),
    ],
)
def test_failures_in_any_shape_cost_no_good_answer_and_give_a_reason_of_one_short_line(api: Service, failures: Any) -> None:
    fault = answering(lambda good: enveloped(good[1:], statusCode=206, partialFailureErrors=failures), 206)

    outcome = ask(api, fault, journey("bad", sessions=1), journey("good"))

    assert list(outcome.answers) == ["good"]
    assert outcome.reasons["bad"].startswith("the service reports a failure: ")
    assert outcome.reasons["bad"].isprintable()
    assert len(outcome.reasons["bad"]) < 300
    assert outcome.tries == 1


def test_a_206_without_values_gives_the_reasons_at_once(api: Service) -> None:
    failed = [{"conversion_id": "c", "message": "no"}]

    outcome = ask(api, answering(lambda _: enveloped(None, statusCode=206, partialFailureErrors=failed), 206))

    assert outcome == Outcome({}, {"c": "the service reports a failure: no"}, tries=1)


# Trying again ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", TRIED_AGAIN)
def test_a_fault_that_may_pass_is_tried_again_with_the_same_request(api: Service, fault: str) -> None:
    api.fault = at_first(FAULTS[fault])

    outcome = client(api, timeout=patience(fault)).ask([journey("c1"), journey("c2")])

    assert set(outcome.answers) == {"c1", "c2"}
    assert (outcome.reasons, outcome.tries) == ({}, 2)
    assert api.received[0] == api.received[1]


@pytest.mark.parametrize("fault", TRIED_AGAIN)
def test_the_number_of_tries_is_bounded_and_shown_with_the_reason(api: Service, fault: str) -> None:
    outcome = ask(api, FAULTS[fault], journey("c1"), journey("c2"), timeout=patience(fault))

    assert outcome.answers == {}
    assert outcome.tries == len(api.received) == TRIES
    assert outcome.reasons["c1"] == outcome.reasons["c2"]
    assert outcome.reasons["c1"].startswith(TRIED_AGAIN[fault])
    assert outcome.reasons["c1"].endswith(f"({TRIES} tries)")


@pytest.mark.parametrize("code", [400, 404, 406, 413, 422])
@pytest.mark.parametrize("where", [status, status_in_the_body])
def test_a_fault_of_the_request_is_not_tried_again(api: Service, code: int, where: Callable[[int], Fault]) -> None:
    outcome = ask(api, where(code))

    assert outcome.tries == len(api.received) == 1
    assert outcome.reasons["c"].startswith(str(code))


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("where", [status, status_in_the_body])
def test_a_key_that_is_refused_is_an_error_at_once(api: Service, code: int, where: Callable[[int], Fault]) -> None:
    with pytest.raises(RefusedError, match=rf"rejects the key \({code}.*\)\. Set IHC_API_KEY") as raised:
        ask(api, where(code))

    assert "\n" not in str(raised.value)
    assert len(api.received) == 1


def test_a_status_as_text_is_that_status(api: Service) -> None:
    with pytest.raises(RefusedError):
        ask(api, answering(lambda _: enveloped(None, statusCode="403")))


@pytest.mark.parametrize("code", [None, 0, -1, "", "OK", [], {}, True, 10**400, "4\n04"])
def test_an_odd_status_in_the_body_is_a_reason_of_one_line(api: Service, code: Any) -> None:
    outcome = ask(api, answering(lambda _: enveloped(None, statusCode=code)))

    assert "\n" not in outcome.reasons["c"]
    assert len(outcome.reasons["c"]) < 300


def test_an_http_error_is_no_answer_even_with_values(api: Service) -> None:
    assert ask(api, answering(enveloped, 500)).answers == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"[" * 200_000,
        b"{}",
        b'{"value": null}',
        b'{"value": {}}',
        b'{"value": "text"}',
        b'{"statusCode": 200}',
        b"\xff\xfe\x00",
        b'{"statusCode": ' + b"9" * 5000 + b"}",
    ],
)
def test_an_answer_that_cannot_be_read_is_tried_again(api: Service, content: bytes) -> None:
    api.fault = at_first(answering(lambda _: content))

    assert client(api).ask([journey()]).tries == 2


def test_a_broken_compression_is_tried_again(api: Service) -> None:
    api.fault = at_first(answering(lambda _: b"not zipped", Content_Encoding="gzip"))

    assert client(api).ask([journey()]).tries == 2


def test_a_message_of_the_service_is_a_reason_of_one_short_line(api: Service) -> None:
    outcome = ask(api, answering(lambda _: {"message": "two\nlines and\r\n" + "more " * 100}, 400))

    assert outcome.reasons["c"].startswith("400 two lines and more")
    assert "\n" not in outcome.reasons["c"]
    assert len(outcome.reasons["c"]) < 300


def test_a_service_that_is_not_there_is_named_in_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    outcome = IHCClient(KEY, "new", f"http://127.0.0.1:{port}/", retry=PATIENT).ask([journey()])

    assert outcome.reasons == {"c": "the connection failed: [Errno 111] Connection refused (3 tries)"}


def test_waits_grow_to_16_seconds_before_a_client_gives_up() -> None:
    retry, waits = RETRY, []
    for _ in range(6):
        retry = retry.increment(error=TimeoutError())
        waits.append(retry.get_backoff_time())

    assert waits[0] == 0
    assert [int(2 * wait) // 2 for wait in waits[1:]] == pytest.approx([1, 2, 4, 8, 16], abs=0.5)
    assert retry.total == 0


# Retry-After ----------------------------------------------------------------------------------------------------------


def test_retry_after_in_seconds_is_waited_for(api: Service) -> None:
    api.fault = at_first(FAULTS["429 with Retry-After"])
    started = time.monotonic()

    outcome = client(api).ask([journey()])

    assert time.monotonic() - started >= 1
    assert outcome.tries == 2


def test_retry_after_as_a_date_is_waited_for(api: Service) -> None:
    date = int(time.time()) + 2
    api.fault = at_first(status(503, Retry_After=formatdate(date, usegmt=True)))

    outcome = client(api).ask([journey()])

    assert time.time() >= date - 0.01
    assert outcome.tries == 2


@pytest.mark.parametrize("in_seconds", [True, False])
def test_a_retry_after_that_is_too_long_is_named_and_not_waited_for(api: Service, in_seconds: bool) -> None:
    seconds = LONGEST_WAIT_SECONDS + 60
    text = str(seconds) if in_seconds else formatdate(time.time() + seconds, usegmt=True)

    outcome = ask(api, status(429, Retry_After=text))

    assert outcome.tries == len(api.received) == 1
    assert outcome.reasons["c"].startswith("429 a bad day; the service asks to wait 3")


def test_retry_after_makes_no_more_tries_than_patience_has(api: Service) -> None:
    outcome = ask(api, status(429, Retry_After="0"))

    assert outcome.tries == len(api.received) == TRIES


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "-5", "1.5", "1 2", "\xe9", "Mon", "0,", "9" * 5000),
        *("Fri, 31 Dec 99999 23:59:59 GMT", "Fri, 32 Foo 2023 25:61:61 XYZ", "Fri, 01 Sep 2023 10:00:00 GMT"),
    ],
)
def test_a_retry_after_that_is_broken_or_past_does_no_harm(api: Service, text: str) -> None:
    api.fault = at_first(status(503, Retry_After=text))

    outcome = client(api).ask([journey()])

    assert outcome.tries == 2
    assert list(outcome.answers) == ["c"]


# Redirects and the key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(api: Service, code: int) -> None:
    with running(Service()) as other:
        outcome = ask(api, status(code, Location=endpoint(other.url)))

        assert other.connections == 0
    assert outcome.tries == len(api.received) == 1
    assert outcome.reasons["c"].startswith(str(code))


@pytest.mark.parametrize(
    "location", ["http://[", "\xe9", "", "//", "ftp://x", "http://a:b/", "/v1/compute_ihc", "http://\u00ad/"]
)
def test_a_redirect_to_anywhere_is_a_reason(api: Service, location: str) -> None:
    outcome = ask(api, status(307, Location=location))

    assert outcome.tries == len(api.received) == 1
    assert outcome.reasons["c"].startswith("307")


def test_the_key_is_not_in_repr(api: Service) -> None:
    assert KEY not in repr(client(api))
    assert KEY not in str(client(api))


@pytest.mark.parametrize("before", ["", "x" * 185])
def test_the_key_is_not_in_the_reasons_even_if_the_service_says_it(api: Service, before: str) -> None:
    message = {"message": f"{before} {KEY} is out of quota"}
    failed = [{"conversion_id": "c", **message}]

    outcomes = [
        ask(api, answering(lambda _: message, 400)),
        ask(api, answering(lambda _: enveloped(None, statusCode=KEY, **message))),
        ask(api, answering(lambda _: enveloped([], statusCode=206, partialFailureErrors=failed), 206)),
    ]

    assert all(KEY[:8] not in outcome.reasons["c"] for outcome in outcomes)
    assert all("***" in outcome.reasons["c"] for outcome in outcomes)


def test_a_key_with_a_line_break_is_not_in_the_reasons(api: Service) -> None:
    assert KEY not in client(api, key=f"{KEY}\n").ask([journey()]).reasons["c"]


def test_the_key_is_not_in_the_error_even_if_the_service_says_it(api: Service) -> None:
    wrong = "another-key-that-nobody-sees"

    with pytest.raises(RefusedError, match=r"\(403 Forbidden: \*\*\*\)") as raised:
        client(api, key=wrong).ask([journey()])

    assert wrong not in repr(raised.value)


def test_the_key_is_not_in_the_log(api: Service, caplog: pytest.LogCaptureFixture) -> None:
    api.fault = at_first(FAULTS["500"], FAULTS["a reset connection"])

    with caplog.at_level(logging.DEBUG):
        client(api).ask([journey()])

    assert "compute_ihc" in caplog.text
    assert KEY not in caplog.text


# The endpoint ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "posted_to"),
    [
        ("https://api.ihc-attribution.com", ENDPOINT),
        ("https://api.ihc-attribution.com/", ENDPOINT),
        (ENDPOINT, ENDPOINT),
        ("http://localhost:8080", "http://localhost:8080/v1/compute_ihc"),
        ("http://[::1]:8080/", "http://[::1]:8080/v1/compute_ihc"),
        ("https://proxy.example/ihc", "https://proxy.example/ihc"),
        ("https://proxy.example/ihc/", "https://proxy.example/ihc/"),
    ],
)
def test_a_server_alone_gets_the_path_of_the_service_and_a_path_stays_as_it_is(given: str, posted_to: str) -> None:
    assert endpoint(given) == posted_to


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "api.ihc-attribution.com",
            "/v1/compute_ihc",
            "ftp://host/path",
            "file:///etc/passwd",
            "https://",
            "https:///path",
        ),
        *("https://user:secret@host/", "https://user@host/", "https://:secret@host/", "https://@host/"),
        *("https://host/?conv_type_id=x", "https://host/path?a=b", "https://host?", "https://host/#part", "https://host#"),
        *("https://host:port/", "https://host:99999/", "https://[host/"),
    ],
)
def test_what_is_no_http_address_or_holds_more_than_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        endpoint(url)

    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


# Several threads ------------------------------------------------------------------------------------------------------


def test_several_threads_can_ask_one_client(api: Service) -> None:
    api.fault = lambda n: FAULTS["500"] if n % 5 == 0 else None
    shared = client(api, timeout=10, retry=Retry(total=20, backoff_factor=0))
    journeys = [journey(f"c{i}", sessions=1 + i % 3) for i in range(40)]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda one: shared.ask([one]), journeys))

    assert [list(outcome.answers) for outcome in outcomes] == [[one.conv_id] for one in journeys]
    assert [len(outcome.answers[f"c{i}"]) for i, outcome in enumerate(outcomes)] == [1 + i % 3 for i in range(40)]
    assert sum(outcome.tries for outcome in outcomes) == len(api.received)
