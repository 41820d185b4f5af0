"""model_comparison and path_report: the models side by side, and the paths that they judge, over a range of days."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from attribution_assets.assets.reporting import TOP_OF_CHART
from attribution_assets.orchestration.chart import range_chart
from attribution_assets.orchestration.daily import OWNERS, Body, column_schema, link_to, stored_in, with_settings
from attribution_assets.orchestration.history import POOL
from attribution_assets.orchestration.markdown import SHOWN_AT_ONCE, tables
from attribution_assets.settings import Settings
from attribution_assets.warehouse import schema

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.analysis.comparison import Comparison

TOP_PATHS = 10


class DaysConfig(dg.Config):
    """The days that a run reports on."""

    start: str | None = Field(None, description="First conversion day, YYYY-MM-DD. If unset, the first with results.")
    end: str | None = Field(None, description="Last conversion day, included. If unset, the last with results.")


class ComparisonConfig(DaysConfig):
    """The run config of model_comparison."""

    base: str | None = Field(None, description="Model to compare the others with. If unset, ihc, or the first one.")
    relearn: bool = Field(
        False, description="Whether intervals show how sure models are that learn: they learn 200 times again."
    )


def comparison_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """model_comparison and path_report; nothing if no models are chosen."""
    if not settings.models:
        return []
    return [
        _whole_table(
            model_comparison,
            settings,
            deps=["customer_journeys", "attribution_customer_journey", "channel_values", "channel_costs", "conversions"],
            description=(
                "One row per model and channel: cost, orders, revenue, ROAS and rank over a range of days, and the difference "
                "from a base model, with a 90 % interval that shows which differences are noise.\n\n"
                "It has no partitions: a run replaces the whole table, over all days with results or over the days in its "
                "config."
            ),
        ),
        _whole_table(
            path_report,
            settings,
            deps=["customer_journeys", "conversions", "session_sources"],
            description=(
                "One row per path (the hundred with the most conversions), length, time lag and channel: journeys, "
                "conversions, revenue and rate; for a channel, also the conversions that it assisted.\n\n"
                "It has no partitions: a run replaces the whole table, over all days with results or over the days in its "
                "config."
            ),
        ),
    ]


def model_comparison(context: dg.AssetExecutionContext, config: ComparisonConfig, settings: Settings) -> "pd.DataFrame":
    """The rows of the table, over the days of the config; what the UI shows of them is added to the output."""
    from attribution_assets.analysis.comparison import compare_models, compared_days

    days = compared_days(settings, config.start, config.end)
    comparison = compare_models(settings, days, config.base, relearn=config.relearn)
    context.add_output_metadata(_shown(comparison))
    return comparison.channels.assign(
        is_noise=comparison.channels["is_noise"].astype(int),
        base=comparison.base,
        first_day=comparison.days.first,
        last_day=comparison.days.last,
        rules="; ".join(filter(None, [str(comparison.rules.path), comparison.drawn and f"intervals show {comparison.drawn}"])),
        settings=settings.models_fingerprint(comparison.rules),
    )


def path_report(context: dg.AssetExecutionContext, config: DaysConfig, settings: Settings) -> "pd.DataFrame":
    """The rows of the table, over the days of the config; the top paths are added to the output."""
    from attribution_assets.analysis.comparison import compared_days, report_paths

    days = compared_days(settings, config.start, config.end)
    report = report_paths(settings, days)
    paths = report[report["section"] == "path"].head(TOP_PATHS).set_index("item")
    top = paths[["journeys", "conversions", "revenue", "rate"]].rename_axis("path")
    context.add_output_metadata({"days": str(days), **_tables("top paths", top, "{:,.2f}")})
    return report.assign(first_day=days.first, last_day=days.last, rules=str(settings.model_rules.path))


def _whole_table(body: Body, settings: Settings, *, deps: list[str], description: str) -> dg.AssetsDefinition:
    """An asset without partitions: a run replaces all rows of the table that has the function's name."""
    table = body.__name__
    asset: dg.AssetsDefinition = dg.asset(
        name=table,
        deps=deps,
        description=description,
        group_name="comparison",
        kinds={stored_in(settings), "numpy"},
        owners=OWNERS,
        pool=POOL,
        metadata={
            "dagster/column_schema": column_schema(schema()[table].columns),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[link_to(body)]),
        },
    )(with_settings(body, settings))
    return asset


def _shown(comparison: "Comparison") -> dict[str, Any]:
    orders = comparison.by_model("orders")
    moved = comparison.lookbacks.pivot(index="model", columns="lookback_days", values="moved")
    return {
        "days": str(comparison.days),
        "base": comparison.base,
        "chart": _chart(orders, comparison.base),
        **_tables("orders", orders, "{:,.2f}"),
        **_tables("ROAS", comparison.by_model("ROAS"), "{:,.2f}"),
        **_tables("credit that another lookback (days) moves", moved, "{:.1%}"),
    }


def _chart(orders: "pd.DataFrame", base: str) -> dg.MarkdownMetadataValue:
    """For as many of the first channels as can be shown at once, the lowest, the base's and the highest number of orders."""
    channels = [
        {"channel": channel, "low": of_models.min(), "value": of_models[base], "high": of_models.max()}
        for channel, of_models in orders.iterrows()
    ]
    charts = (range_chart(f"orders by {base}, of all models", channels[:count]) for count in range(TOP_OF_CHART, 1, -1))
    return dg.MetadataValue.md(next((chart for chart in charts if len(chart) < SHOWN_AT_ONCE), range_chart(base, channels[:1])))


def _tables(title: str, frame: "pd.DataFrame", format_: str) -> dict[str, dg.MarkdownMetadataValue]:
    """The frame as markdown; nothing where a value is undefined."""
    name = "channel" if frame.index.name == "channel_name" else str(frame.index.name)
    rows = [
        [str(label), *("" if value != value else format_.format(value) for value in values)]
        for label, values in frame.iterrows()
    ]
    return tables(title, [name, *map(str, frame.columns)], rows)
