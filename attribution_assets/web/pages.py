"""The pages and their downloads, as views: they ask the reports at one state of the database, and keep what they rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import jinja2
from django.conf import settings
from django.contrib import auth
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.request import Request
from rest_framework.views import APIView

from attribution_assets.analysis.reports.form import Asked, Page, Report
from attribution_assets.pages import html
from attribution_assets.pages.registry import PAGES, REPORTS
from attribution_assets.pages.shown import Table, show
from attribution_assets.pages.workbook import csv_of, workbook
from attribution_assets.web.asked import ALWAYS, RANGE, asked_of, refuse_unknown
from attribution_assets.web.cache import cached
from attribution_assets.web.security import is_staff

MOST_ROWS = 500
"""How many rows of a table a page shows."""

TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


def environment(**_: Any) -> jinja2.Environment:
    """The templates' environment, as Django asks for it."""
    made = html.environment()
    made.globals["static"] = static
    return made


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """The first page."""
    return redirect("/overview/")


@require_http_methods(["GET", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """Asks, and on a POST ends the session."""
    if request.method == "GET":
        return render(request, "logout.html", using="jinja2")
    auth.logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def as_often_as_the_api(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, which raises Throttled for who has not logged in and asks too often, pages and API together."""

    @wraps(view)
    def asked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            APIView().check_throttles(Request(request))
        return view(request, *arguments, **named)

    return asked


@require_safe
@as_often_as_the_api
def page(request: HttpRequest, name: str) -> HttpResponse:
    """A page of the menu, for the range and the model in its address."""
    if name not in PAGES:
        raise Http404
    shown_page = PAGES[name]
    asked = asked_of(request.GET, _values_of(shown_page.reports))
    refuse_unknown(asked.values, (*ALWAYS, *_values_of(shown_page.shown(asked))))
    return cached(request, lambda: _rendered(request, shown_page, asked), shown_page.shown(asked))


@require_safe
@as_often_as_the_api
def download(request: HttpRequest, name: str, form: str) -> HttpResponse:
    """A report as a file: every row of it, as `csv` or `xlsx`."""
    if name not in REPORTS or form not in TYPES:
        raise Http404
    report = REPORTS[name]
    refuse_unknown(request.GET, _parameters_of(report))
    asked = asked_of(request.GET, _values_of([report]))
    return cached(request, lambda: _file(name, form, Table(report, _answer(name, asked))), [report])


def _answer(name: str, asked: Asked) -> Any:
    with settings.ATTRIBUTION.at_one_state() as state:
        return REPORTS[name].asked(state, asked)


def _file(name: str, form: str, table: Table) -> HttpResponse:
    content = workbook([table]) if form == "xlsx" else csv_of(table, is_for_spreadsheets=True).encode()
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return HttpResponse(content, content_type=TYPES[form], headers=disposition)


def _values_of(reports: Iterable[Report]) -> list[str]:
    return sorted({value for report in reports for value in report.values})


def _parameters_of(report: Report) -> tuple[str, ...]:
    """What a download takes: what its report knows, and the model, which pages keep in every address."""
    return (*(RANGE if report.has_days else ()), "model", *report.values)


def _rendered(request: HttpRequest, shown_page: Page, asked: Asked) -> HttpResponse:
    ours = settings.ATTRIBUTION
    with ours.at_one_state() as state:
        shown = show(state, shown_page, asked)
    kept = {name: value for name in ("start", "end", "model") if (value := getattr(asked, name)) and value != "ihc"}
    range_query = f"?{urlencode(kept)}" if kept else ""

    def query_of(report: Report) -> str:
        """What the page shows of the report, as the end of an address."""
        known = {name: value for name, value in {**kept, **asked.values}.items() if name in _parameters_of(report)}
        return f"?{urlencode(known)}" if known else ""

    context = {
        "shown": shown,
        "pages": PAGES.values(),
        "models": ["ihc", *(model for model in ours.models if model != "ihc")],
        "kept": kept,
        "range_query": range_query,
        "query_of": query_of,
        "most": MOST_ROWS,
        "computes": f"/worker/compare/{range_query}" if is_staff(request) and ours.models else None,
    }
    return render(request, "page.html", context, using="jinja2")
