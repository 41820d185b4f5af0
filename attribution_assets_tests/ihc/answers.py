"""Made-up journeys with the answers of the stand-in for the service: what a user has recorded or paid for."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from attribution_assets.ihc.endpoint import ENDPOINT
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.packing import Journey
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets_tests.ihc.service import Row, answers

CHANNELS = ("Email", "Direct Traffic", "Performance Max", "Paid Search Brand")


def made_up(count: int, preset: str = "challenge") -> list[tuple[list[Row], list[Row]]]:
    """So many journeys of 1 to 6 sessions, each with its answer."""
    rng = random.Random(1)
    journeys = []
    for c in range(count):
        at = datetime(2023, 8, 1)
        sessions: list[Row] = []
        for k in range(rng.choice((1, 2, 2, 3, 3, 4, 6))):
            at += timedelta(minutes=rng.choice((rng.randrange(1, 300), rng.randrange(1, 5000))))
            sessions.append(
                {
                    "conversion_id": f"c{c}",
                    "session_id": f"c{c}-{k}",
                    "timestamp": str(at),
                    "channel_label": rng.choice(CHANNELS),
                    "holder_engagement": 1,
                    "closer_engagement": int(rng.random() < 0.8),
                    "conversion": 0,
                    "impression_interaction": 0,
                }
            )
        journeys.append(sessions)
    answered = iter(answers([json.dumps(sessions) for sessions in journeys], preset))
    return [(sessions, [next(answered) for _ in sessions]) for sessions in journeys]


def write_file(path: Path, count: int, preset: str = "challenge") -> Path:
    """A CSV file of recorded answers."""
    pd.DataFrame(
        {"request": c // 100, **session, **answer}
        for c, (sessions, answered) in enumerate(made_up(count, preset))
        for session, answer in zip(sessions, answered, strict=True)
    ).to_csv(path, index=False)
    return path


def fill_ledger(path: Path, count: int) -> None:
    """A ledger of an account of the real service."""
    Ledger(path).record(
        Account(ENDPOINT, "returning"),
        [
            (
                Journey(sessions[0]["conversion_id"], "2023-09-01", sessions, []),
                [[row[phase] for phase in OUTPUTS] for row in answered],
            )
            for sessions, answered in made_up(count)
        ],
    )
