"""The tables of the group funnel: how sessions move through the steps of the shop, and who buys."""

from __future__ import annotations

import json

from attribution_assets.catalog.table import FUNNEL, Check, DailyTable, Parameters
from attribution_assets.settings import Settings

OF_SESSIONS = "session_funnel WHERE date BETWEEN $first_day AND $last_day"
"""The rows for which reports look up others."""


def _parameters(settings: Settings) -> Parameters:
    has_orders = "conversions" in settings.present or settings.conversions == "backend"
    return {
        "steps": json.dumps(settings.funnel_steps),
        "first_step": settings.funnel_steps[0],
        "last_step": settings.funnel_steps[-1],
        "is_ordered": int(settings.funnel_order == "ordered"),
        "orders_of": "conversions" if has_orders else "events",
    }


EVENTS_ARE_SOUND = Check(
    "events_are_sound",
    "broken_events",
    before=True,
    blocking=True,
    demand="Every event of the days has a session, a type, and a time written YYYY-MM-DD HH:MM:SS.",
    noun="event",
    broken="read for {days} belonged to no session, step or day.",
)

SESSION_FUNNEL = DailyTable(
    "session_funnel",
    job=FUNNEL,
    group="funnel",
    heading="steps",
    day_of="session",
    day_column="date",
    description=(
        "One row per session with an event: the steps ({funnel_steps}) that it reached, its first and last event, and the "
        "orders that were placed in it. A session counts once, whatever the order of its events, and a step counts "
        "{funnel_order}.\n\n"
        "A day is the date of the session's first event; its other events may be of later days. Restated when its events, its "
        "orders or its channel change."
    ),
    lineage={
        "date": "events.created_at",
        "session_id": "events.session_id",
        "user_id": "events.user_id",
        "channel": "session_sources.channel_name",
        "steps": "events.event_type",
        "furthest": "events.event_type",
        "first_event": "events.created_at",
        "last_event": "events.created_at",
        "orders": "events.order_id",
        "revenue": "conversions.revenue",
    },
    needs=frozenset({"events"}),
    reads={"events": "events", "conversions": "orders", "session_sources": "channels"},
    reaches_any_day=True,
    guards=("broken_events", "broken_orders"),
    parameters=_parameters,
    settings_hash=Settings.funnel_fingerprint,
    checks=(
        EVENTS_ARE_SOUND,
        Check(
            "event_types_are_steps",
            "check_event_types_are_steps",
            before=True,
            blocking=False,
            demand="Every type of event is a step of the funnel.",
            noun="type",
            broken=(
                "of events of {days} found to be no step, most often {event_type!r} ({events:,} times). If it should be "
                "one, name it in ATTRIBUTION_FUNNEL_STEPS."
            ),
        ),
        Check(
            "checkouts_have_an_order",
            "check_checkouts_have_an_order",
            before=True,
            blocking=False,
            demand="Every event of the last step names an order, and conversions has it.",
            noun="event",
            broken="of the last step on {days} had no order, such as {event_id}, which {problem}.",
        ),
        Check(
            "orders_have_a_checkout",
            "check_orders_have_a_checkout",
            before=True,
            blocking=False,
            demand="Every conversion has an event of the last step.",
            noun="conversion",
            broken="of {days} had no event of the last step, such as {conv_id} of {conv_date} (revenue {revenue}).",
        ),
        Check(
            "sessions_are_whole",
            "check_sessions_are_whole",
            before=False,
            blocking=True,
            demand="Every session counts once, on the day of its first event, and every order once.",
            noun="day",
            broken="of {days} had other sessions, orders or revenue than the events.",
            wrong_day_columns=("date",),
        ),
    ),
)

FUNNEL_REPORT = DailyTable(
    "funnel_report",
    job=FUNNEL,
    group="funnel",
    heading="funnel",
    day_of="session",
    day_column="date",
    description=(
        "One row per day, channel and step of the funnel ({funnel_steps}): the sessions, those that reached the step, those "
        "that reached it or a later one (the level), and how many are lost before it.\n\n"
        "A day is the date of the sessions' first events. Restated when session_funnel changes."
    ),
    lineage={
        "date": "session_funnel.date",
        "channel": "session_funnel.channel",
        "step": "session_funnel.steps",
        "position": "session_funnel.steps",
        "sessions": "session_funnel.session_id",
        "reached": "session_funnel.steps",
        "level": "session_funnel.furthest",
        "rate": "session_funnel.steps",
        "level_rate": "session_funnel.furthest",
        "drop_off": "session_funnel.furthest",
    },
    needs=frozenset({"events"}),
    follows=("session_funnel",),
    driven_by=OF_SESSIONS,
    lookups_per_row=0.5,
    parameters=_parameters,
    settings_hash=Settings.funnel_fingerprint,
    checks=(
        Check(
            "funnel_adds_up",
            "check_funnel_adds_up",
            before=False,
            blocking=True,
            demand="The sessions of every day, step and level are those of session_funnel.",
            noun="step",
            broken="on a day of {days} had other sessions than session_funnel.",
            wrong_day_columns=("date",),
        ),
        Check(
            "steps_follow_each_other",
            "check_steps_follow_each_other",
            before=False,
            blocking=False,
            demand="No step is reached by more sessions than the step before.",
            noun="step",
            broken=(
                "on a day of {days} was reached by more sessions than the step before, such as {step} on {date}: {reached:,} "
                "after {reached_before:,}. The tracking may miss events of the step before."
            ),
        ),
    ),
)

PRODUCT_FUNNEL = DailyTable(
    "product_funnel",
    job=FUNNEL,
    group="funnel",
    heading="products",
    day_of="session",
    day_column="date",
    description=(
        "One row per day and product: the sessions that viewed it, added it to the cart and bought it. A view is an event of "
        "the first step, a purchase an event of the last step whose order has the product.\n\n"
        "A day is the date of the sessions' first events. Restated when their events, or what their orders have, change."
    ),
    lineage={
        "date": "session_funnel.date",
        "product_id": "events.product_id order_items.product_id",
        "name": "products.name",
        "viewed": "events.product_id",
        "added": "events.product_id",
        "bought": "order_items.product_id",
        "conversion": "events.product_id order_items.product_id",
    },
    needs=frozenset({"events.product_id", "events.order_id", "order_items"}),
    follows=("session_funnel",),
    reads={"events": "events", "order_items": "what orders have", "products": "names of products"},
    reaches_any_day=True,
    driven_by=OF_SESSIONS,
    lookups_per_row=4,
    parameters=_parameters,
    settings_hash=Settings.funnel_fingerprint,
    checks=(
        Check(
            "products_add_up",
            "check_products_add_up",
            before=False,
            blocking=True,
            demand="Views and purchases of every day are those of its events and orders.",
            noun="day",
            broken="of {days} had other views or purchases than the events and orders.",
            driven_by=OF_SESSIONS,
            wrong_day_columns=("date",),
        ),
    ),
)

CUSTOMER_REPORT = DailyTable(
    "customer_report",
    job=FUNNEL,
    group="funnel",
    heading="customers",
    day_of="conversion",
    day_column="date",
    description=(
        "One row per day with an order: new and returning buyers, and the hours from a buyer's first session to the order. A "
        "buyer is new without an order of an earlier day in the database.\n\n"
        "A day is the date of the orders. Restated when the day's orders, or earlier orders or sessions of its buyers, change."
    ),
    lineage={
        "date": "conversions.conv_date",
        "orders": "conversions.conv_id",
        "revenue": "conversions.revenue",
        "buyers": "conversions.user_id",
        "new_buyers": "conversions.user_id",
        "returning_buyers": "conversions.user_id",
        "repeat_rate": "conversions.user_id",
        "orders_with_session": "events.user_id session_sources.user_id",
        "hours_to_order": "events.created_at session_sources.event_date session_sources.event_time",
        "first_orders_with_session": "events.user_id session_sources.user_id",
        "hours_to_first_order": "events.created_at session_sources.event_date session_sources.event_time",
    },
    needs=frozenset({"events"}),
    reads={"conversions": "orders", "events": "events", "session_sources": "sessions"},
    reaches_any_day=True,
    guards=("broken_events", "broken_orders"),
    parameters=_parameters,
    settings_hash=Settings.funnel_fingerprint,
    checks=(
        Check(
            "buyers_add_up",
            "check_buyers_add_up",
            before=False,
            blocking=True,
            demand="Orders and revenue of every day are those of the sources, and every buyer is new or returning.",
            noun="day",
            broken="of {days} had other orders or revenue than the sources, or buyers that are neither new nor returning.",
            wrong_day_columns=("date",),
        ),
    ),
)

OF_FUNNEL = (SESSION_FUNNEL, FUNNEL_REPORT, PRODUCT_FUNNEL, CUSTOMER_REPORT)
