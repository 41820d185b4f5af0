"""What the OpenAPI document says of the endpoints: parameters, answers, problems and examples, from the reports themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from attribution_assets.analysis.reports.form import Column, Kind, Report
from attribution_assets.models.registry import MODELS
from attribution_assets.shipped import shipped
from attribution_assets.web.asked import MOST_LETTERS

Field = serializers.Field[Any, Any, Any, Any]

ROWS_AT_ONCE, MOST_AT_ONCE, FURTHEST = 1000, 10_000, 10**9
"""How many rows an answer has unless one asks for fewer or more, how many it can have, and how many can be left out."""

FIELDS: Mapping[Kind, Callable[..., Field]] = {
    "text": serializers.CharField,
    "day": serializers.DateField,
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
    401: "Nobody has logged in, or the token is none.",
    403: "You may not see this.",
    404: "There is no such thing.",
    409: "It has not been computed yet, or cannot be as the database is.",
    429: "Too many requests.",
    503: "Another process has locked the database.",
}


def parameter(name: str, description: str, schema: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    """A parameter of the address."""
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description, **more)


def value(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    """A parameter that is a text."""
    some = {"type": "string", "minLength": 1, "maxLength": MOST_LETTERS, "pattern": "^[^\\x00]+$"}
    return parameter(name, description, some, required=required)


def _whole(least: int, most: int, **more: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, **more}


RANGE = (
    parameter("start", "first day", OpenApiTypes.DATE),
    parameter("end", "last day, included", OpenApiTypes.DATE),
)
MODEL = parameter("model", "by which model orders and revenue are credited", enum=MODELS, default="ihc")
FORM = (
    parameter("limit", f"how many rows at most; unless given, {ROWS_AT_ONCE} as JSON, all as CSV", _whole(1, MOST_AT_ONCE)),
    parameter("offset", "how many rows to leave out first", _whole(0, FURTHEST, default=0)),
    parameter("format", "as what", enum=("json", "csv"), default="json"),
    parameter(
        "spreadsheet",
        "whether text in CSV that a spreadsheet would take for a formula gets an apostrophe",
        enum=("true", "false"),
        default="false",
    ),
)


def parameters_of(report: Report) -> tuple[OpenApiParameter, ...]:
    """What can be asked of a report."""
    always = (*(RANGE if report.has_days else ()), *((MODEL,) if report.by_model else ()))
    required = [_of_value(name, f"which {_said(name)}", required=True) for name in report.requires]
    filters = [_of_value(name, f"only rows with this {_said(name)}") for name in report.filters]
    return (*always, *required, *filters, *FORM)


def _of_value(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    if name == "date":
        return parameter(name, description, OpenApiTypes.DATE, required=required)
    return value(name, description, required=required)


def schema_of(report: Report) -> dict[str, Any]:
    """The arguments of `extend_schema` for a report."""
    name = report.name.title().replace("_", "")
    head, *others = report.columns
    total = {head.name: serializers.CharField(allow_null=True)} | {
        column.name: FIELDS[column.kind](allow_null=True) for column in others
    }
    fields = {
        **day_fields(),
        "model": text("by which model orders and revenue are credited"),
        "parameters": text("the model's parameters"),
        "computed_by": text("embedded or api"),
        "learned_from": text("whose journeys the parameters were learned from"),
        "currency": text("the currency of every amount"),
        "final": serializers.BooleanField(
            allow_null=True, help_text="whether no later order can be credited to the days; null where that is not known"
        ),
        "provisional_from": serializers.DateField(allow_null=True, help_text="the first day that can still change"),
        "notes": serializers.ListField(child=serializers.CharField(), help_text="what else is to be known"),
        "total": inline_serializer(f"{name}Total", total, allow_null=True, help_text="all rows together"),
        "count": serializers.IntegerField(help_text="how many rows there are in all"),
        "next": text("the address of the next rows"),
        "rows": rows(f"{name}Row", report.columns),
    }
    as_json = operation(report.name, report.title, report.description, parameters_of(report), inline_serializer(name, fields))
    return {**as_json, "responses": {**as_json["responses"], (200, "text/csv"): OpenApiTypes.STR}}


def operation(
    name: str, title: str, description: str, parameters: Iterable[OpenApiParameter], answer: Any, tag: str = "reports"
) -> dict[str, Any]:
    """The arguments of `extend_schema` for an endpoint that answers with JSON."""
    return {
        "operation_id": name,
        "summary": title,
        "description": description,
        "parameters": [*parameters],
        "responses": responses(answer),
        "tags": [tag],
        "examples": [
            OpenApiExample(example["address"], example["answer"], response_only=True, status_codes=["200"])
            for example in ([_examples()[name]] if name in _examples() else [])
        ],
    }


def responses(answer: Any, status: int = 200) -> dict[tuple[int, str], Any]:
    """The answer as JSON, and every problem."""
    return {
        (status, "application/json"): answer,
        **{
            (code, "application/problem+json"): OpenApiResponse(PROBLEM, description=description)
            for code, description in PROBLEMS.items()
        },
    }


def day_fields() -> dict[str, Field]:
    """Of which days an answer is."""
    return {
        "start": serializers.DateField(allow_null=True, help_text="first of the days that the answer is about"),
        "end": serializers.DateField(allow_null=True, help_text="the last of them"),
    }


def rows(name: str, columns: Iterable[Column], **more: Any) -> Any:
    """Rows with these columns; `many=False` is one of them."""
    fields = {
        column.name: FIELDS[column.kind](help_text=column.definition, allow_null=column.may_be_undefined) for column in columns
    }
    return inline_serializer(name, fields, **{"many": True, **more})


def text(meaning: str, *, allow_null: bool = True) -> serializers.CharField:
    """A field that is a text."""
    return serializers.CharField(allow_null=allow_null, help_text=meaning)


def _said(name: str) -> str:
    return name.replace("_", " ")


@cache
def _examples() -> Mapping[str, Any]:
    """By the name of an endpoint, an `address` of it and its `answer`, over the sample database."""
    examples: Mapping[str, Any] = json.loads(shipped("web/examples.json").read_text(encoding="utf-8"))
    return examples
