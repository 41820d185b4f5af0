"""`attribution serve` without its terminal: brings the web application's own file up to date, and answers requests."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from filelock import FileLock

from attribution_assets.errors import AttributionError
from attribution_assets.settings import Settings

THREADS = 8


def prepare(settings: Settings) -> None:
    """Sets Django up, and creates or upgrades the tables of its own file; of several processes, one does.

    Raises AttributionError where that file cannot be written or is no database.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "attribution_assets.web.settings"
    os.environ["ATTRIBUTION_DATABASE"] = str(settings.database)  # Django's settings read the environment
    import django
    from django.core.management import call_command
    from django.db import DatabaseError

    django.setup()
    with FileLock(settings.web_database.with_name(f"{settings.web_database.name}.lock")):
        try:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("createcachetable", verbosity=0)
        except DatabaseError as error:
            raise AttributionError(
                f"{settings.web_database} cannot be used: {error}. Point ATTRIBUTION_WEB_DATABASE to another file."
            ) from error


def serve(host: str, port: int, tell: Callable[[str], None] = lambda _: None) -> None:
    """Answers requests until it is interrupted, and tells where. Raises AttributionError where it cannot listen there."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import is_valid_path
    from waitress.server import create_server

    is_valid_path("/")  # imports every view, which the first one who asks would wait for
    try:
        server = create_server(
            get_wsgi_application(),
            host=host,
            port=port,
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
            **(_BEHIND_A_PROXY if settings.ATTRIBUTION.web_url else {}),
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "there is no such host"
        raise AttributionError(
            f"{host}:{port} cannot be listened on: {reason}. Choose another address with --host or --port."
        ) from error
    tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    server.run()


_BEHIND_A_PROXY: dict[str, Any] = {
    "trusted_proxy": "*",
    "trusted_proxy_count": 1,
    "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
}
"""The last address in X-Forwarded-For is who asks: the proxy has put it there, and what stands before it may be forged."""
