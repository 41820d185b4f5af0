"""What every model credits: the journeys in the database with their IHC shares, and the rows of model_attribution for them."""

from __future__ import annotations

import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.models import attribute
from attribution_assets.settings import Settings


def with_ihc(journeys: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """The journeys with the IHC share of each session. Raises AttributionError where the two do not have the same rows."""
    key = ["conv_id", "session_id"]
    if not journeys[key].equals(shares[key]):
        raise AttributionError(
            "attribution_customer_journey does not follow customer_journeys: attribute these days again, then run this."
        )
    return journeys.assign(ihc=shares["ihc"])


def model_rows(settings: Settings, journeys: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """The rows of `model_attribution` for these journeys."""
    rows = attribute(journeys, settings.model_rules, values)
    return rows.assign(rules=str(settings.model_rules.path), settings=settings.models_fingerprint())
