"""What Markov and Shapley learn: for a day, the value of every channel, from the journeys of the window that ends with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pandas as pd

from attribution_assets.analysis.counting import of_conversions, of_others
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.models import CHANNEL_VALUES
from attribution_assets.catalog.tables import query_of
from attribution_assets.models import ModelRules
from attribution_assets.models.credit import learn
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse, schema
from attribution_assets.warehouse.days import shift, unbroken_ranges
from attribution_assets.warehouse.frames import DTYPES, stacked
from attribution_assets.warehouse.schema import Column, Table

COLUMNS = ("date", "model", "channel_name", "value", "rules", "settings")


def _rows_of(name: str, key: Sequence[str], **types: str) -> Table:
    """What rows that are not stored look like."""
    columns = tuple(Column(column, type_, required=True, description="") for column, type_ in types.items())
    return Table(name, columns, tuple(key), create="", indexes={})


SESSIONS = _rows_of(
    "channel_values",
    ["user_id", "session_id"],
    **dict.fromkeys(("user_id", "session_id", "event_date", "timestamp", "channel_label", "next_conv_date"), "text"),
)
"""The rows of sql/channel_values.sql."""

TALLY = _rows_of(
    "tally",
    ["date", "model", "channels"],
    **dict.fromkeys(("date", "model", "channels"), "text"),
    journeys="integer",
)
"""How often each piece of journeys occurs (see `models.tally`), by model."""


Tell = Callable[[str], None]
"""Is told in a few words what is being computed."""


def silent(_: str) -> None:
    """Tells nobody."""


def channel_values(
    settings: Settings, days: Days, *, relearn: bool = False, rules: ModelRules | None = None, tell: Tell = silent
) -> pd.DataFrame:
    """The rows of `channel_values` for these days: the stored ones with the same settings, and newly learned ones for the rest.

    A value is learned once and then kept: a session that arrives late does not change it. With `relearn`, all values are
    learned again. `rules`: the `model_rules` of the settings, if they were already read. `tell` is told which day is being
    learned. Writes nothing. Raises AttributionError for broken sources.
    """
    rules = rules or settings.model_rules
    fingerprint = settings.learning_fingerprint(rules)
    kept = _kept(settings.warehouse, days)
    kept = kept[(kept["settings"] == fingerprint) & kept["model"].isin(rules.learned) & (not relearn)]
    found = set(zip(kept["date"], kept["model"], strict=True))
    lacking = [day for day in days if any((day, model) not in found for model in rules.learned)]
    learned = [
        row
        for unbroken in unbroken_ranges(lacking)
        for row in _learned(settings, rules, unbroken, tell)
        if row[:2] not in found
    ]
    new = pd.DataFrame(learned, columns=["date", "model", "channel_name", "value"])
    new = new.assign(rules=str(rules.path), settings=fingerprint)
    both = pd.concat([kept, new[list(COLUMNS)].astype(kept.dtypes)])
    return both.sort_values(["date", "model", "channel_name"], ignore_index=True)


def _kept(warehouse: Warehouse, days: Days) -> pd.DataFrame:
    """The stored rows; none in a file from before the table existed."""
    table = schema()["channel_values"]
    if warehouse.has(table.name):
        return warehouse.read(table, "date", days)
    return pd.DataFrame({column.name: pd.Series(dtype=DTYPES[column.type]) for column in table.columns})


def journeys_learned_from(settings: Settings, rules: ModelRules, day: str) -> pd.DataFrame:
    """The journeys of the day's window as a tally of whole ones: channels, converted (1 or 0) and journeys."""
    found = _tallies(settings, rules, [Days(shift(day, 1 - rules.training_days), day)], whole=True)
    return found.groupby(["channels", "converted"], observed=True)["journeys"].sum().reset_index()


def _tallies(settings: Settings, rules: ModelRules, windows: Sequence[Days], *, whole: bool = False) -> pd.DataFrame:
    """What is counted in the journeys of these windows, as of `analysis.counting`, and `converted`: 1 or 0."""
    warehouse, window = settings.warehouse, Days(windows[0].first, windows[-1].last)
    journeys, sessions = query_of(settings, CUSTOMER_JOURNEYS, window), query_of(settings, CHANNEL_VALUES, window)
    in_others = partial(of_others, rules=rules, windows=windows, whole=whole)
    others = warehouse.summed(sessions, SESSIONS, in_others, TALLY)
    in_conversions = partial(of_conversions, rules=rules, whole=whole)
    converting = warehouse.summed(journeys, schema()["customer_journeys"], in_conversions, TALLY)
    return stacked([converting.assign(converted=1), others.assign(converted=0)])


def _learned(settings: Settings, rules: ModelRules, days: Days, tell: Tell) -> Iterator[tuple[str, str, str, float]]:
    """For each day, each model that learns and each channel of the day's window: what the channel is worth."""
    windows = [Days(shift(day, 1 - rules.training_days), day) for day in days]
    tell(f"counting journeys, {windows[0].first} to {days.last}")
    both = _tallies(settings, rules, windows)
    dates, is_converting = both["date"].astype("str"), both["converted"] == 1
    for day, of_day in zip(days, windows, strict=True):
        tell(f"learning what channels are worth, {day} of {days}")
        seen = both[dates.between(of_day.first, day) & (is_converting | (dates == day))]
        tallies = seen.groupby(["model", "channels", "converted"], observed=True)["journeys"].sum().reset_index()
        for model in rules.learned:
            worth = learn(tallies[tallies["model"] == model], model, rules)
            yield from ((day, model, channel, value) for channel, value in worth.items())
