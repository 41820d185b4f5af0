"""What tests of imports say in one line: write a file, import it, and see what was said and stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets_tests.support import Shop

CONVERSIONS = "conv_id,user_id,conv_date,conv_time,revenue\n"


class Imports:
    """A folder with files, and a database that they are imported into, which is not there at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop.at(folder / "shop.db", folder / "exports")

    def file(self, name: str, content: str | bytes) -> str:
        """Writes a file, and returns its path."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def run(self, table: str, source: str, *options: str | Path, mapping: str = "") -> Result:
        """`attribution import`, with a mapping as the text of its TOML."""
        by = ["--mapping", self.file("mapping.toml", mapping)] if mapping else []
        command = ["import", table, source, "--database", str(self.shop.database), *by, *map(str, options)]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    def done(self, table: str, source: str, *options: str | Path, mapping: str = "") -> dict[str, Any]:
        """What the import counted; it must not fail."""
        result = self.run(table, source, *options, "--json", mapping=mapping)
        assert (result.exit_code, result.stderr) == (0, "")
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def fates(self, table: str, source: str, *options: str | Path, mapping: str = "") -> dict[str, int]:
        """How many rows were new, changed, equal or deleted, where there are some."""
        told = self.done(table, source, *options, mapping=mapping)
        return {fate: told[fate] for fate in ("new", "changed", "equal", "deleted") if told[fate]}

    def refused(self, table: str, source: str, *options: str | Path, mapping: str = "") -> str:
        """The one line with which it fails, without the folder."""
        result = self.run(table, source, *options, mapping=mapping)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("Error: ").removesuffix("\n").replace(f"{self.folder}/", "")

    def conversions(self, rows: str, *options: str | Path, mapping: str = "") -> dict[str, int]:
        """The fates of conversions, given as the lines of a CSV file."""
        return self.fates("conversions", self.file("orders.csv", CONVERSIONS + rows), *options, mapping=mapping)
