"""What staff may start, and what became of it: a page for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from attribution_assets.errors import AttributionError
from attribution_assets.web import worker
from attribution_assets.web.endpoint import ForWhateverOnePrefers
from attribution_assets.web.models import Run
from attribution_assets.web.problems import is_for_people, problem_page
from attribution_assets.web.schema import responses

PROCESS_DATA, COMPARE = "process-data", "compare"

LOOK_AGAIN = "2"
"""After how many seconds the page of a run that is under way looks again."""


class RunFields(serializers.ModelSerializer[Run]):
    """A run for programs."""

    seconds = serializers.FloatField(read_only=True, allow_null=True, help_text="how long it took; null while it runs")
    commands = serializers.SerializerMethodField(help_text="what it runs, one after the other")
    started_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        """Its fields."""

        model = Run
        fields: ClassVar = [
            *("id", "kind", "commands", "state", "started", "finished", "seconds", "exit_code", "output", "started_by")
        ]

    def get_commands(self, run: Run) -> list[str]:
        """As one would type them."""
        return worker.commands(run)


class Range(serializers.Serializer[Any]):
    """The days whose conversions are compared."""

    start = serializers.DateField(required=False, help_text="the first day; unless given, the first with results")
    end = serializers.DateField(required=False, help_text="the last day, included; unless given, the last with results")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The range, which must not be reversed, and nothing else."""
        if unknown := [name for name in self.initial_data if name not in self.fields]:
            raise serializers.ValidationError({unknown[0]: f"is unknown. There are {', '.join(self.fields)}."})
        if {"start", "end"} <= attrs.keys() and attrs["start"] > attrs["end"]:
            raise serializers.ValidationError({"end": "must not be before start"})
        return attrs


STARTED = inline_serializer(
    "Started",
    {
        "id": serializers.UUIDField(),
        "kind": serializers.CharField(),
        "url": serializers.CharField(help_text="where to look what becomes of it"),
        "state": serializers.ChoiceField(Run.State.choices),
    },
)


class ForStaff(ForWhateverOnePrefers):
    """A view for staff alone. Whoever prefers HTML gets a page, also of what went wrong, and the others JSON."""

    permission_classes = (IsAdminUser,)

    def handle_exception(self, exc: Exception) -> Any:
        """A problem; people who have not logged in are sent there."""
        answer = super().handle_exception(exc)
        if not is_for_people(self.request._request):
            return answer
        if answer.status_code == 401:
            return redirect_to_login(self.request.get_full_path() if self.request.method == "GET" else "/")
        headers = {name: answer.headers[name] for name in {"Allow", "Retry-After"} & {*answer.headers}}
        return problem_page(self.request._request, answer.status_code, json.loads(answer.content)["detail"], **headers)

    def started(self, request: Request, kind: str, steps: worker.Steps) -> HttpResponseBase:
        """Starts a run, and says where to look what becomes of it."""
        run = worker.start(settings.ATTRIBUTION, kind, steps, request.user)
        url = f"/worker/runs/{run.id}/"
        if is_for_people(request._request):
            return HttpResponse(status=303, headers={"Location": url})
        return Response({"id": run.id, "kind": run.kind, "url": url, "state": run.state}, status=202)

    def shown(self, request: Request, status: int, **context: Any) -> HttpResponse:
        """The page with a run, which looks again as long as the run is under way."""
        run = context["run"]
        page = render(request._request, "run.html", context, status=status, using="jinja2")
        if run and run.state == Run.State.RUNNING:
            page.headers["Refresh"] = LOOK_AGAIN
        return page


class ProcessData(ForStaff):
    """Imports the file that ATTRIBUTION_CAMPAIGN_FILE names, and reports it."""

    @extend_schema(
        operation_id="process_data_last",
        summary="The last import of campaign results",
        request=None,
        responses=responses(inline_serializer("LastRun", {"last_run": RunFields(allow_null=True)})),
        tags=["worker"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """The last run; for people, with a button."""
        last = Run.objects.filter(kind=PROCESS_DATA).first()
        run = last and worker.as_it_is(settings.ATTRIBUTION, last)
        try:
            worker.steps_of_process_data(settings.ATTRIBUTION)
        except AttributionError as error:
            if is_for_people(request._request):
                return self.shown(request, 409, run=run, problem=str(error))
            raise
        if is_for_people(request._request):
            return self.shown(request, 200, run=run, file=settings.ATTRIBUTION.campaign_file)
        return Response({"last_run": RunFields(run).data if run else None})

    @extend_schema(
        operation_id="process_data",
        summary="Import the campaign results and report them",
        description="Answers at once. While a run is under way, it answers that one.",
        request=None,
        responses=responses(STARTED, 202),
        tags=["worker"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Starts a run."""
        return self.started(request, PROCESS_DATA, worker.steps_of_process_data(settings.ATTRIBUTION))


class Compare(ForStaff):
    """Compares the models over a range, for the pages that show the comparison."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """The page with the range and the button."""
        worker.steps_of_compare(settings.ATTRIBUTION, {})
        return render(request._request, "compare.html", {"asked": request.GET}, using="jinja2")

    @extend_schema(
        operation_id="compare",
        summary="Compare the models and report the paths over a range",
        description="Answers at once. While a run is under way, it answers that one.",
        request=Range,
        responses=responses(STARTED, 202),
        tags=["worker"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Starts a run."""
        if request.GET:
            raise serializers.ValidationError("Give the range in the body of the request, not in its address.")
        of_form = {name: value for name, value in request.POST.items() if value and name != "csrfmiddlewaretoken"}
        asked = Range(data=of_form if request.POST else request.data)
        asked.is_valid(raise_exception=True)
        days = {name: day.isoformat() for name, day in asked.validated_data.items()}
        return self.started(request, COMPARE, worker.steps_of_compare(settings.ATTRIBUTION, days))


class OneRun(ForStaff):
    """A run, and what became of it."""

    @extend_schema(operation_id="run", summary="A run", responses=responses(RunFields), tags=["worker"])
    def get(self, request: Request, run_id: UUID) -> HttpResponseBase:
        """The run as it is now."""
        run = worker.as_it_is(settings.ATTRIBUTION, get_object_or_404(Run, id=run_id))
        return self.shown(request, 200, run=run) if is_for_people(request._request) else Response(RunFields(run).data)


urlpatterns: list[URLPattern] = [
    path("process-data/", ProcessData.as_view()),
    path("compare/", Compare.as_view()),
    path("runs/<uuid:run_id>/", OneRun.as_view()),
]
