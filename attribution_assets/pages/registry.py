"""PAGES and REPORTS: every page, in the order of the menu, and every report by its name; the web, files and API follow them."""

from __future__ import annotations

from collections.abc import Mapping

from attribution_assets.analysis.reports.breakdowns import BREAKDOWNS_PAGE
from attribution_assets.analysis.reports.explained import WHY
from attribution_assets.analysis.reports.form import Page, Report
from attribution_assets.analysis.reports.models import MODELS_PAGE
from attribution_assets.analysis.reports.overview import OVERVIEW
from attribution_assets.analysis.reports.paths import PATHS
from attribution_assets.analysis.reports.shop import CAMPAIGNS_PAGE, FUNNEL_PAGE
from attribution_assets.orchestration.health import HEALTH

_IN_ORDER = (OVERVIEW, WHY, MODELS_PAGE, PATHS, BREAKDOWNS_PAGE, FUNNEL_PAGE, CAMPAIGNS_PAGE, HEALTH)

PAGES: Mapping[str, Page] = {page.name: page for page in _IN_ORDER}
"""Every page by its name."""

REPORTS: Mapping[str, Report] = {report.name: report for page in _IN_ORDER for report in page.reports}
"""Every report by its name."""
