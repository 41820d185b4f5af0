"""The checks that several tables share."""

from __future__ import annotations

from attribution_assets.catalog.table import Check

CONVERSIONS_ARE_SOUND = Check(
    "conversions_are_sound",
    "broken_conversions",
    before=True,
    blocking=True,
    demand="Every conversion of the days has an id, a user, a date, a time and a revenue that can be read.",
    noun="conversion",
    broken="of {conversion_days} cannot be attributed or valued.",
)
SESSIONS_ARE_SOUND = Check(
    "sessions_are_sound",
    "broken_sessions",
    before=True,
    blocking=True,
    demand="Every session of the days has an id, a channel, a date, a time and flags of 0 or 1; its cost is a number.",
    noun="row",
    broken="of session_sources or session_costs, read for {days}, cannot be attributed or reported.",
)
ROWS_HAVE_A_DAY = Check(
    "rows_have_a_day",
    "check_rows_have_a_day",
    before=True,
    blocking=False,
    demand="Every session and every conversion has a date that is a day since 1970, written YYYY-MM-DD.",
    noun="form",
    broken=(
        "of dates kept rows out of every report, most of them {rows:,} of {source} (amount {amount:,.2f}): {date_form}, such "
        "as {examples}. {remedy}"
    ),
)
MONEY_IS_NOT_NEGATIVE = Check(
    "money_is_not_negative",
    "check_money_is_not_negative",
    before=True,
    blocking=False,
    demand="No revenue and no cost is negative.",
    noun="negative amount",
    broken="found in the sources of {conversion_days}: refunds, or mistakes.",
)


def _of_foreign_credit(name: str, demand: str, noun: str, broken: str) -> Check:
    return Check(name, "check_foreign_credit", before=False, blocking=True, demand=demand, noun=noun, broken=broken)


OF_FOREIGN_CREDIT = (
    _of_foreign_credit("credit_is_a_share", "Every credit is a number from 0 to 1.", "credit", "is no number from 0 to 1."),
    _of_foreign_credit(
        "credit_sums_to_one", "The credit of every conversion sums to 1.", "conversion", "got credit that does not sum to 1."
    ),
    _of_foreign_credit(
        "touchpoints_stand_once", "A session is credited once for a conversion.", "touchpoint", "stands there more than once."
    ),
    _of_foreign_credit(
        "conversions_are_known", "Every conversion is in conversions.", "conversion", "is not in the table conversions."
    ),
    _of_foreign_credit(
        "sessions_are_known", "Every session is in session_sources.", "touchpoint", "is no session in session_sources."
    ),
    _of_foreign_credit(
        "sessions_are_the_buyers", "Every session is one of the buyer.", "touchpoint", "is a session of another user."
    ),
    _of_foreign_credit(
        "sessions_are_not_after_the_conversion", "No session is after its conversion.", "touchpoint", "is after its conversion."
    ),
)
"""The demands on credit that others have computed, each named as in sql/check_foreign_credit.sql."""
