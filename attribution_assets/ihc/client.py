"""The client of the IHC API: sends one request for some journeys, retries it while that can help, and checks the answer."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from threading import Event
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.answers import SUM_TOLERANCE
from attribution_assets.ihc.endpoint import ENDPOINT
from attribution_assets.ihc.packing import Journey
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets.ihc.redistribution import Redistribution

RETRY = Retry(total=6, backoff_factor=0.5, backoff_jitter=0.5, backoff_max=60)
"""How often a request is repeated, and how long to wait before: at once, then 1, 2, 4, 8, 16 s, and a random part of 0.5 s."""

LONGEST_WAIT_SECONDS = 300
"""If the service asks to wait longer than this (Retry-After), the client gives up."""

ANSWERED = ("200", "206")

Answer = Sequence[Sequence[float]]
"""Initializer, holder, closer and ihc of each session sent, in their order."""


class Outcome(NamedTuple):
    """What came of some journeys: their answers, and for those without one the reason, by conversion.

    `tries` says how many requests it took, `strays` how many rows of the answer belong to no journey sent.
    """

    answers: dict[str, Answer]
    reasons: dict[str, str]
    tries: int = 0
    strays: int = 0


class RefusedError(AttributionError):
    """The service rejects the key, so it will answer no request of this run."""


class _NoAnswerError(Exception):
    """A try that brought no answer; `response` may say when to try again."""

    def __init__(self, reason: str, *, again: bool, response: requests.Response | None = None) -> None:
        super().__init__(reason)
        self.again, self.response = again, response


@dataclass(frozen=True)
class IHCClient:
    """Asks the service at `url` as the account of `key`, with the parameters trained under `conv_type_id`.

    Can be used by several threads at once. The key is sent in a header and shown nowhere.
    """

    key: str = field(repr=False)
    conv_type_id: str
    url: str = ENDPOINT
    redistribution: Redistribution | None = None
    timeout: float = 60.0
    retry: Retry = RETRY

    def ask(self, journeys: Sequence[Journey], stop: Event | None = None) -> Outcome:
        """One request for these journeys, which must be within the service's limits, and its checked answer.

        429, 5xx, a broken connection, a missed `timeout` (seconds without a byte) and an answer that cannot be read are tried
        again, at most as often as `retry` says and no sooner than Retry-After says. Raises RefusedError for 401 and 403.
        Once `stop` is set, nothing is tried again.
        """
        stop = stop or Event()
        content: dict[str, Any] = {"customer_journeys": [session for journey in journeys for session in journey.sessions]}
        if self.redistribution:
            content["redistribution_parameter"] = self.redistribution.as_sent()
        body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
        retry = self.retry
        while True:
            tries = len(retry.history) + 1
            try:
                value, failures = self._post(body)
                answers, reasons, strays = _checked(journeys, value, failures)
                return Outcome(answers, {conv_id: self._redacted(reason) for conv_id, reason in reasons.items()}, tries, strays)
            except _NoAnswerError as failure:
                reason = self._redacted(failure)
                if failure.again:
                    try:
                        retry = self._wait(retry, failure, stop)
                        continue
                    except MaxRetryError:
                        reason += f" ({tries} tries)"
                    except _NoAnswerError as given_up:
                        reason += f"; {given_up}"
                return Outcome({}, {journey.conv_id: reason for journey in journeys}, tries)

    def _wait(self, retry: Retry, failure: _NoAnswerError, stop: Event) -> Retry:
        """Waits before another try, and returns the retries that are left."""
        retry = retry.increment("POST", self.url, error=failure)
        asked_by = failure.response.raw if failure.response is not None else None
        try:
            seconds = retry.get_retry_after(asked_by) if asked_by is not None else None
        except (InvalidHeader, ValueError):  # no number and no date, or one beyond all bounds
            seconds = None
        if seconds and seconds > LONGEST_WAIT_SECONDS:
            raise _NoAnswerError(f"the service asks to wait {seconds:,.0f} s", again=False)
        if stop.wait(seconds or retry.get_backoff_time()):
            raise _NoAnswerError("the run was stopped", again=False)
        return retry

    def _post(self, body: bytes) -> tuple[list[Any], list[Any]]:
        """The `value` and the `partialFailureErrors` of one answer. Raises _NoAnswerError for anything else."""
        try:
            response = self._session.post(
                self.url,
                params={"conv_type_id": self.conv_type_id},
                data=body,
                headers={"x-api-key": self.key, "Content-Type": "application/json"},
                timeout=self.timeout,
            )
        except requests.Timeout as error:
            raise _NoAnswerError(f"no answer within {self.timeout:g} s", again=True) from error
        except requests.RequestException as error:
            raise _NoAnswerError(f"the connection failed: {_root(error)}", again=True) from error
        try:
            content = response.json()
        except (ValueError, RecursionError):
            content = None
        said = content if isinstance(content, dict) else {}
        status = str(response.status_code)
        if status in ANSWERED:
            status = str(said.get("statusCode") or status)
        if status in ANSWERED:
            value, failures = said.get("value"), said.get("partialFailureErrors") or []
            if value is None and status == "206":
                value = []
            if isinstance(value, list):
                return value, failures if isinstance(failures, list) else [failures]
            raise _NoAnswerError("the answer cannot be read", again=True)
        shown = self._redacted(f"{status} {said.get('message') or said.get('error') or response.reason or ''}")
        if status in ("401", "403"):
            raise RefusedError(f"The IHC API rejects the key ({shown}). Set IHC_API_KEY to a valid one.")
        raise _NoAnswerError(shown, again=status == "429" or status.startswith("5"), response=response)

    @cached_property
    def _session(self) -> requests.Session:
        session = _Session()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # nothing that threads would share
        adapter = HTTPAdapter(pool_maxsize=100)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _redacted(self, said: object) -> str:
        """What the service or the connection said, in one short line and without the key."""
        return " ".join(str(said).replace(self.key.strip(), "***").split())[:250]


class _Session(requests.Session):
    """Follows no redirect, because the key is for one host only."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _checked(
    journeys: Sequence[Journey], value: Iterable[Any], failures: Iterable[Any]
) -> tuple[dict[str, Answer], dict[str, str], int]:
    """The answers of journeys answered in full and validly, why the others are not, and how many rows belong to none."""
    rows: dict[str, list[dict[str, Any]]] = {journey.conv_id: [] for journey in journeys}
    strays = 0
    for row in value:
        conv_id = _id(row, "conversion_id")
        if conv_id in rows:
            rows[conv_id].append(row)
        else:
            strays += 1
    failed = {_id(failure, "conversion_id"): failure for failure in failures}
    general_failure = f"; the service says: {failed[None]}" if None in failed else ""
    answers: dict[str, Answer] = {}
    reasons: dict[str, str] = {}
    for journey in journeys:
        wrong = _what_is_wrong(journey, rows[journey.conv_id])
        if wrong and journey.conv_id in failed:
            said = failed[journey.conv_id]
            text = " ".join(str(part) for name, part in said.items() if name != "conversion_id")
            reasons[journey.conv_id] = f"the service reports a failure: {text}"
        elif wrong:
            reasons[journey.conv_id] = f"its answer is not valid: {wrong}{general_failure}"
        else:
            by_session = {_id(row, "session_id"): row for row in rows[journey.conv_id]}
            answers[journey.conv_id] = [
                tuple(float(by_session[session["session_id"]][phase]) for phase in OUTPUTS) for session in journey.sessions
            ]
    return answers, reasons, strays


def _id(content: Any, name: str) -> str | None:
    """An id as the text that was sent, even where it came back as a number."""
    found = content.get(name) if isinstance(content, dict) else None
    return None if found is None else str(found)


def _what_is_wrong(journey: Journey, rows: Sequence[dict[str, Any]]) -> str:
    """Why these rows are no answer for the journey; nothing where they are."""
    if not rows:
        return "it is missing"
    sent = Counter(session["session_id"] for session in journey.sessions)
    answered = Counter(_id(row, "session_id") for row in rows)
    if sent - answered:
        return "a session is missing"
    if answered - sent:
        return "a session appears twice, or was never sent"
    values = [row.get(phase) for row in rows for phase in OUTPUTS]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 for value in values):
        return "a value is not a number from 0 to 1"
    total = math.fsum(row["ihc"] for row in rows)
    if abs(total - 1) > SUM_TOLERANCE:
        return f"its ihc sums to {total:.4g}, not 1"
    return ""


def _root(error: BaseException) -> BaseException:
    """The original error inside a wrapped one."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error
