"""Settings: every choice the user has, and the only place that reads the environment."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from attribution_assets.errors import AttributionError
from attribution_assets.formats import DIRECT_CHANNELS
from attribution_assets.ihc import IHCParameters, Redistribution
from attribution_assets.ihc.chosen import parameters_in_use
from attribution_assets.ihc.endpoint import ENDPOINT, endpoint
from attribution_assets.models import MODELS, ModelRules, PathRules, PositionShares, read_channel_groups
from attribution_assets.warehouse import Location, Warehouse
from attribution_assets.warehouse.duckdb.compute import Compute
from attribution_assets.warehouse.duckdb.servers import Server
from attribution_assets.warehouse.opening import warehouse_at
from attribution_assets.warehouse.urls import CLUSTER, URL, is_server
from attribution_assets.warehouse.views import Reading

ENV_FILE = ".env"
"""Where settings are read from that the environment does not have, in the current folder."""

PREFIXES = ("ATTRIBUTION_", "IHC_")
"""How the names of our variables begin."""

OWN_KEY = re.compile(r"(IHC_API_KEY|ATTRIBUTION_SOURCES|ATTRIBUTION_DATABASE|ATTRIBUTION_SPARK)_[0-9A-F]{8}")
"""The variables in which `definitions` hands a secret that is not in the environment to the runs."""

NO_STEPS, MOST_STEPS = ("channel", "date", "sessions"), 10
"""What stands beside the steps in reports, and how many steps there can be."""

logger = logging.getLogger(__name__)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path} starts with the home folder of an unknown user") from error


def _location(given: object) -> Location:
    try:
        return Location.of(given if isinstance(given, Location) else str(given))
    except AttributionError as error:
        raise ValueError(str(error)) from error


def _spark(cluster: SecretStr) -> SecretStr:
    if not CLUSTER.fullmatch(cluster.get_secret_value()):
        raise ValueError("no cluster of Spark is called so. Write sc://HOST:15002, with /;NAME=VALUE for each parameter")
    return cluster


def _sources(place: SecretStr) -> SecretStr:
    text = place.get_secret_value()
    if not is_server(text):
        if url := URL.match(text):
            raise ValueError(
                f"sources cannot be read at {url[1]}://.... Name a folder, an SQLite file, postgresql:// or mysql://"
            )
        return SecretStr(str(_absolute(Path(text))))
    try:
        Server(text)
    except AttributionError as error:
        raise ValueError(str(error)) from None
    return place


FolderOrFile = Annotated[Path, AfterValidator(_absolute)]


def _listed(value: object) -> object:
    """Names between commas; names that have commas themselves, as a JSON array."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [name.strip() for name in value.split(",")]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


def _known_models(names: tuple[str, ...]) -> tuple[str, ...]:
    if names == ("all",):
        return MODELS
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise ValueError(f"there is no model {unknown[0]!r}: choose from {', '.join(MODELS)}, or all")
    return tuple(model for model in MODELS if model in names)


def breakdown_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, each once: they become SQL. Raises ValueError for what is not the name of a column."""
    for name in names:
        if not re.fullmatch(r"(conversions\.)?[A-Za-z_]\w*", name, re.ASCII):
            raise ValueError(f"{name!r} is not the name of a column. Write market, or conversions.market")
    return tuple(dict.fromkeys(names))


def _steps(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not name.strip() or "," in name or name in NO_STEPS or re.fullmatch(r"level_\d+", name):
            raise ValueError(f"{name!r} cannot be a step: reports have a column of that name, or it is empty or has a comma")
    if not names or len({*names}) < len(names) or len(names) > MOST_STEPS:
        raise ValueError(f"name one to {MOST_STEPS} steps, each once")
    return names


def _summing_to_one(shares: tuple[float, ...]) -> tuple[float, ...]:
    if len(shares) not in (3, 4) or min(shares) < 0 or not abs(sum(shares) - 1) <= 1e-9:  # not `>`: of NaN too
        raise ValueError(
            "write three shares that sum to 1, for the first session, the others and the last (0.4,0.2,0.4), "
            "or four, for the first, the middle, the last and the others (0.3,0.3,0.3,0.1)"
        )
    return shares


def _sendable(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("the key contains a space, a line break or a character that is not ASCII; copy it again")
    return key


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone. Give a name such as Europe/Berlin or UTC")
    return name


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]


def _url(text: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    """The parts of the URL. Raises ValueError with the form alone: the URL may be a secret."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # whose own message has the URL
        is_one = False
    if not is_one or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"write it as {form}")
    return parts


def _webhook(url: SecretStr) -> SecretStr:
    _url(url.get_secret_value(), ("http", "https"), "https://host/path")
    return url


def _mail_server(url: SecretStr) -> SecretStr:
    form = "smtp://USER:PASSWORD@HOST:587, smtps://USER:PASSWORD@HOST:465, or without USER:PASSWORD@"
    parts = _url(url.get_secret_value(), ("smtp", "smtps"), form)
    if bool(parts.username) != bool(parts.password) or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"write it as {form}, with special characters of the password percent-encoded")
    return url


def _web_url(url: str) -> str:
    form = "https://host or https://host:port"
    parts = _url(url, ("http", "https"), form)
    if parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"write it as {form}")
    return url.rstrip("/")


def _address(address: str) -> str:
    if not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", address, re.ASCII) or not address.isascii():
        raise ValueError(f"{address!r} is not an e-mail address. Write name@host")
    return address


def _addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_address, addresses)))


class Settings(BaseSettings):
    """From keyword arguments, else the environment, else a `.env` file in the current folder, else the defaults.

    Relative paths start at the current folder. An empty environment variable counts as unset.
    """

    model_config = SettingsConfigDict(
        env_prefix="ATTRIBUTION_",
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",  # some editors begin a file with a mark
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # the input holds the key
    )

    database: Annotated[Location, NoDecode, BeforeValidator(_location)] = Field(
        Location(Path("data/attribution.db")),
        description=(
            "SQLite file with your source tables, the folder of a lake, with a slash at its end or as `s3://BUCKET/FOLDER`, or "
            "`postgresql://USER:PASSWORD@HOST/DATABASE?schema=attribution`. Results are written to the same place. A password "
            "is never shown."
        ),
    )
    lake_keep_days: int = Field(
        7, ge=1, le=3650, description="For how many days a lake keeps the files of earlier versions of its tables."
    )
    sources: Annotated[SecretStr, AfterValidator(_sources)] | None = Field(
        None,
        description=(
            "Where the sources of a lake lie, if not in it: a folder with Delta tables, Parquet or CSV files, an SQLite file, "
            "`postgresql://USER:PASSWORD@HOST/DATABASE` or `mysql://...`. They are read there. It is never shown."
        ),
    )
    exports: FolderOrFile = Field(Path("data/exports"), description="Folder for the CSV files.")
    lookback_days: int = Field(
        90, ge=0, le=3650, description="How many days before the conversion's date a session can be and still count."
    )
    include_converting_session: bool = Field(
        False, description="Whether a session at the exact second of the conversion counts."
    )
    nobody: Names = Field(
        (),
        description=(
            "User ids that are nobody, such as the placeholder of a tracker: their sessions cost and are never credited, and "
            "their conversions count as without a session."
        ),
    )
    start_date: date | None = Field(
        None, description="First day. If unset, the date of the earliest session or conversion in the database."
    )
    end_date: date | None = Field(None, description="Last day. If unset, yesterday (UTC).")
    compute: Compute | Literal["spark"] = Field(
        "auto",
        description=(
            "Which engine runs the large queries of an SQLite file: `sqlite`, `duckdb`, or `auto`, which uses DuckDB where it "
            "is faster. `spark` runs the queries of a lake on a cluster. All give the same results."
        ),
    )
    spark: Annotated[SecretStr, AfterValidator(_spark)] | None = Field(
        None,
        description=(
            "The Spark cluster that computes where ATTRIBUTION_COMPUTE is `spark`: `sc://HOST:15002` with the parameters of "
            "Spark Connect, such as `/;use_ssl=true;token=...`. They are never shown."
        ),
    )
    ihc_parameters: str | None = Field(
        None,
        validation_alias="IHC_PARAMETERS",
        description=(
            "Parameters of the embedded IHC model: `challenge` or `alternative`, both of another company, or a JSON file. If "
            "unset, those that `attribution ihc use` has chosen for the database, else `challenge`."
        ),
    )
    restate_parameters: bool = Field(
        False,
        description=(
            "Whether days that were computed with other parameters of the embedded IHC model are computed again automatically. "
            "If not, they stay as they are until you run them, and `attribution status` calls them stale."
        ),
    )
    ihc_backend: Literal["api", "embedded"] | None = Field(
        None,
        validation_alias="IHC_BACKEND",
        description=(
            "Where IHC is computed: `api`, by the paid service, or `embedded`, by the model in this package. If unset, `api` "
            "if there is a key."
        ),
    )
    ihc_api_key: Annotated[SecretStr, AfterValidator(_sendable)] | None = Field(
        None,
        validation_alias="IHC_API_KEY",
        description="Your key for the IHC API. It is sent to the service and never shown.",
    )
    ihc_api_url: Annotated[str, AfterValidator(endpoint)] = Field(
        ENDPOINT, validation_alias="IHC_API_URL", description="URL of the IHC API. If it has no path, the API's path is added."
    )
    ihc_conv_type_id: str | None = Field(
        None,
        validation_alias="IHC_CONV_TYPE_ID",
        description="The API's name for the parameters that were trained on your journeys. The API requires it.",
    )
    ihc_max_journeys: int = Field(
        100, ge=1, validation_alias="IHC_MAX_JOURNEYS", description="Maximum number of journeys per request."
    )
    ihc_max_sessions: int = Field(
        3000,
        ge=1,
        validation_alias="IHC_MAX_SESSIONS",
        description="Maximum number of sessions per request. Set it to 200 for a free test account.",
    )
    ihc_long_journeys: Literal["latest", "fail"] = Field(
        "latest",
        validation_alias="IHC_LONG_JOURNEYS",
        description=(
            "What to do with a journey that does not fit in one request: `latest` sends its last sessions and gives the others "
            "0; `fail` leaves it without an answer."
        ),
    )
    ihc_concurrency: int = Field(
        4, ge=1, le=100, validation_alias="IHC_CONCURRENCY", description="Number of requests in flight at once."
    )
    ihc_timeout: float = Field(
        60,
        gt=0,
        le=3600,
        validation_alias="IHC_TIMEOUT",
        description="Seconds without a response after which a request is retried.",
    )
    ihc_redistribution: FolderOrFile | None = Field(
        None,
        validation_alias="IHC_REDISTRIBUTION",
        description="JSON file that moves the credit of some channels to others, with the API and the embedded model alike.",
    )
    ihc_on_partial: Literal["fail", "embedded"] = Field(
        "fail",
        validation_alias="IHC_ON_PARTIAL",
        description=(
            "What to do about conversions that the API leaves without an answer: `fail` the run, or fill the gaps with the "
            "`embedded` model."
        ),
    )
    ihc_ledger: FolderOrFile = Field(
        Path("data/ihc_ledger.db"),
        validation_alias="IHC_LEDGER",
        description="SQLite file that keeps every answer of the API, so that none is paid for twice.",
    )
    models: Annotated[Names, AfterValidator(_known_models)] = Field(
        (),
        description="Attribution models to report in addition to channel_reporting: comma-separated, or `all`. If unset, none.",
    )
    training_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="How many days, up to and including the day itself, Markov and Shapley learn the value of channels from.",
    )
    position_shares: Annotated[tuple[float, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_summing_to_one)] = Field(
        (0.4, 0.2, 0.4),
        description=(
            "Position-based: the shares of the first session, the others together, and the last; or, with four shares, of the "
            "first, the middle one, the last, and the others together."
        ),
    )
    half_life_hours: float = Field(
        168, gt=0, allow_inf_nan=False, description="Time decay: the half-life of a session's credit, in hours."
    )
    markov_order: int = Field(1, ge=1, le=10, description="Markov: how many of the last channels determine the next one.")
    markov_non_converting: bool = Field(True, description="Markov: whether to count journeys without a conversion.")
    direct_channels: Names = Field(
        DIRECT_CHANNELS,
        description=(
            "Channels that are direct traffic, for last_non_direct_touch and ATTRIBUTION_DROP_DIRECT. If unset, also in other "
            "letters (`direct`) and as Google Analytics names them (`(direct) / (none)`)."
        ),
    )
    channel_groups: FolderOrFile | None = Field(
        None, description="CSV file (channel_name,channel_group) that merges channels into groups for the models."
    )
    exclude_channels: Names = Field((), description="Channels that the models ignore, unless a journey has no others.")
    drop_direct: bool = Field(False, description="Whether the models ignore direct sessions, unless a journey has no others.")
    collapse_minutes: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="The models merge consecutive sessions of a channel, at most this many minutes apart, into the first.",
    )
    last_sessions: int | None = Field(
        None, ge=1, description="How many of a journey's latest sessions the models use. If unset, all."
    )
    conversions: Literal["tracked", "backend"] = Field(
        "tracked",
        description=(
            "Whose conversions count: `tracked`, those of the tracking, or `backend`, those of the shop's backend "
            "(conversions_backend), with the user and the time of the tracking."
        ),
    )
    breakdowns: Annotated[Names, AfterValidator(breakdown_columns)] = Field(
        (),
        description=(
            "Columns by which breakdown_reporting breaks every channel down: comma-separated columns of session_sources, such "
            "as `campaign_id,market`, or of conversions, such as `conversions.market`. If unset, there is no such table."
        ),
    )
    funnel_steps: Annotated[Names, AfterValidator(_steps)] = Field(
        ("page_view", "add_to_cart", "checkout"),
        description=(
            "Event types that are the steps of the funnel, in order. The first is a view of a page or product, the last one "
            "names the order."
        ),
    )
    funnel_order: Literal["any", "ordered"] = Field(
        "any",
        description=(
            "When a session has reached a step: with an event of its type (`any`), or with one that is not before the event "
            "that reached the step before (`ordered`)."
        ),
    )
    spend_wins: Literal["platform", "session"] = Field(
        "platform",
        description=(
            "Which cost counts where a campaign has ad spend on a day and its sessions have costs of their own: `platform` "
            "reports the spend and leaves these out; `session` keeps them and adds only what the spend is more."
        ),
    )
    seed: int = Field(0, ge=0, description="Random seed; change it to get different samples.")
    currency: str = Field(
        "EUR", pattern="^[A-Z]{3}$", description="Currency of every cost and revenue in your tables, by its ISO 4217 code."
    )
    schedule_hour: int = Field(1, ge=0, le=23, description="Hour at which the schedule `yesterday` runs.")
    schedule_time_zone: TimeZone = Field("UTC", description="Time zone of that hour, such as `Europe/Berlin`.")
    csv_escape: bool = Field(
        True,
        description=(
            "Whether channel_report.csv and the files of `--csv` have an apostrophe before text that a spreadsheet would take "
            "for a formula: text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return."
        ),
    )
    campaign_file: FolderOrFile | None = Field(
        None,
        description=(
            "File with campaign results that the web application imports at `/worker/process-data`. If unset, it imports none."
        ),
    )
    web_database: FolderOrFile = Field(
        Path("data/web.db"),
        description="SQLite file of the web application: its accounts, sessions, runs and cache. It is created if need be.",
    )
    web_public: bool = Field(False, description="Whether the web application shows reports to people who have not logged in.")
    web_url: Annotated[str, AfterValidator(_web_url)] | None = Field(
        None, description="URL at which people reach the web application, such as `https://attribution.example.com`, for links."
    )
    alert_url: Annotated[SecretStr, AfterValidator(_webhook)] | None = Field(
        None,
        description=(
            'Webhook that is told of failed runs and of stale days, as Slack expects it (`{"text": ...}`). Who knows the URL '
            "can post, so it is never shown."
        ),
    )
    alert_email: Annotated[Names, AfterValidator(_addresses)] = Field(
        (), description="E-mail addresses that are told the same, comma-separated. Needs ATTRIBUTION_SMTP_URL."
    )
    alert_sender: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description=(
            "Sender of these e-mails. If unset, the user of ATTRIBUTION_SMTP_URL if it is an address, else `attribution@` and "
            "the machine's name."
        ),
    )
    alert_stale_hours: float = Field(
        24, gt=0, allow_inf_nan=False, description="How many hours a day can be stale before an alert says so."
    )
    smtp_url: Annotated[SecretStr, AfterValidator(_mail_server)] | None = Field(
        None,
        description=(
            "Mail server: `smtp://USER:PASSWORD@HOST:587`, encrypted where the server offers it, or "
            "`smtps://USER:PASSWORD@HOST:465`, with special characters of the password percent-encoded. It is never shown."
        ),
    )
    dagster_home: FolderOrFile | None = Field(
        None,
        validation_alias="DAGSTER_HOME",
        description=(
            "Folder where Dagster keeps the history of the database. It is created if it does not exist. If unset, each "
            "database has a folder of its own in `.dagster_home`."
        ),
    )

    _snapshot: Warehouse | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where settings are read from. Logs a warning for each variable that has a prefix of ours and is no setting."""
        for source, place in ((env_settings, "the environment"), (dotenv_settings, ENV_FILE)):
            if isinstance(source, EnvSettingsSource):
                for name in map(str.upper, source.env_vars):
                    if name.startswith(PREFIXES) and name not in variables() and not OWN_KEY.fullmatch(name):
                        _say_once(f"{name} in {place} is not a setting, so it is ignored. {_meant(name)}")
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @property
    def warehouse(self) -> Warehouse:
        """The database."""
        return self._snapshot or warehouse_at(
            self.database,
            compute=self.compute,
            reading=self.reading,
            keep_days=self.lake_keep_days,
            sources=self.sources_at,
            spark=self.spark_at,
        )

    @property
    def sources_at(self) -> str:
        """Where the sources of a lake lie, which may have a password; empty if in the lake."""
        return self.sources.get_secret_value() if self.sources else ""

    @property
    def spark_at(self) -> str:
        """The cluster of Spark, whose URL may have a token; empty where none is named."""
        return self.spark.get_secret_value() if self.spark else ""

    @contextmanager
    def at_one_state(self, busy_timeout: float = 5) -> Iterator[Self]:
        """The same settings with the database as it is now, to read alone; see `Warehouse.at_one_state`.

        `busy_timeout`: how many seconds to wait where another process has locked the file.
        """
        with replace(self.warehouse, busy_timeout=busy_timeout).at_one_state() as snapshot:
            settings = self.model_copy()
            settings.__dict__.pop("present", None)
            settings._snapshot = snapshot
            yield settings

    @property
    def reading(self) -> Reading:
        """How the sources are read."""
        return Reading(self.conversions, self.currency, self.breakdowns)

    @cached_property
    def present(self) -> frozenset[str]:
        """The source tables in the database and their columns, `table` and `table.column`, as they are when first asked for."""
        sources = self.warehouse.sources()
        return frozenset(sources).union(f"{table}.{column}" for table, columns in sources.items() for column in columns)

    @property
    def uses_api(self) -> bool:
        """Whether the paid service computes IHC."""
        return self.ihc_backend == "api" or (self.ihc_backend is None and self.ihc_api_key is not None)

    @property
    def parameters_in_use(self) -> IHCParameters:
        """The parameters of the embedded IHC model, as they are now: see `ihc.chosen`."""
        return parameters_in_use(self.ihc_parameters, self.warehouse)

    @property
    def redistribution_in_use(self) -> Redistribution | None:
        """The redistribution of IHC, if there is one. Raises AttributionError where its file cannot be read."""
        return Redistribution.load(self.ihc_redistribution) if self.ihc_redistribution else None

    def fingerprint(self) -> str:
        """A short hash of all that determines results: days that share it were computed by the same rules.

        The key, paths and what only determines when and how are no part of it. Raises AttributionError where a file of
        parameters cannot be read.
        """
        redistribution = self.redistribution_in_use
        rules: dict[str, Any] = {
            "lookback_days": self.lookback_days,
            "include_converting_session": self.include_converting_session,
            "redistribution": redistribution.name if redistribution else None,
            **self._nobody,
            **self._of_backend,
            **({"spend_wins": self.spend_wins} if self.spend_wins != "platform" else {}),
        }
        if self.uses_api:
            rules |= {
                "url": self.ihc_api_url,
                "conv_type_id": self.ihc_conv_type_id,
                "max_sessions": self.ihc_max_sessions,
                "long_journeys": self.ihc_long_journeys,
            }
        if not self.uses_api or self.ihc_on_partial == "embedded":
            rules["parameters"] = self.parameters_in_use.name
        return _hash(rules)

    @property
    def model_rules(self) -> ModelRules:
        """The models that are chosen, and their settings.

        Reads the file of channel groups, so ask for them once in a run and pass them on. Raises AttributionError where the file
        cannot be read.
        """
        *shares, last = self.position_shares
        return ModelRules(
            models=self.models,
            position_shares=(
                PositionShares(self.position_shares[0], 0, last, self.position_shares[1])
                if len(shares) == 2
                else PositionShares(*self.position_shares)
            ),
            half_life_hours=self.half_life_hours,
            direct_channels=frozenset(self.direct_channels),
            markov_order=self.markov_order,
            markov_non_converting=self.markov_non_converting,
            training_days=self.training_days,
            seed=self.seed,
            path=PathRules(
                channel_groups=read_channel_groups(self.channel_groups) if self.channel_groups else {},
                exclude_channels=frozenset(self.exclude_channels),
                drop_direct=self.drop_direct,
                collapse_minutes=self.collapse_minutes,
                last_sessions=self.last_sessions,
            ),
        )

    def models_fingerprint(self, rules: ModelRules | None = None) -> str:
        """A short hash of all that determines a model's credit, as `fingerprint` is of IHC's.

        `rules`: the `model_rules` of these settings, where they were read already.
        """
        return _hash({"results": self.fingerprint(), "rules": (rules or self.model_rules).identity()})

    def learning_fingerprint(self, rules: ModelRules | None = None) -> str:
        """A short hash of all that determines what Markov and Shapley learn; a setting of other models never changes it.

        `rules`: the `model_rules` of these settings, where they were read already.
        """
        journeys = {"lookback_days": self.lookback_days, "include_converting_session": self.include_converting_session}
        return _hash({**journeys, **self._nobody, **self._of_backend, **(rules or self.model_rules).learning_identity()})

    def funnel_fingerprint(self) -> str:
        """A short hash of all that determines the funnel, as `fingerprint` is of IHC's."""
        return _hash({"steps": self.funnel_steps, "order": self.funnel_order, **self._nobody, **self._of_backend})

    @property
    def _of_backend(self) -> dict[str, str]:
        """Whose conversions count, for a hash; nothing for those of the tracking."""
        return {"conversions": self.conversions} if self.conversions != "tracked" else {}

    @property
    def _nobody(self) -> dict[str, list[str]]:
        """Who is nobody, for a hash; nothing while nobody is, so that hashes from before this setting stay."""
        return {"nobody": sorted({*self.nobody})} if self.nobody else {}

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"ATTRIBUTION_START_DATE {self.start_date} is later than ATTRIBUTION_END_DATE {self.end_date}")
        return self

    @model_validator(mode="after")
    def _sources_are_those_of_a_lake(self) -> Self:
        if self.sources and not self.database.is_lake:
            raise ValueError(
                f"ATTRIBUTION_SOURCES needs a lake, and {self.database} is none, but has sources of its own. Unset it, "
                "or name the folder of a lake with a slash at its end"
            )
        return self

    @model_validator(mode="after")
    def _spark_computes_a_lake(self) -> Self:
        if self.compute == "spark" and not self.spark:
            raise ValueError("ATTRIBUTION_COMPUTE is spark, so ATTRIBUTION_SPARK has to name the cluster: sc://HOST:15002")
        if self.compute == "spark" and not self.database.is_lake:
            raise ValueError(
                f"ATTRIBUTION_COMPUTE is spark, which computes a lake, and {self.database} is none. "
                "Make one with `attribution lake import`, and name its folder with a slash at its end"
            )
        return self

    @model_validator(mode="after")
    def _mail_has_a_server_and_somebody_to_go_to(self) -> Self:
        if self.alert_email and not self.smtp_url:
            raise ValueError("ATTRIBUTION_ALERT_EMAIL needs ATTRIBUTION_SMTP_URL, the server that sends the e-mails")
        if self.smtp_url and not self.alert_email:
            raise ValueError("ATTRIBUTION_SMTP_URL needs ATTRIBUTION_ALERT_EMAIL, the addresses that get the e-mails")
        return self


@cache
def variables() -> tuple[str, ...]:
    """The environment variable of each setting, in order."""
    prefix = Settings.model_config.get("env_prefix", "")
    return tuple(str(field.validation_alias or f"{prefix}{name.upper()}") for name, field in Settings.model_fields.items())


def _meant(name: str) -> str:
    """Which setting a variable with another name may stand for."""
    by_rest = {known.removeprefix(prefix): known for known in variables() for prefix in ("", *PREFIXES)}
    near = get_close_matches(next(name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), by_rest, n=1)
    return f"Did you mean {by_rest[near[0]]}?" if near else "docs/settings.md lists all settings."


@cache
def _say_once(message: str) -> None:
    logger.warning(message)


def _check_env_file() -> None:
    """Raises AttributionError where `.env` in the current folder cannot be read. A virtual environment may be named so."""
    file = Path(ENV_FILE).absolute()
    if file.is_dir() and not (file / "pyvenv.cfg").exists():
        raise AttributionError(f"{file} is a folder, so no settings can be read from it. Remove it, or make it a file.")
    if file.is_symlink() and not file.exists():
        raise AttributionError(f"{file} is a link to a file that does not exist. Remove it, or make the file.")
    try:
        text = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
    except UnicodeError:
        text = "\0"
    except OSError as error:
        raise AttributionError(f"{file} cannot be read: {error.strerror}. Make it readable, or remove it.") from error
    if "\0" in text:  # as UTF-16 has, where nothing marks it
        raise AttributionError(
            f"{file} is not UTF-8 text, maybe UTF-16 from PowerShell or Latin-1 from an old editor. Save it again as UTF-8."
        )


def read_settings(**options: Any) -> Settings:
    """The settings, with these before the environment's.

    Raises AttributionError, in one line, where one of them is wrong, or `.env` cannot be read.
    """
    _check_env_file()
    try:
        return Settings(**options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(
            f"ATTRIBUTION_{str(part).upper()}: " if part in Settings.model_fields else f"{part}: " for part in first["loc"][:1]
        )
        raise AttributionError(
            f"{where}{first['msg'].removeprefix('Value error, ')}. Fix it in the environment or in .env."
        ) from error


def _hash(rules: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:8]
