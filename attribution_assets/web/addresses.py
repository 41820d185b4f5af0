"""An address is the same with and without its final slash."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import is_valid_path


class FinalSlash:
    """Answers an address that lacks the final slash as the one that has it; nothing is sent again, so a POST keeps its body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """The next one that answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer."""
        path = request.path_info
        if not path.endswith("/") and not is_valid_path(path) and is_valid_path(f"{path}/"):
            request.path_info = f"{path}/"
        return self.get_response(request)
