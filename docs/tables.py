"""The parts of the documentation that follow from the code, as Markdown: settings, assets, sources, checks, commands, exports.

`make docs` has cog write what these functions return between the markers in README.md and below docs/. `make docs-check` fails
if a document no longer says what the code does. Prose does not belong here: write it in the documents, around the markers.
"""

from __future__ import annotations

import inspect
import re
import sqlite3
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import dagster as dg

from attribution_assets.catalog.sources import SOURCES
from attribution_assets.catalog.tables import TABLES
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs
from attribution_assets.importing.mapping import READY
from attribution_assets.importing.values import key_of
from attribution_assets.models import MODELS
from attribution_assets.pages.registry import PAGES, REPORTS
from attribution_assets.settings import Settings, variables
from attribution_assets.warehouse import Location
from attribution_assets.warehouse.schema import FURTHER, Column, Table, empty_database, schema

SOURCES_GROUP = "sources"
"""The group of the tables that the user fills."""


# Settings -------------------------------------------------------------------------------------------------------------


def settings() -> str:
    """Every environment variable, with its default as you would write it."""
    return _table(
        ("variable", "default", "meaning"),
        (
            (_code(variable), _code(_as_written(field.default)), field.description or "")
            for variable, field in zip(variables(), Settings.model_fields.values(), strict=True)
        ),
    )


def _as_written(default: object) -> str:
    """A default as you would write it into the environment; empty if it is unset."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default)


# Assets and checks ----------------------------------------------------------------------------------------------------


def sources() -> str:
    """The tables that the user fills."""
    rows = ((_link(_name(spec)), _first_sentence(spec.description)) for spec in _specs() if spec.group_name == SOURCES_GROUP)
    return _table(("table", "what it holds"), rows)


def assets() -> str:
    """Every asset of the graph: what a row is, what its days are, and which setting or source brings it into the graph."""
    return _table(
        ("asset", "group", "what it holds", "its days", "only with"),
        (
            (
                _link(_name(spec)),
                spec.group_name or "",
                _first_sentence(spec.description),
                " ".join(_paragraphs(spec)[1:]),
                "" if spec.key in _always_there() else _brought_by(_name(spec)),
            )
            for spec in _specs()
            if spec.group_name != SOURCES_GROUP
        ),
    )


def _brought_by(asset: str) -> str:
    """What the asset needs to be in the graph."""
    entries = [table for table in TABLES if table.name == asset]
    needed = [source for table in entries for source in sorted(table.needs)]
    chosen = [table.only_with.written for table in entries if table.only_with]
    return ", ".join(map(_code, (*chosen, *needed))) or _code("ATTRIBUTION_MODELS")


def columns() -> str:
    """A section for every asset, sources included: its description, what it reads, its columns."""
    return "\n\n".join(part for spec in _specs() for part in _asset_section(spec))


def _asset_section(spec: dg.AssetSpec) -> Iterator[str]:
    yield f"### {_name(spec)}"
    yield from _paragraphs(spec)
    if reads := sorted(map(_read, spec.deps)):
        yield f"Reads {' and '.join(filter(None, (', '.join(reads[:-1]), reads[-1])))}."
    schema = spec.metadata.get("dagster/column_schema")
    if isinstance(schema, dg.TableSchema):
        rows = ((_code(column.name), column.type, column.description or "") for column in schema.columns)
        yield _table(("column", "type", "meaning"), rows)


def _read(dependency: dg.AssetDep) -> str:
    """What is read, and which of its days where they are not those of the reader."""
    name, mapping = _code(dependency.asset_key.to_user_string()), dependency.partition_mapping
    if not isinstance(mapping, dg.TimeWindowPartitionMapping) or not (mapping.start_offset or mapping.end_offset):
        return name
    first, last = (f"D {offset:+}" if offset else "D" for offset in (mapping.start_offset, mapping.end_offset))
    return f"{name} (for day D, its days {first} to {last})"


def checks() -> str:
    """Every asset check of the graph, in the order of the assets."""
    graph, order = _definitions().resolve_asset_graph(), [spec.key for spec in _specs()]
    found: dict[str, tuple[list[str], str, str]] = {}
    for key in sorted(graph.asset_check_keys, key=lambda key: (order.index(key.asset_key), key.name)):
        check = graph.get(key)
        on, _, _ = found.setdefault(key.name, ([], "stops the run" if check.blocking else "warns", check.description or ""))
        on.append(_code(key.asset_key.to_user_string()))
    rows = ((_link(name), ", ".join(on), failed, demand) for name, (on, failed, demand) in found.items())
    return _table(("check", "on", "if it fails", "what must hold"), rows)


@cache
def _definitions() -> dg.Definitions:
    """The whole graph by the defaults, whatever the environment, an .env file or a database of the developer says."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "with-every-source.db"
        with closing(empty_database()) as with_every_source, closing(sqlite3.connect(database)) as file:
            with_every_source.backup(file)
        return build_defs(
            Settings.model_construct(models=MODELS, database=Location(database), conversions="backend", breakdowns=("market",))
        )


@cache
def _always_there() -> frozenset[dg.AssetKey]:
    """The assets that need no setting."""
    specs = build_defs(Settings.model_construct(database=Location(Path("no-such.db")))).resolve_all_asset_specs()
    return frozenset(spec.key for spec in specs)


@cache
def _specs() -> tuple[dg.AssetSpec, ...]:
    """Every asset, group by group, each after those that it reads."""
    specs = {spec.key: spec for spec in _definitions().resolve_all_asset_specs()}

    @cache
    def level(key: dg.AssetKey) -> int:
        return max((1 + level(dependency.asset_key) for dependency in specs[key].deps), default=0)

    first = {group: min(level(key) for key in specs if specs[key].group_name == group) for group in _groups(specs.values())}
    return tuple(sorted(specs.values(), key=lambda spec: (first[spec.group_name], spec.group_name, level(spec.key), spec.key)))


def _groups(specs: Iterable[dg.AssetSpec]) -> set[str | None]:
    return {spec.group_name for spec in specs}


def _name(spec: dg.AssetSpec) -> str:
    return spec.key.to_user_string()


def _paragraphs(spec: dg.AssetSpec) -> list[str]:
    return inspect.cleandoc(spec.description or "").split("\n\n")


def _first_sentence(text: str | None) -> str:
    return re.split(r"(?<=\.)\s", inspect.cleandoc(text or ""), maxsplit=1)[0]


# Data dictionary ------------------------------------------------------------------------------------------------------


def dictionary() -> str:
    """A section for every table that can be imported: what a row is, and each column with what it demands."""
    described = {source.name: source.description for source in SOURCES} | FURTHER
    return "\n\n".join(part for name, text in described.items() for part in _dictionary_section(schema()[name], text))


def _dictionary_section(table: Table, description: str) -> Iterator[str]:
    yield f"### {table.name}"
    yield _first_sentence(description)
    yield _table(
        ("column", "type", "demand", "key", "what it is"),
        (
            (
                _code(column.name),
                column.type,
                _demand(column),
                "key" if column.name in key_of(table) else "",
                column.description,
            )
            for column in table.columns
        ),
    )


def _demand(column: Column) -> str:
    if column.required:
        return "required"
    return "optional" if column.optional else "may be empty"


# Exports --------------------------------------------------------------------------------------------------------------


def export(mapping: str) -> str:
    """What a ready mapping says of the export that it reads: its first comment, with what is indented as code."""
    file = READY / f"{mapping}.toml"
    lines = takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    parts = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines).split("\n\n")
    source = f"From [{file.name}](../../attribution_assets/importing/mappings/{file.name}):"
    return "\n\n".join((source, *(_fenced(part) if part.startswith(" ") else part for part in parts)))


def _fenced(code: str) -> str:
    """A block of code, which the documentation's tests do not run."""
    dedented = textwrap.dedent(code)
    return f"```{'sql' if dedented.startswith(('SELECT', 'WITH')) else 'text'}\n{dedented}\n```"


# Commands -------------------------------------------------------------------------------------------------------------


def commands() -> str:
    """A section for every command: what it does, how it is called, its options."""
    found = _below(main, click.Context(main, info_name="attribution"))
    return "\n\n".join(part for command, context in found for part in _command_section(command, context))


def _below(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """A command, then all that belong to it."""
    yield command, context
    if isinstance(command, click.Group):
        for name, sub in command.commands.items():
            yield from _below(sub, click.Context(sub, info_name=name, parent=context))


def _command_section(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}"
    yield inspect.cleandoc(command.help or "")
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if records:
        rows = ((_code(option.replace(" RANGE", "")), meaning) for option, meaning in records)
        yield _table(("option", "meaning"), rows)


# The web application --------------------------------------------------------------------------------------------------


def pages() -> str:
    """The pages, in the order of the menu."""
    rows = ((page.title, page.question, ", ".join(report.title for report in page.reports)) for page in PAGES.values())
    return _table(("page", "the question that it answers", "tables"), rows)


def endpoints() -> str:
    """The endpoint of each report, with what can be asked of it."""
    return _table(
        ("endpoint", "what it answers", "parameters"),
        (
            (
                _code(f"/api/{report.name.replace('_', '-')}/"),
                report.description,
                ", ".join(
                    _code(name)
                    for name in (
                        *(("start", "end") if report.has_days else ()),
                        *(("model",) if report.by_model else ()),
                        *report.requires,
                        *report.filters,
                    )
                ),
            )
            for report in REPORTS.values()
        ),
    )


# Markdown -------------------------------------------------------------------------------------------------------------


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Each cell becomes one line, and bars in it are escaped."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for row in rows:
        cells = (re.sub(r"\s+", " ", cell).replace("|", r"\|") for cell in row)
        lines.append(f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|")
    return "\n".join(lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _link(heading: str) -> str:
    """A link to the section of this name in the same document."""
    return f"[{heading}](#{heading})"
