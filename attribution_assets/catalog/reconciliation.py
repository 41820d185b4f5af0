"""The tables of the group reconciliation: what the tracking and the ad platforms say, held against what is true."""

from __future__ import annotations

from attribution_assets.catalog.table import RECONCILE, Check, DailyTable

MOST_UNTRACKED = 0.02
"""The share of the backend's conversions that may differ in the tracking before a check warns."""

MOST_SPEND_APART = 0.05
"""The share of the spend by which the sessions' cost may differ from it before a check warns."""

CONVERSION_RECONCILIATION = DailyTable(
    "conversion_reconciliation",
    job=RECONCILE,
    group="reconciliation",
    heading="backend",
    day_of="conversion",
    day_column="date",
    description=(
        "One row per date and market: the conversions that the tracking saw, held against those of the shop's backend. Each id "
        "counts once, under the date and market of the backend; an id that was only tracked, under those of the tracking. Of "
        "several tracked rows of an id, the one with the backend's user speaks for it.\n\n"
        "A day is the date of the conversions. Restated when the day's conversions change in the backend or in the tracking."
    ),
    lineage={
        "date": "conversions_backend.conv_date conversions.conv_date",
        "market": "conversions_backend.market conversions.market",
        "tracked": "conversions.conv_id",
        "backend": "conversions_backend.conv_id",
        "missing": "conversions_backend.conv_id conversions.conv_id",
        "only_tracked": "conversions_backend.conv_id conversions.conv_id",
        "tracked_twice": "conversions.conv_id",
        "other_revenue": "conversions_backend.revenue conversions.revenue",
        "other_user": "conversions_backend.user_id conversions.user_id",
        "other_date": "conversions_backend.conv_date conversions.conv_date",
        "tracked_revenue": "conversions.revenue",
        "backend_revenue": "conversions_backend.revenue",
        "match_rate": "conversions_backend.conv_id conversions.conv_id",
    },
    needs=frozenset({"conversions", "conversions_backend"}),
    reads={"conversions_backend": "what the backend or the tracking says", "conversions": "conversions"},
    guards=("broken_backend",),
    is_lenient=True,
    checks=(
        Check(
            "tracking_matches_the_backend",
            "check_tracking_matches_the_backend",
            before=False,
            blocking=False,
            demand=f"At most {MOST_UNTRACKED:.0%} of the backend's conversions are missing or different in the tracking.",
            noun="conversion",
            broken=(
                f"of {{days}} did not agree, more than {MOST_UNTRACKED:.0%} of the {{backend_conversions:,}} in the backend, "
                "such as {conv_id}, which {problem}."
            ),
        ),
    ),
    parameters=lambda _: {"most_untracked": MOST_UNTRACKED},
)

SPEND_RECONCILIATION = DailyTable(
    "spend_reconciliation",
    job=RECONCILE,
    group="reconciliation",
    heading="spend",
    day_of="session",
    day_column="date",
    description=(
        "One row per day and campaign: what the ad platform charged and the clicks that it counted, held against the "
        "campaign's sessions and what these cost.\n\n"
        "A day is the day of the spend and of the sessions. Restated when the day's spend, sessions or costs change."
    ),
    lineage={
        "date": "ad_costs.date session_sources.event_date",
        "campaign_id": "ad_costs.campaign_id session_sources.campaign_id",
        "cost": "ad_costs.cost",
        "clicks": "ad_costs.clicks",
        "sessions": "session_sources.session_id",
        "session_cost": "session_costs.cost",
    },
    needs=frozenset({"ad_costs", "session_sources.campaign_id"}),
    reads={"ad_costs": "spend", "session_sources": "campaigns of sessions", "session_costs": "costs"},
    guards=("broken_spend",),
    is_lenient=True,
    checks=(
        Check(
            "campaigns_with_spend_have_sessions",
            "check_campaigns_with_spend_have_sessions",
            before=False,
            blocking=False,
            demand=(
                "Every campaign with spend has sessions, and what these cost is the spend, give or take "
                f"{MOST_SPEND_APART:.0%}."
            ),
            noun="campaign",
            broken=(
                "of {days} did not agree with the ad platform, such as {campaign_id}: {problem}, and the platform charged "
                "{cost:,.2f}."
            ),
        ),
    ),
    parameters=lambda _: {"most_spend_apart": MOST_SPEND_APART},
)

RECONCILIATION = (CONVERSION_RECONCILIATION, SPEND_RECONCILIATION)
