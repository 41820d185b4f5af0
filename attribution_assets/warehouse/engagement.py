"""Engagement flags where a source has none: what they follow from, in the dialect of SQLite and DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

FLAGS = ("holder_engagement", "closer_engagement", "impression_interaction")
"""The columns of session_sources that are 0 or 1."""

RULE = "engagement_rule"
"""The column that says what a session's flags follow from; NULL where the source has them."""

ACTIVITY = ("page_views", "duration")
"""The columns that holder_engagement follows from."""

BY_ACTIVITY, BY_HOLDER, BY_DEFAULT = "page_views and duration", "holder_engagement", "default"
"""The values of RULE."""

NOTHING = "CAST(NULL AS text)"
"""The expression of RULE where the source has the flags."""


PAGES, SECONDS = 2, 10
"""A session is engaged, as in Google Analytics 4, if it has so many pages, or takes more seconds than these."""


def in_words(rule: str, sessions: int) -> str:
    """The sentence that says what the flags of so many sessions follow from."""
    if rule == BY_DEFAULT:
        return f"Engagement flags: {sessions:,} sessions have none, so each of them counts as engaged (default)."
    if rule == BY_HOLDER:
        return f"Engagement flags: closer_engagement of {sessions:,} sessions is their holder_engagement (default)."
    return (
        f"Engagement flags: those of {sessions:,} sessions follow from {rule}. {PAGES} pages, or more than {SECONDS} seconds, "
        "count as engaged."
    )


def derived(columns: Mapping[str, str]) -> dict[str, str]:
    """The expression of each flag that a source does not have, and of RULE, by the expressions of its columns.

    A session of which neither pages nor seconds are known counts as engaged. What comes close to a purchase differs from shop
    to shop, so closer_engagement is then as holder_engagement: with 0 everywhere, sessions in the middle of a journey would
    get little credit.
    """
    pages, seconds = (columns.get(name, "NULL") for name in ACTIVITY)
    is_unknown = f"{pages} IS NULL AND {seconds} IS NULL"
    engaged = f"CASE WHEN {pages} >= {PAGES} OR {seconds} > {SECONDS} OR {is_unknown} THEN 1 ELSE 0 END"
    by = f"CASE WHEN {is_unknown} THEN '{BY_DEFAULT}' ELSE '{BY_ACTIVITY}' END"
    if "holder_engagement" in columns:
        by = NOTHING if "closer_engagement" in columns else f"'{BY_HOLDER}'"
    flags = {
        "holder_engagement": engaged,
        "closer_engagement": columns.get("holder_engagement", engaged),
        "impression_interaction": "0",
    }
    derived = {name: flag for name, flag in flags.items() if name not in columns}
    return derived if by == NOTHING and RULE in columns else {**derived, RULE: by}
