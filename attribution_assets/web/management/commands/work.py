"""`python -m attribution_assets.web work`: the process of a run; the server starts it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from attribution_assets.web.models import Run
from attribution_assets.web.worker import work


class Command(BaseCommand):
    """Runs what a row says, and stores how it ended."""

    help = "Run what was started in the web application. The server calls this."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The run, and the descriptor of the lock."""
        parser.add_argument("run")
        parser.add_argument("lock", type=int)

    def handle(self, *_: Any, **options: Any) -> None:
        """Works until the run has ended."""
        work(Run.objects.get(id=options["run"]), options["lock"])
