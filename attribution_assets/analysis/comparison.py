"""`attribution compare` and `attribution paths` without their terminal: the models, and the paths, of some days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from attribution_assets.analysis.counting import unconverted
from attribution_assets.analysis.crediting import with_ihc
from attribution_assets.analysis.learning import SESSIONS, Tell, channel_values, journeys_learned_from, silent
from attribution_assets.analysis.training import Retrained
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.models import CHANNEL_VALUES, NONE_IS_DIRECT
from attribution_assets.catalog.span import computed_days
from attribution_assets.catalog.tables import query_of
from attribution_assets.errors import NotFoundError, NotReadyError
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc import attribute as attribute_ihc
from attribution_assets.models import MODELS, ModelRules
from attribution_assets.models.bootstrap import DrawnCredit, compare_credit, moved_share
from attribution_assets.models.credit import attribute
from attribution_assets.models.journeys import Journeys, joined, nanoseconds
from attribution_assets.models.path_report import path_report
from attribution_assets.models.paths import simplify
from attribution_assets.models.relearning import DRAWS, Relearned, cells_of, value_shifts
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, schema

LOOKBACKS = (7, 14, 30, 90)
"""In days: how far back sessions count, where the comparison varies it."""

CREDITED = ["conv_id", "model", "channel_name", "credit"]


@dataclass(frozen=True)
class Comparison:
    """The models on the conversions of some days, against the model `base`.

    `channels`: what `models.bootstrap.compare_credit` gives. `lookbacks`: one row per model and lookback, with the columns
    model, lookback_days, conversions (attributed), and moved, the share of the credit (0 to 1) that lies with other channels
    than under the lookback of the settings. `rules`: the settings of the models. `relearned`: the models whose intervals also
    show what they have learned by chance.
    """

    days: Days
    base: str
    rules: ModelRules
    channels: pd.DataFrame
    lookbacks: pd.DataFrame
    relearned: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What to know about the figures, a line each."""
        unknown = self.rules.asks_for_direct and not self.rules.direct_among(self.channels["channel_name"].unique())
        direct = [f"No channel is direct traffic. {NONE_IS_DIRECT}"] if unknown else []
        learned = [model for model in self.relearned if model != "ihc"]
        of_window = f"the window of {self.days.last}" + (" (for ihc, of these days)" if "ihc" in self.relearned else "")
        window = of_window if learned else "these days"
        again = (
            f"The intervals also show {self.drawn}: {DRAWS} times again, from journeys of {window} that were drawn with "
            "replacement."
        )
        return [*direct, *([again] if self.relearned else [])]

    @property
    def drawn(self) -> str:
        """What the intervals show besides which conversions came; empty without `relearned`."""
        return f"what is chance in what {' and '.join(self.relearned)} learned" if self.relearned else ""

    def by_model(self, figure: str) -> pd.DataFrame:
        """A figure of `channels`, a column per model; channels in the order of the base's ranks."""
        order = self.channels.loc[self.channels["model"] == self.base, "channel_name"]
        models = self.channels["model"].drop_duplicates()
        return self.channels.pivot(index="channel_name", columns="model", values=figure).reindex(index=order, columns=models)


def compared_days(settings: Settings, start: str | None, end: str | None) -> Days:
    """The days from `start` to `end`; if unset, the first and the last conversion day with results.

    Raises NotReadyError if there are none, and AttributionError for a reversed range.
    """
    computed = computed_days(settings.warehouse, settings, CUSTOMER_JOURNEYS)
    if not computed:
        raise NotReadyError(f"{settings.database} has no attributed conversions yet. Run `attribution run` first.")
    return Days(start or computed.first, end or computed.last)


def compare_models(
    settings: Settings, days: Days, base: str | None = None, tell: Tell = silent, *, relearn: bool = False
) -> Comparison:
    """Every model of the settings (without any, all) on the conversions of these days and the costs of their sessions.

    `base`: the model that the others are compared with; unset, `ihc`, or the first one.

    Channel values that channel_values does not hold are learned, and not kept. With `relearn`, the intervals also show how sure
    the models that learn are, and IHC with self-trained parameters: these learn 200 times from drawn journeys. `tell` is told
    what takes time. Writes nothing.
    Raises NotReadyError where the days have no journeys, and NotFoundError for a base that is not among the models.
    """
    settings = settings if settings.models else settings.model_copy(update={"models": MODELS})
    base = base or ("ihc" if "ihc" in settings.models else settings.models[0])
    if base not in settings.models:
        raise NotFoundError(f"{base} is not one of the models to compare: {', '.join(settings.models)}.")
    warehouse, rules = settings.warehouse, settings.model_rules
    values = channel_values(settings, days, rules=rules, tell=tell)
    tell("crediting journeys")
    shares = warehouse.stream(schema()["attribution_customer_journey"], "conv_date", days)
    journeys = warehouse.stream(schema()["customer_journeys"], "conv_date", days)
    parts, kept = [], []
    for rows in with_ihc(journeys, shares):
        parts.append(attribute(rows, rules, values)[CREDITED])
        kept += [rows] if relearn else []
    if not parts:
        raise NotReadyError(f"There are no journeys for {days} yet. Run `attribution run` for these days first.")
    credit = pd.concat(parts, ignore_index=True)
    credit["model"] = pd.Categorical(credit["model"], settings.models, ordered=True)
    credit = credit.sort_values("model", kind="stable").astype({"model": "str"})
    revenue = _frame(settings, "conversion_revenues", days).set_index("conv_id")["revenue"].astype(np.float64)
    costs = _frame(settings, "costs_of_channels", days)
    cost = costs["cost"].astype(np.float64).groupby(np.array(rules.path.grouped(costs["channel_name"]), dtype=object)).sum()
    attributed = revenue[revenue.index.isin(credit["conv_id"].unique())]
    relearned = _relearned(settings, rules, days, kept, values, tell) if relearn else {}
    tell("drawing conversions for the intervals")
    channels = compare_credit(credit, attributed, cost, base, settings.seed, relearned)
    tell("trying other lookbacks")
    return Comparison(days, base, rules, channels, _by_lookback(settings, rules, days), tuple(relearned))


def _relearned(
    settings: Settings, rules: ModelRules, days: Days, frames: Sequence[pd.DataFrame], values: pd.DataFrame, tell: Tell
) -> dict[str, DrawnCredit]:
    """By model that learns, its credit for each draw: of the journeys of the last day's window, or those that train IHC.

    `frames`: the journeys of the days, with the stored credit as `ihc`.
    """
    found: dict[str, DrawnCredit] = {}
    if "ihc" in rules.models and not settings.uses_api and settings.parameters_in_use.self_trained:
        found["ihc"] = Retrained.of(frames, rules, settings.redistribution_in_use, settings.seed)
    if not rules.learned:
        return found
    tell(f"counting whole journeys, until {days.last}")
    paths = journeys_learned_from(settings, rules, days.last)
    cells = pd.concat([cells_of(rows, rules) for rows in frames], ignore_index=True)
    for model in rules.learned:
        tell(f"learning {model} from drawn journeys")
        known = values[values["model"] == model].rename(columns={"date": "conv_date"})
        worth = cells.merge(known, on=["conv_date", "channel_name"], how="left")["value"].fillna(0).to_numpy(np.float64)
        found[model] = Relearned(cells, worth, value_shifts(paths, model, rules, settings.seed))
    return found


def _by_lookback(settings: Settings, rules: ModelRules, days: Days) -> pd.DataFrame:
    """What each lookback makes of the models; with values learned for the last of the days, and IHC by the model here."""
    lookbacks = sorted({*LOOKBACKS, settings.lookback_days})
    models = tuple(model for model in settings.models if model != "ihc" or not settings.uses_api)
    settings, rules = settings.model_copy(update={"models": models}), replace(rules, models=models)
    longest = settings.model_copy(update={"lookback_days": lookbacks[-1]})
    values = {lookback: _values_of_last_day(settings, rules, days, lookback) for lookback in lookbacks}
    sums: dict[int, list[pd.DataFrame]] = {lookback: [] for lookback in lookbacks}
    parameters = settings.parameters_in_use
    for rows in settings.warehouse.stream_query(query_of(longest, CUSTOMER_JOURNEYS, days), schema()["customer_journeys"]):
        reach = pd.to_datetime(rows["conv_date"]) - pd.to_datetime(rows["timestamp"].str.slice(0, 10))
        for lookback in lookbacks:
            within = rows[reach <= pd.Timedelta(days=lookback)].reset_index(drop=True)
            if len(within):
                credit = attribute(within.assign(ihc=_ihc(settings, parameters, within)), rules, values[lookback])
                sums[lookback].append(credit.groupby(["model", "channel_name"])[["credit"]].sum().reset_index())
    orders = {
        lookback: pd.concat(parts or [pd.DataFrame(columns=["model", "channel_name", "credit"])]).rename(
            columns={"credit": "orders"}
        )
        for lookback, parts in sums.items()
    }

    def of_model(lookback: int, model: str) -> pd.DataFrame:
        return orders[lookback][orders[lookback]["model"] == model]

    return pd.DataFrame(
        [
            (
                model,
                lookback,
                of_model(lookback, model)["orders"].sum(),
                moved_share(of_model(lookback, model), of_model(settings.lookback_days, model)),
            )
            for model in models
            for lookback in lookbacks
        ],
        columns=["model", "lookback_days", "conversions", "moved"],
    )


def _values_of_last_day(settings: Settings, rules: ModelRules, days: Days, lookback: int) -> pd.DataFrame:
    """The values of the last day, learned with this lookback, for every one of the days."""
    settings = settings.model_copy(update={"lookback_days": lookback})
    values = channel_values(settings, Days(days.last, days.last), rules=rules)
    return pd.DataFrame({"date": [*days]}).merge(values.drop(columns="date"), how="cross")[list(values.columns)]


def _ihc(settings: Settings, parameters: IHCParameters, journeys: pd.DataFrame) -> pd.Series:
    """The share of each session under the IHC model here; nothing where the API would have to be asked."""
    if "ihc" not in settings.models:
        return pd.Series(0.0, index=journeys.index)
    credit = attribute_ihc(journeys, parameters, redistribution=settings.redistribution_in_use)
    return credit["ihc"] / credit.groupby("conv_id")["ihc"].transform("sum")


def report_paths(settings: Settings, days: Days) -> pd.DataFrame:
    """The path report on the conversions of these days, and on the users' sessions of these days after their last one.

    The columns are those of `models.path_report.path_report`; paths are simplified by the path rules first. Writes nothing.
    Raises NotFoundError where there is neither.
    """
    parts, converted = [], [pd.DataFrame(columns=["conv_id"])]
    for rows in settings.warehouse.stream(schema()["customer_journeys"], "conv_date", days):
        journeys, order = Journeys.from_frame(rows)
        parts.append(journeys)
        converted.append(rows[["conv_id"]].iloc[order[journeys.offsets]])
    sessions = settings.warehouse.stream_query(query_of(settings, CHANNEL_VALUES, days), SESSIONS)
    journeys = joined([*parts, *(part for rows in sessions for part in unconverted(rows, [days]))])
    if not len(journeys):
        raise NotFoundError(f"There are no sessions for {days}, so there are no paths to report.")
    simplified, _ = simplify(journeys, settings.model_rules)
    known = pd.concat(converted).merge(_frame(settings, "conversion_revenues", days), on="conv_id", how="left")
    others = len(journeys) - len(known)
    return path_report(
        simplified,
        np.arange(len(journeys)) < len(known),
        np.append(nanoseconds(known["converted_at"]), np.zeros(others, dtype=np.int64)),
        np.append(known["revenue"].to_numpy(np.float64), np.zeros(others)),
    )


def _frame(settings: Settings, query: str, days: Days) -> pd.DataFrame:
    columns, rows = settings.warehouse.fetch(Query(query, {"first_day": days.first, "last_day": days.last}))
    return pd.DataFrame(rows, columns=columns)
