"""The summary of a run: the report of its days by channel, by which model it is, what is not final, and who gets no credit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attribution_assets.catalog.span import final_on, first_day, last_day
from attribution_assets.catalog.tables import has_spend
from attribution_assets.ihc.parameters import PRESETS, SELF_TRAINED
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.csv_files import CSVFiles
from attribution_assets.warehouse.days import shift

if TYPE_CHECKING:
    from attribution_assets.analysis.plan import Plan, RunPlan

ANOTHER_COMPANY, YOUR_JOURNEYS = "another company's journeys", "your journeys"

WITHOUT_ANSWERS = f"{YOUR_JOURNEYS}, by a rule that is not the service's"


def basis(settings: Settings, conversion_days: Days) -> dict[str, str | None]:
    """What the credit of these days' conversions was computed by, and in which currency amounts are, ready for JSON.

    It is read from ihc_results: the settings may have changed since. `model`; `parameters`: a preset, a file with a hash of its
    content, or the conv_type_id of the IHC API; `computed_by`: `embedded` or `api`; `learned_from`: whose journeys they were
    learned from; `currency`. Days of several parameters give them all, separated by commas; days without a result, None.
    """
    days = {"first_day": conversion_days.first, "last_day": conversion_days.last}
    of_days = settings.warehouse.rows(Query("ihc_parameters", days))
    computed = sorted({(row["computed_by"], row["parameters"]) for row in of_days})
    return {
        "model": "ihc",
        "parameters": ", ".join(parameters for _, parameters in computed) or None,
        "computed_by": ", ".join(dict.fromkeys(backend for backend, _ in computed)) or None,
        "learned_from": ", ".join(sorted({_learned_from(*by) for by in computed})) or None,
        "currency": settings.currency,
    }


def _learned_from(computed_by: str, parameters: str) -> str:
    if computed_by == "embedded" and parameters.split(" + ")[0] in PRESETS:
        return ANOTHER_COMPANY
    return WITHOUT_ANSWERS if parameters.startswith(SELF_TRAINED) else YOUR_JOURNEYS


def totals(channels: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Cost, orders and revenue of all channels, and CPO and ROAS twice.

    `CPO` and `ROAS` are blended: over all channels, paid or not. `paid_CPO` and `paid_ROAS` are those of the channels that cost
    something, alone. All are None where they are undefined.
    """
    paid = [row for row in channels if row["cost"]]
    cost, orders, revenue = (sum((row[name] for row in channels), 0.0) for name in ("cost", "orders", "revenue"))
    paid_orders, paid_revenue = (sum((row[name] for row in paid), 0.0) for name in ("orders", "revenue"))
    return {
        "cost": cost,
        "orders": orders,
        "revenue": revenue,
        "CPO": cost / orders if orders else None,
        "ROAS": revenue / cost if cost else None,
        "paid_CPO": cost / paid_orders if paid_orders else None,
        "paid_ROAS": paid_revenue / cost if cost else None,
    }


def provisional_days(settings: Settings, days: Days) -> Days | None:
    """The report days that later conversions can still change, which are the last ones; None if all are final."""
    first = max(days.first, shift(last_day(settings), 1 - settings.lookback_days))
    return Days(first, days.last) if first <= days.last else None


def summary(settings: Settings, plan: RunPlan) -> dict[str, Any]:
    """What a run has done, ready for JSON: its `groups`, its days, what is `left_out` for lack of sources, and notes.

    With the group attribution, what `_of_attribution` gives, with the days of its conversions.
    """
    days = plan.attribution.conversion_days if plan.attribution else plan.days
    return {
        "groups": list(plan.parts),
        "left_out": [{"group": part, "lacks": list(lacking)} for part, lacking in plan.without.items()],
        "start": days.first,
        "end": days.last,
        **(_of_attribution(settings, plan.attribution) if plan.attribution else {}),
        "notes": list(plan.notes),
    }


def _of_attribution(settings: Settings, plan: Plan) -> dict[str, Any]:
    """The report days by channel and in total.

    With them: by what credit is computed, the ad spend in the costs (None without a source of it), the provisional days, the
    conversions credited to no channel, the CSV file's path.
    """
    warehouse = settings.warehouse
    conversion_days = {"first_day": plan.conversion_days.first, "last_day": plan.conversion_days.last}
    report_days = {"first_day": plan.report_days.first, "last_day": plan.report_days.last}
    [without_session] = warehouse.rows(Query("conversions_without_session", conversion_days))
    reach: dict[str, str | int] = {"first_partition": first_day(settings), "lookback_days": settings.lookback_days}
    of_backend = settings.conversions == "backend"
    only_tracked = warehouse.rows(Query("only_tracked", conversion_days))[0] if of_backend else None
    [before_first_day] = warehouse.rows(Query("credit_before_first_day", {**conversion_days, **reach}))
    channels = warehouse.rows(Query("channel_totals", report_days))
    provisional = provisional_days(settings, plan.report_days)
    return {
        **basis(settings, Days(plan.report_days.first, plan.conversion_days.last)),
        "report_start": plan.report_days.first,
        "report_end": plan.report_days.last,
        "provisional_from": provisional.first if provisional else None,
        "final_on": final_on(settings, plan.report_days.last),
        "channels": channels,
        "totals": totals(channels),
        "ad_spend": warehouse.rows(Query("spend_totals", report_days))[0] if has_spend(settings) else None,
        "conversions_without_session": without_session,
        "only_tracked": only_tracked,
        "credit_before_first_day": before_first_day,
        "csv": str(CSVFiles(settings.exports, "channel_reporting").whole),
        "report_csv": str(CSVFiles(settings.exports, "channel_report").whole),
    }
