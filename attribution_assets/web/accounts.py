"""Who can log in, as far as the terminal cares: whether there is anybody, and the first one, who can make the others."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from attribution_assets.errors import AttributionError


def is_there(name: str | None = None) -> bool:
    """Whether there is an account of this name, or any."""
    return (User.objects.filter(username=name) if name else User.objects).exists()


def create_admin(name: str, password: str) -> None:
    """Makes an account that may do everything. Raises AttributionError for a name or a password that is not allowed."""
    user = User(username=name, is_staff=True, is_superuser=True)
    user.set_password(password)
    try:
        user.full_clean()
        validate_password(password, user)
    except ValidationError as error:
        raise AttributionError(f"There can be no such account: {' '.join(error.messages)} Choose another one.") from error
    user.save()
