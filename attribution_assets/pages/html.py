"""Pages as HTML: the templates with what they need, and a file that shows several pages without a server."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import jinja2

from attribution_assets.analysis.reports.form import Column, Link, Row
from attribution_assets.pages.shown import Shown, as_text
from attribution_assets.shipped import shipped

STATIC = shipped("pages/static")
"""The folder with the style, the script and the library that draws charts."""

TEMPLATES = shipped("pages/templates")


def environment() -> jinja2.Environment:
    """Jinja2 with what the templates call. All that a template writes is escaped, unless the template says otherwise."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    made.globals |= {"as_text": as_text, "address": address, "cell_class": cell_class}
    return made


def html_file(pages: Sequence[Shown], title: str) -> str:
    """The pages as one HTML file, which needs no server and no network."""
    static = STATIC / "attribution"
    return (
        environment()
        .get_template("file.html")
        .render(
            title=title,
            pages=pages,
            styles=[(static / name).read_text(encoding="utf-8") for name in ("uplot/uPlot.min.css", "attribution.css")],
            scripts=[(static / name).read_text(encoding="utf-8") for name in ("uplot/uPlot.iife.min.js", "attribution.js")],
        )
    )


def address(link: Link, row: Row, kept: dict[str, str]) -> str:
    """Where the cell of a row leads, with the range and the model that are `kept`."""
    parameters = {name: str(row[column]) for name, column in link.parameters.items()}
    return f"/{link.page}/?{urlencode({**kept, **parameters})}"


def cell_class(column: Column) -> str:
    """The class of a column's cells: numbers stand right."""
    return "text" if column.kind in {"text", "day", "flag"} else "number"
