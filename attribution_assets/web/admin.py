"""What staff can look at in the admin: runs, and the campaign results in the warehouse. Nothing of it can be changed there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from attribution_assets.errors import AttributionError, BusyError, NotReadyError
from attribution_assets.web.models import CampaignResult, Run
from attribution_assets.web.security import is_staff
from attribution_assets.web.worker import as_it_is

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin


class LookedAt(Admin):
    """Rows that all staff may see, and nobody may change."""

    actions = None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """All staff."""
        return is_staff(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """All staff."""
        return is_staff(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


@admin.register(Run)
class RunAdmin(LookedAt):
    """Runs, the newest first."""

    list_display = ("started", "kind", "state_now", "seconds", "exit_code", "started_by")
    list_filter = ("kind",)
    search_fields = ("output",)
    fields = ("id", "kind", "steps", "state_now", "started", "finished", "seconds", "exit_code", "started_by", "output")

    @admin.display(description="state")
    def state_now(self, run: Run) -> str:
        """How far it is now."""
        return str(as_it_is(settings.ATTRIBUTION, run).state)


class CampaignResultAdmin(LookedAt):
    """Campaign results, as they are stored in an SQLite file; Django reads no lake."""

    list_display = ("customer_id", "date", "status", "type", "category", "revenue", "conversions", "impressions", "clicks")
    list_filter = ("customer_id", "status", "type", "category")
    search_fields = ("customer_id", "date", "category")
    ordering = ("-date", "customer_id", "rowid")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The rows. Raises AttributionError where there are none to show."""
        return _shown(lambda: super(CampaignResultAdmin, self).changelist_view(request, extra_context))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A row. Raises AttributionError where there are none to show."""
        return _shown(lambda: super(CampaignResultAdmin, self).changeform_view(request, *args, **kwargs))


if settings.ATTRIBUTION.database.is_file:
    admin.site.register(CampaignResult, CampaignResultAdmin)


def _shown(view: Callable[[], Any]) -> HttpResponse:
    """The page of a view, rendered. Raises AttributionError where the warehouse does not answer."""
    try:
        response: HttpResponse = view()
        return response.render() if isinstance(response, TemplateResponse) else response
    except DatabaseError as error:
        raise _in_words(error) from error


def _in_words(error: DatabaseError) -> AttributionError:
    database = settings.ATTRIBUTION.database
    if "locked" in str(error):
        return BusyError(f"{database} stayed locked by another process. Look again when it has ended.")
    return NotReadyError(f"{database} shows no campaign results ({error}). Import them at /worker/process-data/.")
