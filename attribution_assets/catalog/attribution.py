"""The tables of the group attribution: journeys, IHC results, shares. A day is the date of the conversions."""

from __future__ import annotations

from attribution_assets.catalog.checks import (
    CONVERSIONS_ARE_SOUND,
    MONEY_IS_NOT_NEGATIVE,
    ROWS_HAVE_A_DAY,
    SESSIONS_ARE_SOUND,
)
from attribution_assets.catalog.table import ATTRIBUTE, Check, Choice, DailyTable, Parameters
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets.settings import Settings

FEWEST_TOUCHPOINTS = 30
"""Of fewer touchpoints, flags that are all 0 say nothing."""

MOST_WITHOUT_SESSION = 0.1
"""The share of conversions without a session that is still normal.

Refused cookies, ad blockers and orders by phone cost a shop a few percent. More than one in ten says that something is missing
altogether: a load of sessions, their history, or user ids that the two tables share.
"""

MOST_TOUCHPOINTS, MOST_OF_ALL = 10_000, 0.1
"""How many touchpoints one user can have, and which share of all, before the id looks like a placeholder."""

JOURNEYS = "customer_journeys WHERE conv_date BETWEEN $first_day AND $last_day"
"""The rows for which the checks of journeys look up other rows."""

IN_ORDER = 0.25
"""What the lookup of a row costs where those of one conversion lie beside each other, compared with one anywhere."""

IHC_READS = ("timestamp", "channel_label", "holder_engagement", "closer_engagement")
"""The columns of customer_journeys that the IHC model reads."""


def _journey_parameters(_: Settings) -> Parameters:
    return {
        "most_without_session": MOST_WITHOUT_SESSION,
        "fewest_touchpoints": FEWEST_TOUCHPOINTS,
        "most_touchpoints": MOST_TOUCHPOINTS,
        "most_of_all": MOST_OF_ALL,
    }


NO_USER_IS_A_PLACEHOLDER = Check(
    "no_user_is_a_placeholder",
    "check_no_user_is_a_placeholder",
    before=True,
    blocking=False,
    demand=f"No user has more than {MOST_OF_ALL:.0%} of all touchpoints, if these are more than {MOST_TOUCHPOINTS:,}.",
    noun="user",
    broken=(
        f"had more than {MOST_OF_ALL:.0%} of all touchpoints of {{days}}: {{user_id!r}} has {{sessions:,}} sessions for "
        "{conversions:,} conversions. If the id stands for whoever is unknown, name it in ATTRIBUTION_NOBODY."
    ),
)

CUSTOMER_JOURNEYS = DailyTable(
    "customer_journeys",
    job=ATTRIBUTE,
    group="attribution",
    heading="journeys",
    day_of="conversion",
    day_column="conv_date",
    description=(
        "One row per conversion and session of the same user before it, at most {lookback_days} days back: the touchpoints "
        "of the order. An order without such a session has no row; each day shows how many there are and what they are "
        "worth.\n\n"
        "A day is the date of the conversions. Restated when the day's conversions or their users' sessions change."
    ),
    lineage={
        "conv_id": "conversions.conv_id",
        "session_id": "session_sources.session_id",
        "conv_date": "conversions.conv_date",
        "timestamp": "session_sources.event_date session_sources.event_time",
        "channel_label": "session_sources.channel_name",
        "holder_engagement": "session_sources.holder_engagement",
        "closer_engagement": "session_sources.closer_engagement",
        "conversion": "session_sources.event_date session_sources.event_time",
        "impression_interaction": "session_sources.impression_interaction",
    },
    reads={"conversions": "conversions", "session_sources": "sessions"},
    guards=("broken_conversions", "broken_sessions"),
    driven_by="conversions WHERE conv_date BETWEEN $first_day AND $last_day",
    lookups_per_row=5,
    parameters=_journey_parameters,
    checks=(
        CONVERSIONS_ARE_SOUND,
        SESSIONS_ARE_SOUND,
        ROWS_HAVE_A_DAY,
        NO_USER_IS_A_PLACEHOLDER,
        Check(
            "buyers_have_sessions",
            "check_buyers_have_sessions",
            before=True,
            blocking=False,
            demand="Every user with a conversion has a session.",
            noun="conversion",
            broken="of {conversion_days} came from users without any session.",
        ),
        Check(
            "lookback_is_covered",
            "check_lookback_is_covered",
            before=True,
            blocking=False,
            demand="Every day in the lookback of a conversion has a session.",
            noun="gap",
            broken="without any session lay in the lookback of conversions of {conversion_days}: journeys may be cut off.",
            not_yet=(
                "There is no session up to {to_day}, so the lookback of {conversions:,} of the conversions of "
                "{conversion_days} is not covered yet: either the shop was not open before, or its earlier sessions were not "
                "loaded."
            ),
        ),
        MONEY_IS_NOT_NEGATIVE,
        Check(
            "days_are_usual",
            "check_days_are_usual",
            before=True,
            blocking=False,
            demand="No day has unusually many or few conversions, compared with the others and the four weeks before.",
            noun="day",
            broken=(
                "of {days} had unusually many or few conversions, such as {date} with {conversions:,}. Usual were {least:,.0f} "
                "to {most:,.0f}."
            ),
        ),
        Check(
            "touchpoints_are_in_reach",
            "check_touchpoints_are_in_reach",
            before=False,
            blocking=True,
            demand="Every touchpoint is a session of the conversion's user, before the conversion and within the lookback.",
            noun="touchpoint",
            broken=(
                "of {days} broke the rule that a touchpoint is a session of the conversion's user, before the conversion and "
                "within the lookback."
            ),
            wrong_day_columns=("conv_date",),
            driven_by=JOURNEYS,
            lookups_per_row=3,
        ),
        Check(
            "conversions_stand_once",
            "check_conversions_stand_once",
            before=False,
            blocking=True,
            demand="Every conversion is stored under its own day only, with each session once.",
            noun="conversion",
            broken="of {days} had rows under a wrong day, or had a session twice.",
            wrong_day_columns=("first_stands_on", "last_stands_on"),
            driven_by=JOURNEYS,
            lookups_per_row=IN_ORDER,
        ),
        Check(
            "conversions_have_sessions",
            "check_conversions_have_sessions",
            before=False,
            blocking=False,
            demand=f"At most {MOST_WITHOUT_SESSION:.0%} of the conversions have no session.",
            noun="conversion",
            broken=(
                f"of {{days}} had no session, more than {MOST_WITHOUT_SESSION:.0%} of all. "
                "No channel gets their revenue of {revenue_of_all:,.2f}."
            ),
        ),
        Check(
            "engagement_is_known",
            "check_engagement_is_known",
            before=False,
            blocking=False,
            demand="Some sessions of the journeys are engaged, by both flags.",
            noun="engagement flag",
            broken=(
                "found to be 0 in all {touchpoints:,} touchpoints of {days}, such as {flag}. So sessions in the middle of a "
                "journey get little credit. If you cannot tell which sessions are engaged, store 1."
            ),
        ),
    ),
)

IHC_RESULTS = DailyTable(
    "ihc_results",
    job=ATTRIBUTE,
    group="attribution",
    heading="IHC",
    day_of="conversion",
    day_column="conv_date",
    description=(
        "One row per conversion and session of its journey: how much the session did to start the journey (initializer), keep "
        "it going (holder) and close it (closer), from 0 to 1, and the weighted combination of the three (ihc). Each row names "
        "the model and the parameters that computed it.\n\n"
        "A day is the date of the conversions. Restated when its journeys or the model change."
    ),
    lineage={
        **{column: f"customer_journeys.{column}" for column in ("conv_id", "session_id", "conv_date")},
        **dict.fromkeys(OUTPUTS, " ".join(f"customer_journeys.{column}" for column in IHC_READS)),
        "backend": "",
        "parameters": "",
    },
    follows=("customer_journeys",),
    is_python=True,
)

ATTRIBUTION_CUSTOMER_JOURNEY = DailyTable(
    "attribution_customer_journey",
    job=ATTRIBUTE,
    group="attribution",
    heading="attribution",
    day_of="conversion",
    day_column="conv_date",
    description=(
        "One row per conversion and session of its journey: the session's share of the order. The shares of an order sum to "
        "exactly 1, so no order is lost or counted twice.\n\n"
        "A day is the date of the conversions. Restated when ihc_results changes."
    ),
    lineage={
        **{column: f"ihc_results.{column}" for column in ("conv_id", "session_id", "conv_date")},
        "ihc": "ihc_results.ihc",
    },
    follows=("ihc_results",),
    driven_by="ihc_results WHERE conv_date BETWEEN $first_day AND $last_day",
    lookups_per_row=IN_ORDER,
    checks=(
        Check(
            "credit_adds_up",
            "check_credit_adds_up",
            before=False,
            blocking=True,
            demand="The credit of every conversion sums to 1.",
            noun="conversion",
            broken="of {days} got credit that does not sum to 1.",
            wrong_day_columns=("conv_date",),
        ),
        Check(
            "credit_follows_journeys",
            "check_credit_follows_journeys",
            before=False,
            blocking=True,
            demand="Every session of a journey has credit, and no other session does.",
            noun="touchpoint",
            broken="of {days} had no credit, or had credit without being in the journey.",
            wrong_day_columns=("conv_date",),
            driven_by=JOURNEYS,
            lookups_per_row=IN_ORDER,
        ),
        Check(
            "credit_has_a_report",
            "check_credit_has_a_report",
            before=False,
            blocking=False,
            demand="All credit falls on days that have a report.",
            noun="touchpoint",
            broken="of {days} got credit on a day before {first_partition}, the first day of the report. No channel shows it.",
        ),
    ),
)

UNCREDITED_CONVERSION = DailyTable(
    "uncredited_conversion",
    job=ATTRIBUTE,
    group="attribution",
    heading="uncredited",
    day_of="conversion",
    day_column="conv_date",
    description=(
        "One row per conversion of the shop's backend that no session can be credited with: `Not tracked`, if the tracking "
        "never saw it, or `No session`, if it saw no session in reach. The report has both as channels, so that its revenue is "
        "the shop's. In the graph with ATTRIBUTION_CONVERSIONS=backend.\n\n"
        "A day is the date of the conversions. Restated when the day's conversions or journeys change."
    ),
    lineage={
        "conv_id": "conversions.conv_id",
        "conv_date": "conversions.conv_date",
        "channel_name": "conversions.user_id customer_journeys.conv_id",
        "revenue": "conversions.revenue",
    },
    reads={"conversions": "conversions"},
    follows=("customer_journeys",),
    guards=("broken_conversions",),
    needs=frozenset({"conversions_backend"}),
    is_sparse=True,
    only_with=Choice("ATTRIBUTION_CONVERSIONS=backend", lambda settings: settings.conversions == "backend"),
    checks=(
        Check(
            "conversions_count_once",
            "check_conversions_count_once",
            before=False,
            blocking=True,
            demand="Every conversion of the backend has a journey or stands here, and not both, with its revenue.",
            noun="conversion",
            broken="of {days} did not count exactly once, or counted with another revenue.",
        ),
    ),
)

ATTRIBUTION = (CUSTOMER_JOURNEYS, IHC_RESULTS, ATTRIBUTION_CUSTOMER_JOURNEY, UNCREDITED_CONVERSION)
