"""The OpenAPI document: it is valid, what it says is true of every answer, and its pages load everything from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from attribution_assets.pages.registry import REPORTS
from attribution_assets_tests.web.live import LiveWeb
from attribution_assets_tests.web.test_api import ANALYSES

OF_SAMPLE: Mapping[str, Sequence[str]] = {
    "start": [f"2023-09-{day:02}" for day in range(1, 6)],
    "end": [f"2023-09-{day:02}" for day in range(6, 11)],
    "date": ["2023-09-02", "2023-09-05"],
    "channel": ["Direct Traffic", "FB & IG Ads"],
    "type": ["CONVERSION", "AWARENESS"],
    "status": ["ENABLED"],
    "category": ["House plants"],
}
"""By parameter, values that the sample has."""

PATHS = ["/api/", *(f"/api/{name.replace('_', '-')}/" for name in (*ANALYSES, *REPORTS))]


@cache
def document(live: LiveWeb) -> Any:
    return schemathesis.openapi.from_url(f"{live.url}/api/schema/", headers=dict(live.program().headers))


def test_the_document_names_every_endpoint(server: LiveWeb) -> None:
    listed = server.program().get(f"{server.url}/api/").json()

    assert sorted(document(server).raw_schema["paths"]) == sorted(PATHS)
    assert sorted(each["path"] for each in listed) == sorted(PATHS[1:])


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_as_the_document_says_and_half_of_them_at_least_have_what_was_asked_for(
    server: LiveWeb, path: str, long: bool
) -> None:
    operation, program, statuses = document(server)[path]["GET"], server.program(), Counter[int]()
    known = {name: OF_SAMPLE[name] for name in OF_SAMPLE if name in {each.name for each in operation.query}}
    required = {each.name for each in operation.query if each.is_required}
    values = st.fixed_dictionaries(
        {name: st.sampled_from(known[name]) for name in known if name in required},
        optional={name: st.sampled_from(known[name]) for name in known if name not in required},
    )

    @settings(max_examples=200 if long else 25, derandomize=True, suppress_health_check=list(HealthCheck))
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

    @settings(max_examples=200 if long else 15, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(session=program)

    ask()
