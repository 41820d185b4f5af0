"""Which parameters of the IHC model lead: those of the settings, else those chosen for the database, else a preset."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from pydantic import ValidationError

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.parameters import IHCParameters
from attribution_assets.warehouse import Query, Warehouse, schema
from attribution_assets.warehouse.schema import CHOSEN

DEFAULT = "challenge"
"""The preset that leads where no parameters are named and none are chosen: learned from another company's journeys."""


def parameters_in_use(named: str | None, warehouse: Warehouse) -> IHCParameters:
    """The parameters that lead: those that the settings name, else those chosen for the database, else DEFAULT.

    Reads the database, if nothing is named. Raises AttributionError for parameters that cannot be read, and where those in the
    database are not those that were chosen.
    """
    if named:
        return IHCParameters.load(named)
    return chosen_parameters(warehouse) or IHCParameters.load(DEFAULT)


def chosen_parameters(warehouse: Warehouse) -> IHCParameters | None:
    """The parameters that were chosen for the database, or None. Raises AttributionError as `parameters_in_use`."""
    if not warehouse.exists or not warehouse.has(CHOSEN):
        return None
    for row in warehouse.here.rows(Query(CHOSEN)):
        try:
            if _hash(row["parameters"]) == row["hash"]:
                return IHCParameters.model_validate_json(row["parameters"]).model_copy(update={"name": row["name"]})
        except ValidationError:
            pass
        raise AttributionError(
            f"The parameters {row['name']} in {CHOSEN} of {warehouse.name} are not those that were chosen at "
            f"{row['chosen_at']}. Choose again: `attribution ihc use FILE`."
        )
    return None


def choose(named: str, warehouse: Warehouse) -> IHCParameters:
    """Chooses the parameters of a preset or a JSON file for the database, which keeps them: the file is not read again.

    Raises AttributionError for parameters that cannot be read, and for a database that cannot be written.
    """
    import pandas as pd

    parameters = IHCParameters.load(named)
    text = parameters.as_json()
    row = (parameters.name, text, _hash(text), named, datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    warehouse.prepare()
    warehouse.replace_table(schema()[CHOSEN], pd.DataFrame([row], columns=list(schema()[CHOSEN].column_names)))
    return parameters


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
