"""report_files: the report as an HTML file and a workbook, to send, over a range of days."""

import dagster as dg
from pydantic import Field

from attribution_assets.catalog.reporting import CHANNEL_REPORT
from attribution_assets.catalog.tables import names, tables
from attribution_assets.orchestration.daily import OWNERS, link_to, with_settings
from attribution_assets.settings import Settings


class ReportConfig(dg.Config):
    """The run config of report_files."""

    start: str | None = Field(None, description="First day, YYYY-MM-DD. If unset, 30 days up to the last one.")
    end: str | None = Field(None, description="Last day, included. If unset, the last with results.")
    model: str = Field("ihc", description="By which model orders and revenue are credited.")


def files_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """report_files; nothing if the graph has no report by channel."""
    if CHANNEL_REPORT.name not in names(tables(settings)):
        return []
    asset: dg.AssetsDefinition = dg.asset(
        name=report_files.__name__,
        deps=["channel_report"],
        description=(
            "`report.html` and `report.xlsx` in the folder for CSV files: every page of the web application in one HTML file "
            "that needs no server, and a workbook with a sheet for each table.\n\n"
            "It has no partitions: a run writes both files again, over the last 30 days or over the days in its config."
        ),
        group_name="comparison",
        kinds={"html", "excel"},
        owners=OWNERS,
        metadata={"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[link_to(report_files)])},
    )(with_settings(report_files, settings))
    return [asset]


def report_files(config: ReportConfig, settings: Settings) -> dg.MaterializeResult[None]:
    """Writes the files; the UI shows where they are, and what is left out of them."""
    from attribution_assets.analysis.reports.form import Asked
    from attribution_assets.pages.files import write_files

    html, xlsx = (settings.exports / f"report.{kind}" for kind in ("html", "xlsx"))
    left_out = write_files(settings, Asked(config.start, config.end, config.model), html, xlsx)
    return dg.MaterializeResult(
        metadata={
            "html": dg.MetadataValue.path(str(html)),
            "xlsx": dg.MetadataValue.path(str(xlsx)),
            **({"left out": "; ".join(left_out)} if left_out else {}),
        }
    )
