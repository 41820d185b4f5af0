"""How often the API is asked, counted in memory, so that a question writes nothing."""

from __future__ import annotations

from django.core.cache import caches
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

COUNTED = caches["requests"]


class AnybodyThrottle(AnonRateThrottle):
    """For who has not logged in, by address."""

    cache = COUNTED


class UserThrottle(UserRateThrottle):
    """For who has logged in or has a token, by account."""

    cache = COUNTED
