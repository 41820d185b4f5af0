"""The IHC model (Initializer, Holder, Closer), offline: `attribute(journeys)` credits the sessions of conversions."""

from attribution_assets.ihc.model import attribute
from attribution_assets.ihc.parameters import PRESETS, IHCParameters

__all__ = ["PRESETS", "IHCParameters", "attribute"]
