"""What was proved of the sources of a lake: their ids stand once, and no row is broken. Noted, and not proved again."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from attribution_assets.errors import AttributionError
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.lake.objects import Place, write_text
from attribution_assets.warehouse.lake.opened import AtState, Opened
from attribution_assets.warehouse.query import Query
from attribution_assets.warehouse.schema import BROKEN_ROWS, Table
from attribution_assets.warehouse.sources import counted_by_id, id_twice
from attribution_assets.warehouse.views import RATES, Reading

FEW_ROWS = {**BROKEN_ROWS, "unusual_cost": "session_costs"}
"""The views that have no rows where a source is sound -> the source."""


@dataclass(frozen=True)
class Proofs:
    """What is proved before a query over the sources, noted in `folder` with the states of the sources that it is true of.

    `place`: where the sources lie. `check_unchanged` raises BusyError where files with sources have changed since a state was
    opened: what was read may be true of no state. Of a source whose state is not known, as on a server, nothing is noted.
    """

    folder: Place
    place: str
    reading: Reading
    check_unchanged: Callable[[Opened], None]

    def of_ids(self, cursor: AtState, query: Query) -> None:
        """Raises AttributionError where a row of a source that the query reads would count more than once."""
        for source in counted_by_id(query):
            self._prove_ids(cursor, source)

    def of_rows(self, cursor: AtState, query: Query) -> None:
        """Where a source has no broken row, the view of such rows is empty from here on: no query looks for one again."""
        texts = [query.text_in("duckdb"), *map(read_sql, query.guards)]
        for view in FEW_ROWS:
            if any(view in text for text in texts):
                self._find_broken_rows(cursor, view)

    def _prove_ids(self, cursor: AtState, source: Table) -> None:
        key, state = source.key[0], cursor.state
        decisive = self._decisive(state, source.name, source.name)
        now = {**decisive, "key": key}
        if decisive and noted(self._file(source.name)) == now:
            return
        if cursor.may_stand_twice(source.name, key):
            given = f"FROM {source.name} WHERE {key} IS NOT NULL"
            found = cursor.execute(f"SELECT {key}, count(*) {given} GROUP BY 1 HAVING count(*) > 1 LIMIT 1").fetchone()
            if found:
                has_truth = source.name == "conversions" and "conversions_backend" in state.stored
                raise id_twice(source, self.place, found, has_truth=has_truth)
        if decisive:
            self.check_unchanged(state)
            note(self._file(source.name), now)

    def _find_broken_rows(self, cursor: AtState, view: str) -> None:
        state = cursor.state
        now = self._decisive(state, view, FEW_ROWS[view])
        if not now or view in state.sources.empty:
            return
        has_none, has_some = {**now, "rows": "none"}, {**now, "rows": "some"}
        found = noted(self._file(view))
        if found not in (has_none, has_some):
            found = has_some if cursor.execute(f"SELECT 1 FROM {view} LIMIT 1").fetchone() else has_none
            self.check_unchanged(state)
            note(self._file(view), found)
        if found == has_none:
            cursor.has_no_rows(view)

    def _decisive(self, state: Opened, view: str, source: str) -> dict[str, object]:
        """What decides about the rows of the view, which reads the source; nothing where the state of a table is not known."""
        also = [RATES, *(["conversions_backend"] if self.reading.conversions == "backend" else [])]
        if source == "session_costs":
            also.append("session_sources")  # a cost is converted by the rate of its session's day
        states = [state.stored[name].state for name in (source, *also) if name in state.stored]
        if source not in state.stored or not all(states):
            return {}
        return {
            "states": states,
            "read as": [state.sources.views[name] for name in (view, source)],
            "functions": functions.OF_DUCKDB,
        }

    def _file(self, name: str) -> Place:
        return self.folder / f"{name}.json"


def noted(file: Place) -> object:
    """What was noted in the file; None where it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributionError):
        return None


def note(file: Place, what: object) -> None:
    """Notes it in the file, but where the lake cannot be written: whoever may only read it finds it out again."""
    with suppress(OSError, AttributionError):
        write_text(file, json.dumps(what))
