"""What goes wrong, as an answer: problem JSON (RFC 9457) for programs, a page for people; never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import ceil
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from rest_framework.exceptions import APIException, Throttled, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from attribution_assets.errors import AttributionError, BusyError, NotFoundError
from attribution_assets.pages.shown import without_folders

TITLES = {
    400: "The question is wrong",
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible this way",
    409: "Not ready",
    415: "Unknown type of content",
    429: "Too many requests",
    500: "Something broke",
    503: "Busy",
}

TOO_OFTEN = "Too many requests. Ask again later."

FOR_PROGRAMS, FOR_BOTH = "/api/", "/worker/"


def status_of(error: AttributionError) -> int:
    """The HTTP status of one of our errors: what cannot be answered as things are is 409."""
    return 404 if isinstance(error, NotFoundError) else 503 if isinstance(error, BusyError) else 409


def problem(status: int, detail: str, **headers: str) -> HttpResponse:
    """A problem as JSON: `type`, `title`, `status` and `detail`."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Problem"), "status": status, "detail": detail}
    return HttpResponse(
        json.dumps(body, ensure_ascii=False), status=status, content_type="application/problem+json", headers=headers
    )


def said(error: AttributionError) -> str:
    """What the error says to who is not on this machine."""
    return without_folders(str(error))


def as_problem(error: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """The answer of the API to an exception; None for one that nobody expected. The EXCEPTION_HANDLER of the framework."""
    if isinstance(error, AttributionError):
        return problem(status_of(error), said(error), **_when_to_ask_again(error))
    answered = exception_handler(error, context)
    if answered is None:
        return None
    detail = _of_validation(error) if isinstance(error, ValidationError) else str(getattr(error, "detail", None) or error)
    headers = {name: value for name, value in answered.headers.items() if name in {"WWW-Authenticate", "Retry-After", "Allow"}}
    if isinstance(error, Throttled):
        detail = TOO_OFTEN
    return problem(answered.status_code, detail, **headers)


def _of_validation(error: APIException) -> str:
    detail = error.detail
    if isinstance(detail, dict):
        return " ".join(f"{name}: {_joined(texts)}" for name, texts in detail.items())
    return _joined(detail)


def _joined(texts: object) -> str:
    return " ".join(map(str, texts)) if isinstance(texts, list) else str(texts)


def is_for_people(request: HttpRequest) -> bool:
    """Whether who asks prefers HTML, as browsers do; who has a token is a program."""
    is_preferred = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    return is_preferred and "Authorization" not in request.headers


def shown_problem(request: HttpRequest, status: int, detail: str, **headers: str) -> HttpResponse:
    """A problem in the form that who asked can read."""
    if request.path_info.startswith(FOR_PROGRAMS) or (request.path_info.startswith(FOR_BOTH) and not is_for_people(request)):
        return problem(status, detail, **headers)
    return problem_page(request, status, detail, **headers)


def problem_page(request: HttpRequest, status: int, detail: str, **headers: str) -> HttpResponse:
    """A problem as a page."""
    context = {"title": TITLES.get(status, "Problem"), "detail": detail}
    page = render(request, "problem.html", context, status=status, using="jinja2")
    for name, value in headers.items():
        page.headers[name] = value
    return page


def _when_to_ask_again(error: AttributionError) -> dict[str, str]:
    return {"Retry-After": "5"} if isinstance(error, BusyError) else {}


class Problems:
    """Turns what pages raise into an answer that says what is wrong."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """The next one that answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer to an exception; None leaves it to Django."""
        if isinstance(error, AttributionError):
            return shown_problem(request, status_of(error), said(error), **_when_to_ask_again(error))
        if isinstance(error, Throttled):
            return shown_problem(request, 429, TOO_OFTEN, **{"Retry-After": str(ceil(getattr(error, "wait", None) or 0))})
        if isinstance(error, BadRequest):
            return shown_problem(request, 400, str(error))
        if isinstance(error, PermissionDenied):
            return shown_problem(request, 403, str(error) or "You may not see this.")
        if isinstance(error, Http404):
            return shown_problem(request, 404, str(error) or f"There is no page {request.path}.")
        return None


def locked_out(request: HttpRequest, _: HttpResponse | None, __: dict[str, Any] | None) -> HttpResponse:
    """The page for who has tried to log in too often. The AXES_LOCKOUT_CALLABLE."""
    minutes = round(60 * settings.AXES_COOLOFF_TIME)
    detail = f"The password was wrong too often. Try again in {minutes} minutes."
    return shown_problem(request, 429, detail, **{"Retry-After": str(60 * minutes)})


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a request that Django does not take."""
    if isinstance(exception, DisallowedHost):
        return shown_problem(
            request, 400, "The server does not know this name. Set ATTRIBUTION_WEB_URL to the URL that people use."
        )
    return shown_problem(request, 400, "The request is none that the server takes.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for an address that is none."""
    return shown_problem(request, 404, f"There is no page {request.path}.")


def broken(request: HttpRequest) -> HttpResponse:
    """The page for what nobody expected."""
    return shown_problem(request, 500, "The server's log says what happened.")
