"""A file, or what a server answers, as the view `raw` of an in-memory DuckDB: its columns, beside the number of each row."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.importing.mapping import Format, Importing
from attribution_assets.importing.servers import FromServer
from attribution_assets.warehouse.duckdb.scanners import first_line, literal, load, quoted
from attribution_assets.warehouse.duckdb.servers import Server
from attribution_assets.warehouse.urls import is_server

if TYPE_CHECKING:
    import duckdb

ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}

DELIMITERS = (",", ";", "\t", "|")
"""Those that are looked for in a header; the one that divides it most often is the file's."""

ROW, PROBLEM = "_row", "_problem"
"""Columns of `raw` beside those of the file: the number of the row, and why it cannot be read, or NULL."""

MEMORY = "1GB"
"""How much memory DuckDB may use before it uses temporary files."""

LINK = "linked"
"""The name under which DuckDB opens a file."""

NEVER_IN_JSON = "\x1f"
"""A character that no line of JSON has, so that a line is one cell."""


@dataclass(frozen=True)
class Source:
    """A file, or the answer of a server, that DuckDB has read as the view `raw`, with its columns as they are named there.

    What stands in `twice`, in lower case, names several columns. `staged` is an empty SQLite file, attached as `staging`.
    """

    name: str
    file: Path | None
    connection: duckdb.DuckDBPyConnection
    columns: tuple[str, ...]
    staged: Path
    twice: frozenset[str]
    error: type[Exception]
    """What DuckDB raises."""


@contextmanager
def opened(source: str, mapping: Importing) -> Iterator[Source]:
    """The file or server, read. From then on, DuckDB can open no other file.

    Raises NotFoundError where there is no file, and AttributionError where it is not what its name or the mapping says.
    """
    import duckdb

    with TemporaryDirectory(prefix="attribution-", ignore_cleanup_errors=True) as folder:
        found = FromServer(Server(source), mapping) if is_server(source) else _file(Path(folder), source, mapping)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": str(Path(folder) / "tmp"),
            "python_enable_replacements": "false",
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            load(connection, "sqlite")
            if isinstance(found, FromServer):
                found.fetch(connection)
                file, columns, twice = None, _numbered(connection, first=1), frozenset[str]()
            else:
                file, (columns, twice) = found.file, found.read(connection)
            staged = Path(folder) / "staged.db"
            connection.execute(f"ATTACH {literal(str(staged))} AS staging (TYPE sqlite)")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            try:
                yield Source(found.name, file, connection, columns, staged, twice, duckdb.Error)
            except duckdb.Error as error:
                raise AttributionError(f"{found.name} could not be imported: {first_line(error)}") from error


def _numbered(connection: duckdb.DuckDBPyConnection, first: int) -> tuple[str, ...]:
    """Makes the view `raw` over the table `file`, whose first row has this number, and returns the names of its columns."""
    connection.execute(f"CREATE VIEW raw AS SELECT rowid + {first} AS {ROW}, NULL::VARCHAR AS {PROBLEM}, * FROM file")
    return tuple(name for name, *_ in connection.execute("SELECT * FROM file LIMIT 0").description)


def _file(folder: Path, source: str, mapping: Importing) -> _File:
    path, _, table = source.rpartition(":")
    file, table = (Path(path), table) if path and not Path(source).exists() else (Path(source), "")
    format_ = mapping.format or ("sqlite" if table else ENDINGS.get(file.suffix.lower()))
    if not file.is_file():
        raise NotFoundError(f"There is no file {file}.")
    if format_ is None:
        raise AttributionError(f"{file} ends with none of {', '.join(ENDINGS)}. Say source.format in a mapping.")
    if format_ == "sqlite" and not table:
        raise AttributionError(f"{file} is an SQLite file. Name its table too: {file}:TABLE.")
    if mapping.table or mapping.query:
        raise AttributionError(
            f"{mapping.said_in}: source.{'table' if mapping.table else 'query'} is for a server, and {file} is a file. "
            "Leave it out."
        )
    return _File(source, folder, file, format_, table, mapping)


@dataclass(frozen=True)
class _File:
    """The reading of one file, with a folder for what it needs beside it."""

    name: str
    folder: Path
    file: Path
    format: Format
    table: str
    mapping: Importing

    def read(self, connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, ...], frozenset[str]]:
        """Makes the view `raw`, and returns the names of its columns and those that the file has twice."""
        import duckdb

        try:
            return self._read(connection)
        except duckdb.Error as error:
            reason = first_line(error).replace(str(self.folder / LINK), self.name)
            raise AttributionError(f"{self.name} cannot be read as {self.format}: {reason}") from error

    def _read(self, connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, ...], frozenset[str]]:
        match self.format:
            case "csv":
                return self._read_csv(connection)
            case "jsonl":
                return self._read_json_lines(connection), frozenset()
            case "parquet":
                connection.execute(f"CREATE TABLE file AS SELECT * FROM read_parquet({literal(str(self._linked(self.file)))})")
            case "sqlite":
                connection.execute(f"ATTACH {literal(str(self._copied()))} AS other (TYPE sqlite, READ_ONLY)")
                connection.execute("CREATE TABLE file AS SELECT * FROM other.main.copied")
                connection.execute("DETACH other")
        return _numbered(connection, first=1), frozenset()

    def _linked(self, file: Path) -> Path:
        """The file under a name without characters that DuckDB takes for a pattern."""
        link = self.folder / LINK
        link.unlink(missing_ok=True)
        link.symlink_to(file.absolute())
        return link

    # -- CSV ----------------------------------------------------------------------------------------------------------

    def _read_csv(self, connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, ...], frozenset[str]]:
        import duckdb

        file = self.file if self.mapping.encoding == "utf-8" else self._transcoded()
        delimiter, header = self._header(file)
        columns, twice = _names(header)
        try:
            _read_cells(connection, self._linked(file), delimiter, columns)
        except duckdb.Error:  # it stops at the first row that is none
            even = self._even(file, delimiter, len(columns))
            _read_cells(connection, even, ",", (ROW, PROBLEM, *columns))
            connection.execute(f"CREATE VIEW raw AS SELECT * REPLACE ({ROW}::BIGINT AS {ROW}) FROM file")
            return columns, twice
        return _numbered(connection, first=2), twice

    def _transcoded(self) -> Path:
        """The file in UTF-8."""
        copy = self.folder / "transcoded.csv"
        with self._text(self.file, self.mapping.encoding) as text, copy.open("w", encoding="utf-8", newline="") as written:
            while piece := text.read(1 << 20):
                written.write(piece)
        return copy

    @contextmanager
    def _text(self, file: Path, encoding: str = "utf-8-sig") -> Iterator[TextIO]:
        try:
            with file.open(encoding=encoding, newline="") as text:
                yield text
        except UnicodeDecodeError as error:
            raise AttributionError(
                f"{self.file} is not encoded as {self.mapping.encoding}: {error.reason}. Say csv.encoding in a mapping, "
                'such as "windows-1252".'
            ) from error
        except OSError as error:
            raise AttributionError(f"{self.file} cannot be read: {error.strerror}.") from error

    def _header(self, file: Path) -> tuple[str, list[str]]:
        """The delimiter and the cells of the first row."""
        headers = {}
        for delimiter in [self.mapping.delimiter] if self.mapping.delimiter else DELIMITERS:
            with self._text(file) as text:
                headers[delimiter] = next((cells for cells in csv.reader(text, delimiter=delimiter) if cells), [])
        delimiter = max(headers, key=lambda each: len(headers[each]))
        if not headers[delimiter]:
            raise AttributionError(f"{self.file} is empty. A CSV file begins with a row of column names.")
        return delimiter, headers[delimiter]

    def _even(self, file: Path, delimiter: str, width: int) -> Path:
        """The rows with their numbers and problems, every one of `width` cells."""
        even = self.folder / "even.csv"
        with self._text(file) as text, even.open("w", encoding="utf-8", newline="") as written:
            writer = csv.writer(written)
            writer.writerow(range(width + 2))
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            number, has_header = 1, False
            while True:
                began = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return even
                except csv.Error as error:
                    if "unexpected end" in str(error):
                        raise AttributionError(
                            f'{self.file}, line {began}: a cell begins with " and never ends. Close it, or double a " '
                            "that is text."
                        ) from error
                    cells, problem = [], f"is no CSV: {error}"
                else:
                    if not cells:
                        continue
                    beyond = f": {', '.join(cells[width:])}" if len(cells) > width else ""
                    problem = "" if len(cells) == width else f"has {len(cells)} cells, the header {width}{beyond}"
                if has_header:
                    number += 1
                    writer.writerow([number, problem, *cells[:width], *[""] * (width - len(cells))])
                has_header = True

    # -- JSON lines ---------------------------------------------------------------------------------------------------

    def _read_json_lines(self, connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
        _read_cells(connection, self._linked(self.file), NEVER_IN_JSON, ("line",), header=False)
        connection.execute(
            "CREATE TABLE lines AS SELECT rowid AS number, line, "
            "coalesce(CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' END, false) AS is_object "
            "FROM file WHERE trim(line) <> ''"
        )
        keys = connection.execute(
            "SELECT key FROM (SELECT unnest(json_keys(line)) AS key, number FROM lines WHERE is_object) "
            "GROUP BY key ORDER BY min(number), key"
        ).fetchall()
        columns, _ = _names([key for (key,) in keys])
        values = "".join(
            f", CASE WHEN is_object THEN json_extract_string(line, {literal('/' + key.replace('~', '~0').replace('/', '~1'))}) "
            f"END AS {quoted(column)}"
            for column, (key,) in zip(columns, keys, strict=True)
        )
        connection.execute(
            f"CREATE VIEW raw AS SELECT number + 1 AS {ROW}, "
            f"CASE WHEN NOT is_object THEN 'is no JSON object: ' || line END AS {PROBLEM}{values} FROM lines"
        )
        return columns

    # -- SQLite -------------------------------------------------------------------------------------------------------

    def _copied(self) -> Path:
        """The table in a file of its own, every value as text, from which the same number is read again.

        SQLite copies it: where the file is the one that is imported into, DuckDB must not open it.
        """
        copy = self.folder / "copied.db"
        try:
            with closing(sqlite3.connect(f"{self.file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (self.table,))]
                if not columns:
                    raise NotFoundError(f"{self.file} has no table {self.table}.")
                connection.execute("ATTACH ? AS copy", (str(copy),))
                connection.execute(f"CREATE TABLE copy.copied ({', '.join(f'{quoted(name)} text' for name in columns)})")
                as_text = (_as_text(quoted(name)) for name in columns)
                connection.execute(f"INSERT INTO copy.copied SELECT {', '.join(as_text)} FROM main.{quoted(self.table)}")
                connection.commit()
        except sqlite3.Error as error:
            raise AttributionError(f"{self.file} cannot be read as sqlite: {error}.") from error
        return copy


def _read_cells(
    connection: duckdb.DuckDBPyConnection, file: Path, delimiter: str, columns: Sequence[str], *, header: bool = True
) -> None:
    """The table `file` of a CSV file's cells, all of them text; where an empty one is NULL."""
    quote = '"' if header else ""
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    connection.execute(
        f"CREATE OR REPLACE TABLE file AS SELECT * FROM read_csv({literal(str(file))}, auto_detect = false, header = {header}, "
        f"delim = {literal(delimiter)}, quote = '{quote}', escape = '{quote}', columns = {{{types}}})"
    )


def _names(header: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The names of the columns, each once whatever its case, and in lower case those that stand there twice."""
    names: list[str] = []
    taken, twice = {ROW, PROBLEM, "rowid"}, set()
    for number, told in enumerate(header, 1):
        name = told.strip() or f"column {number}"
        if name.lower() in taken:
            twice.add(name.lower())
            name = f"{name} ({number})"
        taken.add(name.lower())
        names.append(name)
    return tuple(names), frozenset(twice)


def _as_text(column: str) -> str:
    """SQLite writes 15 digits of a number unless asked for all of them."""
    return (
        f"CASE WHEN typeof({column}) = 'real' AND CAST(CAST({column} AS text) AS real) <> {column} "
        f"THEN printf('%!.17g', {column}) ELSE CAST({column} AS text) END"
    )
