"""IHC results from the API: known answers come from the ledger, other journeys are sent, and missing answers are reported."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Literal, NamedTuple

import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.answers import predict
from attribution_assets.ihc.client import Answer, IHCClient, Outcome
from attribution_assets.ihc.embedded import rows_by_model
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.packing import Journey, journeys_of, pack
from attribution_assets.ihc.parameters import OUTPUTS, IHCParameters

GIVE_UP_AFTER = 5
"""After this many requests in a row without an answer, the service counts as down, and nothing more is sent."""

LongJourneys = Literal["latest", "fail"]

Find = Callable[[Sequence[Journey]], dict[str, Answer]]
"""Returns the answers that are already known, by conversion."""

ALWAYS_COUNTED = ("conversions", "taken from the ledger", "answered by the API", "requests")
"""The counts that every run shows, even if they are 0. Other counts are shown only if they are not 0."""

ESTIMATED = ("conversions", "sessions", "in the ledger", "to send", "sessions to send", "requests", "longer than a request")

logger = logging.getLogger(__name__)

Results = Generator[pd.DataFrame, None, dict[str, int]]
"""Frames of `ihc_results`, whole conversions each; the value that the generator returns is what was counted."""


class Batch(NamedTuple):
    """Some journeys; those that still have to be sent have no outcome yet."""

    journeys: Sequence[Journey]
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Limits:
    """How much one request may contain, and how many requests may be in flight."""

    journeys: int = 100
    sessions: int = 3000
    concurrency: int = 4


@dataclass(frozen=True)
class IHCService:
    """Answers journeys by the API behind `client`, and pays for none twice.

    `long_journeys`: of a journey longer than a request, `latest` sends the last sessions and gives the others 0, `fail` leaves
    it without an answer. `on_partial`: where journeys stay without an answer, `fail` raises at the end, `embedded` fills them
    in with the embedded model and its parameters `fallback`.
    """

    client: IHCClient
    ledger: Ledger
    limits: Limits = field(default_factory=Limits)
    long_journeys: LongJourneys = "latest"
    on_partial: Literal["fail", "embedded"] = "fail"
    fallback: IHCParameters = field(default_factory=lambda: IHCParameters.load("challenge"))

    @property
    def account(self) -> Account:
        """The account under which the ledger keeps the answers."""
        return Account(self.client.url, self.client.conv_type_id, self.client.redistribution)

    def answer(self, frames: Iterable[pd.DataFrame], *, refresh: bool = False) -> Results:
        """The IHC results of frames with the columns of `customer_journeys`, whole conversions each, in no order.

        Sends what the ledger lacks (with `refresh`, everything), in as few requests as `pack` gives, and keeps the answers of
        each request in the ledger as they come. Raises RefusedError at once where the key is refused, and AttributionError when
        everything was tried where conversions stay without an answer: it names how many, their days and why.
        """
        counts = Counter(dict.fromkeys(ALWAYS_COUNTED, 0))
        missing = _Missing()
        stop = Event()
        with ExitStack() as held, ThreadPoolExecutor(self.limits.concurrency) as pool, ExitStack() as running:
            running.callback(stop.set)  # before the pool waits for its requests
            batches = _batches(frames, self._finder(refresh, held), self.limits, self.long_journeys)
            for journeys, outcome in self._outcomes(batches, pool, stop):
                counts["conversions"] += len(journeys)
                counts["requests"] += outcome.tries
                counts["answered by the API" if outcome.tries else "taken from the ledger"] += len(outcome.answers)
                counts["longer than a request"] += sum(bool(journey.left_out) for journey in journeys)
                counts["rows that were not asked for"] += outcome.strays
                if outcome.answers:
                    yield self._answered(journeys, outcome)
                unanswered = [journey for journey in journeys if journey.conv_id in outcome.reasons]
                for journey in unanswered:
                    missing.add(journey, outcome.reasons[journey.conv_id])
                if unanswered and self.on_partial == "embedded":
                    counts["filled in by the embedded model"] += len(unanswered)
                    yield self._filled_in(unanswered)
        if missing and self.on_partial == "fail":
            raise AttributionError(
                f"{missing.sentence()} ihc_results is unchanged. The answers so far are kept in {self.ledger.path}, and their "
                "journeys are not sent again. Run again to get the rest, or set IHC_ON_PARTIAL=embedded to let the embedded "
                "model fill the gap."
            )
        if missing:
            logger.warning("%s The embedded model fills the gap.", missing.sentence())
        summary = {name: count for name, count in counts.items() if count or name in ALWAYS_COUNTED}
        logger.info("IHC API: %s.", ", ".join(f"{count:,} {name}" for name, count in summary.items()))
        return summary

    def _finder(self, refresh: bool, held: ExitStack) -> Find:
        """Returns a function that looks journeys up in the ledger.

        From the first missing answer on, no other process sends (until `held` ends), and what others sent before is known.
        """
        sole_sender = False

        def find(journeys: Sequence[Journey]) -> dict[str, Answer]:
            nonlocal sole_sender
            known = {} if refresh else self.ledger.find(self.account, journeys)
            if sole_sender or len(known) == len(journeys):
                return known
            held.enter_context(self.ledger.sole_sender())
            sole_sender = True
            return find(journeys)

        return find

    def _outcomes(self, batches: Iterable[Batch], pool: Executor, stop: Event) -> Iterator[tuple[Sequence[Journey], Outcome]]:
        """Sends the batches that need it, `concurrency` at a time, and gives each with its outcome as it comes."""
        under_way: set[Future[tuple[Sequence[Journey], Outcome]]] = set()
        in_vain = 0
        for journeys, outcome in batches:
            if outcome is None and in_vain >= GIVE_UP_AFTER:
                reason = f"not sent, because {GIVE_UP_AFTER} requests in a row got no answer"
                outcome = Outcome({}, {journey.conv_id: reason for journey in journeys})
            if outcome is not None:
                yield journeys, outcome
                continue
            under_way.add(pool.submit(self._send, journeys, stop))
            if len(under_way) == self.limits.concurrency:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for sent, came in map(Future.result, done):
                    in_vain = 0 if came.answers else in_vain + 1
                    yield sent, came
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            yield from map(Future.result, done)

    def _send(self, journeys: Sequence[Journey], stop: Event) -> tuple[Sequence[Journey], Outcome]:
        outcome = self.client.ask(journeys, stop)
        answered = [(journey, outcome.answers[journey.conv_id]) for journey in journeys if journey.conv_id in outcome.answers]
        if answered:
            self.ledger.record(self.account, answered)
        return journeys, outcome

    def _answered(self, journeys: Iterable[Journey], outcome: Outcome) -> pd.DataFrame:
        """The rows of the answered journeys; sessions that were left out of a request get 0."""
        nothing = (0.0,) * len(OUTPUTS)
        rows = [
            (journey.conv_id, session["session_id"], journey.conv_date, *values)
            for journey in journeys
            if journey.conv_id in outcome.answers
            for session, values in zip(
                journey.left_out + journey.sessions,
                [nothing] * len(journey.left_out) + list(outcome.answers[journey.conv_id]),
                strict=True,
            )
        ]
        frame = pd.DataFrame(rows, columns=["conv_id", "session_id", "conv_date", *OUTPUTS])
        return frame.assign(backend="api", parameters=self.account.name)

    def _filled_in(self, journeys: Iterable[Journey]) -> pd.DataFrame:
        """The embedded model's rows, for whole journeys in the order in which the service has their sessions."""
        sessions = pd.DataFrame(
            {**session, "conv_date": journey.conv_date, "request": 0}
            for journey in journeys
            for session in journey.whole.sessions
        )
        return rows_by_model(
            sessions[["conversion_id", "session_id", "conv_date"]]
            .rename(columns={"conversion_id": "conv_id"})
            .join(predict(sessions, self.fallback, self.client.redistribution)),
            self.fallback,
            self.client.redistribution,
        )


def estimate(
    frames: Iterable[pd.DataFrame], account: Account, ledger: Ledger, limits: Limits, long_journeys: LongJourneys = "latest"
) -> dict[str, int]:
    """What it would take to compute the IHC results of these frames; sends nothing.

    Counts `conversions` and their `sessions`, the conversions `in the ledger`, those `to send` with the `sessions to send`, the
    `requests` that takes if none has to be repeated, and the journeys `longer than a request`.
    """
    counts = Counter(dict.fromkeys(ESTIMATED, 0))
    for journeys, outcome in _batches(frames, partial(ledger.find, account), limits, long_journeys):
        counts["conversions"] += len(journeys)
        counts["sessions"] += sum(len(journey.left_out) + len(journey.sessions) for journey in journeys)
        counts["longer than a request"] += sum(bool(journey.left_out) for journey in journeys)
        if outcome is not None:
            counts["in the ledger"] += len(outcome.answers)
        else:
            counts["to send"] += len(journeys)
            counts["sessions to send"] += sum(len(journey.sessions) for journey in journeys)
            counts["requests"] += 1
    return dict(counts)


def _batches(frames: Iterable[pd.DataFrame], find: Find, limits: Limits, long_journeys: LongJourneys) -> Iterator[Batch]:
    """The journeys of the frames: already answered, too long to be sent, or packed into requests."""
    open_: list[Journey] = []
    for frame in frames:
        journeys = list(journeys_of(frame, limits.sessions))
        known = find(journeys)
        journeys = [
            journey.whole if len(known.get(journey.conv_id, ())) > len(journey.sessions) else journey for journey in journeys
        ]
        reasons = {
            journey.conv_id: f"longer than {limits.sessions:,} sessions, and IHC_LONG_JOURNEYS is fail"
            for journey in journeys
            if journey.left_out and long_journeys == "fail"
        }
        known = {conv_id: answer for conv_id, answer in known.items() if conv_id not in reasons}
        settled = known.keys() | reasons.keys()
        yield Batch([journey for journey in journeys if journey.conv_id in settled], Outcome(known, reasons))
        open_ += [journey for journey in journeys if journey.conv_id not in settled]
        if len(open_) > limits.journeys:
            *full, open_ = pack(open_, limits.journeys, limits.sessions)
            yield from map(Batch, full)
    yield from map(Batch, pack(open_, limits.journeys, limits.sessions))


@dataclass
class _Missing:
    """The conversions without an answer: how many of which days, and for each reason how many and a few of them."""

    days: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __bool__(self) -> bool:
        return bool(self.days)

    def add(self, journey: Journey, reason: str) -> None:
        self.days[journey.conv_date] += 1
        self.reasons[reason] += 1
        if len(self.examples[reason]) < 3:
            self.examples[reason].append(journey.conv_id)

    def sentence(self) -> str:
        days = [f"{day} ({count:,})" for day, count in sorted(self.days.items())]
        further = [f"{len(days) - 10} more days"] if len(days) > 10 else []
        reasons = [
            f"{reason} ({count:,}: {', '.join(self.examples[reason])}{', ...' if count > 3 else ''})"
            for reason, count in list(self.reasons.items())[:5]
        ]
        if len(self.reasons) > len(reasons):
            reasons.append(f"{len(self.reasons) - len(reasons)} more reasons")
        return (
            f"{self.days.total():,} conversions have no answer from the IHC API, by day: {', '.join(days[:10] + further)}. "
            f"Reasons: {'; '.join(reasons)}."
        )
