"""Why rows are not written under a range of days: one sentence for each reason, whatever stores the table."""

from __future__ import annotations

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.schema import Table


def outside(table: Table, day_column: str, day: object, days: Days) -> AttributionError:
    """A row belongs to another day."""
    return AttributionError(
        f"A row for {table.name} has {day_column} {day!r}, outside the run's days ({days}). Return rows of the run's days only."
    )


def twice(table: Table, key: object, days: Days | str) -> AttributionError:
    """Two rows have the same key."""
    return AttributionError(
        f"Two rows for {table.name} of {days} have the same {', '.join(table.key)}: {key}. Look for duplicates in the sources."
    )


def mistyped(table: Table, day: object) -> AttributionError:
    """A value has another type than its column."""
    types = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return AttributionError(f"The rows for {table.name} of {day} contain values that do not have the declared types ({types}).")


def missing(table: Table, days: Days | str, why: str) -> AttributionError:
    """A column that has to have a value has none."""
    return AttributionError(
        f"The rows for {table.name} of {days} were not written: {why}. Find out why the rows have no value there."
    )
