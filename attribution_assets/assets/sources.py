"""The tables that the user fills, as external assets: the pipeline reads them and never writes them."""

import dagster as dg

from attribution_assets.assets.daily import OWNERS, column_schema

DESCRIPTIONS = {
    "session_sources": "One row per session: who came, when, through which channel, and how engaged. Filled by you.",
    "session_costs": "One row per paid session: what it cost in Euro. Filled by you; a session without a row cost nothing.",
    "conversions": "One row per conversion: who bought, when, and for how much in Euro. Filled by you.",
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
