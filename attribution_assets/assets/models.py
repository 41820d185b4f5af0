"""channel_values, model_attribution and model_reporting: what other attribution models say of the same journeys."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from attribution_assets.assets.reporting import sum_missing_costs
from attribution_assets.catalog.queries import model_reporting_query
from attribution_assets.orchestration.automation import learned_once, restated
from attribution_assets.orchestration.checks import source_check_specs, source_checks
from attribution_assets.orchestration.daily import column_schema, daily_asset
from attribution_assets.orchestration.io_managers import SQLiteIOManager
from attribution_assets.orchestration.io_managers.sqlite import Described
from attribution_assets.orchestration.partitions import conversions_in_reach, run_days
from attribution_assets.orchestration.shown import facts
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Frames

if TYPE_CHECKING:
    import pandas as pd

JOURNEY = ("customer_journeys.timestamp", "customer_journeys.channel_label")
"""What models read of a session."""


class LearningConfig(dg.Config):
    """What a run of channel_values may be told."""

    relearn: bool = Field(False, description="Learn anew what was learned already; else a day's values stay as they are.")


def model_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """channel_values, model_attribution and model_reporting; none, where no models are chosen."""
    rules, lookback = settings.model_rules, settings.lookback_days
    if not rules.models:
        return []

    @daily_asset(
        partitions,
        column_schema("channel_values"),
        "date",
        deps=["session_sources", "conversions", "customer_journeys"],
        automation_condition=learned_once(settings),
        group_name="attribution",
        kinds={"sqlite", "numpy"},
        sql="channel_values",
        lineage={
            "date": "",
            "model": "",
            "channel_name": "session_sources.channel_name",
            "value": "session_sources.channel_name session_sources.event_date session_sources.event_time conversions.user_id",
            "rules": "",
            "settings": "",
        },
        description=(
            "One row per day, model that learns (markov, shapley) and channel: what the channel is worth, learned from the "
            f"journeys of the {rules.training_days} days that end with the day, converting and not.\n\n"
            "A day is the last of its window. Learned once, when its journeys are there; a run with the config `relearn: true` "
            "learns anew."
        ),
    )
    def channel_values(context: dg.AssetExecutionContext, config: LearningConfig) -> Described:
        from attribution_assets.analysis.learning import channel_values as values_of

        values = values_of(settings, run_days(context), relearn=config.relearn)
        return Described(values, partial(facts, "shown_channel_values", settings, fingerprint=settings.learning_fingerprint()))

    @daily_asset(
        partitions,
        column_schema("model_attribution"),
        "conv_date",
        automation_condition=restated(settings, "model_attribution"),
        group_name="attribution",
        kinds={"sqlite", "numpy"},
        lineage={
            **{column: f"customer_journeys.{column}" for column in ("conv_id", "session_id", "conv_date")},
            "model": "",
            "credit": " ".join(["channel_values.value", "attribution_customer_journey.ihc", *JOURNEY]),
            "date": "customer_journeys.timestamp",
            "channel_name": "customer_journeys.channel_label",
            "rules": "",
            "settings": "",
        },
        description=(
            f"One row per conversion, session of its journey and model ({', '.join(rules.models)}): the share of the order "
            "that the session has earned by the model. The shares of an order sum to 1 under each model.\n\n"
            "A day is the date of the conversions. Restated when attribution_customer_journey or channel_values are."
        ),
    )
    def model_attribution(customer_journeys: Frames, attribution_customer_journey: Frames, channel_values: Any) -> Described:
        from attribution_assets.analysis.crediting import model_rows, with_ihc

        def rows() -> "Iterator[pd.DataFrame]":
            values = channel_values[channel_values["settings"] == settings.learning_fingerprint()]
            for journeys in with_ihc(customer_journeys, attribution_customer_journey):
                yield model_rows(settings, journeys, values)

        return Described(
            Frames(rows()), partial(facts, "shown_model_attribution", settings, fingerprint=settings.models_fingerprint())
        )

    @daily_asset(
        partitions,
        column_schema("model_reporting"),
        "date",
        deps=[
            dg.AssetDep("model_attribution", partition_mapping=conversions_in_reach(lookback)),
            "channel_costs",
            "conversions",
        ],
        automation_condition=restated(settings, "model_reporting"),
        check_specs=source_check_specs("model_reporting"),
        group_name="reporting",
        kinds={"sqlite", "sql"},
        sql="model_reporting",
        lineage={
            "date": "channel_costs.date model_attribution.date model_attribution.conv_date",
            "model": "model_attribution.model",
            "date_basis": "",
            "channel_name": "channel_costs.channel_name model_attribution.channel_name",
            "cost": "channel_costs.cost",
            "orders": "model_attribution.credit",
            "revenue": "model_attribution.credit conversions.revenue",
            "CPO": "channel_costs.cost model_attribution.credit",
            "ROAS": "model_attribution.credit conversions.revenue channel_costs.cost",
            "rules": "",
            "settings": "",
        },
        description=(
            "One row per day, model, date basis and channel: what the channel's sessions of the day cost, and the orders and "
            "revenue that the model credits to it. With the date basis `session` these stand on the date of the sessions, as "
            "in channel_reporting; with `conversion` on that of the conversions. Cost is the day's sessions' in both.\n\n"
            f"A day is that date. Restated when a conversion of the next {lookback} days changes, or the day's costs do."
        ),
    )
    def model_reporting(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[Described]]:
        days = run_days(context)
        query = model_reporting_query(settings, days)
        yield from source_checks(query, io_manager.warehouse)
        sum_missing_costs(context, settings, io_manager.warehouse, days)
        yield dg.Output(
            Described(query, partial(facts, "shown_model_reporting", settings, fingerprint=settings.models_fingerprint()))
        )

    return [channel_values, model_attribution, model_reporting]
