"""What every model credits: the journeys in the database with their IHC shares, and the rows of model_attribution for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.models.credit import attribute
from attribution_assets.settings import Settings


def with_ihc(journeys: Iterable[pd.DataFrame], shares: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The frames of `customer_journeys`, each with the IHC share of its sessions as `ihc`.

    `shares`: the frames of `attribution_customer_journey` for the same days. Raises AttributionError where the two do not have
    the same rows.
    """
    key = ["conv_id", "session_id"]
    for of_journeys, of_shares in zip_longest(journeys, shares):
        if of_journeys is None or of_shares is None or not of_journeys[key].equals(of_shares[key]):
            raise AttributionError(
                "attribution_customer_journey does not follow customer_journeys: attribute these days again, then run this."
            )
        yield of_journeys.assign(ihc=of_shares["ihc"])


def model_rows(settings: Settings, journeys: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """The rows of `model_attribution` for these journeys."""
    rows = attribute(journeys, settings.model_rules, values)
    return rows.assign(rules=str(settings.model_rules.path), settings=settings.models_fingerprint())
