"""The OpenAPI document, and the pages that show it, which load everything from here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from attribution_assets.web.endpoint import ForWhateverOnePrefers

REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"

LOGO_ELSEWHERE, NO_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,"


class Schema(ForWhateverOnePrefers, SpectacularAPIView):
    """The document."""


class Swagger(ForWhateverOnePrefers, SpectacularSwaggerSplitView):
    """The document as pages on which one can try the endpoints."""

    template_name = "api/swagger.html"


class Redoc(ForWhateverOnePrefers, SpectacularRedocView):
    """The document as one page to read."""

    template_name = "api/redoc.html"


@require_safe
@cache_control(max_age=24 * 3600, private=True)
def redoc_script(request: HttpRequest) -> HttpResponse:
    """Redoc without the logo that it would load from its maker's host."""
    return HttpResponse(_redoc(), content_type="text/javascript; charset=utf-8")


@cache
def _redoc() -> bytes:
    file: Any = finders.find(REDOC)
    return Path(file).read_bytes().replace(LOGO_ELSEWHERE, NO_LOGO)


urlpatterns: list[URLPattern] = [
    path("schema/", Schema.as_view(), name="schema"),
    path("docs/", Swagger.as_view()),
    path("redoc/", Redoc.as_view()),
    path("redoc/redoc.js", redoc_script, name="redoc-script"),
]
