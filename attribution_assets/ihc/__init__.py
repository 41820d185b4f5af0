"""The IHC model (Initializer, Holder, Closer), offline: `attribute(journeys)` credits the sessions of conversions."""

from typing import TYPE_CHECKING

from attribution_assets.ihc.parameters import PRESETS, IHCParameters
from attribution_assets.ihc.redistribution import Redistribution

if TYPE_CHECKING:
    from attribution_assets.ihc.model import attribute

__all__ = ["PRESETS", "IHCParameters", "Redistribution", "attribute"]


def __getattr__(name: str) -> object:
    """`attribute`, once it is asked for: what only reads parameters loads without pandas."""
    if name == "attribute":
        from attribution_assets.ihc.model import attribute

        return attribute
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
