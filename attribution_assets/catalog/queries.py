"""Which SQL computes which table: the Query of each table for some days, under the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable

from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.days import shift


def journeys_query(settings: Settings, days: Days) -> Query:
    """The journeys of the conversions of these days: the rows of `customer_journeys`."""
    return Query(
        "customer_journeys",
        query_parameters(settings, "customer_journeys", days),
        guards=("broken_conversions", "broken_sessions"),
        looks_up_for="conversions WHERE conv_date BETWEEN $first_day AND $last_day",
        lookups=5,
    )


def attribution_query(days: Days) -> Query:
    """The shares of the conversions of these days: the rows of `attribution_customer_journey`."""
    return Query(
        "attribution_customer_journey",
        {"first_day": days.first, "last_day": days.last},
        looks_up_for="ihc_results WHERE conv_date BETWEEN $first_day AND $last_day",
    )


def costs_query(settings: Settings, days: Days) -> Query:
    """What the sessions of these days cost, by channel: the rows of `channel_costs`."""
    return Query(
        "channel_costs",
        query_parameters(settings, "channel_costs", days),
        guards=("broken_sessions",),
        looks_up_for="session_sources WHERE event_date BETWEEN $first_day AND $last_day",
        lookups=0.5,
    )


def reporting_query(settings: Settings, days: Days) -> Query:
    """What the channels cost and earned on these days: the rows of `channel_reporting`."""
    return Query(
        "channel_reporting",
        query_parameters(settings, "channel_reporting", days),
        guards=("broken_conversions",),
        looks_up_for="attribution_customer_journey WHERE conv_date BETWEEN $first_day AND $last_conversion_day",
    )


def training_query(settings: Settings, days: Days) -> Query:
    """The sessions of these days with the next conversion of their user, for the journeys that did not convert."""
    return Query(
        "channel_values",
        query_parameters(settings, "channel_values", days),
        guards=("broken_sessions",),
        looks_up_for="session_sources WHERE event_date BETWEEN $first_day AND $last_day",
    )


def model_reporting_query(settings: Settings, days: Days) -> Query:
    """What the channels cost and earned on these days under every model: the rows of `model_reporting`."""
    rules = settings.model_rules
    return Query(
        "model_reporting",
        {
            **query_parameters(settings, "model_reporting", days),
            "models": between_commas(rules.models),
            "channel_groups": json.dumps(rules.path.channel_groups),
            "rules": str(rules.path),
            "settings": settings.models_fingerprint(),
        },
        guards=("broken_conversions",),
        looks_up_for="model_attribution WHERE conv_date BETWEEN $first_day AND $last_conversion_day",
    )


def between_commas(names: Iterable[str]) -> str:
    """The names as one parameter, in which LIKE finds each of them."""
    return f",{','.join(names)},"


def query_parameters(settings: Settings, asset: str, days: Days) -> dict[str, str | int]:
    """What the asset's query, its guards and its checks are asked with, for these days of it."""
    reach = settings.lookback_days if asset in ("channel_reporting", "model_reporting") else 0
    return {
        "first_day": days.first,
        "last_day": days.last,
        "last_conversion_day": shift(days.last, reach),
        "lookback_days": 0 if asset == "channel_costs" else settings.lookback_days,
        "include_converting_session": int(settings.include_converting_session),
    }
