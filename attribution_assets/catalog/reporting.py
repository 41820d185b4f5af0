"""The tables of the group reporting: costs and the channel report. A day is the date of the sessions."""

from __future__ import annotations

from attribution_assets.catalog.checks import (
    CONVERSIONS_ARE_SOUND,
    MONEY_IS_NOT_NEGATIVE,
    ROWS_HAVE_A_DAY,
    SESSIONS_ARE_SOUND,
)
from attribution_assets.catalog.table import REPORT, SUM, Check, DailyTable
from attribution_assets.warehouse.schema import Column, schema

SESSIONS = "session_sources WHERE event_date BETWEEN $first_day AND $last_day"
"""The rows for which costs look up other rows."""

SESSION_SPEND = DailyTable(
    "session_spend",
    job=SUM,
    group="reporting",
    heading="ad spend",
    day_of="session",
    day_column="date",
    description=(
        "One row per session of a campaign that has ad spend on the day: the session's part of the spend, and its own cost, "
        "which the spend displaces. The parts are equal, or follow what the clicks cost by the tracking (cpc). They add up to "
        "the spend exactly. Spend of a campaign without sessions on the day stands under the channel that the source names; "
        "else under the channels of the campaign's sessions of the 90 days before; else under `Unassigned "
        "spend`.\n\n"
        "A day is the day of the spend and of the sessions. Restated when the day's spend, sessions or costs change."
    ),
    lineage={
        "date": "ad_costs.date",
        "session_id": "session_sources.session_id",
        "campaign_id": "ad_costs.campaign_id session_sources.campaign_id",
        "channel_name": "session_sources.channel_name ad_costs.channel_name",
        "cost": "ad_costs.cost session_sources.cpc",
        "displaced": "session_costs.cost",
    },
    needs=frozenset({"ad_costs", "session_sources.campaign_id"}),
    reads={"ad_costs": "spend", "session_costs": "costs", "session_sources": "sessions"},
    missing_days="days_without_spend",
    guards=("broken_spend", "broken_sessions", "other_currencies"),
    driven_by=SESSIONS,
    checks=(
        SESSIONS_ARE_SOUND,
        Check(
            "spend_is_placed",
            "check_spend_is_placed",
            before=False,
            blocking=True,
            demand="All spend of every campaign and day is placed once, and displaces what the campaign's sessions cost.",
            noun="campaign",
            broken="on a day of {days} had spend that is not placed once, or displaces other costs than its sessions'.",
            wrong_day_columns=("date",),
        ),
    ),
)

CHANNEL_COSTS = DailyTable(
    "channel_costs",
    job=SUM,
    group="reporting",
    heading="costs",
    day_of="session",
    day_column="date",
    description=(
        "One row per channel and day: how many sessions the channel had on that day, and what they cost, with ad spend where "
        "you have it. Every session counts once, whether or not it is credited.\n\n"
        "A day is the date of the sessions. Restated when the day's sessions, costs or ad spend change."
    ),
    lineage={
        "date": "session_sources.event_date",
        "channel_name": "session_sources.channel_name",
        "sessions": "session_sources.session_id",
        "cost": "session_costs.cost session_spend.cost",
    },
    reads={"session_sources": "sessions", "session_costs": "costs"},
    follows=("session_spend",),
    missing_days="days_without_costs",
    guards=("broken_sessions", "other_currencies"),
    driven_by=SESSIONS,
    lookups_per_row=0.5,
    checks=(
        SESSIONS_ARE_SOUND,
        ROWS_HAVE_A_DAY,
        MONEY_IS_NOT_NEGATIVE,
        Check(
            "costs_add_up",
            "check_costs_add_up",
            before=False,
            blocking=True,
            demand="The sessions and costs of every day and channel equal those in the sources and in session_spend.",
            noun="channel",
            broken="on a day of {days} had sessions or costs that differ from those in the sources.",
            wrong_day_columns=("date",),
            driven_by=SESSIONS,
        ),
        Check(
            "channels_have_one_name",
            "check_channels_have_one_name",
            before=False,
            blocking=False,
            demand="No two channels differ only in how their names are written.",
            noun="channel",
            broken=(
                "of {days} stood under several names, such as {names}. Give each one name where the names come from; for the "
                "models, ATTRIBUTION_CHANNEL_GROUPS merges them."
            ),
        ),
    ),
)

CHANNEL_REPORTING = DailyTable(
    "channel_reporting",
    job=REPORT,
    group="reporting",
    heading="reporting",
    day_of="session",
    day_column="date",
    description=(
        "One row per channel and day: what the channel's sessions of that day cost, and the orders (ihc) and revenue "
        "(ihc_revenue) that they have earned so far, on that day or later.\n\n"
        "A day is the date of the sessions. It is provisional for {lookback_days} days, because an order up to {lookback_days} "
        "days later can still be credited to it. Restated when a conversion of the next {lookback_days} days or the day's "
        "costs change."
    ),
    lineage={
        "channel_name": "channel_costs.channel_name customer_journeys.channel_label",
        "date": "channel_costs.date customer_journeys.timestamp",
        "cost": "channel_costs.cost",
        "ihc": "attribution_customer_journey.ihc",
        "ihc_revenue": "attribution_customer_journey.ihc conversions.revenue",
    },
    follows=("attribution_customer_journey", "channel_costs", "uncredited_conversion"),
    also_reads=("customer_journeys",),
    reads={"conversions": "revenue"},
    guards=("broken_conversions", "other_currencies"),
    driven_by="attribution_customer_journey WHERE conv_date BETWEEN $first_day AND $last_conversion_day",
    checks=(
        CONVERSIONS_ARE_SOUND,
        Check(
            "report_adds_up",
            "check_report_adds_up",
            before=False,
            blocking=True,
            demand=(
                "The cost, orders and revenue of every channel and day equal the sums over channel_costs, the credit and the "
                "conversions."
            ),
            noun="figure",
            broken="in the report of {days} differed from the tables that it is computed from.",
            wrong_day_columns=("date",),
        ),
    ),
)

CHANNEL_REPORTING_CSV = DailyTable(
    "channel_reporting_csv",
    job=REPORT,
    group="reporting",
    heading="CSV",
    day_of="session",
    day_column="date",
    description=(
        "The report for other programs: channel_reporting with cost per order (CPO) and return on ad "
        "spend (ROAS) as CSV files, one for each day and one with all days so far.\n\n"
        "A day is the date of the sessions. Restated when channel_reporting changes."
    ),
    lineage={
        **{column: f"channel_reporting.{column}" for column in schema()["channel_reporting"].column_names},
        "CPO": "channel_reporting.cost channel_reporting.ihc",
        "ROAS": "channel_reporting.ihc_revenue channel_reporting.cost",
    },
    follows=("channel_reporting",),
    csv_of="channel_reporting",
    more_columns=(
        Column("CPO", "real", required=False, description="cost per order: cost / ihc; empty if there is no order"),
        Column("ROAS", "real", required=False, description="return on ad spend: ihc_revenue / cost; empty if there is no cost"),
    ),
)

CHANNEL_REPORT = DailyTable(
    "channel_report",
    job=REPORT,
    group="reporting",
    heading="report",
    day_of="session",
    day_column="date",
    description=(
        "One row per channel and day: the report for people and BI tools. It has the figures of channel_reporting in plain "
        "words, cost per order (CPO), return on ad spend (ROAS), the model and its parameters, the currency, and the day "
        "after which the figures are final.\n\n"
        "A day is the date of the sessions. Restated when channel_reporting changes."
    ),
    lineage={
        "date": "channel_reporting.date",
        "channel": "channel_reporting.channel_name",
        "cost": "channel_reporting.cost",
        "orders": "channel_reporting.ihc",
        "revenue": "channel_reporting.ihc_revenue",
        "CPO": "channel_reporting.cost channel_reporting.ihc",
        "ROAS": "channel_reporting.ihc_revenue channel_reporting.cost",
        "model": "",
        "parameters": "ihc_results.parameters",
        "currency": "",
        "final_after": "channel_reporting.date",
    },
    follows=("channel_reporting",),
    also_reads=("ihc_results",),
    checks=(
        Check(
            "channel_report_is_channel_reporting",
            "check_channel_report_is_channel_reporting",
            before=False,
            blocking=True,
            demand="The cost, orders and revenue of every channel and day are those of channel_reporting.",
            noun="figure",
            broken="of {days} differed from those in channel_reporting.",
            not_yet="channel_reporting has {date}, channel_report has not yet: the next `attribution run` of that day adds it.",
            wrong_day_columns=("date",),
        ),
    ),
)

CHANNEL_REPORT_CSV = DailyTable(
    "channel_report_csv",
    job=REPORT,
    group="reporting",
    heading="report CSV",
    day_of="session",
    day_column="date",
    description=(
        "channel_report as CSV files for spreadsheets, one for each day and one with all days so far. A channel whose name a "
        "spreadsheet would take for a formula has an apostrophe before it.\n\n"
        "A day is the date of the sessions. Restated when channel_report changes."
    ),
    lineage={column: f"channel_report.{column}" for column in schema()["channel_report"].column_names},
    follows=("channel_report",),
    csv_of="channel_report",
    is_for_spreadsheets=True,
)

REPORTING = (SESSION_SPEND, CHANNEL_COSTS, CHANNEL_REPORTING, CHANNEL_REPORTING_CSV, CHANNEL_REPORT, CHANNEL_REPORT_CSV)
