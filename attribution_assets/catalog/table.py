"""What a daily table, a source and a check are: the forms of the catalog's entries, and what follows from one entry alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from attribution_assets.settings import Settings
from attribution_assets.warehouse.schema import Column, schema

Kind = Literal["conversion", "session"]
"""Whose date a day is. A conversion of day C reaches back to sessions of the days C - lookback to C."""

Parameters = Mapping[str, str | int | float]
"""The values of a query's named parameters."""


@dataclass(frozen=True)
class Source:
    """A table that the user fills; the pipeline reads it and never writes it.

    `sql/digest_<name>.sql` gives a digest of each day's rows.
    """

    name: str
    day_of: Kind
    description: str
    day_column: str = ""
    """The column that holds the day; none, where another table's row gives it."""
    has_times: bool = False
    """That column holds the time as well: 2023-09-01 10:00:00."""
    optional: bool = False
    """Without it, the tables that need it are not in the graph."""


@dataclass(frozen=True)
class Check:
    """A demand on a table's days: `query` of sql/ answers with one row per offending `noun`.

    `broken` ends the sentence "3 <noun>s ..."; it may name parameters of the query, `days`, `conversion_days` and columns of
    the rows. A row whose column `not_yet` is 1 breaks no demand: more days would meet it, or nothing can. `not_yet` is the
    whole sentence about the first of these. `before`: a demand on the sources, looked at before the table is written.
    `blocking`: if it fails, the run stops. `wrong_day_columns`: the rows' columns that name the days that the check refuses,
    if it does. `driven_by` and `lookups_per_row` as in a Query.
    """

    name: str
    query: str
    before: bool
    blocking: bool
    demand: str
    noun: str
    broken: str
    not_yet: str = ""
    wrong_day_columns: tuple[str, ...] = ()
    driven_by: str = ""
    lookups_per_row: float = 1


@dataclass(frozen=True)
class Job:
    """What one Dagster run over a range of days materializes, on its own or as part of `attribution run`."""

    name: str
    description: str
    part: Part = "attribution"
    """What it is part of: each part has sources of its own and can be run alone."""


Part = Literal["attribution", "funnel", "campaigns"]

ATTRIBUTE = Job("attribute_conversions", "Attributes the conversions of the days: journeys, IHC results, shares.")
SUM = Job("sum_costs", "Sums the costs of the days' sessions by channel.")
REPORT = Job("report_channels", "Rebuilds the channel report of the days, as a table and as CSV files.")
RECONCILE = Job("reconcile_sources", "Holds the tracking against the shop's backend, and ad spend against the sessions.")
FUNNEL = Job("build_funnel", "Follows the sessions of the days through the steps of the shop, and counts buyers.", "funnel")
CAMPAIGNS = Job("report_campaigns", "Sums up what the ad platforms say that campaigns brought on the days.", "campaigns")
JOBS = (ATTRIBUTE, SUM, REPORT, RECONCILE, FUNNEL, CAMPAIGNS)
"""In the order in which `attribution run` runs them."""


def _no_parameters(_: Settings) -> Parameters:
    return {}


@dataclass(frozen=True)
class Choice:
    """A choice of the user's, as it is written into the environment, and whether settings have it."""

    written: str
    is_made: Callable[[Settings], bool]
    needs: Callable[[Settings], frozenset[str]] = lambda _: frozenset()
    """What it needs of the sources, as `DailyTable.needs`."""


WITH_MODELS = Choice("ATTRIBUTION_MODELS", lambda settings: bool(settings.models))


@dataclass(frozen=True)
class DailyTable:
    """One entry of the catalog: a table with a partition for each day, as `sql/challenge_db_create.sql` declares its columns.

    Its rows are those of `sql/<name>.sql`, or, with `is_python`, those of a function of its name in assets/. What the UI shows
    beside a day is the day's row of `sql/shown_<name>.sql`, if there is such a file.
    """

    name: str
    job: Job
    """The run that makes it."""
    group: str
    """The group in the UI."""
    heading: str
    """Its column in `attribution status`."""
    day_of: Kind
    day_column: str
    description: str
    """One row per what, whose date a day is, restated when. Settings in braces are replaced by their values."""
    lineage: Mapping[str, str]
    """By column, the columns that it is computed from: "table.column table.column"."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """By source, what it takes from it, as in "revenue of 2023-09-01 changed"; what matters most comes first."""
    follows: tuple[str, ...] = ()
    """The daily tables after which it is restated, where they are in the graph."""
    also_reads: tuple[str, ...] = ()
    """Daily tables that are restated together with one that it follows, where they are in the graph."""
    checks: tuple[Check, ...] = ()
    is_python: bool = False
    only_with: Choice | None = None
    """The choice without which it is not in the graph."""
    needs: frozenset[str] = frozenset()
    """The optional sources, `table` or `table.column`, without which it is not in the graph."""
    is_sparse: bool = False
    """Most days have no row of it, so its computed days are those of the other tables of its job."""
    reaches_any_day: bool = False
    """Source rows of any day can change it, so the search for late data looks at its rows, and not at the sources' days."""
    is_kept: bool = False
    """A day stays as it was computed, even if its inputs change."""
    missing_days: str = ""
    """The file of sql/ that lists the days that should have rows but have none. Tables that follow it compute them first."""
    csv_of: str = ""
    """It is written as CSV files, with the columns of this table and `more_columns`."""
    more_columns: tuple[Column, ...] = ()
    is_for_spreadsheets: bool = False
    """Text in its CSV files is written so that no spreadsheet takes it for a formula, unless ATTRIBUTION_CSV_ESCAPE is off."""
    guards: tuple[str, ...] = ()
    driven_by: str = ""
    lookups_per_row: float = 1
    is_lenient: bool = False
    """As in a Query."""
    parameters: Callable[[Settings], Parameters] = _no_parameters
    """The parameters of its query, guards and checks, besides its days, the lookback and the converting session."""
    settings_hash: Callable[[Settings], str] = Settings.fingerprint
    """The hash beside its days: days with the same hash were computed by the same rules."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order."""
        return (*schema()[self.csv_of or self.name].columns, *self.more_columns)

    @property
    def of_models(self) -> bool:
        """Whether it is there for the models that the user chose."""
        return self.only_with is WITH_MODELS

    @property
    def is_compared(self) -> bool:
        """Whether the search for late data covers it: it reads sources with SQL, so its present rows can be computed."""
        return bool(self.reads) and not self.is_python and not self.is_kept
