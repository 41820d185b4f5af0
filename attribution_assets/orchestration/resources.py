"""Dagster resources over ihc/, which compute the IHC results of journeys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field, PrivateAttr

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import IHCParameters, Redistribution
from attribution_assets.ihc.chosen import DEFAULT
from attribution_assets.ihc.endpoint import ENDPOINT, endpoint

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.ihc.service import IHCService, Results
    from attribution_assets.warehouse.query import Rows


class IHCResource(dg.ConfigurableResource[None], ABC):
    """Computes the IHC results of journeys.

    `parameters`: those of the embedded model, a preset or a JSON file; if unset, those of `lead_by`, else the preset
    `challenge`. `redistribution`: a JSON file, or none.
    """

    parameters: str | None = None
    redistribution: str | None = None

    _leading: IHCParameters | None = PrivateAttr(default=None)

    @property
    def asks_for_parameters(self) -> bool:
        """Whether it computes with parameters of the embedded model, and none are named."""
        return self.parameters is None

    def lead_by(self, parameters: IHCParameters) -> None:
        """Has it compute with these parameters, where none are named."""
        self._leading = parameters

    @abstractmethod
    def answer(self, frames: Iterable[pd.DataFrame], *, refresh: bool = False) -> Results:
        """The rows of `ihc_results` for frames of whole journeys (columns of `customer_journeys`), frame after frame."""

    def model(self) -> Rows | None:
        """The function that computes the rows of each frame alone, wherever that is; None where a service answers."""
        return None

    def _load(self) -> tuple[IHCParameters, Redistribution | None]:
        parameters = IHCParameters.load(self.parameters or self._leading or DEFAULT)
        return parameters, Redistribution.load(self.redistribution) if self.redistribution else None


class EmbeddedIHCResource(IHCResource):
    """The embedded IHC model, which runs offline on this machine."""

    _loaded: tuple[IHCParameters, Redistribution | None] | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Reads what is named before the first step runs, so that what is wrong stops the run before anything is written."""
        loaded = self._load()
        self._loaded = loaded if self.parameters else None

    def model(self) -> Rows:
        """The embedded model."""
        from attribution_assets.ihc.embedded import embedded_results

        parameters, redistribution = self._loaded or self._load()
        return partial(embedded_results, parameters=parameters, redistribution=redistribution)

    def answer(self, frames: Iterable[pd.DataFrame], *, refresh: bool = False) -> Results:
        """The embedded model's rows, in the order given."""
        yield from map(self.model(), frames)
        return {}

    def results(self, journeys: pd.DataFrame) -> pd.DataFrame:
        """The rows of `ihc_results` for one frame."""
        return self.model()(journeys)


class IHCApiResource(IHCResource):
    """The IHC API. Every answer is kept in the file `ledger`, and no journey that has been paid for is sent again.

    Give the key as `dg.EnvVar("IHC_API_KEY")`. A literal key would be stored in Dagster's history.
    """

    api_key: str = Field(repr=False)
    conv_type_id: str
    url: str = ENDPOINT
    max_journeys: int = Field(default=100, ge=1)
    max_sessions: int = Field(default=3000, ge=1)
    concurrency: int = Field(default=4, ge=1)
    timeout: float = Field(default=60, gt=0, le=3600)
    long_journeys: Literal["latest", "fail"] = "latest"
    on_partial: Literal["fail", "embedded"] = "fail"
    ledger: str

    _service: IHCService | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Checks the settings before the first step runs."""
        service = self._connect()
        self._service = None if self.asks_for_parameters else service

    @property
    def asks_for_parameters(self) -> bool:
        """Whether the embedded model fills gaps, and none are named."""
        return super().asks_for_parameters and self.on_partial == "embedded"

    def answer(self, frames: Iterable[pd.DataFrame], *, refresh: bool = False) -> Results:
        """The API's rows, in no particular order. With `refresh`, answers in the ledger are not used."""
        return (self._service or self._connect()).answer(frames, refresh=refresh)

    def _connect(self) -> IHCService:
        from attribution_assets.ihc.client import IHCClient
        from attribution_assets.ihc.ledger import Ledger
        from attribution_assets.ihc.service import IHCService, Limits

        for name, value in {"IHC_API_KEY": self.api_key, "IHC_CONV_TYPE_ID": self.conv_type_id}.items():
            if not value:
                raise AttributionError(f"{name} is not set, but the IHC API needs it. Set it, or set IHC_BACKEND=embedded.")
        fallback, redistribution = self._load()
        return IHCService(
            client=IHCClient(
                key=self.api_key,
                conv_type_id=self.conv_type_id,
                url=endpoint(self.url),
                redistribution=redistribution,
                timeout=self.timeout,
            ),
            ledger=Ledger(Path(self.ledger)),
            limits=Limits(self.max_journeys, self.max_sessions, self.concurrency),
            long_journeys=self.long_journeys,
            on_partial=self.on_partial,
            fallback=fallback,
        )
