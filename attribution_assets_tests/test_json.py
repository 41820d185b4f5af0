"""What `--json` prints: one vocabulary, in snake_case, as docs/commands.md lists it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.settings import Settings
from attribution_assets.warehouse import schema
from attribution_assets_tests.support import PROJECT, Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.test_comparison import attribution, report_sample

CELL = "SELECT '--date', date, '--channel', channel_name FROM channel_reporting WHERE ihc > 0.1 LIMIT 1"
CONVERSION = "SELECT '--conversion', conv_id FROM customer_journeys LIMIT 1"


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Ten days of the sample, attributed and reported by every model."""
    templates.copy("compared", report_sample, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


OF_STEPS = ("steps", "levels", "rates")
"""Under these, keys are the steps and levels of a funnel, as they are in its days."""


def keys(told: Any) -> Iterator[str]:
    """The keys at every level but the columns of a check's rows, the names of assets, and the steps of a funnel."""
    if isinstance(told, list):
        for item in told:
            yield from keys(item)
    elif isinstance(told, dict):
        yield from told
        for key, item in told.items():
            yield from () if key in ("rows", "not_yet", *OF_STEPS) else keys(list(item.values()) if key == "assets" else item)


def test_every_key_of_every_command_is_documented_and_in_snake_case(sample: Shop) -> None:
    sample.execute(schema()["conversions_backend"].create)
    sample.execute(schema()["ad_costs"].create)
    sample.execute("ALTER TABLE session_sources ADD COLUMN campaign_id text")
    sample.execute("INSERT INTO ad_costs (date, campaign_id, cost) VALUES ('2023-09-01', 'brand', 1)")
    sample.execute(
        "CREATE TABLE visits AS SELECT session_id, user_id, event_date, event_time, 'x' AS utm_source FROM session_sources"
    )
    sample.execute("ALTER TABLE session_sources ADD COLUMN utm_source text")
    sample.execute("UPDATE session_sources SET utm_source = 'flyer' WHERE event_date = '2023-09-01'")
    for number in range(200):  # a day as no other
        sample.conversion(f"c{number}", "u", "2023-09-02 10:00:00")
    sample.execute("INSERT INTO conversions_backend VALUES ('c', 'u', '2023-09-02', 'DE', 1, NULL)")
    for source in ("events", "order_items", "products", "campaign_results"):
        sample.execute(schema()[source].create)
    sample.execute("INSERT INTO events VALUES ('e1', 's1', 'u', 'checkout', '2023-09-02 10:00:00', NULL, 'fern', 'c1')")
    sample.execute("INSERT INTO order_items VALUES ('c1', 'fern', 1)")
    sample.execute("INSERT INTO campaign_results VALUES ('shop', '2023-09-02', 'ENABLED', 'CONVERSION', 'TOYS', 1, 1, 1, 1)")
    commands = [["run"], ["status"], ["check"], ["compare"], ["paths"], ["reconcile"], ["funnel"], ["campaigns"]]
    commands.append(["ihc", "estimate"])
    explained = [["explain", *sample.execute(query)[0]] for query in (CELL, CONVERSION)]
    imported = ["import", "session_sources", f"{sample.database}:visits", "--check"]
    ruled = [["channels", "test"], ["channels", "apply"]]
    told = {key for command in [*commands, *explained, imported, *ruled] for key in keys(printed(sample, *command))}
    _, _, table = (PROJECT / "docs" / "commands.md").read_text().partition("| key | meaning |\n")
    listed = [line.split("|")[1:3] for line in table.partition("\n\n")[0].splitlines()[1:]]

    told -= {*Settings().funnel_steps, "level_1", "level_2", "level_3"}
    assert {key for key in told if not re.fullmatch("[a-z]+(_[a-z]+)*", key)} == set()
    assert told == {key for names, meaning in listed for key in re.findall(r"`(\w+)`", names)} | {"report_start", "report_end"}


def printed(shop: Shop, *command: str) -> Any:
    result = attribution(shop, *command, "--json", MODELS="all")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
