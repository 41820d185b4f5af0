"""The application as Django knows it."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The one application of the project."""

    name = "attribution_assets.web"
    label = "web"
    verbose_name = "Attribution"
    default_auto_field = "django.db.models.BigAutoField"
