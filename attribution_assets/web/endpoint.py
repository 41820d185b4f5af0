"""An endpoint: answers a question about the database at one state of it, and refuses what it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from attribution_assets.analysis.reports.form import Asked, Report
from attribution_assets.settings import Settings
from attribution_assets.web.asked import asked_of
from attribution_assets.web.cache import cached


class ForWhateverOnePrefers(APIView):
    """A view that refuses nobody for the types of content that they prefer: what it answers follows from what is asked."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """The first type, where none is preferred that there is."""
        return super().perform_content_negotiation(request, force=True)


class Endpoint(ForWhateverOnePrefers):
    """What all endpoints have in common; each says what it knows as `parameters`, and what it answers."""

    http_method_names = ("get", "head")
    parameters: Sequence[OpenApiParameter] = ()
    reports: Sequence[Report] = ()
    """The reports that the answer is made of."""

    def get(self, request: Request) -> HttpResponse:
        """The answer, kept until what it was made of changes."""
        asked = self.asked(request)
        return cached(request, lambda: self._answered(request, asked), self.reports)

    def answer(self, request: Request, state: Settings, asked: Asked) -> HttpResponse:
        """The answer of the endpoint, by the database at one state."""
        raise NotImplementedError

    def asked(self, request: Request) -> Asked:
        """What is asked for. Raises ValidationError for what is unknown, empty, wrong or missing."""
        known = [parameter.name for parameter in self.parameters]
        if unknown := [name for name in request.GET if name not in known]:
            there_are = f"There are {', '.join(known)}." if known else "There are none."
            raise serializers.ValidationError(f"There is no parameter {unknown[0]!r} here. {there_are}")
        if empty := [name for name, values in request.GET.lists() if "" in values]:
            raise serializers.ValidationError({empty[0]: "must not be empty"})
        if missing := [each.name for each in self.parameters if each.required and each.name not in request.GET]:
            raise serializers.ValidationError({missing[0]: "must be given"})
        try:
            return asked_of(request.GET, known)
        except BadRequest as error:
            raise serializers.ValidationError(str(error)) from error

    def _answered(self, request: Request, asked: Asked) -> HttpResponse:
        with settings.ATTRIBUTION.at_one_state() as state:
            return self.answer(request, state, asked)
