"""`attribution serve` without its terminal: brings the web application's own file up to date, and answers requests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from attribution_assets.errors import AttributionError
from attribution_assets.settings import Settings

THREADS = 8


def prepare(settings: Settings) -> None:
    """Sets Django up, and creates or upgrades the tables of its own file; of several processes, one does.

    Nobody else can read the file: it holds tokens and sessions. Raises AttributionError where it cannot be written or is no
    database, and where the extra `web` is not installed.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "attribution_assets.web.settings"
    os.environ["ATTRIBUTION_DATABASE"] = settings.database.given  # Django's settings read the environment
    try:
        import django
        from django.core.management import call_command
        from django.db import DatabaseError

        django.setup()
    except ModuleNotFoundError as error:
        raise AttributionError(
            f"The web application needs {error.name}. Run `pip install 'attribution_assets[web]'`."
        ) from error
    _keep_from_others(settings.web_database)
    with FileLock(_beside(settings.web_database, ".lock")):
        try:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("createcachetable", verbosity=0)
        except DatabaseError as error:
            raise AttributionError(
                f"{settings.web_database} cannot be used: {error}. Point ATTRIBUTION_WEB_DATABASE to another file."
            ) from error


def _keep_from_others(database: Path) -> None:
    """Makes the files that there will be, or takes them from others who can read them; SQLite makes its own like them."""
    try:
        for file in (database, _beside(database, ".lock")):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        for file in (_beside(database, suffix) for suffix in ("", "-wal", "-shm", ".lock")):
            if file.exists() and file.stat().st_mode & 0o077:
                file.chmod(0o600)
    except OSError as error:
        raise AttributionError(
            f"{error.filename} cannot be written: {error.strerror}. Point ATTRIBUTION_WEB_DATABASE to another file."
        ) from error


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(f"{database.name}{suffix}")


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
    "trusted_proxy": "127.0.0.1",
    "trusted_proxy_count": 1,
    "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
}
"""The proxy runs on the same machine: of others the server believes no such header. The last address in X-Forwarded-For is who
asks: the proxy has put it there, and what stands before it may be forged."""
