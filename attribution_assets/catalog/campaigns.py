"""The tables of the group campaigns: what the ad platforms say that campaigns brought, and that beside the credit."""

from __future__ import annotations

from attribution_assets.catalog.table import CAMPAIGNS, DailyTable

CAMPAIGN_PERFORMANCE = DailyTable(
    "campaign_performance",
    job=CAMPAIGNS,
    group="campaigns",
    heading="campaigns",
    day_of="session",
    day_column="date",
    description=(
        "One row per day, customer, status, type and category: what the ad platform says that the campaigns brought.\n\n"
        "A day is the date of the results. Restated when the day's results change."
    ),
    lineage={
        "date": "campaign_results.date",
        "customer_id": "campaign_results.customer_id",
        "status": "campaign_results.status",
        "type": "campaign_results.type",
        "category": "campaign_results.category",
        "rows": "",
        "revenue": "campaign_results.revenue",
        "conversions": "campaign_results.conversions",
        "impressions": "campaign_results.impressions",
        "clicks": "campaign_results.clicks",
        "rows_with_revenue": "campaign_results.revenue",
        "rows_with_conversions": "campaign_results.conversions",
        "CTR": "campaign_results.clicks campaign_results.impressions",
        "conversions_per_revenue": "campaign_results.conversions campaign_results.revenue",
        "conversions_per_click": "campaign_results.conversions campaign_results.clicks",
    },
    needs=frozenset({"campaign_results"}),
    reads={"campaign_results": "results"},
    is_lenient=True,
)

OF_CAMPAIGNS = (CAMPAIGN_PERFORMANCE,)
