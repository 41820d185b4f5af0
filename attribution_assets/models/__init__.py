"""Every attribution model beside IHC, exact and deterministic, on flat arrays; nothing here reads a database or Dagster."""

from attribution_assets.models.heuristics import PositionShares
from attribution_assets.models.registry import LEARNED, MODELS
from attribution_assets.models.rules import ModelRules, PathRules, read_channel_groups

__all__ = [
    "LEARNED",
    "MODELS",
    "ModelRules",
    "PathRules",
    "PositionShares",
    "read_channel_groups",
]
