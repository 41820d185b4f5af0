"""The tables of the group campaigns: what the ad platforms say that campaigns brought, and that beside the credit."""

from __future__ import annotations

import json

from attribution_assets.catalog.table import CAMPAIGNS, REPORT, Check, DailyTable

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
        "rows": "campaign_results.customer_id",
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

CREDIT = "attribution_customer_journey WHERE conv_date BETWEEN $first_day AND $last_conversion_day"
"""The rows for which claims look up journeys, conversions and sessions."""

PLATFORM_CLAIMS = DailyTable(
    "platform_claims",
    job=REPORT,
    group="campaigns",
    heading="claims",
    day_of="session",
    day_column="date",
    description=(
        "One row per day and campaign that has a row in ad_costs or sessions with credit: the conversions and revenue that the "
        "ad platform claims, and the orders and revenue that the campaign's sessions of the day are credited with, by the IHC "
        "model. Sessions without a campaign are in no row.\n\n"
        "A day is the day of the claims and of the sessions. Restated when a conversion of the next {lookback_days} days, or "
        "the day's claims or the campaigns of its sessions change."
    ),
    lineage={
        "date": "ad_costs.date customer_journeys.timestamp",
        "campaign_id": "ad_costs.campaign_id session_sources.campaign_id",
        "cost": "ad_costs.cost",
        "claimed_conversions": "ad_costs.conversions",
        "credited_orders": "attribution_customer_journey.ihc",
        "orders_ratio": "ad_costs.conversions attribution_customer_journey.ihc",
        "claimed_revenue": "ad_costs.revenue",
        "credited_revenue": "attribution_customer_journey.ihc conversions.revenue",
        "revenue_ratio": "ad_costs.revenue attribution_customer_journey.ihc conversions.revenue",
    },
    needs=frozenset({"ad_costs.conversions", "ad_costs.revenue", "session_sources.campaign_id"}),
    follows=("attribution_customer_journey", "session_spend"),  # the latter: of the same rows of ad_costs, restated before
    also_reads=("customer_journeys",),
    reads={"ad_costs": "claims", "session_sources": "campaigns of sessions", "conversions": "revenue"},
    guards=("broken_spend", "broken_claims", "broken_conversions", "broken_sessions", "other_currencies"),
    driven_by=CREDIT,
    lookups_per_row=3,
    checks=(
        Check(
            "claims_add_up",
            "check_claims_add_up",
            before=False,
            blocking=True,
            demand="The claims of every campaign and day are those of ad_costs, and its credit is that of its sessions.",
            noun="figure",
            broken="of {days} differed from ad_costs or from the credit of the campaign's sessions.",
            wrong_day_columns=("date",),
            driven_by=CREDIT,
        ),
    ),
)

OF_CAMPAIGNS = (CAMPAIGN_PERFORMANCE, PLATFORM_CLAIMS)
