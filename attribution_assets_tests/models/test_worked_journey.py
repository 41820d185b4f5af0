"""The worked journey of docs/models.md: its numbers are those that the code gives."""

from __future__ import annotations

from functools import partial

import pandas as pd

from attribution_assets.ihc import attribute as attribute_ihc
from attribution_assets.models import MODELS, ModelRules
from attribution_assets.models.credit import attribute, count, learn
from attribution_assets.models.journeys import Journeys
from attribution_assets_tests.models.paths import tallied
from attribution_assets_tests.support import PROJECT
from attribution_assets_tests.test_docs import table_rows

DOCUMENT = PROJECT / "docs" / "models.md"

HEADER = "| model | Ads, Monday 9:00 | Email, Wednesday 18:00 | Ads, Saturday 12:00 | Direct, Saturday 12:20 |"
TIMES = ("2023-09-04 09:00:00", "2023-09-06 18:00:00", "2023-09-09 12:00:00", "2023-09-09 12:20:00")
PATHS = {"Ads > Email > Ads > Direct": True, "Email > Direct": True, "Ads": False, "Ads > Direct": False, "Email": False}


def journeys() -> pd.DataFrame:
    """All five, the worked one as `0`."""
    return pd.DataFrame(
        [
            (str(number), str(place), "2023-09-09", time, channel, 1, 1)
            for number, path in enumerate(PATHS)
            for place, (time, channel) in enumerate(zip(TIMES, path.split(" > "), strict=False))
        ],
        columns=[
            "conv_id",
            "session_id",
            "conv_date",
            "timestamp",
            "channel_label",
            "holder_engagement",
            "closer_engagement",
        ],
    )


def values() -> pd.DataFrame:
    """What Markov and Shapley learn from the five."""
    flat, order = Journeys.from_frame(journeys())
    converted = pd.Series(list(PATHS.values()))[journeys()["conv_id"].astype(int)].to_numpy()[order][flat.offsets]
    rules = ModelRules()
    return pd.DataFrame(
        [
            ("2023-09-09", model, channel, value)
            for model in ("markov", "shapley")
            for channel, value in learn(
                tallied(partial(count, model=model, rules=rules), flat, converted), model, rules
            ).items()
        ],
        columns=["date", "model", "channel_name", "value"],
    )


def test_the_table_of_the_worked_journey_is_what_every_model_says() -> None:
    worked = journeys().query("conv_id == '0'")
    worked = worked.assign(ihc=attribute_ihc(worked)["ihc"])
    credit = attribute(worked, ModelRules(), values())
    by_model = credit.pivot(index="model", columns="session_id", values="credit")

    assert table_rows(DOCUMENT, HEADER) == [[model, *(f"{share:.1%}" for share in by_model.loc[model])] for model in MODELS]


def test_the_table_of_the_five_journeys_is_what_is_learned_from_them() -> None:
    learned = values().pivot(index="channel_name", columns="model", values="value")

    assert table_rows(DOCUMENT, "| channel | Markov: removal effect | Shapley: share of the conversion rate |") == [
        [channel, f"{of_channel['markov']:.1%}", f"{of_channel['shapley']:.1%}"] for channel, of_channel in learned.iterrows()
    ]


def test_the_five_journeys_are_those_that_the_document_names() -> None:
    text = DOCUMENT.read_text()

    assert all(f"| {path} | {'yes' if converts else 'no'} |" in text for path, converts in PATHS.items())
