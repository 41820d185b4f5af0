"""The endpoints about campaigns: rates by customer, statuses, categories and types, and means, of the rows as they are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view, inline_serializer
from rest_framework.request import Request

from attribution_assets.analysis.campaigns import CONVERSION, campaigns_now, kept_for
from attribution_assets.analysis.reports.form import Asked
from attribution_assets.analysis.reports.shop import (
    CATEGORY_TYPE_PERFORMANCE,
    CONVERSION_RATE,
    FILTERED_AGGREGATION,
    STATUS_DISTRIBUTION,
    STATUS_TOTALS,
)
from attribution_assets.settings import Settings
from attribution_assets.web.endpoint import Endpoint
from attribution_assets.web.schema import RANGE, day_fields, operation, rows, text, value

NOW = (
    "Of the rows that are in campaign_results now, over all days unless asked for fewer. A sum is that of the rows that have "
    "the number, null if none has; a rate by 0 is null."
)

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Analysis:
    """An analysis: its name, what it is about, what can be asked of it, the fields of its answer, and these of what is found.

    `shown` gets what `analysis.campaigns.campaigns_now` finds.
    """

    name: str
    title: str
    description: str
    fields: Mapping[str, Any]
    shown: Callable[[Found], Found]
    parameters: tuple[OpenApiParameter, ...] = RANGE

    @property
    def address(self) -> str:
        """Where it is."""
        return f"/api/{self.name.replace('_', '-')}/"


ANALYSES = (
    Analysis(
        "conversion_rate",
        "Conversion rate by customer",
        f"Conversions / revenue of each customer, and who has the highest and the lowest rate. {NOW}",
        {
            "customers": rows("ConversionRateCustomer", CONVERSION_RATE.columns),
            "highest": rows("ConversionRateHighest", CONVERSION_RATE.columns, many=False, allow_null=True),
            "lowest": rows("ConversionRateLowest", CONVERSION_RATE.columns, many=False, allow_null=True),
        },
        lambda found: found["conversion_rate"],
    ),
    Analysis(
        "status_distribution",
        "Distribution of statuses",
        f"Revenue and conversions by status, type and category, and of each status in total. {NOW}",
        {
            "status_distribution": rows("StatusDistributionPart", STATUS_DISTRIBUTION.columns),
            "status_totals": rows("StatusDistributionSum", STATUS_TOTALS.columns),
        },
        lambda found: found,
    ),
    Analysis(
        "category_type_performance",
        "Performance by category and type",
        f"Revenue and conversions by category and type, and which of these has the most conversions. {NOW}",
        {
            "category_type": rows("CategoryTypePerformancePart", CATEGORY_TYPE_PERFORMANCE.columns),
            "top_category_type": rows(
                "CategoryTypePerformanceTop", CATEGORY_TYPE_PERFORMANCE.columns, many=False, allow_null=True
            ),
        },
        lambda found: found,
    ),
    Analysis(
        "filtered_aggregation",
        "Means by customer",
        f"Mean revenue and mean conversions of each customer, per row of a type. {NOW}",
        {
            "type": text("of which type the rows are", allow_null=False),
            "status": text("of which status, if that was asked for"),
            "category": text("of which category, if that was asked for"),
            "filtered": rows("FilteredAggregationCustomer", FILTERED_AGGREGATION.columns),
        },
        lambda found: found,
        (
            *RANGE,
            value("type", f"only rows of this type; unless given, {CONVERSION['type']}"),
            value("status", "only rows of this status"),
            value("category", "only rows of this category"),
        ),
    ),
)


class AnalysisView(Endpoint):
    """An analysis of the campaigns."""

    analysis: Analysis

    def answer(self, request: Request, state: Settings, asked: Asked) -> HttpResponse:
        """The fields of the analysis, and of which days they are."""
        kept = kept_for(asked.values)
        found = campaigns_now(state, asked.start, asked.end, kept)
        of_analysis = {"status": None, "category": None, **kept, **self.analysis.shown(found)}
        return JsonResponse({name: {**found, **of_analysis}[name] for name in ("start", "end", *self.analysis.fields)})


def view_of(analysis: Analysis) -> type[AnalysisView]:
    """The view of the analysis, with what the OpenAPI document says of it."""
    answer = inline_serializer(analysis.name.title().replace("_", ""), {**day_fields(), **analysis.fields})

    said = operation(analysis.name, analysis.title, analysis.description, analysis.parameters, answer, "campaigns")

    @extend_schema_view(get=extend_schema(**said))
    class View(AnalysisView):
        pass

    View.analysis, View.parameters = analysis, analysis.parameters
    return View
