"""The server, with accounts to log in."""

from __future__ import annotations

from attribution_assets.settings import read_settings
from attribution_assets.web.serve import prepare, serve
from attribution_assets_tests.web.accounts import PASSWORD, TOKENS


def serve_to_tests(arguments: list[str]) -> None:
    """Makes the accounts, and serves at the port that is the first argument; `--unthrottled` may follow."""
    port, *choices = arguments
    prepare(read_settings())
    _compare_passwords_quickly()
    if "--unthrottled" in choices:
        _ask_as_often_as_one_likes()
    _make_accounts()
    serve("127.0.0.1", int(port))


def _compare_passwords_quickly() -> None:
    """The hashes of real passwords take a quarter of a second on purpose, at each login."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _ask_as_often_as_one_likes() -> None:
    from rest_framework.views import APIView

    APIView.throttle_classes = []


def _make_accounts() -> None:
    from django.contrib.auth import get_user_model
    from rest_framework.authtoken.models import Token

    for name, token in TOKENS.items():
        user, is_new = get_user_model().objects.get_or_create(
            username=name, defaults={"is_staff": name == "staff", "is_superuser": name == "staff"}
        )
        if is_new:
            user.set_password(PASSWORD)
            user.save()
            Token.objects.create(user=user, key=token)
