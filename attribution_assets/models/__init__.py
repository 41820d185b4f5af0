"""Every attribution model beside IHC, exact and deterministic, on flat arrays; nothing here reads a database or Dagster."""

from attribution_assets.models.credit import attribute, learn
from attribution_assets.models.heuristics import PositionShares
from attribution_assets.models.journeys import Journeys
from attribution_assets.models.rules import LEARNED, MODELS, ModelRules, PathRules, read_channel_groups

__all__ = [
    "LEARNED",
    "MODELS",
    "Journeys",
    "ModelRules",
    "PathRules",
    "PositionShares",
    "attribute",
    "learn",
    "read_channel_groups",
]
