"""How channel_values and model_attribution are computed, and what the UI shows of the models' figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from attribution_assets.catalog.models import CHANNEL_VALUES, MODEL_REPORTING
from attribution_assets.formats import number
from attribution_assets.orchestration.io_managers import MetadataByDay
from attribution_assets.orchestration.markdown import tables
from attribution_assets.orchestration.partitions import days_of_run
from attribution_assets.orchestration.shown import row_of_day, rows_of_days, rules_of
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Frames, Warehouse

if TYPE_CHECKING:
    import pandas as pd


class LearningConfig(dg.Config):
    """The run config of channel_values."""

    relearn: bool = Field(False, description="Learn the days' values again. If false, values that exist stay as they are.")


def channel_values(context: dg.AssetExecutionContext, config: LearningConfig, settings: Settings) -> "pd.DataFrame":
    """The values of the run's days: stored values with the same settings, and newly learned values for the other days."""
    from attribution_assets.analysis import learning

    return learning.channel_values(settings, days_of_run(context), relearn=config.relearn)


def values_of_days(settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each day, how many channels have a value, and the most valuable one of each model that learned."""
    shown: dict[str, dict[str, Any]] = {day: {} for day in days}
    for row in rows_of_days(warehouse, "shown_most_valuable", days):
        shown[row["day"]] |= {"channels": row["channels"], f"most valuable, {row['model']}": row["most_valuable"]}
    rules = rules_of(CHANNEL_VALUES, settings)
    return {day: {**of_day, **rules} for day, of_day in shown.items()}


def models_of_days(settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each day, its totals, and the orders, revenue, CPO and ROAS that each model gives to each channel's sessions."""
    channels: dict[str, dict[str, dict[str, dict[str, Any]]]] = {day: {} for day in days}
    for row in rows_of_days(warehouse, "shown_models", days):
        channels[row["day"]].setdefault(row["channel"], {})[row["model"]] = row
    shown: dict[str, Mapping[str, Any]] = {}
    for day, totals in row_of_day(MODEL_REPORTING, settings, warehouse, days).items():
        of_day = dict[str, Any]()
        for amount in ("orders", "revenue", "CPO", "ROAS") if channels[day] else ():
            rows = [
                [channel, *(number(of_models[model][amount]) if model in of_models else "" for model in settings.models)]
                for channel, of_models in channels[day].items()
            ]
            of_day |= tables(amount, ["channel", *settings.models], rows)
        shown[day] = {**totals, **of_day}
    return shown


def model_attribution(
    customer_journeys: Frames, attribution_customer_journey: Frames, channel_values: Any, settings: Settings
) -> Frames:
    """The credit of every session under every model, frame by frame; `channel_values` is one pandas frame."""
    from attribution_assets.analysis.crediting import by_every_model, with_ihc

    journeys = with_ihc(customer_journeys, attribution_customer_journey)
    return customer_journeys.beside(attribution_customer_journey, "ihc", journeys).each(
        by_every_model(settings, channel_values)
    )
