"""Every attribution model beside IHC, exact and deterministic, on flat arrays; nothing here reads a database or Dagster."""

from attribution_assets.models.rules import LEARNED, MODELS, ModelRules, PathRules, PositionShares, read_channel_groups

__all__ = [
    "LEARNED",
    "MODELS",
    "ModelRules",
    "PathRules",
    "PositionShares",
    "read_channel_groups",
]
