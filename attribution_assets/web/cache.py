"""Answers that are kept until what they were made of changes; no entry expires by age."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import BoundedSemaphore

from django.conf import settings
from django.core.cache import cache as kept
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

from attribution_assets.analysis.reports.form import Report
from attribution_assets.catalog.span import today
from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.orchestration.health import last_event
from attribution_assets.settings import Settings

LONGEST = 512 * 1024
"""The bytes of the longest answer that is kept: together with the number of entries, this bounds the cache."""

FILES = ("channel_groups", "ihc_redistribution", "ihc_parameters")
"""The settings that name files, whose content is a setting too."""

_of_history = BoundedSemaphore(2)
"""One request reads the history and one waits for it; whatever else is asked for always finds a thread."""


def cached(request: HttpRequest, answer: Callable[[], HttpResponse], reports: Iterable[Report]) -> HttpResponse:
    """The answer, computed only if something that it follows from has changed since it was.

    It follows from the address, the state of the database, the settings, the UTC date (what is final turns at midnight), what
    who asks may see, and the last event of the history, if one of the reports does. Only answers with the status 200 are kept,
    if they are not too long. A browser that has one gets 304. Raises BusyError where two others ask about the history.
    """
    of_history = any(report.of_history for report in reports)
    with _a_place() if of_history else nullcontext():
        return _cached(request, answer, of_history)


@contextmanager
def _a_place() -> Iterator[None]:
    """One of the places for who asks about the history."""
    if not _of_history.acquire(blocking=False):
        raise BusyError("Others are reading the history, which takes some seconds. Ask again then.")
    try:
        yield
    finally:
        _of_history.release()


def _cached(request: HttpRequest, answer: Callable[[], HttpResponse], of_history: bool) -> HttpResponse:
    key = _key(request, of_history)
    tag = f'"{key}"'
    had = parse_etags(request.headers.get("If-None-Match", ""))
    if {tag, f"W/{tag}"} & {*had}:
        return HttpResponseNotModified(headers={"ETag": tag})
    if found := kept.get(key):
        content, headers = found
        response = HttpResponse(content, headers=headers)
    else:
        response = answer()
        if response.status_code != 200:
            return response
        if len(response.content) <= LONGEST and _key(request, of_history) == key:
            kept.set(key, (response.content, dict(response.headers)))
    if had == ["*"]:
        return HttpResponseNotModified(headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def _key(request: HttpRequest, of_history: bool) -> str:
    user = request.user
    rights = "staff" if getattr(user, "is_staff", False) else "reader" if user.is_authenticated else "anybody"
    ours: Settings = settings.ATTRIBUTION
    event = _last_event(ours) if of_history else ""
    parts = (request.get_full_path(), ours.warehouse.state(), _of_settings(ours), today(), rights, event)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _last_event(ours: Settings) -> str:
    """The last event of the history, or why it cannot be read, which each table of the page says then."""
    try:
        return str(last_event(ours))
    except BusyError:
        raise
    except AttributionError as error:
        return str(error)


@cache
def _identity() -> str:
    return version("attribution_assets")


def _of_settings(ours: Settings) -> str:
    """All settings, without secrets, when the files that they name were changed, and the version that is installed."""
    named = (Path(str(getattr(ours, name))) for name in FILES)
    changed = [file.stat().st_mtime_ns for file in named if file.is_file()]
    return json.dumps([ours.model_dump(mode="json"), changed, _identity()], sort_keys=True)
