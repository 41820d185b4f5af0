"""What each command prints for people: tables and the sentences around them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from attribution_assets.command.terminal import Column, print_frame, print_rows, print_table
from attribution_assets.formats import number

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.analysis.checking import Finding
    from attribution_assets.analysis.comparison import Comparison
    from attribution_assets.analysis.plan import RunPlan
    from attribution_assets.analysis.training import TrainedOn
    from attribution_assets.importing.loading import Imported

PATHS_SHOWN = 20
"""How many rows of each section of the path report are printed, unless all are asked for."""


def planned(plan: RunPlan) -> list[str]:
    """What a run is going to do, in lines: the days of each group, those that are left out, and notes on the sources."""
    lines = []
    if plan.attribution:
        of_part = plan.attribution
        attributed, rebuilt = (", ".join(map(str, of_part.ranges(d))) for d in (of_part.conversion_days, of_part.report_days))
        lines.append(f"Attributing conversions of {attributed}; rebuilding reports of {rebuilt}.")
    lines += [
        f"Rebuilding {of_job.job.part} of {', '.join(map(str, of_job.ranges))}."
        for of_job in plan.jobs
        if of_job.job.part != "attribution"
    ]
    lines += [
        f"{part} is left out: the database has no {' and no '.join(missing)}."
        for part, missing in plan.without.items()
        if part == "attribution"
    ]
    return [*lines, *plan.notes]


HOW_TO_SEE = {"funnel": "`attribution funnel` shows the funnel.", "campaigns": "`attribution campaigns` shows the campaigns."}
"""By group, how to see what a run has made."""


def print_summary(result: dict[str, Any]) -> None:
    """What a run has made; of `analysis.report.summary`. Of attribution, the channels; last, how to see the rest."""
    if "attribution" in result["groups"]:
        _print_channels(result)
    _print_told(result["checks"])
    for group in result["groups"]:
        if group in HOW_TO_SEE:
            click.echo(HOW_TO_SEE[group])
    if "attribution" in result["groups"]:
        click.echo(result["report_csv"])
        click.echo(result["csv"])


def _print_channels(result: dict[str, Any]) -> None:
    """The report by channel, and what no channel gets."""
    title = f"Channels, sessions of {result['report_start']} to {result['report_end']}"
    rows = result["channels"]
    totals = result["totals"]
    figures = [
        Column(name, [number(row[name]) for row in rows], total=number(totals[name]))
        for name in ("cost", "orders", "revenue", "CPO", "ROAS")
    ]
    print_table(title, [Column("channel", [row["channel"] for row in rows], is_text=True, total="total"), *figures])
    print_basis(result)
    if (totals["paid_CPO"], totals["paid_ROAS"]) != (totals["CPO"], totals["ROAS"]):
        click.echo(
            f"The channels that cost something, alone: CPO {number(totals['paid_CPO'])}, ROAS {number(totals['paid_ROAS'])}. "
            "The total is blended: it has the orders of the others too."
        )
    if result["provisional_from"]:
        click.echo(
            f"Days from {result['provisional_from']} on are provisional: orders up to {result['final_on']} can still be "
            "credited to them."
        )
    if spend := result["ad_spend"]:
        unassigned = f"; {spend['unassigned']:,.2f} of it belongs to no channel" if spend["unassigned"] else ""
        click.echo(
            f"The cost has {spend['cost']:,.2f} of ad spend, in place of {spend['displaced']:,.2f} that the sessions cost by "
            f"themselves{unassigned}."
        )
    _print_without_session(result)
    before = result["credit_before_first_day"]
    if before["orders"]:
        click.echo(
            f"{number(before['orders'])} orders (revenue {number(before['revenue'])}) are credited to sessions before "
            "ATTRIBUTION_START_DATE, whose days have no report."
        )


def _print_without_session(result: dict[str, Any]) -> None:
    """How many conversions no channel, or no real one, is credited with."""
    missed, only_tracked = result["conversions_without_session"], result["only_tracked"]
    of_days = f"{missed['conversions']:,} conversions of {result['start']} to {result['end']}"
    revenue = f"(revenue {number(missed['revenue'])})"
    if only_tracked is None:
        click.echo(f"{of_days} have no session {revenue} and are not credited.")
        return
    click.echo(
        f"{of_days} were not tracked or have no session {revenue}: see `Not tracked` and `No session`. "
        f"{only_tracked['conversions']:,} that only the tracking has (revenue {number(only_tracked['revenue'])}) are left out."
    )


def print_basis(basis: dict[str, Any]) -> None:
    """By what credit is computed, if there is any; of `analysis.report.basis`."""
    if not basis["parameters"]:
        return
    advice = ": calibrate your own with `attribution ihc calibrate`" if "another" in basis["learned_from"] else ""
    click.echo(
        f"Credit by the IHC model ({basis['computed_by']}) with the parameters {basis['parameters']}, "
        f"learned from {basis['learned_from']}{advice}."
    )


def print_states(states: list[dict[str, Any]], without_sources: Mapping[str, Sequence[str]], notes: Sequence[str]) -> None:
    """A line for each range of days in the same state, and why days are stale; of `orchestration.status.day_states`.

    `without_sources`: what is missing for which assets. `notes`: what is to be known about the sources.
    """
    from attribution_assets.catalog.tables import table_named
    from attribution_assets.orchestration.status import grouped, has_results, reasons

    def last_run(run: dict[str, Any] | None) -> str:
        seconds = f" {run['seconds']:,.1f} s" if run and run["seconds"] is not None else ""
        return f"{run['status']}{seconds}" if run else ""

    ranges = grouped(states)
    columns = {
        "days": [str(days) for days, _ in ranges],
        **{
            table_named(asset).heading: [state["assets"][asset]["state"] for _, state in ranges]
            for asset in states[0]["assets"]
        },
        "provisional": [_provisional(state) for _, state in ranges],
        "last run": [last_run(state["last_run"]) for _, state in ranges],
    }
    print_table("", [Column(heading, cells, is_text=True) for heading, cells in columns.items()])
    for reason in reasons(states):
        click.echo(reason)
    for missing in dict.fromkeys(map(tuple, without_sources.values())):
        *assets, last = (asset for asset, of_asset in without_sources.items() if tuple(of_asset) == missing)
        named = f"{', '.join(assets)} and {last} are" if assets else f"{last} is"
        click.echo(f"{named} not in the graph: the database has no {' and no '.join(missing)}.")
    for note in notes:
        click.echo(note)
    if not any(map(has_results, states)):
        click.echo("None of these days has results. `attribution run` computes them.")
    _print_told(states[0]["checks"])


def _print_told(checks: Sequence[dict[str, Any]]) -> None:
    """A line for what each check found."""
    for told in checks:
        click.echo(f"{told['check']}, {told['result']}: {told['sentence']}")


def _provisional(state: dict[str, Any]) -> str:
    from attribution_assets.orchestration.status import has_results

    if state["final"]:
        return "final"
    return f"until {state['final_on']}" if state["final_on"] and has_results(state) else ""


def print_findings(findings: Sequence[Finding]) -> None:
    """A table of the checks, and one of the offending rows of each that has some; two assets' same rows are shown once."""
    from attribution_assets.formats import in_words

    def print_columns(title: str, rows: Sequence[dict[str, str]]) -> None:
        print_table(title, [Column(name, [row[name] for row in rows], is_text=True) for name in rows[0]])

    print_columns(
        "",
        [
            {"check": each.check.name, "asset": each.asset, "result": each.state, "what it found": each.sentence}
            for each in findings
        ],
    )
    shown: list[list[dict[str, Any]]] = [[]]
    for finding in findings:
        if finding.rows not in shown:
            shown.append(finding.rows)
            click.echo()
            print_columns(
                f"{finding.check.name}, {len(finding.rows)} of {finding.offending:,}:",
                [{name: in_words(value) for name, value in row.items()} for row in finding.rows],
            )


def print_comparison(comparison: Comparison, basis: dict[str, Any]) -> None:
    """Orders, revenue, ROAS, ranks and shifts, a column per model; what another lookback moves; by what IHC is computed."""

    def print_table(title: str, table: pd.DataFrame) -> None:
        print_frame(title, table.rename_axis("channel").reset_index(), {}, "{:,.2f}")
        click.echo()

    def print_figure(title: str, figure: str) -> None:
        print_table(title, comparison.by_model(figure))

    days, base = comparison.days, comparison.base
    print_figure(f"Orders, conversions of {days}", "orders")
    print_figure("Revenue", "revenue")
    print_figure("ROAS", "ROAS")
    rank, change = comparison.by_model("rank"), comparison.by_model("rank_change")
    print_table(
        f"Rank by revenue; in brackets, the places gained over {base}",
        rank.astype("str") + change.map(lambda places: f" ({places:+})" if places else ""),
    )
    shift, noise = comparison.by_model("orders_shift"), comparison.by_model("is_noise")
    print_table(
        f"Orders compared with {base}; in brackets, differences that are noise (the 90 % interval includes 0)",
        shift.map("{:+z,.2f}".format).where(~noise, shift.map("({:+z,.2f})".format)).drop(columns=base),
    )
    moved = comparison.lookbacks.pivot(index="model", columns="lookback_days", values="moved")
    moved = moved.reindex(comparison.lookbacks["model"].drop_duplicates())
    moved.columns = [f"{lookback} days" for lookback in moved.columns]
    print_frame("Credit that moves to other channels under another lookback", moved.reset_index(), {}, "{:.1%}")
    if "ihc" in comparison.channels["model"].unique():
        print_basis(basis)
    for note in comparison.notes:
        click.echo(note)


def print_paths(report: pd.DataFrame, title: str, most: int | None) -> None:
    """A table for each section of the path report, of at most so many rows; says where there are more."""
    from attribution_assets.models.path_report import TOP_PATHS

    headings = {"path": "path", "length": "sessions", "lag": "days to conversion", "channel": "channel"}
    further = {"path": ["rate"], "length": ["rate"], "lag": [], "channel": ["rate", "assisted"]}
    formats = dict.fromkeys(("journeys", "conversions", "closed", "assisted"), "{:,.0f}") | {"rate": "{:.1%}"}
    for section, heading in headings.items():
        of_section = report[report["section"] == section]
        rows = of_section.head(len(of_section) if most is None else most)
        table = rows[["item", "journeys", "conversions", "revenue", *further[section]]].rename(columns={"item": heading})
        if section == "channel":
            table = table.rename(columns={"conversions": "closed"})
        if section != "path":
            click.echo()
        print_frame(f"By {heading}, {title}", table, formats, "{:,.2f}")
        if len(rows) < len(of_section):
            click.echo(f"{len(rows)} of {len(of_section):,} rows. --all shows every one.")
        if section == "path" and len(of_section) == TOP_PATHS:
            click.echo(f"Only the {TOP_PATHS} paths with the most conversions are reported.")


def print_imported(imported: Imported, *, check: bool) -> None:
    """What an import did, or would do, in a table of one row, and the rows that could not be read."""
    fates = ("new", "changed", "equal", "deleted", "broken")
    columns = [Column(fate, [f"{getattr(imported, fate):,}"]) for fate in fates]
    from attribution_assets.warehouse import Days, engagement

    days = [Column("days", [str(Days(*imported.days))], is_text=True)] if imported.days else []
    title = f"{imported.source}, checked: nothing was written" if check else f"{imported.source}, imported"
    print_table(title, [Column("table", [imported.table], is_text=True), *columns, *days])
    for problem in imported.problems:
        click.echo(f"R{problem[1:]}.")
    if imported.broken > len(imported.problems):
        click.echo(f"These are the first of {imported.broken:,}.")
    if imported.channels:
        click.echo("Sessions by channel, by the rules:")
        for channel, sessions in imported.channels.items():
            click.echo(f"{sessions:>12,}  {channel}")
    for rule, sessions in (imported.engagement_rules or {}).items():
        click.echo(engagement.in_words(rule, sessions))
    if imported.nonexistent_times or imported.repeated_times:
        click.echo(
            f"Local times: {imported.nonexistent_times:,} do not exist, and {imported.repeated_times:,} occur twice and are "
            "taken for the first."
        )


def print_tried_rules(tried: dict[str, Any]) -> None:
    """What each rule takes, what none does, and what would change; of `importing.channels.try_rules`."""
    rules = tried["rules"]
    print_table(
        "Sessions of each rule, and the source / medium / campaign of most of them",
        [
            Column("rule", [str(row["rule"]) for row in rules]),
            Column("channel", [row["channel"] for row in rules], is_text=True),
            Column("sessions", [f"{row['sessions']:,}" for row in rules]),
            Column("example", [row["example"] or "" for row in rules], is_text=True),
        ],
    )
    unassigned = tried["unassigned"]
    click.echo(f"Unassigned, because no rule holds: {unassigned['sessions']:,} sessions.")
    for kind in unassigned["most_frequent"]:
        click.echo(f"{kind['sessions']:>12,}  {kind['example']}")
    _print_kept(tried)
    click.echo(f"Another channel than now: {tried['changed']:,} sessions.")
    _print_changes(tried)


def print_applied_rules(applied: dict[str, Any]) -> None:
    """How many sessions have another channel than before; of `importing.channels.apply_rules`."""
    click.echo(f"Changed the channel of {applied['changed']:,} sessions.")
    _print_changes(applied)
    click.echo(f"Unassigned, because no rule holds: {applied['unassigned']['sessions']:,} sessions.")
    _print_kept(applied)


def _print_kept(tried: dict[str, Any]) -> None:
    if tried["kept"]:
        click.echo(f"Nothing is tracked of {tried['kept']:,} sessions, so they keep their channel.")


def _print_changes(tried: dict[str, Any]) -> None:
    for change in tried["changes"]:
        click.echo(f"{change['sessions']:>12,}  {change['from'] or '(none)'} → {change['to']}")


def print_reconciliation(found: dict[str, Any]) -> None:
    """A table of the markets, one of the campaigns, and the days with unusually many or few conversions; of `reconcile`."""
    if conversions := found["conversions"]:
        print_table(f"Conversions of {_span(conversions)}, tracked and in the backend", _by(conversions, "market", COUNTS))
        print_table("Their revenue", _by(conversions, "market", REVENUE))
    if spend := found["spend"]:
        print_table(f"Spend of {_span(spend)}, charged and in the sessions", _by(spend, "campaign_id", SPEND))
    for day in found["outliers"]:
        click.echo(
            f"{day['date']} has {day['conversions']:,} tracked conversions. Usual are {day['least']:,.0f} to "
            f"{day['most']:,.0f}."
        )
    for note in found["notes"]:
        click.echo(note)


COUNTS = (
    *("tracked", "backend", "missing", "only_tracked", "tracked_twice", "other_revenue", "other_user", "other_date"),
    "match_rate",
)
REVENUE = ("tracked_revenue", "backend_revenue")
SPEND = ("cost", "clicks", "sessions", "session_cost")


def _span(rows: Sequence[dict[str, Any]]) -> str:
    first, last = rows[0]["date"], rows[-1]["date"]
    return first if first == last else f"{first} to {last}"


def _by(rows: Sequence[dict[str, Any]], name: str, figures: Sequence[str]) -> list[Column]:
    """The columns of a table with the sums of each market or campaign, and those of all."""
    from attribution_assets.analysis.reconciliation import match_rate

    groups = sorted({row[name] for row in rows})

    def cell(figure: str, of_group: Sequence[dict[str, Any]]) -> str:
        if figure == "match_rate":
            rate = match_rate(of_group)
            return "" if rate is None else f"{rate:.1%}"
        values = [row[figure] for row in of_group if row[figure] is not None]
        is_amount = any(isinstance(value, float) for value in values)
        return "" if not values else f"{math.fsum(values):,.2f}" if is_amount else f"{sum(values):,}"

    return [
        Column(name, groups, is_text=True, total="total"),
        *(
            Column(
                figure.replace("_", " "),
                [cell(figure, [row for row in rows if row[name] == group]) for group in groups],
                total=cell(figure, rows),
            )
            for figure in figures
        ),
    ]


def print_cell(cell: dict[str, Any]) -> None:
    """The conversions behind a cell of the report, and their sums; of `analysis.explain.explain_cell`."""
    rows = [
        {"conversion": row["conv_id"], "session": row["session_id"], "revenue": row["conversion_revenue"]}
        | {"orders (ihc)": row["orders"], "of the revenue": row["revenue"]}
        for row in cell["conversions"]
    ]
    title = f"{cell['channel']}, sessions of {cell['day']}"
    if rows:
        print_rows(title, rows, {"orders (ihc)": "{:.4f}"}, ("orders (ihc)", "of the revenue"))
    else:
        click.echo(f"{title}: no conversion is credited to them.")
    click.echo(f"The channel's sessions of that day cost {number(cell['cost'])}.")


def print_journey(journey: dict[str, Any]) -> None:
    """The sessions behind a conversion, and their sums; of `analysis.explain.explain_conversion`."""
    from attribution_assets.analysis.explain import why_no_credit

    title = f"{journey['conv_id']}, {journey['conv_date']} {journey['conv_time']}, revenue {number(journey['revenue'])}"
    if why := why_no_credit(journey):
        click.echo(f"{title}: {why}.")
        return
    phases = ("initializer", "holder", "closer")
    rows = [
        {"time": row["timestamp"], "channel": row["channel"]}
        | {phase: row[phase] for phase in phases}
        | {"ihc": row["orders"], "revenue": row["revenue"], "session": row["session_id"]}
        for row in journey["sessions"]
    ]
    print_rows(title, rows, dict.fromkeys((*phases, "ihc"), "{:.4f}"), ("ihc", "revenue"))


def print_errors(title: str, errors: pd.DataFrame) -> None:
    """How far the embedded model is from recorded answers; of `ihc.answers.compare_answers`."""
    table = errors.rename_axis("error of").reset_index().rename(columns={"within_0.001": "within 0.001"})
    print_frame(title, table, {"within 0.001": "{:.2%}"}, "{:.5f}")


def print_training(trained: TrainedOn) -> None:
    """What was trained, how far the report would move, and how sure that is; of `analysis.training.train_on`."""
    click.echo(f"The parameters are {trained.training.parameters.description}")
    spread = trained.spread
    low, high = spread.saturation
    click.echo(
        f"A gap of {trained.training.saturation:,.1f} hours or more cuts a journey (90 % interval: {low:,.1f} to {high:,.1f}). "
        "This hour decides most of the error."
    )
    click.echo()
    heading = {"channel_label": "channel", "in_use": "in use", "relative_shift": "relative shift"}
    formats = {"shift": "{:+z,.2f}", "relative shift": "{:+z.2%}"}
    print_frame(f"Orders by channel, now with {trained.in_use}", trained.channels.rename(columns=heading), formats, "{:,.2f}")
    click.echo(
        f"low to high: the 90 % interval of {spread.draws:,} trainings on journeys drawn with replacement, computed on "
        f"{spread.credited:,} of the {spread.journeys:,} journeys of two or more sessions and scaled to all. It "
        "leaves out the error of the rule itself, which docs/models.md gives for two accounts."
    )
    for note in trained.notes:
        click.echo(note)


def print_versions(table: str, versions: Sequence[Mapping[str, Any]]) -> None:
    """The versions of a table of a lake, the newest first."""
    columns = [
        Column(name, [str(version[name] if version[name] is not None else "") for version in versions], name != "version")
        for name in ("version", "time", "operation", "days")
    ]
    print_table(table, columns)
