"""The tables of the models that ATTRIBUTION_MODELS chooses: what they have learned, credit, and report."""

from __future__ import annotations

import json

from attribution_assets.catalog.checks import CONVERSIONS_ARE_SOUND
from attribution_assets.catalog.table import ATTRIBUTE, REPORT, WITH_MODELS, Check, DailyTable, Parameters
from attribution_assets.errors import NotReadyError
from attribution_assets.models import LEARNED, MODELS
from attribution_assets.settings import Settings

CREDITS = "model_attribution WHERE conv_date BETWEEN $first_day AND $last_conversion_day"
"""The rows for which reports by model look up other rows."""

JOURNEY = ("customer_journeys.timestamp", "customer_journeys.channel_label")
"""The columns of a session that models read."""

NONE_IS_DIRECT = (
    "So last_non_direct_touch equals last_touch, and ATTRIBUTION_DROP_DIRECT drops nothing. "
    "Name yours in ATTRIBUTION_DIRECT_CHANNELS."
)
"""What follows where no channel is direct."""


def require_models(settings: Settings, table: str) -> None:
    """Raises NotReadyError where no models are chosen: without, the table is not in the graph."""
    if not settings.models:
        raise NotReadyError(
            f"Without models there is no table {table}. Set ATTRIBUTION_MODELS to `all`, or to some of {', '.join(MODELS)}."
        )


def _model_parameters(settings: Settings) -> Parameters:
    rules = settings.model_rules
    return {
        "models": json.dumps(rules.models),
        "asks_for_direct": int(rules.asks_for_direct),
        "direct_channels": json.dumps(sorted(rules.direct_channels)),
        "model_count": len(rules.models),
        "channel_groups": json.dumps(rules.path.channel_groups),
        "rules": str(rules.path),
        "settings": settings.models_fingerprint(rules),
    }


CHANNEL_VALUES = DailyTable(
    "channel_values",
    job=ATTRIBUTE,
    group="attribution",
    heading="values",
    day_of="conversion",
    day_column="date",
    description=(
        f"One row per day, learning model ({', '.join(LEARNED)}) and channel: what the channel is worth, learned from the "
        "converting and non-converting journeys of {training_days} days, up to and including the day.\n\n"
        "A day is the last day of its training window. Its values are learned once, when its journeys exist. To learn them "
        "again, run it with the config `relearn: true`."
    ),
    lineage={
        "date": "",
        "model": "",
        "channel_name": "session_sources.channel_name",
        "value": "session_sources.channel_name session_sources.event_date session_sources.event_time conversions.user_id",
        "rules": "",
        "settings": "",
    },
    follows=("customer_journeys",),
    reads={"session_sources": "sessions", "conversions": "conversions"},
    guards=("broken_sessions",),
    driven_by="session_sources WHERE event_date BETWEEN $first_day AND $last_day",
    settings_hash=Settings.learning_fingerprint,
    is_python=True,
    only_with=WITH_MODELS,
    is_kept=True,
)

MODEL_ATTRIBUTION = DailyTable(
    "model_attribution",
    job=ATTRIBUTE,
    group="attribution",
    heading="models",
    day_of="conversion",
    day_column="conv_date",
    description=(
        "One row per conversion, session of its journey and model ({models}): the session's share of the order under the "
        "model. Under each model, the shares of an order sum to 1.\n\n"
        "A day is the date of the conversions. Restated when attribution_customer_journey or channel_values changes."
    ),
    lineage={
        **{column: f"customer_journeys.{column}" for column in ("conv_id", "session_id", "conv_date")},
        "model": "",
        "credit": " ".join(["channel_values.value", "attribution_customer_journey.ihc", *JOURNEY]),
        "date": "customer_journeys.timestamp",
        "channel_name": "customer_journeys.channel_label",
        "rules": "",
        "settings": "",
    },
    follows=("attribution_customer_journey", "channel_values"),
    also_reads=("customer_journeys",),
    parameters=_model_parameters,
    settings_hash=Settings.models_fingerprint,
    is_python=True,
    only_with=WITH_MODELS,
    checks=(
        Check(
            "model_credit_adds_up",
            "check_model_credit_adds_up",
            before=False,
            blocking=True,
            demand="Under every model, the credit of every conversion sums to 1, over exactly the sessions of its journey.",
            noun="credit",
            broken="of a conversion of {days} did not sum to 1 under a model, or did not match the sessions of its journey.",
            wrong_day_columns=("conv_date",),
            driven_by="model_attribution WHERE conv_date BETWEEN $first_day AND $last_day",
        ),
        Check(
            "direct_traffic_is_known",
            "check_direct_traffic_is_known",
            before=False,
            blocking=False,
            demand="If a model or a path rule asks for direct traffic, a channel is direct.",
            noun="channel",
            broken=f"found for {{days}}, none of them direct traffic. {NONE_IS_DIRECT}",
        ),
    ),
)

MODEL_REPORTING = DailyTable(
    "model_reporting",
    job=REPORT,
    group="reporting",
    heading="by model",
    day_of="session",
    day_column="date",
    description=(
        "One row per day, model, date basis and channel: what the channel's sessions of the day cost, and the orders and "
        "revenue that the model credits to the channel. With the date basis `session`, orders and revenue count on the date of "
        "the sessions, as in channel_reporting; with `conversion`, on the date of the conversions. Cost counts on the date of "
        "the sessions in both.\n\n"
        "A day is that date. Restated when a conversion of the next {lookback_days} days or the day's costs change."
    ),
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
    follows=("model_attribution", "channel_costs"),
    reads={"conversions": "revenue"},
    guards=("broken_conversions", "other_currencies"),
    driven_by=CREDITS,
    parameters=_model_parameters,
    settings_hash=Settings.models_fingerprint,
    only_with=WITH_MODELS,
    checks=(
        CONVERSIONS_ARE_SOUND,
        Check(
            "model_report_adds_up",
            "check_model_report_adds_up",
            before=False,
            blocking=True,
            demand=(
                "Under every model and on both date bases, orders and revenue of every channel equal its credit, those of all "
                "channels equal those of the attributed conversions, and cost equals that of the sessions."
            ),
            noun="figure",
            broken="in the report by model of {days} differed from the tables that it is computed from.",
            wrong_day_columns=("date",),
            driven_by=CREDITS,
        ),
    ),
)

OF_MODELS = (CHANNEL_VALUES, MODEL_ATTRIBUTION, MODEL_REPORTING)
