"""The Dagster faces of ihc/: resources that answer journeys with IHC results."""

import dagster as dg
import pandas as pd
from pydantic import PrivateAttr

from attribution_assets.ihc import IHCParameters, attribute


class EmbeddedIHCResource(dg.ConfigurableResource[None]):
    """The IHC model, computed here and offline, with the named parameters (a preset or a JSON file)."""

    parameters: str = "challenge"

    _loaded: IHCParameters | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Reads the parameters before the first step runs, so that wrong ones stop the run while nothing is written."""
        self._loaded = IHCParameters.load(self.parameters)

    def results(self, journeys: pd.DataFrame) -> pd.DataFrame:
        """The rows of `ihc_results` for whole journeys (columns of `customer_journeys`), in the order given."""
        parameters = self._loaded or IHCParameters.load(self.parameters)
        return attribute(journeys, parameters).assign(
            conv_date=journeys["conv_date"], backend="embedded", parameters=parameters.name
        )
