"""The IHC model (Initializer, Holder, Closer), offline: `attribute(journeys)` credits the sessions of conversions."""

from attribution_assets.ihc.model import attribute
from attribution_assets.ihc.parameters import PRESETS, IHCParameters
from attribution_assets.ihc.redistribution import Redistribution

__all__ = ["PRESETS", "IHCParameters", "Redistribution", "attribute"]
