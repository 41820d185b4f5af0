"""A shop whose days were computed in process, and what automation makes of it, for tests of automation and of its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import dagster as dg

from attribution_assets.definitions import build_assets, build_resources
from attribution_assets.orchestration.history import range_tags, tagged_days
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets_tests.history import History
from attribution_assets_tests.support import Shop, definitions


class Automated:
    """A shop with a lookback of three days and its history, and what automation makes of them."""

    def __init__(self, shop: Shop, instance: dg.DagsterInstance, cursor: str | None = None) -> None:
        self.shop, self.instance = shop, instance
        self.choices: dict[str, Any] = {
            "lookback_days": 3,
            "start_date": "2023-09-01",
            "end_date": "2023-09-20",
        }
        self.cursor = cursor
        self.parameters_cursor: str | None = None

    @classmethod
    def of_ten_days(cls, folder: Path, instance: dg.DagsterInstance) -> Self:
        """Ten days in which anna comes and buys every day."""
        shop = Shop(folder / "shop.db", folder / "exports")
        for day in range(1, 11):
            shop.session(f"anna{day}", "anna", f"2023-09-{day:02} 10:00:00", cost=1.0)
            shop.conversion(f"buys{day}", "anna", f"2023-09-{day:02} 12:00:00", 10.0)
        return cls(shop, instance)

    def compute(self) -> None:
        """Everything until 2023-09-10, at which the sensor then looks once and finds it right."""
        self.attribute("2023-09-01", "2023-09-10")
        self.sum_costs("2023-09-01", "2023-09-10")
        self.report("2023-09-01", "2023-09-10")
        assert self.late_data_requests() == {}

    def keep(self, history: History) -> None:
        """Writes its history beside its database: a copy of the folder is all that `put_back` needs."""
        folder = self.shop.database.parent
        history.keep(folder / "history")
        (folder / "cursor").write_text(self.cursor or "")

    @classmethod
    def put_back(cls, folder: Path, history: History) -> Self:
        """What was kept, in the folder of the copy."""
        shop = Shop.at(folder / "shop.db", folder / "exports")
        return cls(shop, history.put_back(folder / "history"), (folder / "cursor").read_text() or None)

    @property
    def settings(self) -> Settings:
        return self.shop.settings(**self.choices)

    def attribute(self, start: str, end: str | None = None) -> None:
        self.shop.attribute(self.instance, start, end, **self.choices)

    def sum_costs(self, start: str, end: str | None = None) -> None:
        self.shop.sum_costs(self.instance, start, end, **self.choices)

    def report(self, start: str, end: str | None = None) -> None:
        self.shop.report(self.instance, start, end, **self.choices)

    def materialize(self, day: str, *assets: str) -> dg.ExecuteInProcessResult:
        """A plain run of one day, as the UI starts it."""
        return dg.materialize(
            build_assets(self.settings),
            partition_key=day,
            resources=build_resources(self.settings),
            instance=self.instance,
            selection=assets or None,
            raise_on_error=False,
        )

    def rerun(self, asset: str, start: str, end: str | None = None) -> dg.ExecuteInProcessResult:
        """A run of one asset with its checks, as automation and backfills start it, which may fail."""
        job = definitions(self.settings).resolve_implicit_global_asset_job_def()
        return job.get_subset(asset_selection={dg.AssetKey(asset)}).execute_in_process(
            instance=self.instance, tags=range_tags(Days(start, end or start)), raise_on_error=False
        )

    def conditions_request(self) -> dict[str, list[str]]:
        """What one tick of the conditions requests, by asset."""
        defs = definitions(self.settings)
        result = dg.evaluate_automation_conditions(defs, self.instance)
        keys = sorted(defs.resolve_asset_graph().materializable_asset_keys)
        requested = {key.to_user_string(): sorted(filter(None, result.get_requested_partitions(key))) for key in keys}
        return {asset: days for asset, days in requested.items() if days}

    def late_data(self) -> dg.SensorResult:
        """One tick of the sensor for late data."""
        result = self._tick("late_data", self.cursor)
        self.cursor = result.cursor
        return result

    def changed_parameters(self) -> dg.SensorResult:
        """One tick of the sensor for changed parameters."""
        result = self._tick("changed_parameters", self.parameters_cursor)
        self.parameters_cursor = result.cursor
        return result

    def _tick(self, sensor: str, cursor: str | None) -> dg.SensorResult:
        result = definitions(self.settings).resolve_sensor_def(sensor)(dg.build_sensor_context(self.instance, cursor=cursor))
        assert isinstance(result, dg.SensorResult)
        return result

    def late_data_skips(self) -> str:
        """Why one tick of the sensor requests nothing."""
        skipped = self.late_data().skip_reason
        assert skipped is not None
        return str(skipped.skip_message)

    def late_data_requests(self) -> dict[str, list[str]]:
        """What one tick of the sensor requests: the days by the job."""
        requested: dict[str, list[str]] = {}
        for request in self.late_data().run_requests or []:
            requested.setdefault(str(request.job_name), []).extend(tagged_days(request.tags))
        return requested


def september(*days: int) -> list[str]:
    return [f"2023-09-{day:02}" for day in days]
