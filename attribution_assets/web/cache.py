"""Answers that are kept until what they were made of changes; no entry expires by age."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib.metadata import version

from django.conf import settings
from django.core.cache import cache as kept
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from attribution_assets.catalog.span import today
from attribution_assets.settings import Settings
from attribution_assets.warehouse.sqlite.state import file_state


def cached(request: HttpRequest, answer: Callable[[], HttpResponse], *, further: str = "") -> HttpResponse:
    """The answer, computed only if something that it follows from has changed since it was.

    It follows from the address, the state of the database, the settings, the UTC date (what is final turns at midnight), what
    who asks may see, and `further`. Only answers with the status 200 are kept. A browser that has it gets 304.
    """
    key = _key(request, further)
    tag = f'"{key}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers={"ETag": tag})
    if found := kept.get(key):
        content, headers = found
        response = HttpResponse(content, headers=headers)
    else:
        response = answer()
        if response.status_code != 200:
            return response
        if _key(request, further) == key:
            kept.set(key, (response.content, dict(response.headers)))
    response.headers["ETag"] = tag
    return response


def _key(request: HttpRequest, further: str) -> str:
    user = request.user
    rights = "staff" if getattr(user, "is_staff", False) else "reader" if user.is_authenticated else "anybody"
    ours: Settings = settings.ATTRIBUTION
    parts = (request.get_full_path(), file_state(ours.database), _of_settings(ours), today(), rights, further)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _identity() -> str:
    return version("attribution_assets")


def _of_settings(ours: Settings) -> str:
    """All settings, without secrets, and the version that is installed."""
    return json.dumps(ours.model_dump(mode="json"), sort_keys=True) + _identity()
