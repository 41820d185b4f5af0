"""What runs by itself: conditions that restate what new inputs touch, the sensor for late data, the daily schedule."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from attribution_assets.history import attempted, due_days, materialized, refused
from attribution_assets.settings import Settings

warnings.filterwarnings("ignore", message=".*`use_user_code_server`", category=dg.BetaWarning)


class InputIsNewer(dg.AutomationCondition[dg.AssetKey]):
    """True for a day if an input of it was materialized, and not refused by a blocking check, after the day's last attempt.

    An input of day D is a day of the asset before it from D to D + `lookahead_days`. It goes by the event log as it stands, so
    that nothing is missed while the daemon is off or several runs end between two ticks.
    """

    def __init__(self, lookahead_days: int = 0) -> None:
        """Of what reach the inputs are."""
        self.lookahead_days = lookahead_days

    @property
    def description(self) -> str:
        """What the UI shows beside the condition."""
        return "an input was materialized after the last attempt"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The days of the candidates that are due."""
        graph, instance = context.asset_graph, context.asset_graph_view.instance
        attempts = attempted(instance, context.key)
        due: set[str] = set()
        for parent in graph.get(context.key).parent_keys & graph.materializable_asset_keys:
            inputs = materialized(instance, parent)
            for day in refused(instance, graph.get(parent).check_keys, inputs):
                del inputs[day]
            due |= due_days(attempts, inputs, self.lookahead_days)
        candidates = context.candidate_subset
        due &= candidates.expensively_compute_partition_keys()
        return dg.AutomationResult(context, candidates.compute_intersection_with_partition_keys(due))


class CommandAtWork(dg.AutomationCondition[dg.AssetKey]):
    """True while an `attribution run` is at work in this DAGSTER_HOME: it rebuilds the reports of its days itself."""

    def __init__(self, dagster_home: Path) -> None:
        """Where the command would say so."""
        self.dagster_home = dagster_home

    @property
    def description(self) -> str:
        """What the UI shows beside the condition."""
        return "an `attribution run` is at work"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """All candidates, or none."""
        subset = context.candidate_subset if is_command_at_work(self.dagster_home) else context.get_empty_subset()
        return dg.AutomationResult(context, subset)


def command_lock(dagster_home: Path) -> FileLock:
    """What an `attribution run` holds from its first run to the end of its second; the system frees it if it is killed."""
    return FileLock(dagster_home / ".attribution_run.lock")


def is_command_at_work(dagster_home: Path) -> bool:
    """Whether an `attribution run` holds the lock."""
    if not dagster_home.is_dir():
        return False
    try:
        with command_lock(dagster_home).acquire(timeout=0):
            return False
    except Timeout:
        return True


def restated(settings: Settings, lookahead_days: int = 0) -> dg.AutomationCondition[dg.AssetKey]:
    """The condition of an asset that follows another: its days are requested as soon as new inputs of them are complete."""
    in_progress = dg.AutomationCondition.in_progress() | dg.AutomationCondition.any_deps_in_progress()
    return (
        (InputIsNewer(lookahead_days) | dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested()))
        & ~in_progress
        & ~CommandAtWork(settings.dagster_home)
    ).with_label("restated when its inputs are")


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates the conditions of all assets; on by default."""
    return dg.AutomationConditionSensorDefinition(
        "restate",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        use_user_code_server=True,
        description="Requests exactly the days whose inputs were materialized after them: reports up to the lookback before.",
    )
