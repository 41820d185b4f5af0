"""Draws docs/report.svg: what `attribution run` prints in a terminal for the sample database of the README.

Run it with `make picture` when the report looks different; a test compares the picture with what the command prints.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

PICTURE = Path(__file__).with_name("report.svg")
COLUMNS = 100
SETUP = "attribution sample-data --database shop.db --end 2023-09-30 >/dev/null"
COMMAND = "attribution run --database shop.db --exports exports"
SHOWN_FOLDER = "/home/you"


def printed(folder: Path) -> str:
    """What the command prints on a terminal of its own, with its colours and without its progress."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ATTRIBUTION_", "IHC_", "DAGSTER_"))
    }
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }
    subprocess.run(["/bin/sh", "-c", SETUP], cwd=folder, env=environment, check=True)  # noqa: S603
    screen, terminal = pty.openpty()
    with subprocess.Popen(  # noqa: S603
        ["/bin/sh", "-c", COMMAND], cwd=folder, env=environment, stdout=terminal, stderr=subprocess.DEVNULL
    ):
        os.close(terminal)
        output = b""
        try:
            while read := os.read(screen, 65536):
                output += read
        except OSError:  # how a terminal says on Linux that nobody writes to it any more
            pass
    os.close(screen)
    return output.decode().replace("\r\n", "\n").replace(str(folder), SHOWN_FOLDER)


def drawn(text: str) -> str:
    """The terminal as an SVG file. It loads no font, and no font's underscores are cut off at the end of a line."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ ", "bold green") + Text("attribution run"))
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="attribution run", theme=DIMMED_MONOKAI, unique_id="report")
    return re.sub(
        r'\s*@font-face \{.*?\}|<clipPath id="report-line.*?</clipPath>\n?| clip-path="url\(#report-line-\d+\)"',
        "",
        svg,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(drawn(printed(Path(folder))), encoding="utf-8")
