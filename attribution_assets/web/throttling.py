"""How often one may ask, counted in memory, so that a question writes nothing; and how often one may guess a password."""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.core.cache import caches
from django.db.models import Sum
from django.http import HttpRequest
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

COUNTED = caches["requests"]

FAILURES_OF_AN_ADDRESS = 50
"""How many wrong passwords an address has, for whatever names: an office behind one address has more than one person has."""


class AnybodyThrottle(AnonRateThrottle):
    """For who has not logged in, by address."""

    cache = COUNTED


class UserThrottle(UserRateThrottle):
    """For who has logged in or has a token, by account."""

    cache = COUNTED


class Failures(AxesDatabaseHandler):
    """Wrong passwords, of a name from an address, and of an address for all names."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Those of the name; those of the address as their share of AXES_FAILURE_LIMIT, if these are more."""
        of_name, of_address = (
            int(attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0)
            for attempts in self.get_user_attempts(request, credentials)
        )
        limit: int = settings.AXES_FAILURE_LIMIT
        return max(of_name, of_address * limit // FAILURES_OF_AN_ADDRESS)
