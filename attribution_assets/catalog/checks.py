"""What must hold of sources and results: each check is a file of sql/ whose rows are what offends. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass

MOST_WITHOUT_SESSION = 0.1
"""The share of conversions without a session that is still normal.

Refused cookies, ad blockers and orders by phone cost a shop a few percent. More than one in ten says that something is missing
altogether: a load of sessions, their history, or user ids that the two tables share.
"""


@dataclass(frozen=True)
class Check:
    """A demand on an asset's days: `query` of sql/ answers with one row per offending `noun`.

    `broken` ends the sentence "3 <noun>s ..."; it may name parameters of the query, `days`, `conversion_days` and columns of
    the rows. `before`: a demand on the sources, looked at before the asset is written. `blocking`: if it fails, the run stops.
    `days`: the rows' columns that name the days that the check refuses, if it does. `looks_up_for` as in a Query.
    """

    asset: str
    name: str
    query: str
    before: bool
    blocking: bool
    demand: str
    noun: str
    broken: str
    days: tuple[str, ...] = ()
    looks_up_for: str = ""


def _conversions_are_sound(asset: str) -> Check:
    return Check(
        asset,
        "conversions_are_sound",
        "broken_conversions",
        before=True,
        blocking=True,
        demand="Every conversion has an id, a user, a date, a time and a revenue that can be read.",
        noun="conversion",
        broken="of {conversion_days} cannot be attributed or valued.",
    )


def _sessions_are_sound(asset: str) -> Check:
    return Check(
        asset,
        "sessions_are_sound",
        "broken_sessions",
        before=True,
        blocking=True,
        demand="Every session has an id, a channel, a date, a time and flags of 0 or 1; its cost is a number.",
        noun="row",
        broken="of session_sources or session_costs, read for {days}, cannot be attributed or reported.",
    )


def _money_is_not_negative(asset: str) -> Check:
    return Check(
        asset,
        "money_is_not_negative",
        "check_money_is_not_negative",
        before=True,
        blocking=False,
        demand="No revenue and no cost is negative.",
        noun="negative amount",
        broken="stood in the sources of {conversion_days}: refunds, or a mistake.",
    )


JOURNEYS = "customer_journeys WHERE conv_date BETWEEN $first_day AND $last_day"

CHECKS = (
    _conversions_are_sound("customer_journeys"),
    _sessions_are_sound("customer_journeys"),
    Check(
        "customer_journeys",
        "buyers_have_sessions",
        "check_buyers_have_sessions",
        before=True,
        blocking=False,
        demand="Every conversion is of a user who has a session.",
        noun="conversion",
        broken="of {conversion_days} came from users without any session.",
    ),
    Check(
        "customer_journeys",
        "lookback_is_covered",
        "check_lookback_is_covered",
        before=True,
        blocking=False,
        demand="Every day that a conversion reaches back to has a session.",
        noun="gap",
        broken="without any session lay in reach of conversions of {conversion_days}: journeys may lack their beginning.",
    ),
    _money_is_not_negative("customer_journeys"),
    Check(
        "customer_journeys",
        "touchpoints_are_in_reach",
        "check_touchpoints_are_in_reach",
        before=False,
        blocking=True,
        demand="Every touchpoint is a session of the conversion's user, before it and within the lookback.",
        noun="touchpoint",
        broken="of {days} broke the rule: a session of the conversion's user, before it and within the lookback.",
        days=("conv_date",),
        looks_up_for=JOURNEYS,
    ),
    Check(
        "customer_journeys",
        "conversions_stand_once",
        "check_conversions_stand_once",
        before=False,
        blocking=True,
        demand="Every conversion stands under its own day alone, with each session once.",
        noun="conversion",
        broken="of {days} stood under a wrong day, or held a session twice.",
        days=("first_stands_on", "last_stands_on"),
        looks_up_for=JOURNEYS,
    ),
    Check(
        "customer_journeys",
        "conversions_have_sessions",
        "check_conversions_have_sessions",
        before=False,
        blocking=False,
        demand=f"No more than {MOST_WITHOUT_SESSION:.0%} of the conversions are without a session.",
        noun="conversion",
        broken=(
            f"of {{days}} had no session, more than {MOST_WITHOUT_SESSION:.0%} of all; "
            "no channel gets their revenue of {revenue_of_all:,.2f}."
        ),
    ),
    Check(
        "attribution_customer_journey",
        "credit_adds_up",
        "check_credit_adds_up",
        before=False,
        blocking=True,
        demand="The credit of every conversion sums to 1.",
        noun="conversion",
        broken="of {days} got credit that does not sum to 1.",
        days=("conv_date",),
    ),
    Check(
        "attribution_customer_journey",
        "credit_follows_journeys",
        "check_credit_follows_journeys",
        before=False,
        blocking=True,
        demand="Exactly the sessions of each journey have credit.",
        noun="touchpoint",
        broken="of {days} lacked credit, or had credit without standing in the journey.",
        days=("conv_date",),
        looks_up_for=JOURNEYS,
    ),
    Check(
        "attribution_customer_journey",
        "credit_has_a_report",
        "check_credit_has_a_report",
        before=False,
        blocking=False,
        demand="All credit falls on days that have a report.",
        noun="touchpoint",
        broken="of {days} got credit on a day before {first_partition}, the first day of the report: no channel shows it.",
    ),
    _sessions_are_sound("channel_costs"),
    _money_is_not_negative("channel_costs"),
    Check(
        "channel_costs",
        "costs_add_up",
        "check_costs_add_up",
        before=False,
        blocking=True,
        demand="Sessions and costs of every day equal those of the sources.",
        noun="day",
        broken="of {days} had other sessions or costs than the sources add up to.",
        days=("date",),
        looks_up_for="session_sources WHERE event_date BETWEEN $first_day AND $last_day",
    ),
    _conversions_are_sound("channel_reporting"),
    Check(
        "channel_reporting",
        "report_adds_up",
        "check_report_adds_up",
        before=False,
        blocking=True,
        demand="Cost, orders and revenue of every channel and day equal those of channel_costs, credits and conversions.",
        noun="figure",
        broken="of the report of {days} differed from what it is made of.",
        days=("date",),
    ),
)
"""Every check of the report and of what leads to it, in the order in which a run comes to it."""

MODEL_CHECKS = (
    Check(
        "model_attribution",
        "model_credit_adds_up",
        "check_model_credit_adds_up",
        before=False,
        blocking=True,
        demand="Under every model the credit of every conversion sums to 1, over exactly the sessions of its journey.",
        noun="credit",
        broken="of a conversion of {days} did not sum to 1 under a model, or were not those of its journey.",
        days=("conv_date",),
        looks_up_for="model_attribution WHERE conv_date BETWEEN $first_day AND $last_day",
    ),
    _conversions_are_sound("model_reporting"),
    Check(
        "model_reporting",
        "model_report_adds_up",
        "check_model_report_adds_up",
        before=False,
        blocking=True,
        demand=(
            "Under every model and on both date bases, orders and revenue are those of the attributed conversions, and cost is "
            "the sessions'."
        ),
        noun="figure",
        broken="of the report by models of {days} differed from what it is made of.",
        days=("date",),
        looks_up_for="model_attribution WHERE conv_date BETWEEN $first_day AND $last_conversion_day",
    ),
)
"""The checks of what other models say, where there are any."""


def checks_of(asset: str, *, before: bool) -> list[Check]:
    """The asset's checks that are looked at before it is written, or those after."""
    return [check for check in CHECKS + MODEL_CHECKS if check.asset == asset and check.before == before]
