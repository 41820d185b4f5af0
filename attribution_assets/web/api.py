"""The API: an endpoint for each report, those of the campaigns, and the list of them all."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema, extend_schema_view, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from attribution_assets.analysis.reports.form import Answer, Asked, Report
from attribution_assets.pages.registry import REPORTS
from attribution_assets.pages.shown import Table
from attribution_assets.pages.workbook import csv_of
from attribution_assets.settings import Settings
from attribution_assets.web.campaigns import ANALYSES
from attribution_assets.web.campaigns import view_of as view_of_analysis
from attribution_assets.web.endpoint import Endpoint
from attribution_assets.web.schema import FURTHEST, MOST_AT_ONCE, ROWS_AT_ONCE, operation, parameters_of, schema_of


def health_check(_: HttpRequest) -> HttpResponse:
    """Whether the server answers; shows nothing else."""
    return JsonResponse({"status": "ok"})


class ReportView(Endpoint):
    """A report: its rows, some at a time, with what is to be known about them; or as CSV, all unless asked for fewer."""

    report: Report

    def answer(self, request: Request, state: Settings, asked: Asked) -> HttpResponse:
        """The rows as JSON, or as CSV."""
        values = asked.values
        form = _one_of("format", values.get("format", "json"), ("json", "csv"))
        is_for_spreadsheets = _one_of("spreadsheet", values.get("spreadsheet", "false"), ("true", "false")) == "true"
        limit = _whole("limit", values["limit"], 1, MOST_AT_ONCE) if "limit" in values else None
        offset = _whole("offset", values.get("offset", "0"), 0, FURTHEST)
        answer = self.report.asked(state, asked)
        if form == "csv":
            shown = Answer(answer.rows[offset : offset + limit if limit else None])
            text = csv_of(Table(self.report, shown), is_for_spreadsheets=is_for_spreadsheets)
            return HttpResponse(text.encode(), content_type="text/csv; charset=utf-8")
        return JsonResponse(_as_json(self.report, answer, limit or ROWS_AT_ONCE, offset, request))


def _as_json(report: Report, answer: Answer, limit: int, offset: int, request: Request) -> dict[str, Any]:
    names = [column.name for column in report.columns]
    following = request.GET.copy()
    following["offset"] = str(offset + limit)
    return {
        "start": answer.days.first if answer.days else None,
        "end": answer.days.last if answer.days else None,
        **{name: answer.basis.get(name) for name in ("model", "parameters", "computed_by", "learned_from", "currency")},
        "final": answer.is_final,
        "provisional_from": answer.provisional_from,
        "notes": list(answer.notes),
        "total": answer.total and {name: answer.total.get(name) for name in names},
        "count": len(answer.rows),
        "next": f"{request.path}?{following.urlencode()}" if offset + limit < len(answer.rows) else None,
        "rows": [{name: row[name] for name in names} for row in answer.rows[offset : offset + limit]],
    }


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise serializers.ValidationError({name: f"is {value!r}. Choose from {', '.join(choices)}."})
    return value


def _whole(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most):
        raise serializers.ValidationError({name: f"is {value!r}. Give a whole number from {least} to {most}."})
    return int(value)


def address_of(report: Report) -> str:
    """Where the report is."""
    return f"/api/{report.name.replace('_', '-')}/"


def view_of(report: Report) -> type[ReportView]:
    """The view of the report, with what the OpenAPI document says of it."""

    @extend_schema_view(get=extend_schema(**schema_of(report)))
    class View(ReportView):
        pass

    View.report, View.reports, View.parameters = report, (report,), parameters_of(report)
    return View


LISTED = inline_serializer(
    "Listed",
    {
        "path": serializers.CharField(help_text="its address"),
        "title": serializers.CharField(help_text="what it is called"),
        "description": serializers.CharField(help_text="what it is about"),
    },
    many=True,
)


@extend_schema_view(
    get=extend_schema(**operation("endpoints", "Endpoints", "Every endpoint, with its address.", (), LISTED, "about"))
)
class Endpoints(Endpoint):
    """The list of the endpoints."""

    def get(self, request: Request) -> HttpResponse:
        """The list, whatever the database is like."""
        self.asked(request)
        listed = [
            *((address_of(report), report.title, report.description) for report in REPORTS.values()),
            *((analysis.address, analysis.title, analysis.description) for analysis in ANALYSES),
        ]
        return JsonResponse([dict(zip(("path", "title", "description"), each, strict=True)) for each in listed], safe=False)


urlpatterns: list[URLPattern] = [
    path("", Endpoints.as_view()),
    *(path(analysis.address.removeprefix("/api/"), view_of_analysis(analysis).as_view()) for analysis in ANALYSES),
    *(path(address_of(report).removeprefix("/api/"), view_of(report).as_view(), name=name) for name, report in REPORTS.items()),
]
