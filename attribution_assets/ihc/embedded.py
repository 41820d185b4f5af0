"""The rows of ihc_results by the embedded model, which needs nothing but the journeys, wherever it runs."""

from __future__ import annotations

import pandas as pd

from attribution_assets.ihc.model import attribute
from attribution_assets.ihc.parameters import IHCParameters
from attribution_assets.ihc.redistribution import Redistribution, with_redistribution


def embedded_results(journeys: pd.DataFrame, parameters: IHCParameters, redistribution: Redistribution | None) -> pd.DataFrame:
    """The rows of `ihc_results` by the embedded model, in the order given: whole journeys, columns of `customer_journeys`."""
    credit = attribute(journeys, parameters, redistribution=redistribution)
    return rows_by_model(credit.assign(conv_date=journeys["conv_date"]), parameters, redistribution)


def rows_by_model(rows: pd.DataFrame, parameters: IHCParameters, redistribution: Redistribution | None) -> pd.DataFrame:
    """The rows with the name of the model that computed them, and of its parameters."""
    return rows.assign(backend="embedded", parameters=with_redistribution(parameters.name, redistribution))
