"""The runs that the web application starts, and the rows of campaign results as its admin shows them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

WAREHOUSE = "warehouse"
"""The connection to the warehouse, which only reads."""


class Run(models.Model):
    """What somebody had started here, and what became of it. A run that was killed has no end and no exit code."""

    class State(models.TextChoices):
        """How far it is."""

        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind: models.CharField[str, str] = models.CharField(max_length=30)
    steps: models.JSONField[Any, Any] = models.JSONField(
        help_text="the arguments of each `attribution` command, in their order"
    )
    state: models.CharField[str, str] = models.CharField(max_length=9, choices=State.choices, default=State.RUNNING)
    started: models.DateTimeField[datetime, datetime] = models.DateTimeField(auto_now_add=True)
    finished: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    exit_code: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)
    output: models.TextField[str, str] = models.TextField(help_text="what it has printed, at least the end of it")
    started_by: models.ForeignKey[Any, Any] = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-started"]

    def __str__(self) -> str:
        """Its kind and its id."""
        return f"{self.kind} {self.id}"

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs, and if it was killed."""
        return (self.finished - self.started).total_seconds() if self.finished else None


class CampaignResult(models.Model):
    """A row of campaign_results in the warehouse, as it is stored: to look at."""

    rowid: models.BigIntegerField[int, int] = models.BigIntegerField(primary_key=True, db_column="rowid")
    customer_id: models.TextField[str, str] = models.TextField()
    date: models.TextField[str, str] = models.TextField()
    status: models.TextField[str | None, str | None] = models.TextField(null=True)
    type: models.TextField[str | None, str | None] = models.TextField(null=True)
    category: models.TextField[str | None, str | None] = models.TextField(null=True)
    revenue: models.FloatField[float, float] = models.FloatField()
    conversions: models.IntegerField[int, int] = models.IntegerField()
    impressions: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)
    clicks: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)

    class Meta:
        """Its table is made by an import."""

        managed = False
        db_table = "campaign_results"
        verbose_name = "campaign result"

    def __str__(self) -> str:
        """Whose row it is, and of which day."""
        return f"{self.customer_id}, {self.date}"


class Router:
    """Sends campaign results to the warehouse, and everything else to the file of the web application."""

    def db_for_read(self, model: type[models.Model], **_: object) -> str | None:
        """Where rows of the model are read."""
        return WAREHOUSE if model is CampaignResult else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, _app: str, **_: object) -> bool:
        """Nothing of Django's is made in the warehouse."""
        return db != WAREHOUSE
