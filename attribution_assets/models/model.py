"""Model: one attribution model as the registry has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.models.journeys import Floats


@dataclass(frozen=True)
class Model:
    """A model's name, the functions that compute it, and the settings that these use.

    A fixed rule has `credit(journeys, **settings)`: the credit of each session, shape (sessions,), 0 to 1, summing to 1 in each
    journey. IHC has none: its credit is stored in attribution_customer_journey.

    A model that learns has two functions, so that journeys can be counted wherever they are, and some at a time.
    `count(journeys, group, **settings)`: how often the journeys of each group have a piece of the kind that the model looks at,
    as a tally; `group`, shape (journeys,): a number, 0 or more. `learn(tally, **settings)`: the value of each channel, from
    which its credit follows (`by_worth`); the tally has the column `converted`: 1 for journeys that end in a conversion, else
    0.

    `uses`: the fields of ModelRules that the functions get as keyword arguments. They get no other fields, so no result can
    depend on them.
    """

    name: str
    credit: Callable[..., Floats] | None = None
    count: Callable[..., pd.DataFrame] | None = None
    learn: Callable[..., dict[str, float]] | None = None
    uses: tuple[str, ...] = ()
