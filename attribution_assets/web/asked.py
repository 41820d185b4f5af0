"""What an address asks for, checked: every name is known, every day is a date, every model exists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from django.core.exceptions import BadRequest
from django.http import QueryDict

from attribution_assets.analysis.reports.form import Asked
from attribution_assets.models.registry import MODELS
from attribution_assets.warehouse.days import is_date

RANGE = ("start", "end")

ALWAYS = (*RANGE, "model")

MOST_LETTERS = 10_000


def asked_of(given: QueryDict, known: Collection[str]) -> Asked:
    """What the parameters ask for. Empty ones of a form count as not given.

    Raises BadRequest, which says which parameter is wrong, for unknown ones and for those that are no date or no model.
    """
    values = {name: str(value) for name, value in given.items() if value}
    refuse_unknown(given, (*ALWAYS, *known))
    for name, value in given.lists():
        if len(value) > 1:
            raise BadRequest(f"Give {name} once.")
        if len(value[0]) > MOST_LETTERS:
            raise BadRequest(f"{name} has more than {MOST_LETTERS} letters.")
        if "\0" in value[0]:
            raise BadRequest(f"{name} has a letter that no text has.")
    _check_dates(values)
    if values.get("model", "ihc") not in MODELS:
        raise BadRequest(f"There is no model {values['model']!r}. Choose from {', '.join(MODELS)}.")
    return Asked(
        values.get("start"),
        values.get("end"),
        values.get("model", "ihc"),
        {name: value for name, value in values.items() if name not in ALWAYS},
    )


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Raises BadRequest, which names the first one, for parameters that are not known."""
    if unknown := [name for name in given if name not in known]:
        raise BadRequest(f"There is no parameter {unknown[0]!r} here. There are {', '.join(known)}.")


def _check_dates(values: Mapping[str, str]) -> None:
    for name in ("start", "end", "date"):
        if name in values and not is_date(values[name]):
            raise BadRequest(f"{name} is {values[name]!r}, which is not a date. Write it as YYYY-MM-DD.")
    if "start" in values and "end" in values and values["start"] > values["end"]:
        raise BadRequest(f"The range {values['start']} to {values['end']} is reversed: give the earlier day first.")
