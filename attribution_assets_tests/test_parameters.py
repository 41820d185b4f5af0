"""Which parameters of the IHC model lead for a database, and what becomes of days that others computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.chosen import choose, parameters_in_use
from attribution_assets.orchestration.history import tagged_days
from attribution_assets.orchestration.status import day_states, reasons
from attribution_assets.warehouse.spark.cluster import Cluster
from attribution_assets.warehouse.spark.database import SparkLakeWarehouse
from attribution_assets_tests.automated import Automated, september
from attribution_assets_tests.support import Shop

EVEN = {
    "phase_weights": {"initializer": 1, "holder": 1, "closer": 1},
    "channel_weights": {},
    "initializer_membership": [[1, 0], [2, 1]],
    "closer_membership": [[1, 1], [2, 0]],
}
DAYS = ("2023-09-01", "2023-09-02")


@pytest.fixture
def even(tmp_path: Path) -> Path:
    """A file of parameters, whose name has no hash yet."""
    file = tmp_path / "even.json"
    file.write_text(json.dumps(EVEN))
    return file


@pytest.fixture
def small_shop(shop: Shop) -> Shop:
    """Anna comes by Email on the first day, and by Ads on the second, on which she buys."""
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email")
    shop.session("s2", "anna", "2023-09-02 10:00:00", "Ads")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00", 100)
    return shop


def attribution(shop: Shop, *command: str | Path, **environment: str) -> Result:
    of_test = {"ATTRIBUTION_DATABASE": shop.place, "ATTRIBUTION_END_DATE": "2023-09-20", "COLUMNS": "200", **environment}
    return CliRunner().invoke(main, [*map(str, command)], env=of_test)


def computed_by(shop: Shop) -> set[str]:
    return {parameters for (parameters,) in shop.table("ihc_results", "parameters")}


# -- which lead --------------------------------------------------------------------------------------------------------


@pytest.mark.every_warehouse
def test_those_chosen_for_a_database_lead_until_others_are_and_a_file_is_not_read_again(shop: Shop, even: Path) -> None:
    shop.publish()
    assert parameters_in_use(None, shop.warehouse).name == "challenge"

    chosen = choose(str(even), shop.warehouse)
    even.unlink()

    assert parameters_in_use(None, shop.warehouse) == chosen
    assert chosen.name.startswith("even.json@")
    assert parameters_in_use("alternative", shop.warehouse).name == "alternative"
    choose("alternative", shop.warehouse)
    assert parameters_in_use(None, shop.warehouse) == IHCParameters.load("alternative")


def test_a_copy_of_the_database_computes_with_what_was_chosen_for_it(
    small_shop: Shop, instance: dg.DagsterInstance, even: Path, tmp_path: Path
) -> None:
    used = attribution(small_shop, "ihc", "use", even)
    (tmp_path / "elsewhere").mkdir()
    copy = Shop.at(Path(shutil.copy(small_shop.database, tmp_path / "elsewhere" / "copy.db")), tmp_path / "elsewhere")
    even.unlink()

    copy.attribute(instance, *DAYS)

    assert used.exit_code == 0, used.output
    [name] = computed_by(copy)
    assert name.startswith("even.json@")
    assert f"computes IHC with {name} from now on" in used.stdout


def test_what_the_environment_names_leads_and_use_says_so(small_shop: Shop, instance: dg.DagsterInstance, even: Path) -> None:
    used = attribution(small_shop, "ihc", "use", even, IHC_PARAMETERS="alternative")

    small_shop.attribute(instance, *DAYS, ihc_parameters="alternative")

    assert computed_by(small_shop) == {"alternative"}
    assert "IHC_PARAMETERS=alternative still leads here. Unset it." in used.stdout


def test_a_preset_is_said_to_be_of_another_company(small_shop: Shop) -> None:
    used = attribution(small_shop, "ihc", "use", "alternative")

    assert "computes IHC with alternative, of another company from now on" in used.stdout


def test_parameters_that_are_none_are_refused_and_those_chosen_before_stay(
    small_shop: Shop, even: Path, tmp_path: Path
) -> None:
    chosen = choose(str(even), small_shop.warehouse)
    (tmp_path / "wrong.json").write_text("{}")

    refused = attribution(small_shop, "ihc", "use", tmp_path / "wrong.json")

    assert refused.exit_code == 1
    assert "wrong.json contains no valid IHC parameters" in refused.stderr
    assert parameters_in_use(None, small_shop.warehouse) == chosen


@pytest.mark.parametrize(
    "change",
    ["parameters = replace(parameters, '2.0', '3.0')", "parameters = '{}'", "hash = ''"],
    ids=["table", "empty", "hash"],
)
def test_parameters_that_somebody_changed_in_the_database_compute_nothing(small_shop: Shop, even: Path, change: str) -> None:
    choose(str(even), small_shop.warehouse)
    small_shop.execute(f"UPDATE chosen_parameters SET {change}")

    with pytest.raises(AttributionError, match=r"even\.json@\w+ in chosen_parameters .* are not those that were chosen at 20"):
        parameters_in_use(None, small_shop.warehouse)


# -- days that others computed -----------------------------------------------------------------------------------------


def stale(of: Automated) -> list[str]:
    return [line for line in reasons(day_states(of.settings, of.instance, None, None)) if "parameters changed" in line]


def test_days_of_other_parameters_are_stale_until_they_are_run_again(computed: Automated, even: Path) -> None:
    assert stale(computed) == []
    name = choose(str(even), computed.settings.warehouse).name

    [line] = stale(computed)
    computed.attribute("2023-09-01", "2023-09-08")
    [left] = stale(computed)
    computed.attribute("2023-09-09", "2023-09-10")

    assert line == f"ihc_results of 2023-09-01 to 2023-09-10: parameters changed from challenge to {name}."
    assert left == f"ihc_results of 2023-09-09 to 2023-09-10: parameters changed from challenge to {name}."
    assert stale(computed) == []


def test_the_page_of_the_history_says_so_too(computed: Automated, even: Path) -> None:
    name = choose(str(even), computed.settings.warehouse).name

    states = day_states(computed.settings, computed.instance, "2023-09-10", "2023-09-10", by_history=True)

    assert states[0]["assets"]["ihc_results"] == {
        "state": "stale",
        "because": f"parameters changed from challenge to {name}",
    }


def test_a_file_that_was_renamed_makes_no_day_stale(computed: Automated, even: Path) -> None:
    computed.choices["ihc_parameters"] = str(even)
    computed.attribute("2023-09-01", "2023-09-10")
    computed.choices["ihc_parameters"] = str(even.rename(even.with_name("renamed.json")))

    assert stale(computed) == []


def test_days_that_the_api_computed_or_will_are_not_stale(computed: Automated, even: Path) -> None:
    choose(str(even), computed.settings.warehouse)
    computed.choices |= {"ihc_backend": "api", "ihc_api_key": "k", "ihc_conv_type_id": "t"}

    assert stale(computed) == []

    computed.choices["ihc_backend"] = "embedded"
    computed.shop.execute("UPDATE ihc_results SET backend = 'api' WHERE conv_date < '2023-09-10'")

    [line] = stale(computed)
    assert line.startswith("ihc_results of 2023-09-10: parameters changed")


def requested(of: Automated) -> list[str]:
    """The days that one tick of the sensor requests, each of which then runs."""
    days = [day for request in of.changed_parameters().run_requests or [] for day in tagged_days(request.tags)]
    if days:
        of.attribute(days[0], days[-1])
    return days


def skips(of: Automated) -> str:
    skipped = of.changed_parameters().skip_reason
    assert skipped is not None
    return str(skipped.skip_message)


def test_they_are_left_as_they_are_unless_the_settings_say_otherwise(computed: Automated, even: Path) -> None:
    name = choose(str(even), computed.settings.warehouse).name

    assert skips(computed).startswith(f"10 days were computed with other parameters than {name}. Run these days again, or set")
    assert skips(computed) == "Neither the database nor the parameters have changed."

    computed.choices["restate_parameters"] = True
    assert requested(computed) == september(*range(1, 11))


def test_with_the_setting_they_are_requested_once_and_back_again(computed: Automated, even: Path) -> None:
    computed.choices["restate_parameters"] = True
    keys = []

    for named in (str(even), "challenge", str(even)):
        choose(named, computed.settings.warehouse)
        [request] = computed.changed_parameters().run_requests or []
        keys.append(request.run_key)
        assert (request.job_name, tagged_days(request.tags)) == ("attribute_conversions", september(*range(1, 11)))
        computed.attribute("2023-09-01", "2023-09-10")
        assert "Every day was computed with" in skips(computed)
        assert stale(computed) == []

    assert len({*keys}) == 3


def test_with_the_setting_parameters_of_the_environment_are_noticed_though_the_database_has_not_changed(
    computed: Automated, even: Path
) -> None:
    computed.choices["restate_parameters"] = True
    assert requested(computed) == []

    computed.choices["ihc_parameters"] = str(even)

    assert requested(computed) == september(*range(1, 11))


def test_a_resource_that_computes_with_others_than_the_settings_say_is_not_asked_again_and_again(
    computed: Automated, even: Path
) -> None:
    computed.choices["restate_parameters"] = True
    choose(str(even), computed.settings.warehouse)
    assert requested(computed) == september(*range(1, 11))

    computed.shop.execute("UPDATE ihc_results SET parameters = 'alternative'")  # as such a resource would leave them

    assert requested(computed) == []
    assert len(stale(computed)) == 1


def test_what_a_resource_of_ones_own_calls_its_own_is_left_alone(computed: Automated, even: Path) -> None:
    choose(str(even), computed.settings.warehouse)
    computed.shop.execute("UPDATE ihc_results SET parameters = 'mine'")

    assert stale(computed) == []


def test_only_partitions_are_requested(computed: Automated, even: Path) -> None:
    computed.choices |= {"restate_parameters": True, "start_date": "2023-09-05"}
    choose(str(even), computed.settings.warehouse)

    assert requested(computed) == september(*range(5, 11))


def test_where_the_parameters_in_use_cannot_be_read_the_status_says_why(computed: Automated) -> None:
    computed.choices["ihc_parameters"] = "gone.json"

    lines = reasons(day_states(computed.settings, computed.instance, None, None))

    assert any(
        line.startswith("ihc_results of 2023-09-01 to 2023-09-10: There are no IHC parameters 'gone.json'") for line in lines
    )
    assert skips(computed).startswith("There are no IHC parameters 'gone.json'")
    assert computed.late_data_requests() == {}


@pytest.mark.every_warehouse(spark_is_long=False)
def test_no_cluster_is_asked_which_parameters_lead(shop: Shop, even: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish()
    chosen = choose(str(even), shop.warehouse)
    warehouse = shop.warehouse
    if isinstance(warehouse, SparkLakeWarehouse):
        monkeypatch.setattr(Cluster, "session", None)

    assert parameters_in_use(None, warehouse) == chosen
