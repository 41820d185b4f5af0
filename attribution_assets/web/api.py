"""The API: an endpoint for each report, and the four that ask for campaigns by customer, status, category and type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from attribution_assets.analysis.reports.form import Answer, Asked, Column, Kind, Report
from attribution_assets.models.registry import MODELS
from attribution_assets.pages.registry import REPORTS
from attribution_assets.pages.shown import Table
from attribution_assets.pages.workbook import csv_of
from attribution_assets.settings import Settings
from attribution_assets.web.asked import asked_of
from attribution_assets.web.cache import cached

AnyField = serializers.Field[Any, Any, Any, Any]

ROWS_AT_ONCE, MOST_AT_ONCE = 1000, 10_000

FIELDS: Mapping[Kind, Callable[..., AnyField]] = {
    "text": serializers.CharField,
    "day": serializers.CharField,
    "count": serializers.IntegerField,
    "amount": serializers.FloatField,
    "number": serializers.FloatField,
    "credit": serializers.FloatField,
    "share": serializers.FloatField,
    "rate": serializers.FloatField,
    "flag": serializers.BooleanField,
}

PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="what is wrong, and what to do"),
    },
)

PROBLEMS = {
    400: "A parameter is unknown, empty or wrong.",
    401: "Nobody has logged in.",
    403: "You may not see this.",
    404: "There is no such thing.",
    409: "It has not been computed yet.",
    429: "Too many requests.",
    503: "Another process has locked the database.",
}


def health_check(_: HttpRequest) -> HttpResponse:
    """Whether the server answers; shows nothing else."""
    return JsonResponse({"status": "ok"})


class Answering(APIView):
    """An endpoint that answers a question about the database at one state of it."""

    known: tuple[str, ...] = ()
    """Its parameters besides the range and the model."""

    def get(self, request: Request) -> HttpResponse:
        """The answer, kept until what it was made of changes."""
        if empty := [name for name, value in request.GET.items() if not value]:
            raise serializers.ValidationError({empty[0]: "must not be empty"})
        try:
            asked = asked_of(request.GET, self.known)
        except BadRequest as error:
            raise serializers.ValidationError(str(error)) from error
        return cached(request, lambda: self._answered(request, asked))

    def _answered(self, request: Request, asked: Asked) -> HttpResponse:
        with settings.ATTRIBUTION.at_one_state() as state:
            return self.answer(request, state, asked)

    def answer(self, request: Request, state: Settings, asked: Asked) -> HttpResponse:
        """The answer of the endpoint."""
        raise NotImplementedError


class ReportView(Answering):
    """A report: its rows, a page of them at a time, with what is to be known about them; or all of it as CSV."""

    report: Report

    def answer(self, request: Request, state: Settings, asked: Asked) -> HttpResponse:
        """The rows as JSON, or as CSV."""
        form, spreadsheet = asked.values.get("format", "json"), asked.values.get("spreadsheet", "false")
        _one_of("format", form, ("json", "csv"))
        _one_of("spreadsheet", spreadsheet, ("true", "false"))
        limit = _number("limit", asked.values.get("limit", str(ROWS_AT_ONCE)), 1, MOST_AT_ONCE)
        offset = _number("offset", asked.values.get("offset", "0"), 0, 10**9)
        if missing := [name for name in self.report.requires if name not in asked.values]:
            raise serializers.ValidationError({missing[0]: "must be given"})
        answer = self.report.asked(state, asked)
        if form == "csv":
            text = csv_of(Table(self.report, answer), is_for_spreadsheets=spreadsheet == "true")
            return HttpResponse(text.encode(), content_type="text/csv; charset=utf-8")
        return JsonResponse(_as_json(self.report, answer, limit, offset, request), json_dumps_params={"ensure_ascii": False})


def _as_json(report: Report, answer: Answer, limit: int, offset: int, request: Request) -> dict[str, Any]:
    shown = answer.rows[offset : offset + limit]
    query = request.GET.copy()
    query["offset"] = str(offset + limit)
    return {
        "start": answer.days.first if answer.days else None,
        "end": answer.days.last if answer.days else None,
        **{name: answer.basis.get(name) for name in ("model", "parameters", "computed_by", "learned_from", "currency")},
        "provisional_from": answer.provisional_from,
        "notes": list(answer.notes),
        "total": answer.total and {column.name: answer.total.get(column.name) for column in report.columns},
        "count": len(answer.rows),
        "next": f"{request.path}?{query.urlencode()}" if offset + limit < len(answer.rows) else None,
        "rows": [{column.name: row[column.name] for column in report.columns} for row in shown],
    }


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise serializers.ValidationError({name: f"is {value!r}. Choose from {', '.join(choices)}."})


def _number(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 12 and least <= int(value) <= most):
        raise serializers.ValidationError({name: f"is {value!r}. Give a whole number from {least} to {most}."})
    return int(value)


def _parameter(name: str, description: str, type_: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, type_, OpenApiParameter.QUERY, description=description, **more)


RANGE = (
    _parameter("start", "first day", OpenApiTypes.DATE),
    _parameter("end", "last day, included", OpenApiTypes.DATE),
)
MODEL = _parameter("model", "by which model orders and revenue are credited", enum=MODELS)
PAGING = (
    _parameter("limit", "how many rows at most", {"type": "integer", "minimum": 1, "maximum": MOST_AT_ONCE}),
    _parameter("offset", "how many rows to leave out first", {"type": "integer", "minimum": 0, "maximum": 10**9}),
)
FORM = (
    _parameter("format", "as what", enum=("json", "csv")),
    _parameter(
        "spreadsheet",
        "whether text in CSV that a spreadsheet would take for a formula gets an apostrophe",
        enum=("true", "false"),
    ),
)


def _field(column: Column) -> AnyField:
    return FIELDS[column.kind](help_text=column.definition, allow_null=column.may_be_undefined)


def _text(meaning: str) -> serializers.CharField:
    return serializers.CharField(allow_null=True, help_text=meaning)


def _schema_of(report: Report) -> dict[str, Any]:
    name = report.name.title().replace("_", "")
    columns = {column.name: _field(column) for column in report.columns}
    total = {column.name: FIELDS[column.kind](allow_null=True) for column in report.columns[1:]}
    head = {report.columns[0].name: serializers.CharField(allow_null=True)}
    answer = inline_serializer(
        name,
        {
            "start": _text("first of the days that the rows are about"),
            "end": _text("the last of them"),
            "model": _text("by which model orders and revenue are credited"),
            "parameters": _text("the model's parameters"),
            "computed_by": _text("embedded or api"),
            "learned_from": _text("whose journeys the parameters were learned from"),
            "currency": _text("the currency of every amount"),
            "provisional_from": _text("the first day that can still change"),
            "notes": serializers.ListField(child=serializers.CharField()),
            "total": inline_serializer(f"{name}Total", {**head, **total}, allow_null=True),
            "count": serializers.IntegerField(help_text="how many rows there are in all"),
            "next": _text("the address of the next rows"),
            "rows": inline_serializer(f"{name}Row", columns, many=True),
        },
    )
    values = [
        *(_parameter(value, f"which {value.replace('_', ' ')}", required=True) for value in report.requires),
        *(_parameter(value, f"only rows with this {value.replace('_', ' ')}") for value in report.filters),
    ]
    return {
        "operation_id": report.name,
        "summary": report.title,
        "description": report.description,
        "parameters": [*(RANGE if report.has_days else ()), *((MODEL,) if report.by_model else ()), *values, *PAGING, *FORM],
        "responses": {
            (200, "application/json"): answer,
            (200, "text/csv"): OpenApiTypes.STR,
            **{
                (status, "application/problem+json"): OpenApiResponse(PROBLEM, description=text)
                for status, text in PROBLEMS.items()
            },
        },
        "tags": ["reports"],
    }


def _report_view(report: Report) -> Any:
    known = (*report.requires, *report.filters, "limit", "offset", "format", "spreadsheet")

    @extend_schema(**_schema_of(report))
    class View(ReportView):
        pass

    View.report, View.known = report, known
    return View.as_view()


urlpatterns: list[URLPattern] = [
    path(f"{name.replace('_', '-')}/", _report_view(report), name=name) for name, report in REPORTS.items()
]
