"""What commands share: options, settings, errors in one line, JSON and CSV files."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attribution_assets.errors import AttributionError

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.settings import Settings


class Day(click.ParamType[str]):
    """An option that is a day, as text in ISO format."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The day. Anything else fails with one line."""
        try:
            return datetime.strptime(value, "%Y-%m-%d").date().isoformat()
        except ValueError:
            self.fail(f"{value!r} is not a date. Write it as YYYY-MM-DD, for example 2023-09-30.", param, ctx)


DAY = Day()
DATABASE = click.option(
    "--database",
    type=click.Path(),
    help="SQLite file, folder of a lake, or postgresql://… [default: ATTRIBUTION_DATABASE or data/attribution.db]",
)


@contextmanager
def imports() -> Iterator[None]:
    """For a block that imports what a command needs: the garbage collector leaves that alone from now on, as it all stays.

    Else it would look through Dagster and pandas again and again, for a sixth of a small run's time. A process does so once,
    because later there can be garbage among what stays.
    """
    if "dagster" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def plain_errors() -> Iterator[None]:
    """AttributionError becomes one line and exit code 1."""
    try:
        yield
    except AttributionError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def settings_with(**options: Any) -> Settings:
    """Settings from the environment, with the options given on the command line before it."""
    from attribution_assets.settings import read_settings

    return read_settings(**{name: value for name, value in options.items() if value is not None})


def print_json(value: Any) -> None:
    """Prints the value as JSON, letters as they are, and every key in snake_case."""
    click.echo(json.dumps(_in_snake_case(value), ensure_ascii=False, allow_nan=False, indent=2))


def _in_snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_snake_case(item) for item in value]
    if isinstance(value, dict):
        return {key.lower().replace(" ", "_"): _in_snake_case(item) for key, item in value.items()}
    return value


def write_csv(frame: pd.DataFrame, file: Path, settings: Settings) -> None:
    """Writes the frame as a CSV file for spreadsheets. Raises AttributionError where it cannot be written."""
    from attribution_assets.warehouse.csv_files import for_spreadsheets, line

    rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False)
    shown = for_spreadsheets(rows) if settings.csv_escape else rows
    try:
        file.write_text("".join(map(line, [list(frame.columns), *shown])), encoding="utf-8", newline="")
    except OSError as error:
        raise AttributionError(f"{file} cannot be written: {error.strerror}. Choose another file with --csv.") from error
