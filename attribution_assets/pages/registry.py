"""PAGES and REPORTS: every page, in the order of the menu, and every report by its name; the web, files and API follow them."""

from __future__ import annotations

from collections.abc import Mapping

from attribution_assets.analysis.reports.form import Page, Report
from attribution_assets.analysis.reports.overview import CELLS, OVERVIEW

PAGES: Mapping[str, Page] = {page.name: page for page in (OVERVIEW,)}
"""Every page by its name."""

REPORTS: Mapping[str, Report] = {report.name: report for page in PAGES.values() for report in page.reports} | {
    CELLS.name: CELLS
}
"""Every report by its name."""
