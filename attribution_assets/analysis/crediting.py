"""What every model credits: the journeys in the database with their IHC shares, and the rows of model_attribution for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import zip_longest

import pandas as pd

from attribution_assets.errors import NotReadyError
from attribution_assets.models.credit import credited
from attribution_assets.settings import Settings
from attribution_assets.warehouse.query import Rows


def with_ihc(journeys: Iterable[pd.DataFrame], shares: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The frames of `customer_journeys`, each with the IHC share of its sessions as `ihc`.

    `shares`: the frames of `attribution_customer_journey` for the same days. Raises NotReadyError where the two do not have
    the same rows.
    """
    key = ["conv_id", "session_id"]
    for of_journeys, of_shares in zip_longest(journeys, shares):
        if of_journeys is None or of_shares is None or not of_journeys[key].equals(of_shares[key]):
            raise NotReadyError(
                "attribution_customer_journey does not match customer_journeys. Attribute these days again, then rerun this."
            )
        yield of_journeys.assign(ihc=of_shares["ihc"])


def by_every_model(settings: Settings, values: pd.DataFrame) -> Rows:
    """The function that makes the rows of `model_attribution` of journeys, as `with_ihc` gives them.

    `values`: rows of `channel_values`; rows learned with other settings are ignored. Raises AttributionError if a file of the
    settings cannot be read; the function does where a day has no values.
    """
    rules = settings.model_rules
    known = values[values["settings"] == settings.learning_fingerprint(rules)]
    return partial(credited, rules=rules, values=known, settings=settings.models_fingerprint(rules))


def model_rows(settings: Settings, journeys: Iterable[pd.DataFrame], values: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The frames of `model_attribution` for these frames of journeys, by the function of `by_every_model`."""
    yield from map(by_every_model(settings, values), journeys)
