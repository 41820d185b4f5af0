"""The OpenAPI document: it is valid, what it says is true of every answer, and its pages load everything from here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from attribution_assets.pages.registry import REPORTS
from attribution_assets.shipped import shipped
from attribution_assets_tests.web.examples import ANALYSES, behind_a_number, examples
from attribution_assets_tests.web.live import LiveWeb

OF_SAMPLE: Mapping[str, Sequence[str]] = {
    "start": ["2023-09-01"],
    "end": ["2023-09-09"],
    "type": ["CONVERSION", "AWARENESS"],
    "status": ["ENABLED"],
    "category": ["House plants"],
}
"""By parameter, values that the sample has."""


@cache
def values_of(live: LiveWeb) -> Mapping[str, Sequence[str]]:
    """The same, with a number that can be taken apart."""
    return {**OF_SAMPLE} | {name: [value] for name, value in behind_a_number(live).items()}


PATHS = ["/api/", *(f"/api/{name.replace('_', '-')}/" for name in (*ANALYSES, *REPORTS))]
OF_STAFF = ("/worker/compare/", "/worker/process-data/", "/worker/runs/{run_id}/")
"""What starts runs, which are tried by hand."""


@cache
def document(live: LiveWeb) -> Any:
    return schemathesis.openapi.from_url(f"{live.url}/api/schema/", headers=dict(live.program().headers))


def test_the_document_names_every_endpoint(server: LiveWeb) -> None:
    listed = server.program().get(f"{server.url}/api/").json()

    assert sorted(document(server).raw_schema["paths"]) == sorted([*PATHS, *OF_STAFF])
    assert sorted(each["path"] for each in listed) == sorted(PATHS[1:])


def test_the_document_is_sound(server: LiveWeb) -> None:
    command = [
        sys.executable,
        "-m",
        "attribution_assets.web",
        "spectacular",
        "--validate",
        "--fail-on-warn",
        "--format",
        "openapi",
    ]
    made = subprocess.run(command, cwd=server.folder, capture_output=True, text=True)

    assert (made.returncode, made.stderr) == (0, "")
    assert yaml.safe_load(made.stdout)["paths"] == document(server).raw_schema["paths"]


def test_every_endpoint_says_how_it_fails(server: LiveWeb) -> None:
    for path in PATHS:
        assert {"400", "401", "403", "404", "409", "429", "503"} < document(server).raw_schema["paths"][path]["get"][
            "responses"
        ].keys()


def test_the_examples_are_what_a_server_answers_over_the_sample(server: LiveWeb) -> None:
    shipped_examples = json.loads(shipped("web/examples.json").read_text())
    shown = {}
    for path in PATHS:
        operation = document(server).raw_schema["paths"][path]["get"]
        for example in operation["responses"]["200"]["content"]["application/json"].get("examples", {}).values():
            shown[operation["operationId"]] = example["value"]

    assert examples(server) == shipped_examples, "Run `make examples` and commit what it writes."
    assert shown == {name: example["answer"] for name, example in shipped_examples.items()}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_as_the_document_says_and_half_of_them_at_least_have_what_was_asked_for(
    server: LiveWeb, path: str, long: bool
) -> None:
    operation, program, statuses = document(server)[path]["GET"], server.program(), Counter[int]()
    asked_for = {each.name for each in operation.query}
    known = {name: values for name, values in values_of(server).items() if name in asked_for}
    required = {each.name for each in operation.query if each.is_required}
    every = {name: st.sampled_from(known[name]) for name in known}
    some = st.fixed_dictionaries(
        {name: every[name] for name in every if name in required},
        optional={name: every[name] for name in every if name not in required},
    )
    values = st.fixed_dictionaries(every) | some

    @settings(max_examples=200 if long else 12, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(query=data.draw(values)))
        if {"start", "end"} <= {*case.query}:  # no document can say that a range is not reversed
            case.query["start"], case.query["end"] = sorted((case.query["start"], case.query["end"]))
        statuses[case.call_and_validate(session=program).status_code] += 1

    ask()

    assert sum(statuses[status] for status in statuses if status < 300) * 2 >= statuses.total(), statuses


@pytest.mark.parametrize("path", PATHS[1:])
def test_what_the_document_does_not_allow_is_refused(server: LiveWeb, path: str, long: bool) -> None:
    operation, program = document(server)[path]["GET"], server.program()

    @settings(max_examples=200 if long else 8, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(session=program)

    ask()
