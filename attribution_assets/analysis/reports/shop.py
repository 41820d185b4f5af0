"""The reports of the shop: the funnel, its products and buyers, and what ad platforms claim of campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from attribution_assets.analysis.campaigns import (
    OF_ROWS,
    claims,
    conversion_rates,
    kept_for,
    means,
    reported_days,
    sums,
    total,
    totals_of,
)
from attribution_assets.analysis.funnel import drop_off, figures, figures_by, funnel_days, report_rows
from attribution_assets.analysis.reports.form import Answer, Asked, Column, Page, Report, finality, of_days, stored
from attribution_assets.catalog.funnel import OF_FUNNEL, PRODUCT_FUNNEL
from attribution_assets.catalog.tables import tables_without_sources
from attribution_assets.errors import NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query

Rows = Sequence[Mapping[str, Any]]


# -- funnel ------------------------------------------------------------------------------------------------------------


def steps(settings: Settings, asked: Asked) -> Answer:
    """By step the sessions that reached it, and those that are lost on the way to it; all sessions together."""
    return _of_funnel(settings, asked, lambda days: _steps(settings, days))


def _steps(settings: Settings, days: Days) -> Iterator[dict[str, Any]]:
    of_all = figures(settings.funnel_steps, report_rows(settings, days))
    lost = drop_off(settings.funnel_steps, of_all)
    for row, before in zip(_by_step(settings.funnel_steps, of_all), lost, strict=True):
        yield {**row, "lost": before["sessions"], "share_lost": before["share"]}


def steps_of_channels(settings: Settings, asked: Asked) -> Answer:
    """By channel and step the sessions that reached it."""
    return _steps_by(settings, asked, "channel")


def steps_of_days(settings: Settings, asked: Asked) -> Answer:
    """By day and step the sessions that reached it."""
    return _steps_by(settings, asked, "date")


def products(settings: Settings, asked: Asked) -> Answer:
    """By product the sessions that viewed, added and bought it; what is bought most comes first."""
    if lacking := tables_without_sources(settings).get(PRODUCT_FUNNEL.name):
        raise NotReadyError(f"Products need {' and '.join(lacking)}, which {settings.database} does not have.")
    return _stored_answer(settings, asked, "product_totals")


def buyers(settings: Settings, asked: Asked) -> Answer:
    """By day of the orders the buyers, new and returning, and how long they took."""
    return replace(_stored_answer(settings, asked, "customers_of_days"), basis={"currency": settings.currency})


def _of_funnel(settings: Settings, asked: Asked, rows: Callable[[Days], Iterable[Mapping[str, Any]]]) -> Answer:
    funnel_days(settings, None, None)  # says why there is no funnel, where there is none

    @of_days(*OF_FUNNEL)
    def answer(_: Settings, __: Asked, days: Days) -> Answer:
        return Answer([*rows(days)], days)

    return answer(settings, asked)


def _stored_answer(settings: Settings, asked: Asked, query: str) -> Answer:
    def rows(days: Days) -> Rows:
        return settings.warehouse.rows(Query(query, {"first_day": days.first, "last_day": days.last}))

    return _of_funnel(settings, asked, rows)


def _steps_by(settings: Settings, asked: Asked, name: str) -> Answer:
    def rows(days: Days) -> Iterator[dict[str, Any]]:
        for value, group in figures_by(settings.funnel_steps, report_rows(settings, days), name).items():
            yield from ({name: value, **row} for row in _by_step(settings.funnel_steps, group))

    return _of_funnel(settings, asked, rows)


def _by_step(steps: Sequence[str], group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What `analysis.funnel.figures` gives, a row for each step."""
    for position, step in enumerate(steps, start=1):
        yield {
            "step": step,
            "position": position,
            "sessions": group["sessions"],
            "reached": group["steps"][step],
            "rate": group["rates"][step],
            "level": group["levels"][f"level_{position}"],
        }


# -- campaigns ---------------------------------------------------------------------------------------------------------


def claimed(settings: Settings, asked: Asked) -> Answer:
    """By campaign what platforms claim, and what its sessions are credited with."""
    days = reported_days(settings, asked.start, asked.end)
    found = claims(settings, days)
    if found is None:
        raise NotReadyError(
            f"No platform claims anything in {settings.database}: ad_costs needs the columns conversions and revenue, "
            "session_sources campaign_id."
        )
    rows, provisional_from = found.pop("campaigns"), found.pop("provisional_from")
    summed = ("cost", "claimed_conversions", "credited_orders", "claimed_revenue", "credited_revenue")
    of_all = {"campaign_id": "total", **{name: total(rows, name) for name in summed}}
    return Answer(rows, days, found, **finality(provisional_from), total=of_all) if rows else Answer(rows, days, found)


def customers(settings: Settings, asked: Asked) -> Answer:
    """By customer the revenue, the conversions and their ratio; with notes on the highest and the lowest."""

    def notes(rows: Rows) -> tuple[str, ...]:
        rates = conversion_rates(rows)
        return tuple(
            f"{name.capitalize()}: {rates[name]['customer_id']}, {rates[name]['conversion_rate']:.6f}."
            for name in ("highest", "lowest")
            if rates[name]
        )

    return _of_campaigns(settings, asked, lambda rows: conversion_rates(rows)["customers"], notes)


def status_distribution(settings: Settings, asked: Asked) -> Answer:
    """By status, type and category the sums of the rows."""
    return _of_campaigns(settings, asked, lambda rows: sums(rows, "status", "type", "category"))


def status_totals(settings: Settings, asked: Asked) -> Answer:
    """By status the sums of the rows."""
    return _of_campaigns(settings, asked, lambda rows: sums(rows, "status"))


def category_types(settings: Settings, asked: Asked) -> Answer:
    """By category and type the sums of the rows."""
    return _of_campaigns(settings, asked, lambda rows: sums(rows, "category", "type"))


def filtered(settings: Settings, asked: Asked) -> Answer:
    """By customer the means of the rows with the values that are asked for; of the type CONVERSION, unless of another."""
    kept = kept_for(asked.values)
    of_kept = " and ".join(f"{name} {value}" for name, value in kept.items())
    return _of_campaigns(
        settings, asked, lambda rows: [{**row, **kept} for row in means(rows, kept)], lambda _: (f"Of rows with {of_kept}.",)
    )


def _of_campaigns(
    settings: Settings,
    asked: Asked,
    analysis: Callable[[Rows], Rows],
    notes: Callable[[Rows], tuple[str, ...]] = lambda _: (),
) -> Answer:
    """What an analysis of `analysis.campaigns` makes of the days asked for; of all days, where nobody says which."""
    days = reported_days(settings, asked.start, asked.end)
    rows = totals_of(settings, days)
    return Answer(analysis(rows), days, {"currency": settings.currency}, notes=notes(rows))


STEP = (
    Column("step", "text", "event type that is the step"),
    Column("position", "count", "position of the step, from 1"),
    Column("sessions", "count", "how many sessions there were, whatever they did"),
    Column("reached", "count", "sessions that reached the step"),
    Column("rate", "share", "share of the sessions that reached the step", True),
    Column("level", "count", "sessions that reached the step or a later one", heading="reached it or a later one"),
)

FUNNEL_STEPS = Report(
    "funnel_steps",
    "Funnel",
    "How many sessions reached each step of the shop, and how many are lost on the way to it.",
    (
        *STEP,
        Column("lost", "count", "sessions of the level before that are not of this one", heading="lost before"),
        Column("share_lost", "share", "share of the level before that this is", True),
    ),
    steps,
)

FUNNEL_CHANNELS = Report(
    "funnel_channels",
    "Funnel by channel",
    "How many sessions of each channel reached each step.",
    (stored("funnel_report", "channel", "text"), *STEP),
    steps_of_channels,
    filters=("channel", "step"),
)

FUNNEL_DAYS = Report(
    "funnel_days",
    "Funnel by day",
    "How many sessions reached each step, by the day of their first event.",
    (stored("funnel_report", "date", "day"), *STEP),
    steps_of_days,
    filters=("step",),
)

PRODUCTS = Report(
    "products",
    "Products",
    "In how many sessions each product was viewed, added to the cart and bought.",
    (
        stored("product_funnel", "product_id", "text", heading="product id"),
        stored("product_funnel", "name", "text"),
        Column("viewed", "count", "sessions in which the product was viewed"),
        Column("added", "count", "sessions in which it was added to the cart"),
        Column("bought", "count", "sessions in which it was bought"),
        stored("product_funnel", "conversion", "share"),
    ),
    products,
    filters=("product_id",),
)

CUSTOMERS = Report(
    "customers",
    "Buyers by day",
    "How many buyers were new or came back, and how long they took to order.",
    (
        stored("customer_report", "date", "day"),
        stored("customer_report", "orders", "count"),
        stored("customer_report", "revenue", "amount"),
        stored("customer_report", "buyers", "count"),
        stored("customer_report", "new_buyers", "count"),
        stored("customer_report", "returning_buyers", "count"),
        stored("customer_report", "repeat_rate", "share"),
        stored("customer_report", "orders_with_session", "count"),
        stored("customer_report", "hours_to_order", "number"),
        stored("customer_report", "first_orders_with_session", "count"),
        stored("customer_report", "hours_to_first_order", "number"),
    ),
    buyers,
)

CLAIMS = Report(
    "platform_claims",
    "Claimed against credited",
    "What ad platforms claim that campaigns brought, beside what the campaigns' sessions are credited with by the model ihc.",
    (
        stored("platform_claims", "campaign_id", "text", heading="campaign"),
        stored("platform_claims", "cost", "amount"),
        stored("platform_claims", "claimed_conversions", "number"),
        stored("platform_claims", "credited_orders", "number"),
        stored("platform_claims", "orders_ratio", "number", heading="claimed / credited orders"),
        stored("platform_claims", "claimed_revenue", "amount"),
        stored("platform_claims", "credited_revenue", "amount"),
        stored("platform_claims", "revenue_ratio", "number", heading="claimed / credited revenue"),
    ),
    claimed,
    filters=("campaign_id",),
)

CUSTOMER = Column("customer_id", "text", "whose campaigns these are", heading="customer")
STATUS = Column("status", "text", "status of the campaigns; (none) if there is none")
TYPE = Column("type", "text", "type of the campaigns; (none) if there is none")
CATEGORY = Column("category", "text", "category of what is advertised; (none) if there is none")
REVENUE = Column("revenue", "amount", "revenue that the platform claims; empty if no row has one", True)
CONVERSIONS = Column("conversions", "count", "conversions that it claims; empty if no row has a number", True)
SUMS = (REVENUE, CONVERSIONS, Column("rows", "count", "how many rows of campaign results these are"))

CONVERSION_RATE = Report(
    "campaign_customers",
    "Conversions per unit of revenue",
    "What ad platforms say that the campaigns of each customer brought.",
    (
        CUSTOMER,
        REVENUE,
        CONVERSIONS,
        Column("conversion_rate", "rate", "conversions / revenue; empty if that is undefined", True),
    ),
    customers,
    filters=("customer_id",),
)

STATUS_DISTRIBUTION = Report(
    "campaign_statuses",
    "Status by type and category",
    "What campaigns of each status brought, by their type and what they advertise.",
    (STATUS, TYPE, CATEGORY, *SUMS),
    status_distribution,
    filters=("status", "type", "category"),
)

STATUS_TOTALS = Report(
    "campaign_status_totals",
    "Each status in total",
    "What campaigns of each status brought.",
    (STATUS, *SUMS),
    status_totals,
)

CATEGORY_TYPE_PERFORMANCE = Report(
    "campaign_categories",
    "Category and type",
    "What campaigns of each category and type brought.",
    (CATEGORY, TYPE, *SUMS),
    category_types,
    filters=("category", "type"),
)

FILTERED_AGGREGATION = Report(
    "campaign_means",
    "Means per row",
    "Of each customer the means per row of campaign results, of rows of a type, status or category; of the type CONVERSION, "
    "unless you choose another type.",
    (
        CUSTOMER,
        Column("average_revenue", "amount", "mean revenue of the rows that have one", True),
        Column("average_conversions", "number", "mean conversions of the rows that have a number", True),
        Column("rows", "count", "how many rows these are"),
    ),
    filtered,
    filters=OF_ROWS,
)

FUNNEL_PAGE = Page(
    "funnel", "Funnel", "Where does the shop lose visitors?", (FUNNEL_STEPS, FUNNEL_CHANNELS, FUNNEL_DAYS, PRODUCTS, CUSTOMERS)
)

CAMPAIGNS_PAGE = Page(
    "campaigns",
    "Campaigns",
    "What do ad platforms claim, and what is it worth?",
    (CLAIMS, CONVERSION_RATE, STATUS_DISTRIBUTION, STATUS_TOTALS, CATEGORY_TYPE_PERFORMANCE, FILTERED_AGGREGATION),
)
