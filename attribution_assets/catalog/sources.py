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
            "One row per session that was paid for: what it cost. A session without a row cost nothing. "
            "Filled by you; the pipeline only reads it."
        ),
    ),
    Source(
        "conversions",
        day_of="conversion",
        day_column="conv_date",
        description=(
            "One row per conversion: an order, with who bought, when, and for how much. "
            "Filled by you; the pipeline only reads it."
        ),
    ),
    Source(
        "conversions_backend",
        day_of="conversion",
        day_column="conv_date",
        description=(
            "One row per conversion that the shop's backend knows: what is true, with who bought, when, and for how much. "
            "Filled by you, if you have it; the pipeline only reads it."
        ),
        optional=True,
    ),
    Source(
        "ad_costs",
        day_of="session",
        day_column="date",
        description=(
            "One row per day and campaign: what the ad platform charged. Filled by you, if you have it; the pipeline only "
            "reads it. A table api_adwords_costs with an event_date is read in its place."
        ),
        optional=True,
    ),
    Source(
        "events",
        day_of="session",
        day_column="created_at",
        has_times=True,
        description=(
            "One row per event of a session: what was done, when, on which page, with which product. Filled by you, if you "
            "have it; the pipeline only reads it."
        ),
        optional=True,
    ),
    Source(
        "order_items",
        day_of="conversion",
        description=(
            "One row per order and product: how many were bought. Filled by you, if you have it; the pipeline only reads it."
        ),
        optional=True,
    ),
    Source(
        "products",
        day_of="session",
        description="One row per product: what it is called. Filled by you, if you have it; the pipeline only reads it.",
        optional=True,
    ),
    Source(
        "campaign_results",
        day_of="session",
        day_column="date",
        description=(
            "One row per day and part of a customer's campaigns: what the ad platform says that they brought. Equal rows all "
            "count. Filled by you, if you have it; the pipeline only reads it."
        ),
        optional=True,
    ),
)
