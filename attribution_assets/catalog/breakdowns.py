"""The tables that show more than channels: by the columns that the user chose, and by campaign and market."""

from __future__ import annotations

import json

from attribution_assets.catalog.reporting import SESSIONS
from attribution_assets.catalog.table import REPORT, Check, Choice, DailyTable, Parameters
from attribution_assets.settings import Settings
from attribution_assets.warehouse.views import OF_CONVERSIONS


def _parameters(settings: Settings) -> Parameters:
    rules = settings.model_rules
    return {
        "breakdowns": json.dumps(settings.breakdowns),
        "models": json.dumps(rules.models),
        "channel_groups": json.dumps(rules.path.channel_groups),
    }


def _needs(settings: Settings) -> frozenset[str]:
    return frozenset(
        name.lower() if name.startswith(OF_CONVERSIONS) else f"session_sources.{name.lower()}" for name in settings.breakdowns
    )


BREAKDOWN_REPORTING = DailyTable(
    "breakdown_reporting",
    job=REPORT,
    group="reporting",
    heading="breakdowns",
    day_of="session",
    day_column="date",
    description=(
        "One row per day, model, date basis, channel, dimension and value: sessions, users, cost, and the orders and revenue "
        "that the model credits. The dimensions are the columns of ATTRIBUTION_BREAKDOWNS. A column of session_sources gives "
        "the value of the session; one of conversions gives that of the conversion, and sessions and cost stand in a row "
        "without value. The values of each dimension add up to the channel. `ihc` is always among the models.\n\n"
        "A day is the date of the sessions, or of the conversions. Restated when the day's report, sessions or costs change."
    ),
    lineage={
        "date": "session_sources.event_date conversions.conv_date",
        "model": "model_attribution.model",
        "date_basis": "",
        "channel": "session_sources.channel_name customer_journeys.channel_label",
        "dimension": "",
        "value": "session_sources.session_id conversions.conv_id",
        "sessions": "session_sources.session_id",
        "users": "session_sources.user_id",
        "cost": "session_costs.cost session_spend.cost",
        "CPC": "session_costs.cost session_spend.cost session_sources.session_id",
        "orders": "attribution_customer_journey.ihc model_attribution.credit",
        "revenue": "conversions.revenue",
        "CPO": "session_costs.cost attribution_customer_journey.ihc",
        "ROAS": "conversions.revenue session_costs.cost",
        "conversion_rate": "attribution_customer_journey.ihc session_sources.session_id",
    },
    follows=("channel_reporting", "model_reporting"),
    also_reads=(
        "attribution_customer_journey",
        "customer_journeys",
        "model_attribution",
        "session_spend",
        "uncredited_conversion",
    ),
    reads={"session_sources": "sessions", "session_costs": "costs", "conversions": "revenue"},
    guards=("broken_conversions", "broken_sessions", "other_currencies"),
    only_with=Choice("ATTRIBUTION_BREAKDOWNS", lambda settings: bool(settings.breakdowns), _needs),
    parameters=_parameters,
    settings_hash=Settings.models_fingerprint,
    checks=(
        Check(
            "breakdowns_add_up",
            "check_breakdowns_add_up",
            before=False,
            blocking=True,
            demand="Cost, orders and revenue of all values of every dimension add up to those of the channel and day.",
            noun="figure",
            broken="of {days} differed between the values of a dimension, all together, and their channel.",
            wrong_day_columns=("date",),
        ),
    ),
)

SESSION_REPORT = DailyTable(
    "session_report",
    job=REPORT,
    group="reporting",
    heading="sessions",
    day_of="session",
    day_column="date",
    description=(
        "One row per day, channel, campaign and market: sessions, users, what they cost, and the conversions, with their "
        "revenue, of which one of them was the last session before. No model is behind it.\n\n"
        "A day is the date of the sessions. Restated when a journey of the next {lookback_days} days, or the day's sessions or "
        "costs change."
    ),
    lineage={
        "date": "session_sources.event_date",
        "channel": "session_sources.channel_name customer_journeys.channel_label",
        "campaign_id": "session_sources.campaign_id session_spend.campaign_id",
        "market": "session_sources.market",
        "sessions": "session_sources.session_id",
        "users": "session_sources.user_id",
        "conversions": "customer_journeys.conversion",
        "revenue": "conversions.revenue",
        "cost": "session_costs.cost session_spend.cost",
        "CPC": "session_costs.cost session_spend.cost session_sources.session_id",
    },
    needs=frozenset({"session_sources.campaign_id", "session_sources.market"}),
    driven_by=SESSIONS,
    follows=("customer_journeys", "channel_costs"),
    also_reads=("session_spend",),
    reads={"session_sources": "sessions", "session_costs": "costs", "conversions": "revenue"},
    guards=("broken_conversions", "broken_sessions", "other_currencies"),
    checks=(
        Check(
            "sessions_count_once",
            "check_sessions_count_once",
            before=False,
            blocking=True,
            demand="Sessions and costs of every day and channel are those of channel_costs, and every journey counts once.",
            noun="figure",
            broken="of {days} differed from channel_costs or from the journeys.",
            wrong_day_columns=("date",),
        ),
        Check(
            "channels_are_stable",
            "check_channels_are_stable",
            before=False,
            blocking=False,
            demand="The share of every channel in a day's sessions is like that of the four weeks before.",
            noun="channel",
            broken=(
                "on a day of {days} had an unusual share of the sessions, such as {channel} on {date}: {share:.0%}, and "
                "usually {usual_share:.0%}."
            ),
        ),
    ),
)

BREAKDOWNS = (BREAKDOWN_REPORTING, SESSION_REPORT)
