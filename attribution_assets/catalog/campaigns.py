"""The tables of the group campaigns: what the ad platforms say that campaigns brought, and that beside the credit."""

from __future__ import annotations

import json

from attribution_assets.catalog.table import CAMPAIGNS, Check, DailyTable

STATUSES = ("ENABLED", "HIDDEN")
"""The statuses of campaigns that are known."""

TYPES = ("AWARENESS", "CONVERSION", "ENGAGEMENT")
"""The types of campaigns that are known."""

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
    guards=("broken_campaign_results",),
    is_lenient=True,
    parameters=lambda _: {"statuses": json.dumps(STATUSES), "types": json.dumps(TYPES)},
    checks=(
        Check(
            "campaign_results_are_sound",
            "broken_campaign_results",
            before=True,
            blocking=True,
            demand="Every row of campaign_results has a customer and a date; its numbers are numbers, where it has them.",
            noun="row",
            broken="of campaign_results, read for {days}, cannot be placed or summed.",
        ),
        Check(
            "campaign_numbers_are_known",
            "check_campaign_numbers_are_known",
            before=True,
            blocking=False,
            demand="No number of campaign_results is missing or negative.",
            noun="number",
            broken=(
                "of campaign_results of {days} found missing or negative, such as {number} of {customer_id} on {date}: {value}."
            ),
        ),
        Check(
            "clicks_have_impressions",
            "check_clicks_have_impressions",
            before=True,
            blocking=False,
            demand="No row of campaign_results has more clicks than impressions.",
            noun="row",
            broken=(
                "of campaign_results of {days} had more clicks than impressions, such as {customer_id} on {date}: {clicks:,} "
                "of {impressions:,}."
            ),
        ),
        Check(
            "conversions_have_clicks",
            "check_conversions_have_clicks",
            before=True,
            blocking=False,
            demand="No row of campaign_results has more conversions than clicks.",
            noun="row",
            broken=(
                "of campaign_results of {days} had more conversions than clicks, such as {customer_id} on {date}: "
                "{conversions:,} of {clicks:,}."
            ),
        ),
        Check(
            "campaign_labels_are_known",
            "check_campaign_labels_are_known",
            before=True,
            blocking=False,
            demand=f"Every status is {' or '.join(STATUSES)}, and every type {', '.join(TYPES[:-1])} or {TYPES[-1]}.",
            noun="unknown label",
            broken="found in campaign_results of {days}, most often the {label} {value!r}, in rows: {results:,}.",
        ),
        Check(
            "campaigns_add_up",
            "check_campaigns_add_up",
            before=False,
            blocking=True,
            demand="The rows and sums of every day and customer are those of campaign_results.",
            noun="figure",
            broken="of {days} differed from campaign_results.",
            wrong_day_columns=("date",),
        ),
    ),
)

OF_CAMPAIGNS = (CAMPAIGN_PERFORMANCE,)
