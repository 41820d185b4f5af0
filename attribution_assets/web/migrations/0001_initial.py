"""The runs that are started in the web application. Of campaign_results Django only learns that there is such a table."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """As Django made it."""

    initial = True

    dependencies: ClassVar[Any] = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar[Any] = [
        migrations.CreateModel(
            name="CampaignResult",
            fields=[
                ("rowid", models.BigIntegerField(db_column="rowid", primary_key=True, serialize=False)),
                ("customer_id", models.TextField()),
                ("date", models.TextField()),
                ("status", models.TextField(null=True)),
                ("type", models.TextField(null=True)),
                ("category", models.TextField(null=True)),
                ("revenue", models.FloatField()),
                ("conversions", models.IntegerField()),
                ("impressions", models.IntegerField(null=True)),
                ("clicks", models.IntegerField(null=True)),
            ],
            options={
                "verbose_name": "campaign result",
                "db_table": "campaign_results",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=30)),
                ("steps", models.JSONField(help_text="the arguments of each `attribution` command, in their order")),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("succeeded", "Succeeded"), ("failed", "Failed")],
                        default="running",
                        max_length=9,
                    ),
                ),
                ("started", models.DateTimeField(auto_now_add=True)),
                ("finished", models.DateTimeField(null=True)),
                ("exit_code", models.IntegerField(null=True)),
                ("output", models.TextField(help_text="what it has printed, at least the end of it")),
                (
                    "started_by",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "ordering": ["-started"],
            },
        ),
    ]
