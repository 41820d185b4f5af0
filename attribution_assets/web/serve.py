"""`attribution serve` without its terminal: brings the web application's own file up to date, and answers requests."""

from __future__ import annotations

import os

from filelock import FileLock

from attribution_assets.settings import Settings

THREADS = 8


def prepare(settings: Settings) -> None:
    """Sets Django up, and creates or upgrades the tables of its own file; of several processes, one does."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "attribution_assets.web.settings"
    settings.web_database.parent.mkdir(parents=True, exist_ok=True)
    import django
    from django.core.management import call_command

    django.setup()
    with FileLock(settings.web_database.with_name(f"{settings.web_database.name}.lock")):
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)


def serve(host: str, port: int) -> None:
    """Answers requests until it is interrupted."""
    import waitress
    from django.core.wsgi import get_wsgi_application

    waitress.serve(get_wsgi_application(), host=host, port=port, threads=THREADS, ident=None)
