"""The registry: what an entry says holds, and a new rule needs nothing but its function and its entry."""

from __future__ import annotations

import inspect
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.models import MODELS, ModelRules
from attribution_assets.models.model import Model
from attribution_assets.models.registry import REGISTRY
from attribution_assets.models.rules import LEARNED_FROM
from attribution_assets.settings import Settings
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import PROJECT

SECOND_TOUCH = '''

def second_touch(journeys: Journeys) -> Floats:
    """All credit to the second session, shape (sessions,); to the first, where there is no other."""
    return journeys.all_to(journeys.offsets + (journeys.sizes > 1))


FIXED_RULES = (*FIXED_RULES, Model("second_touch", second_touch))
'''


def test_every_model_is_shown_in_the_order_of_the_registry() -> None:
    assert tuple(model.name for model in REGISTRY) == MODELS
    assert len(set(MODELS)) == len(MODELS)


@pytest.mark.parametrize("model", REGISTRY, ids=lambda model: model.name)
def test_a_model_takes_the_settings_that_it_names(model: Model) -> None:
    given = {"journeys", "group", "tally", "_"}
    functions = [function for function in (model.credit, model.count, model.learn) if function]
    taken = {name for function in functions for name in inspect.signature(function).parameters}

    assert taken - given == {*model.uses}
    assert {*model.uses} <= {field.name for field in fields(ModelRules)}
    assert not (model.credit and model.learn)
    assert bool(model.count) == bool(model.learn)


def test_every_setting_is_one_that_a_model_uses() -> None:
    used = {name for model in REGISTRY for name in model.uses} | {*LEARNED_FROM, "models"}

    assert used == {field.name for field in fields(ModelRules)}


RUN = ["run", "--start", "2023-09-01", "--end", "2023-09-04"]


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package whose heuristics.py has one more rule; nothing else differs."""
    for folder in ("attribution_assets", "sql"):
        shutil.copytree(PROJECT / folder, tmp_path / "extended" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "extended" / "attribution_assets" / "models" / "heuristics.py").open("a") as file:
        file.write(SECOND_TOUCH)
    return tmp_path / "extended"


def test_a_new_rule_needs_nothing_but_its_function_and_its_entry(extended: Path, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    write_sample(database, days=4, end=date(2023, 9, 4), sessions=2_000, seed=0, with_shop=False)
    chosen = {"ATTRIBUTION_MODELS": "all", "ATTRIBUTION_DATABASE": str(database)}

    program = f"from attribution_assets.command.cli import main; main({RUN}, standalone_mode=False); main(['compare'])"
    environment = {**os.environ, **chosen, "PYTHONPATH": str(extended)}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=extended, env=environment, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    with closing(sqlite3.connect(database)) as connection:

        def rows(select: str) -> list[tuple[Any, ...]]:
            return connection.execute(select).fetchall()

        [(conversions,)] = rows("SELECT count(DISTINCT conv_id) FROM customer_journeys")
        credited = rows("SELECT sum(credit) FROM model_attribution WHERE model = 'second_touch' GROUP BY conv_id")
        reported = rows(
            "SELECT model, round(sum(orders), 6) FROM model_reporting WHERE date_basis = 'conversion' GROUP BY model"
        )
        learned_by = rows("SELECT DISTINCT settings FROM channel_values")
    assert conversions >= 10
    assert credited == [(1.0,)] * conversions
    assert dict(reported) == dict.fromkeys([*MODELS, "second_touch"], conversions)
    assert learned_by == [(Settings().learning_fingerprint(),)]  # without the rule: so what was learned before it stays
    assert "second_touch" in ran.stdout
