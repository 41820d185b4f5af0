"""The tables that the user fills, as external assets: the pipeline reads them and never writes them."""

import dagster as dg

from attribution_assets.orchestration.daily import OWNERS, column_schema

DESCRIPTIONS = {
    "session_sources": (
        "One row per session: a visit, with who came, when, through which channel, and how engaged they were. "
        "Filled by you; the pipeline only reads it."
    ),
    "session_costs": (
        "One row per session that was paid for: what it cost, in Euro. A session without a row cost nothing. "
        "Filled by you; the pipeline only reads it."
    ),
    "conversions": (
        "One row per conversion: an order, with who bought, when, and for how much, in Euro. "
        "Filled by you; the pipeline only reads it."
    ),
}


def source_assets() -> list[dg.AssetSpec]:
    """session_sources, session_costs and conversions."""
    return [
        dg.AssetSpec(
            name,
            description=description,
            group_name="sources",
            owners=OWNERS,
            kinds={"sqlite", "table"},
            metadata={"dagster/column_schema": column_schema(name)},
        )
        for name, description in DESCRIPTIONS.items()
    ]
