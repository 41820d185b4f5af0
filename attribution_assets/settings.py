"""Settings: every choice the user has, and the only place that reads the environment."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path} begins with the home of an unknown user") from error


FolderOrFile = Annotated[Path, AfterValidator(_absolute)]


class Settings(BaseSettings):
    """From keyword arguments, else the environment, else a `.env` file in the current folder, else the defaults.

    Relative paths start at the current folder. An empty environment variable counts as unset.
    """

    model_config = SettingsConfigDict(
        env_prefix="ATTRIBUTION_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    database: FolderOrFile = Field(
        Path("data/attribution.db"), description="The SQLite file with your sources; the results are written into it."
    )
    exports: FolderOrFile = Field(Path("data/exports"), description="The folder of the CSV files.")
    lookback_days: int = Field(
        90, ge=0, le=3650, description="How many days before the conversion's date a session may lie and still count."
    )
    include_converting_session: bool = Field(False, description="Whether a session at the conversion's very second counts.")
    start_date: date | None = Field(
        None, description="The first day; unset, the earliest session or conversion in the database."
    )
    end_date: date | None = Field(None, description="The last day; unset, yesterday (UTC).")
    ihc_parameters: str = Field(
        "challenge",
        validation_alias="IHC_PARAMETERS",
        description="The IHC model's parameters: `challenge`, `alternative`, or a JSON file.",
    )
    dagster_home: FolderOrFile = Field(
        Path(".dagster_home"),
        validation_alias="DAGSTER_HOME",
        description="Where Dagster keeps its history of runs; made if it does not exist.",
    )

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"ATTRIBUTION_START_DATE {self.start_date} is later than ATTRIBUTION_END_DATE {self.end_date}")
        return self
