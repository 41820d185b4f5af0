"""The reports of the models side by side: what each credits, and which of their differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from math import fsum
from typing import Any

from attribution_assets.analysis.report import basis
from attribution_assets.analysis.reports.form import Answer, Asked, Column, Page, Report, credited, of_days, stored
from attribution_assets.analysis.reports.overview import OF_REPORT, OTHER_SETTINGS, basis_of, cells_of, sums
from attribution_assets.catalog.reporting import CHANNEL_REPORT
from attribution_assets.errors import NotReadyError
from attribution_assets.models.registry import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query


@of_days(CHANNEL_REPORT)
def models(settings: Settings, asked: Asked, days: Days) -> Answer:
    """By model and channel the figures of the days asked for; within a model, what earns most comes first."""
    cells = _cells(settings, days)
    rows = [
        {"model": model, **row}
        for model, of_model in cells.items()
        for row in sorted(sums(of_model, "channel"), key=lambda row: (-row["revenue"], -row["cost"], row["channel"]))
    ]
    lacking = [model for model in settings.models if model not in cells]
    notes = [f"Not computed on these days: {', '.join(lacking)}. Run all days again."] if lacking else []
    by_model = {model: basis_of(settings, model, days, of_model) for model, of_model in cells.items()}
    return Answer(rows, notes=(*notes,), **credited(settings, days, _basis_of_all(settings, by_model)))


def orders_side_by_side(settings: Settings, asked: Asked) -> Answer:
    """By channel the orders under each model; what earns most under the first one comes first."""
    return _side_by_side(models(settings, asked), "orders")


def revenue_side_by_side(settings: Settings, asked: Asked) -> Answer:
    """By channel the revenue under each model; what earns most under the first one comes first."""
    return _side_by_side(models(settings, asked), "revenue")


def comparison(settings: Settings, asked: Asked) -> Answer:
    """The stored table model_comparison, of the days that it was computed for."""
    rows, days = kept(settings, asked, "model_comparison", "compare")
    is_other = {row["settings"] for row in rows} != {settings.models_fingerprint(settings.model_rules)}
    by_model = {}
    for model, of_model in groupby(rows, lambda row: row["model"]):
        if model == "ihc":
            of_ihc = basis(settings, days)
            by_model[model] = {**of_ihc, "parameters": OTHER_SETTINGS} if is_other else of_ihc
        else:
            found = [{"parameters": row["rules"], "settings": row["settings"]} for row in of_model]
            by_model[model] = basis_of(settings, model, days, found)
    return Answer([{**row, "is_noise": bool(row["is_noise"])} for row in rows], days, _basis_of_all(settings, by_model))


def _side_by_side(answer: Answer, figure: str) -> Answer:
    channels = dict.fromkeys(row["channel"] for row in answer.rows)
    values = {(row["channel"], row["model"]): row[figure] for row in answer.rows}
    rows = [{"channel": channel, **{model: values.get((channel, model)) for model in MODELS}} for channel in channels]
    sums = {model: [row[model] for row in rows if row[model] is not None] for model in MODELS}
    total = {"channel": "total", **{model: fsum(of_model) if of_model else None for model, of_model in sums.items()}}
    return replace(answer, rows=rows, total=total if rows else None)


def kept(settings: Settings, asked: Asked, table: str, command: str) -> tuple[list[dict[str, Any]], Days]:
    """The rows of a table that `attribution <command> --keep` fills, models in the order of the settings, and their days.

    Raises NotReadyError where there are none, and where they are of other days than those asked for; AttributionError for a
    reversed range.
    """
    wanted = Days(asked.start or "0001-01-01", asked.end or "9999-12-31")
    options = [f" --start {wanted.first}" if asked.start else "", f" --end {wanted.last}" if asked.end else ""]
    with_models = "" if settings.models else " with ATTRIBUTION_MODELS set"
    how = f"Run `attribution {command} --keep{''.join(options)}`{with_models}."
    rows = settings.warehouse.rows(Query(f"kept_{table}")) if settings.warehouse.has(table) else []
    order = [*settings.models, *MODELS]
    rows.sort(key=lambda row: order.index(row["model"]) if row.get("model") in order else len(order))
    if not rows:
        raise NotReadyError(f"{settings.database} has nothing in {table} yet. {how}")
    days = Days(rows[0]["first_day"], rows[0]["last_day"])
    if (asked.start or days.first, asked.end or days.last) != (days.first, days.last):
        raise NotReadyError(f"What is in {table} is of {days}. {how}")
    return rows, days


def _cells(settings: Settings, days: Days) -> dict[str, list[dict[str, Any]]]:
    """By model, in the order of the models, the rows of `overview.cells_of`; ihc is always asked for."""
    rows = cells_of(settings, ["ihc", *settings.models], days)
    by_model = {model: [*of_model] for model, of_model in groupby(rows, lambda row: row["model"])}
    return {model: by_model[model] for model in MODELS if model in by_model}


def _basis_of_all(settings: Settings, by_model: Mapping[str, Mapping[str, str | None]]) -> dict[str, str | None]:
    """The bases of the models, as of `overview.basis_of`, as one: with the parameters of each model."""
    by_model = {model: by_model[model] for model in MODELS if model in by_model}

    def together(name: str) -> str | None:
        return ", ".join(dict.fromkeys(value for of_model in by_model.values() if (value := of_model[name]))) or None

    return {
        "model": ", ".join(by_model),
        "parameters": ". ".join(f"{model}: {of_model['parameters']}" for model, of_model in by_model.items()) or None,
        "computed_by": together("computed_by"),
        "learned_from": together("learned_from"),
        "currency": settings.currency,
    }


MODEL = Column("model", "text", "the model that gave the credit")
CHANNEL = Column("channel", "text", "traffic channel; under other models than ihc, after grouping")

ORDERS_BY_MODEL = Report(
    "orders_by_model",
    "Orders by model",
    "How many orders each model credits to each channel, on the days of sessions. Models that are not computed are empty.",
    (CHANNEL, *(Column(model, "number", f"orders that {model} credits to the channel", True) for model in MODELS)),
    orders_side_by_side,
    filters=("channel",),
)

REVENUE_BY_MODEL = Report(
    "revenue_by_model",
    "Revenue by model",
    "How much revenue each model credits to each channel, on the days of sessions.",
    (CHANNEL, *(Column(model, "amount", f"revenue that {model} credits to the channel", True) for model in MODELS)),
    revenue_side_by_side,
    filters=("channel",),
)

MODEL_REPORTING = Report(
    "model_reporting",
    "Every model in full",
    "What each channel cost and earned on the days of sessions, under every model.",
    (MODEL, CHANNEL, *OF_REPORT),
    models,
    filters=("channel",),
)

MODEL_COMPARISON = Report(
    "model_comparison",
    "Which differences are more than chance",
    "How many more orders each channel gets than under the base model, and within which bounds that lies in nine of ten cases. "
    "Of the days of conversions that were compared last, as they were then.",
    (
        MODEL,
        CHANNEL,
        stored("model_comparison", "orders", "number"),
        stored("model_comparison", "orders_shift", "number", heading="orders more"),
        stored("model_comparison", "orders_shift_low", "number", heading="at least"),
        stored("model_comparison", "orders_shift_high", "number", heading="at most"),
        Column("is_noise", "flag", "whether the difference may be chance: the bounds include 0", heading="may be chance"),
        stored("model_comparison", "rank", "count"),
        stored("model_comparison", "rank_change", "count", heading="places gained"),
        stored("model_comparison", "base", "text"),
    ),
    comparison,
    filters=("channel",),
    on_request=True,
)

MODELS_PAGE = Page(
    "models", "Models", "What would other models say?", (ORDERS_BY_MODEL, REVENUE_BY_MODEL, MODEL_COMPARISON, MODEL_REPORTING)
)
