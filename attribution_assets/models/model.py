"""Model: one attribution model as the registry has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution_assets.models.journeys import Floats


@dataclass(frozen=True)
class Model:
    """A model's name, the function that computes it, and the settings that the function uses.

    A fixed rule has `credit(journeys, **settings)`: the credit of each session, shape (sessions,), 0 to 1, summing to 1 in each
    journey. A model that learns has `learn(journeys, converted, **settings)`: the value of each channel, shape (labels,), from
    which its credit follows (`by_worth`); `converted`, shape (journeys,): whether the journey ends in a conversion. IHC has
    neither: its credit is stored in attribution_customer_journey.

    `uses`: the fields of ModelRules that the function takes as keyword arguments. It gets no other fields, so its result cannot
    depend on them.
    """

    name: str
    credit: Callable[..., Floats] | None = None
    learn: Callable[..., Floats] | None = None
    uses: tuple[str, ...] = ()
