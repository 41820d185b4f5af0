"""IHC results over real HTTP: what is sent, what is kept, what a fault leaves behind, and what a rerun makes of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from urllib3.util import Retry

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import IHCParameters, attribute
from attribution_assets.ihc.client import IHCClient, RefusedError
from attribution_assets.ihc.endpoint import endpoint
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.service import GIVE_UP_AFTER, IHCService, Limits, estimate
from attribution_assets.warehouse import Days, SQLiteWarehouse, schema
from attribution_assets_tests.ihc.service import FAULTS, KEY, Handler, Row, Service, partial, running, silence, status
from attribution_assets_tests.support import Shop

DAYS = Days("2023-09-01", "2023-09-03")
IMPATIENT = Retry(total=1, backoff_factor=0)
SERIES = [
    name
    for name in FAULTS
    if not name.startswith(("500 in", "an answer cut", "a session of", "a number", "text", "a missing p"))
]
OLD = ("old", "s", "2023-09-01", 0.0, 0.0, 0.0, 1.0, "api", "an earlier run")


def journeys(*lengths: int) -> pd.DataFrame:
    """Rows of customer_journeys: c000, c001, ... with so many sessions, seven hours apart, over the three days in turn."""
    channels = ("Email", "Direct Traffic", "Performance Max")
    start = pd.Timestamp("2023-08-01")
    rows = [
        (
            *(f"c{c:03d}", f"c{c:03d}-{k:02d}", f"2023-09-0{1 + c % 3}", str(start + pd.Timedelta(hours=7 * k))),
            *(channels[(c + k) % 3], 1, (c + k) % 2, int(k == length - 1), 0),
        )
        for c, length in enumerate(lengths)
        for k in range(length)
    ]
    return pd.DataFrame(rows, columns=list(schema()["customer_journeys"].column_names))


TWENTY = journeys(*(1 + c % 5 for c in range(20)))
"""Twenty journeys of 1 to 5 sessions: ten requests of two."""
TEN = TWENTY[TWENTY["conv_id"] < "c010"]


@pytest.fixture
def api() -> Iterator[Service]:
    with running(Service()) as service:
        yield service


def asking(api: Service, folder: Path, **options: Any) -> IHCService:
    """A client of the service, two journeys a request, with its ledger in the folder."""
    client = IHCClient(key=KEY, conv_type_id="new", url=endpoint(api.url), timeout=options.pop("timeout", 60))
    return IHCService(client, Ledger(folder / "ledger.db"), **{"limits": Limits(journeys=2), **options})


def ran(service: IHCService, *frames: pd.DataFrame, refresh: bool = False) -> tuple[pd.DataFrame, dict[str, Any]]:
    """All rows, sorted, and what the run tells."""
    answering = service.answer(frames, refresh=refresh)
    rows = []
    while True:
        try:
            rows.append(next(answering))
        except StopIteration as end:
            return pd.concat(rows).sort_values(["conv_id", "session_id"], ignore_index=True), end.value


def table(warehouse: SQLiteWarehouse) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(warehouse.path)) as connection:
        return connection.execute("SELECT * FROM ihc_results ORDER BY conv_id, session_id").fetchall()


def write(warehouse: SQLiteWarehouse, service: IHCService, frame: pd.DataFrame) -> None:
    warehouse.replace_days(schema()["ihc_results"], "conv_date", DAYS, service.answer([frame]))


def failure_of(warehouse: SQLiteWarehouse, service: IHCService) -> str:
    """What a run says that fails; nothing where it succeeds."""
    try:
        write(warehouse, service, TEN)
    except AttributionError as error:
        return str(error)
    return ""


# Faults ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database whose ihc_results hold a row of an earlier run."""
    folder = tmp_path_factory.mktemp("old")
    shop = Shop(folder / "shop.db", folder)
    shop.warehouse.prepare()
    shop.execute("INSERT INTO ihc_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *OLD)
    return shop.database


@pytest.fixture(scope="module")
def spotless(old: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The table after a run that never saw a fault."""
    warehouse = copy(old, tmp_path_factory.mktemp("spotless"))
    with running(Service()) as api:
        write(warehouse, asking(api, warehouse.path.parent), TEN)
    return table(warehouse)


def copy(database: Path, folder: Path) -> SQLiteWarehouse:
    return SQLiteWarehouse(Path(shutil.copy(database, folder)))


@pytest.mark.parametrize("name", SERIES)
def test_a_fault_is_survived_or_said_and_a_rerun_completes_the_table_without_sending_what_was_answered(
    name: str, old: Path, spotless: list[tuple[Any, ...]], tmp_path: Path, long: bool
) -> None:
    def with_fault_in(number: int) -> None:
        """In one of the five requests."""
        folder = tmp_path / str(number)
        folder.mkdir()
        warehouse = copy(old, folder)
        with running(Service(max_journeys=2)) as api:
            service = asking(api, folder, timeout=1 if FAULTS[name] is silence else 60)
            api.fault = lambda n: FAULTS[name] if n == number % 5 else None
            error = failure_of(warehouse, service)
            assert table(warehouse) == ([OLD] if error else spotless)
            assert error == "" or error.startswith("1 conversions have no answer from the IHC API")
            api.fault = lambda _: None
            write(warehouse, service, TEN)
        assert table(warehouse) == spotless
        assert api.sent_again == []
        assert api.broken == []

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(with_fault_in, range(200 if long else 5)))


@pytest.mark.parametrize("name", ["429", "500", "502", "503", "504", "a reset connection", "a body that is not JSON"])
def test_a_fault_of_the_whole_request_is_mended_within_the_run(name: str, api: Service, tmp_path: Path) -> None:
    api.fault = lambda n: FAULTS[name] if n == 3 else None

    _, counts = ran(asking(api, tmp_path), TWENTY)

    assert counts == {"conversions": 20, "taken from the ledger": 0, "answered by the API": 20, "requests": 11}


def test_a_failure_names_how_many_conversions_of_which_days_and_why(api: Service, tmp_path: Path) -> None:
    api.fault = lambda n: partial if n in (2, 5) else None

    with pytest.raises(AttributionError) as raised:
        ran(asking(api, tmp_path), TWENTY)

    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith("2 conversions have no answer from the IHC API, by day: 2023-09-0")
    assert "the service reports a failure: 406 could not be parsed (2: c0" in message
    assert str(tmp_path / "ledger.db") in message
    assert "IHC_ON_PARTIAL=embedded" in message


def test_a_service_that_is_down_is_not_asked_for_everything(api: Service, tmp_path: Path) -> None:
    api.fault = lambda _: status(503)
    service = asking(api, tmp_path, limits=Limits(journeys=1, concurrency=2))
    service = replace(service, client=replace(service.client, retry=IMPATIENT))

    with pytest.raises(
        AttributionError, match=r"60 conversions .*503 a bad day \(2 tries\).* not sent, because 5 requests in a row"
    ):
        ran(service, journeys(*[1] * 60))

    assert len(api.received) <= 2 * (GIVE_UP_AFTER + 2)


def test_a_refused_key_ends_the_run_at_once_in_one_line_without_the_key(api: Service, tmp_path: Path) -> None:
    service = asking(api, tmp_path)
    wrong = "another-key"

    with pytest.raises(RefusedError) as raised:
        ran(replace(service, client=replace(service.client, key=wrong)), TWENTY)

    assert str(raised.value) == "The IHC API rejects the key (403 Forbidden: ***). Set IHC_API_KEY to a valid one."
    assert len(api.received) <= 4


# What is answered -----------------------------------------------------------------------------------------------------


def test_the_rows_are_the_services_answers_with_backend_and_parameters(api: Service, tmp_path: Path) -> None:
    rows, _ = ran(asking(api, tmp_path), TWENTY)

    model = attribute(TWENTY, "alternative").sort_values(["conv_id", "session_id"], ignore_index=True)
    for phase in ("initializer", "holder", "closer", "ihc"):
        pd.testing.assert_series_equal(rows[phase], model[phase], atol=1e-4, rtol=0)
    assert set(rows["backend"]) == {"api"}
    assert set(rows["parameters"]) == {"new"}
    assert rows["conv_date"].tolist() == TWENTY["conv_date"].tolist()


def test_frames_share_requests(api: Service, tmp_path: Path) -> None:
    first, second = TWENTY[TWENTY["conv_id"] < "c007"], TWENTY[TWENTY["conv_id"] >= "c007"]

    _, counts = ran(asking(api, tmp_path), first, second)  # of 7 and 13 journeys

    assert counts["requests"] == 10
    assert api.broken == []


def test_no_journeys_send_nothing(api: Service, tmp_path: Path) -> None:
    assert list(asking(api, tmp_path).answer([TWENTY.iloc[:0]])) == []
    assert api.received == []


@pytest.mark.parametrize("failure", ["Journey c000: bad timestamp", {"statusCode": 406, "message": "bad timestamp"}])
def test_a_failure_that_names_no_journey_is_shown_with_those_that_are_missing(
    failure: Any, api: Service, tmp_path: Path
) -> None:
    def leave_out(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        value = [row for row in good if row["conversion_id"] != sessions[0]["conversion_id"]]
        handler.answer(206, {"statusCode": 206, "value": value, "partialFailureErrors": [failure]})
        return False

    api.fault = lambda n: leave_out if n == 0 else None

    with pytest.raises(AttributionError, match=r"it is missing; the service says: .*bad timestamp"):
        ran(asking(api, tmp_path), TWENTY)


def test_a_valid_answer_counts_although_the_service_names_its_journey_among_the_failures(api: Service, tmp_path: Path) -> None:
    def contradict(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        failures = [{"conversion_id": row["conversion_id"], "statusCode": 406} for row in sessions]
        handler.answer(206, {"statusCode": 206, "value": good, "partialFailureErrors": failures})
        return False

    api.fault = lambda n: contradict if n == 0 else None

    assert ran(asking(api, tmp_path), TWENTY)[1]["answered by the API"] == 20


def test_ids_that_are_numbers_are_sent_as_text_and_answered(api: Service, tmp_path: Path) -> None:
    numbered = journeys(2, 3).assign(conv_id=[1, 1, 2, 2, 2], session_id=range(5))

    rows, counts = ran(asking(api, tmp_path), numbered)

    assert counts["answered by the API"] == 2
    assert rows["session_id"].tolist() == ["0", "1", "2", "3", "4"]


# Never twice ----------------------------------------------------------------------------------------------------------


def test_a_second_run_sends_nothing(api: Service, tmp_path: Path) -> None:
    first, _ = ran(asking(api, tmp_path), TWENTY)
    second, counts = ran(asking(api, tmp_path), TWENTY)

    assert counts == {"conversions": 20, "taken from the ledger": 20, "answered by the API": 0, "requests": 0}
    assert len(api.received) == 10
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_a_changed_journey_is_sent_without_its_neighbours(api: Service, tmp_path: Path) -> None:
    ran(asking(api, tmp_path), TWENTY)
    late = TWENTY.copy()
    late.loc[late["conv_id"] == "c004", "channel_label"] = "Referral"

    _, counts = ran(asking(api, tmp_path), late)

    assert counts["answered by the API"] == 1
    assert len(api.received[-1]) == 1
    assert '"c004"' in api.received[-1][0]


def test_refresh_sends_everything_again_and_the_newest_answers_count(api: Service, tmp_path: Path) -> None:
    ran(asking(api, tmp_path), TWENTY)
    api.preset = "challenge"  # the account has been trained anew

    refreshed, counts = ran(asking(api, tmp_path), TWENTY, refresh=True)
    later, _ = ran(asking(api, tmp_path), TWENTY)

    assert counts["answered by the API"] == 20
    pd.testing.assert_frame_equal(refreshed, later, check_exact=True)
    assert later["ihc"].tolist() == pytest.approx(attribute(TWENTY, "challenge")["ihc"].tolist(), abs=1e-4)


def test_two_runs_at_once_pay_for_each_journey_once(api: Service, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        counts = [counts for _, counts in pool.map(lambda _: ran(asking(api, tmp_path), TWENTY), range(2))]

    assert api.sent_again == []
    assert len(api.received) == 10
    assert sorted(one["answered by the API"] for one in counts) == [0, 20]


# Long journeys --------------------------------------------------------------------------------------------------------


def test_of_a_journey_longer_than_a_request_the_latest_sessions_are_sent_and_the_others_get_nothing(
    api: Service, tmp_path: Path
) -> None:
    api.max_sessions = 3
    rows, counts = ran(asking(api, tmp_path, limits=Limits(sessions=3)), journeys(5, 2))

    assert counts["longer than a request"] == 1
    assert api.broken == []
    of_the_long_one = rows[rows["conv_id"] == "c000"]
    left_out = of_the_long_one[of_the_long_one["session_id"] < "c000-02"]
    assert left_out[["initializer", "holder", "closer", "ihc"]].to_numpy().tolist() == [[0, 0, 0, 0]] * 2
    assert of_the_long_one["ihc"].sum() == pytest.approx(1, abs=1e-3)
    assert len(of_the_long_one) == 5


def test_or_it_is_left_without_an_answer_while_the_others_are_answered(api: Service, tmp_path: Path) -> None:
    service = asking(api, tmp_path, limits=Limits(sessions=3), long_journeys="fail")

    with pytest.raises(AttributionError, match=r"^1 conversions .* by day: 2023-09-01 \(1\).*longer than 3 sessions"):
        ran(service, journeys(5, 2))

    assert [len(request) for request in api.received] == [1]


def test_a_journey_just_as_long_as_a_request_is_sent_whole(api: Service, tmp_path: Path) -> None:
    _, counts = ran(asking(api, tmp_path, limits=Limits(sessions=3), long_journeys="fail"), journeys(3))

    assert counts == {"conversions": 1, "taken from the ledger": 0, "answered by the API": 1, "requests": 1}


@pytest.mark.parametrize("long_journeys", ["latest", "fail"])
def test_a_journey_that_was_answered_whole_is_not_paid_for_again_when_the_limit_falls(
    api: Service, tmp_path: Path, long_journeys: Any
) -> None:
    whole, _ = ran(asking(api, tmp_path), journeys(5, 2))
    lower = asking(api, tmp_path, limits=Limits(sessions=3), long_journeys=long_journeys)

    rows, counts = ran(lower, journeys(5, 2))

    assert counts == {"conversions": 2, "taken from the ledger": 2, "answered by the API": 0, "requests": 0}
    pd.testing.assert_frame_equal(rows, whole, check_exact=True)
    assert estimate([journeys(5, 2)], lower.account, lower.ledger, lower.limits, long_journeys)["in the ledger"] == 2


def test_a_shortened_answer_is_no_answer_where_long_journeys_fail(api: Service, tmp_path: Path) -> None:
    ran(asking(api, tmp_path, limits=Limits(sessions=3)), journeys(5, 2))

    with pytest.raises(AttributionError, match="longer than 3 sessions"):
        ran(asking(api, tmp_path, limits=Limits(sessions=3), long_journeys="fail"), journeys(5, 2))


# Gaps filled ----------------------------------------------------------------------------------------------------------


def test_the_embedded_model_fills_the_gap_and_each_row_says_so(api: Service, tmp_path: Path) -> None:
    api.fault = lambda n: partial if n == 0 else None
    service = asking(
        api,
        tmp_path,
        limits=Limits(journeys=2, concurrency=1),
        on_partial="embedded",
        fallback=IHCParameters.load("alternative"),
    )

    rows, counts = ran(service, TWENTY)

    assert counts["filled in by the embedded model"] == 1
    filled = rows[rows["backend"] == "embedded"]
    assert filled["conv_id"].nunique() == 1
    assert set(filled["parameters"]) == {"alternative"}
    model = attribute(TWENTY, "alternative").set_index("session_id").loc[filled["session_id"], "ihc"]
    assert filled["ihc"].tolist() == pytest.approx(model.tolist(), abs=1e-12)
    assert len(rows) == len(TWENTY)


def test_sessions_of_one_second_are_filled_in_the_order_of_their_fractions(api: Service, tmp_path: Path) -> None:
    frame = journeys(3).assign(
        session_id=["b", "a", "z"],
        timestamp=["2023-08-01 10:00:00.1", "2023-08-01 10:00:00.9", "2023-08-02 10:00:00.0"],
        channel_label=["Email", "Direct Traffic", "Email"],
    )
    api.fault = lambda _: partial

    rows, _ = ran(asking(api, tmp_path, on_partial="embedded"), frame)

    model = attribute(frame, "challenge").sort_values("session_id")
    assert rows["ihc"].tolist() == pytest.approx(model["ihc"].tolist(), abs=1e-3)
    assert model["ihc"].iloc[0] != pytest.approx(model["ihc"].iloc[1], abs=1e-2)  # the order tells


def test_a_gap_that_was_filled_is_sent_at_the_next_run(api: Service, tmp_path: Path) -> None:
    api.fault = lambda n: partial if n == 0 else None
    ran(asking(api, tmp_path, on_partial="embedded"), TWENTY)

    rows, counts = ran(asking(api, tmp_path, on_partial="embedded"), TWENTY)

    assert counts["answered by the API"] == 1
    assert set(rows["backend"]) == {"api"}


# Estimate -------------------------------------------------------------------------------------------------------------


def test_an_estimate_counts_what_a_run_then_sends_and_sends_nothing_itself(api: Service, tmp_path: Path) -> None:
    service = asking(api, tmp_path)
    first = TWENTY[TWENTY["conv_id"] < "c006"]
    ran(service, first)

    estimated = estimate([TWENTY], service.account, service.ledger, service.limits)

    assert len(api.received) == 3
    assert estimated == {
        "conversions": 20,
        "sessions": len(TWENTY),
        "in the ledger": 6,
        "to send": 14,
        "sessions to send": len(TWENTY) - len(first),
        "requests": 7,
        "longer than a request": 0,
    }
    ran(service, TWENTY)
    assert len(api.received) == 3 + 7


def test_an_estimate_without_a_ledger_makes_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")

    assert estimate([TWENTY], Account("https://somewhere", ""), ledger, Limits())["to send"] == 20
    assert list(tmp_path.iterdir()) == []
