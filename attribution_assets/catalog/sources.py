"""The tables that the user fills."""

from __future__ import annotations

from attribution_assets.catalog.table import Source

SOURCES = (
    Source(
        "session_sources",
        day_of="session",
        day_column="event_date",
        description=(
            "One row per session: a visit, with who came, when, through which channel, and how engaged they were. "
            "Filled by you; the pipeline only reads it."
        ),
    ),
    Source(
        "session_costs",
        day_of="session",
        description=(
            "One row per session that was paid for: what it cost, in Euro. A session without a row cost nothing. "
            "Filled by you; the pipeline only reads it."
        ),
    ),
    Source(
        "conversions",
        day_of="conversion",
        day_column="conv_date",
        description=(
            "One row per conversion: an order, with who bought, when, and for how much, in Euro. "
            "Filled by you; the pipeline only reads it."
        ),
    ),
)
