"""Who may see what, and the headers that keep pages from doing what they should not."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

OPEN = ("/health-check", "/login/", "/admin/", "/api-auth/", "/api/", "/worker/", "/static/")
"""Where nobody is sent to log in: there is nothing to see, or who may see it is asked there."""

WITH_INLINE_STYLES = ("/api/docs/", "/api/redoc/")
"""The pages of others that write styles into themselves."""

Next = Callable[[HttpRequest], HttpResponseBase]


def may_read(request: HttpRequest | Request) -> bool:
    """Whether reports are shown to who asks."""
    return bool(settings.ATTRIBUTION.web_public or (request.user and request.user.is_authenticated))


def is_staff(request: HttpRequest) -> bool:
    """Whether who asks may start runs and look into the admin."""
    return bool(getattr(request.user, "is_staff", False))


class MayRead(BasePermission):
    """Whoever has logged in, or everybody where ATTRIBUTION_WEB_PUBLIC is true."""

    def has_permission(self, request: Request, view: object) -> bool:
        """As `may_read` says."""
        return may_read(request)


class LoginRequired:
    """Sends who may not see pages to the login."""

    def __init__(self, get_response: Next) -> None:
        """The next one that answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, or the way to the login."""
        is_open = request.path_info.startswith(OPEN) and not request.path_info.startswith(WITH_INLINE_STYLES)
        if may_read(request) or is_open:
            return self.get_response(request)
        if request.method in {"GET", "HEAD"}:
            return redirect(f"{settings.LOGIN_URL}?{urlencode({'next': request.get_full_path()})}")
        return HttpResponse("Log in first.", status=401, content_type="text/plain")


class SecurityHeaders:
    """Adds the policy of what a page may load: everything from here, nothing inline."""

    def __init__(self, get_response: Next) -> None:
        """The next one that answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer with the policy."""
        response = self.get_response(request)
        styles = "'self' 'unsafe-inline'" if request.path_info.startswith(WITH_INLINE_STYLES) else "'self'"
        response.headers.setdefault(
            "Content-Security-Policy",
            f"default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data:; font-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; worker-src 'self' blob:",
        )
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
