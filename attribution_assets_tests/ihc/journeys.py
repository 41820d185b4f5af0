"""Made-up journeys and answers, for the tests of the client and of the ledger."""

from __future__ import annotations

from attribution_assets.ihc.client import Answer
from attribution_assets.ihc.packing import Journey


def journey(conv_id: str = "c", sessions: int = 2) -> Journey:
    """A session an hour: <conv_id>-0 at midnight, <conv_id>-1 at one and so on."""
    return Journey(
        conv_id,
        "2023-09-02",
        [
            {
                "conversion_id": conv_id,
                "session_id": f"{conv_id}-{hour}",
                "timestamp": f"2023-09-01 {hour:02}:00:00",
                "channel_label": "Email",
                "holder_engagement": 1,
                "closer_engagement": 0,
                "conversion": int(hour == sessions - 1),
                "impression_interaction": 0,
            }
            for hour in range(sessions)
        ],
        [],
    )


def answer(ihc: float = 0.5) -> Answer:
    """Of two sessions, the first has so much of the credit."""
    return [[1.0, 1.0, 0.0, ihc], [0.0, 0.0, 1.0, 1 - ihc]]
