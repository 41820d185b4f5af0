"""Models side by side: what each gives to each channel, and which of the differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from attribution_assets.models.journeys import Floats, Ints

RESAMPLES = 1_000
"""How often the conversions are resampled."""

INTERVAL = (0.05, 0.95)
"""The quantiles between which 90 % of the draws lie."""

AT_ONCE = 20_000_000
"""How many drawn conversions are held in memory at once."""


def compare_credit(
    credit: pd.DataFrame,
    revenue: pd.Series,
    cost: pd.Series,
    base: str,
    seed: int = 0,
    relearned: Mapping[str, DrawnCredit] | None = None,
) -> pd.DataFrame:
    """What every model gives to every channel, beside what the model `base` gives.

    `credit`: the columns conv_id, model, channel_name and credit, one row or several per conversion, model and channel.
    `revenue`: of every conversion, by conv_id. `cost`: by channel_name.

    Returns one row per model and channel, with the columns model, channel_name, cost, orders, revenue, CPO and ROAS (NaN where
    undefined), rank (1 for the highest revenue; equal ones in the order of their names), rank_change (how many places higher
    than under the base), and orders_shift and revenue_shift: how much more than under the base, each with _low and _high, the
    90 % interval, and is_noise, whether that of the orders includes 0.

    The interval is the bootstrap's: as many conversions are drawn as there are, with replacement, 1,000 times with `seed`, and
    both models counted on the same draw. So it tells how much chance there is in which conversions came; not in what Markov and
    Shapley have learned. With `relearned`, by model, it tells that as well: what these have learned is drawn, too, as often as
    they have learned again. Source: Efron, "Bootstrap methods", Annals of Statistics 7 (1979).
    """
    conversions = revenue.index
    channels = sorted(set(credit["channel_name"]) | set(cost.index))
    models = list(dict.fromkeys(credit["model"]))
    shape = (len(conversions), len(models), len(channels))
    at = np.ravel_multi_index(
        (
            conversions.get_indexer(pd.Index(credit["conv_id"])),
            pd.Index(models).get_indexer(pd.Index(credit["model"])),
            pd.Index(channels).get_indexer(pd.Index(credit["channel_name"])),
        ),
        shape,
    )
    cell, number = np.unique(at, return_inverse=True)
    orders = np.bincount(number, weights=credit["credit"].to_numpy())
    conversion, pair = np.divmod(cell, len(models) * len(channels))
    table = pd.DataFrame({"model": np.repeat(models, len(channels)), "channel_name": channels * len(models)})
    spent = cost.reindex(table["channel_name"]).fillna(0).to_numpy(np.float64)
    amounts = {"orders": orders, "revenue": orders * revenue.to_numpy(np.float64)[conversion]}
    table["cost"] = spent
    for name, values in amounts.items():
        table[name] = np.bincount(pair, weights=values, minlength=len(table))
    table["CPO"] = table["cost"] / table["orders"].where(table["orders"] != 0)
    table["ROAS"] = table["revenue"] / table["cost"].where(table["cost"] != 0)
    places = table.sort_values(["revenue", "channel_name"], ascending=[False, True]).groupby("model").cumcount() + 1
    table["rank"] = places
    base_rows = np.tile(np.flatnonzero(table["model"] == base), len(models))
    table["rank_change"] = table["rank"].to_numpy()[base_rows] - table["rank"].to_numpy()
    again = [
        (
            np.array(conversions.get_indexer(pd.Index(model.cells["conv_id"])), dtype=np.int64),
            models.index(name) * len(channels) + pd.Index(channels).get_indexer(pd.Index(model.cells["channel_name"])),
            model,
        )
        for name, model in (relearned or {}).items()
    ]
    of_conversion = np.stack([np.ones(len(conversions)), revenue.to_numpy(np.float64)])
    drawn = _drawn(
        conversion, pair, np.array(list(amounts.values())), (len(conversions), len(table)), seed, of_conversion, again
    )
    for name, sums in zip(amounts, drawn, strict=True):
        low, high = np.quantile(sums - sums[:, base_rows], INTERVAL, axis=0)
        table[f"{name}_shift"] = table[name].to_numpy() - table[name].to_numpy()[base_rows]
        table[f"{name}_shift_low"], table[f"{name}_shift_high"] = low, high
    table["is_noise"] = (table["orders_shift_low"] <= 0) & (table["orders_shift_high"] >= 0)
    order = {model: place for place, model in enumerate(models)}
    return table.sort_values(["model", "rank"], key=lambda column: column.replace(order), ignore_index=True)


class DrawnCredit(Protocol):
    """The credit of a model for each draw of what it has learned."""

    @property
    def cells(self) -> pd.DataFrame:
        """One row per conversion and channel: conv_id and channel_name."""

    @property
    def draws(self) -> int:
        """How many draws there are."""

    def credit(self, draw: int) -> Floats:
        """The credit of each cell, shape (cells,); it sums to 1 in each conversion."""


Again = Sequence[tuple[Ints, Ints, DrawnCredit]]
"""Of each model that learns again, the conversion and the pair of each of its cells."""


def _drawn(
    conversion: Ints, pair: Ints, amounts: Floats, shape: tuple[int, int], seed: int, of_conversion: Floats, again: Again
) -> Floats:
    """The sums of each amount in each draw of the conversions, shape (amounts, draws, pairs); equal for equal seeds.

    `of_conversion`, shape (amounts, conversions): the amount that is credited.
    """
    from scipy.sparse import csr_array

    by_conversion = [csr_array((values, (conversion, pair)), shape=shape).T for values in amounts]
    rng = np.random.default_rng(seed)
    count, resamples = shape[0], min([RESAMPLES, *(model.draws for _, _, model in again)])
    sums = np.empty((len(amounts), resamples, shape[1]))
    for start in range(0, resamples, batch := max(1, AT_ONCE // max(count, 1))):
        draws = min(batch, resamples - start)
        drawn = rng.integers(count, size=(draws, count)) + np.arange(draws)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count).T.astype(np.float64)
        for amount, values in enumerate(by_conversion):
            sums[amount, start : start + draws] = (values @ times).T
        for in_conversion, in_pair, model in again:
            for draw in range(draws):
                credited = of_conversion[:, in_conversion] * (model.credit(start + draw) * times[in_conversion, draw])
                for amount, values in enumerate(credited):
                    learned = np.bincount(in_pair, values, minlength=shape[1])
                    sums[amount, start + draw, in_pair] = learned[in_pair]
    return sums


def moved_share(orders: pd.DataFrame, base: pd.DataFrame) -> float:
    """The share of the credit that lies with other channels than in `base`: half the sum of the differences of their shares.

    Both have the columns channel_name and orders; NaN where one has no orders.
    """
    shares = [frame.groupby("channel_name")["orders"].sum() / frame["orders"].sum() for frame in (orders, base)]
    if any(share.empty for share in shares):
        return np.nan
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)
