"""Learning the IHC parameters: small answers worked out by hand, made-up accounts, and the service's recorded answers."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.answers import compare_answers, predict, read_answers
from attribution_assets.ihc.calibration import calibrate, calibrate_and_check
from attribution_assets_tests.support import SHARED

RECORDED = SHARED / "real" / "ihc" / "recorded_answers.csv"
CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"

PHASES = ["initializer", "holder", "closer"]
SHARES = [*PHASES, "ihc"]
START = datetime(2023, 9, 1)

Knots = list[tuple[float, float]]


# What the tests are made of -------------------------------------------------------------------------------------------


def journeys(*sessions: Iterable[tuple[float, str]], holder: int = 1, closer: int = 1) -> pd.DataFrame:
    """One conversion per argument, a session for each (hours, channel) in it."""
    return pd.DataFrame(
        {
            "request": "0",
            "conversion_id": f"c{number}",
            "session_id": f"s{k}",
            "timestamp": (START + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S"),
            "channel_label": channel,
            "holder_engagement": holder,
            "closer_engagement": closer,
        }
        for number, journey in enumerate(sessions)
        for k, (hours, channel) in enumerate(journey)
    )


def parameters(
    *,
    initializer: Knots | None = None,
    closer: Knots | None = None,
    channels: dict[str, tuple[float, float, float]] | None = None,
) -> IHCParameters:
    """Phase weights .2, .5, .3; unless said otherwise, an hour adds a tenth to f_I and takes one from f_C, up to ten hours."""
    return IHCParameters.model_validate(
        {
            "phase_weights": {"initializer": 0.2, "holder": 0.5, "closer": 0.3},
            "channel_weights": {name: dict(zip(PHASES, weights, strict=True)) for name, weights in (channels or {}).items()},
            "initializer_membership": initializer or [(0, 0), (10, 1)],
            "closer_membership": closer or [(0, 1), (10, 0)],
        }
    )


def answered(sessions: pd.DataFrame, account: IHCParameters) -> pd.DataFrame:
    """With the account's outputs, in four digits such that each column still sums to 1 in a journey."""
    answers = predict(sessions, account)
    journey = sessions.groupby(["request", "conversion_id"]).ngroup()
    for output in SHARES:
        exact = answers[output] * 10_000
        down = np.floor(exact + 1e-6)
        missing = (exact.groupby(journey).transform("sum") - down.groupby(journey).transform("sum")).round()
        largest_remainders = (down - exact).groupby(journey).rank(method="first")
        answers[output] = (down + (largest_remainders <= missing)) / 10_000
    return sessions.assign(**answers)


def degree(membership: tuple[tuple[float, float], ...], hours: float) -> float:
    """The degree at an hour where the membership does not jump."""
    return float(np.interp(hours, *np.array(membership).T))


def many_journeys(conversions: int, seed: int) -> pd.DataFrame:
    """Of one to nine sessions of eight channels, some of them seldom; pauses from seconds to weeks."""
    chance = random.Random(seed)
    channels = ["Email", "Search", "Social", "Radio", "Display", "Direct", "Affiliate", "Referral"]
    answered: list[dict[str, Any]] = []
    for number in range(conversions):
        time = START
        for k in range(min(9, 1 + int(chance.expovariate(0.5)))):
            pause = chance.lognormvariate(-1, 1.5) if chance.random() < 0.5 else chance.lognormvariate(3.2, 1.2)
            time += timedelta(seconds=round(3600 * pause))
            answered.append(
                {
                    "request": "0",
                    "conversion_id": f"c{number:04}",
                    "session_id": f"s{k}",
                    "timestamp": time.strftime("%Y-%m-%d %H:%M:%S"),
                    "channel_label": channels[min(7, int(chance.expovariate(0.5)))],
                    "holder_engagement": int(chance.random() < 0.85),
                    "closer_engagement": int(chance.random() < 0.6),
                }
            )
    return pd.DataFrame(answered)


def made_up_account(saturation: float, *, jumps: bool, seed: int) -> IHCParameters:
    """Channel weights from .3 to 3; f_I reaches 1 at `saturation` hours, f_C 0 at sixty; if wanted, both jump."""
    chance = random.Random(seed)
    hours = [saturation * step / 60 for step in range(61)]
    rising = [(x, (0.7 if jumps else 1) * (x / saturation) ** 1.5) for x in hours] + [(saturation, 1.0)]
    falling = [(x, 1 - np.log1p(2 * x) / np.log1p(120)) for x in [0, *np.geomspace(0.1, 60, 60).round(2)]]
    if jumps:
        falling = [(0, 1), (0.1, 1), *((x, 0.85 * y) for x, y in falling if x >= 0.1)]
    names = ["Email", "Search", "Social", "Radio", "Display", "Direct", "Affiliate", "Referral"]
    channels = {name: tuple(0.3 * 10 ** chance.random() for _ in PHASES) for name in names}
    return parameters(initializer=rising, closer=falling, channels=channels)  # type: ignore[arg-type]


def near(hours: float, degree: float) -> Any:
    """A knot there, within what four digits tell."""
    return pytest.approx((hours, degree), abs=0.005)


# By hand --------------------------------------------------------------------------------------------------------------

HOURLY = [[(0.0, "Email"), (hours, "Email")] for hours in (1, 2, 3, 4, 5, 6, 7, 8)]
"""Pairs of one to eight hours, of one channel."""


def test_memberships_are_read_from_the_ratios_to_the_first_and_the_last_session() -> None:
    # After 5 h: I = 2/3, 1/3 and C = 1/3, 2/3, so f_I(5 h) = f_C(5 h) = 1/2.
    learned = calibrate(answered(journeys(*HOURLY), parameters()))

    assert [degree(learned.initializer_membership, x) for x in (1, 5, 8)] == pytest.approx([0.1, 0.5, 0.8], abs=0.0005)
    assert [degree(learned.closer_membership, x) for x in (1, 5, 8)] == pytest.approx([0.9, 0.5, 0.2], abs=0.0005)


def test_between_the_looks_and_beyond_them_a_membership_is_straight() -> None:
    # Looks from 1 h to 8 h, a tenth per hour: f_I is 0 at 0 h and 1 at 10 h, f_C the other way round from 8 h on.
    learned = calibrate(answered(journeys(*HOURLY), parameters()))

    assert degree(learned.initializer_membership, 4.5) == pytest.approx(0.45, abs=0.0005)
    assert learned.initializer_membership[0] == near(0, 0)
    assert learned.initializer_membership[-1] == near(10, 1)
    assert learned.closer_membership[-1] == near(10, 0)


def test_the_phase_weights_are_learned() -> None:
    learned = calibrate(answered(journeys(*HOURLY), parameters()))

    assert learned.phase_weights.model_dump() == pytest.approx({"initializer": 0.2, "holder": 0.5, "closer": 0.3}, abs=0.0005)


def test_channel_weights_are_learned_up_to_their_middle() -> None:
    # Half of the looks are at Email, whose weights are the lower ones and so the middle: they become 1. Search's are two,
    # three and four times as high.
    pairs = [[(0.0, first), (quarters / 4, "Email")] for first in ("Email", "Search") for quarters in range(4, 28)]
    account = parameters(channels={"Email": (1 / 2, 1 / 3, 1 / 4)})

    learned = calibrate(answered(journeys(*pairs), account)).channel_weights

    assert learned["Email"].model_dump() == {"initializer": 1, "holder": 1, "closer": 1}
    assert learned["Search"].model_dump() == pytest.approx({"initializer": 2, "holder": 3, "closer": 4}, rel=0.005)


def test_a_channel_seen_once_is_weighed_by_the_looks_beside_its_own() -> None:
    pairs = [[(0.0, "Email"), (quarters / 4, "Email")] for quarters in range(4, 28)]
    account = parameters(channels={"Radio": (3, 3, 3)})

    learned = calibrate(answered(journeys(*pairs, [(0, "Radio"), (3.1, "Email")]), account)).channel_weights

    factors = [getattr(learned["Radio"], phase) / getattr(learned["Email"], phase) for phase in PHASES]
    assert factors == pytest.approx([3, 3, 3], rel=0.01)


def test_a_channel_that_no_answer_weighs_keeps_one_and_is_named_in_the_description() -> None:
    # Radio stands alone in its journey: all is credited to it, whatever it weighs.
    pairs = [[(0.0, first), (hours, "Email")] for first in ("Email", "Search") for hours in (1.0, 3.0, 5.0, 7.0)]
    account = parameters(channels={"Email": (1 / 2, 1 / 2, 1 / 2), "Radio": (3, 3, 3)})

    learned = calibrate(answered(journeys(*pairs, [(0, "Radio")]), account))

    assert learned.channel_weights["Radio"].model_dump() == {"initializer": 1, "holder": 1, "closer": 1}
    assert "left at 1: Radio (initializer), Radio (holder), Radio (closer)." in learned.description


def test_where_a_pause_cuts_is_found_by_the_slope_before_it() -> None:
    # No cut at 9 h, at .9, a cut at 13 h: with a tenth per hour f_I is 1 at 10 h.
    pairs = [*HOURLY, [(0.0, "Email"), (9.0, "Email")], [(0.0, "Email"), (13.0, "Email")]]

    learned = calibrate(answered(journeys(*pairs), parameters()))

    assert learned.initializer_membership[-1] == near(10, 1)


def test_a_jump_to_the_cut_is_put_in_the_middle_of_where_it_may_be() -> None:
    # No cut at 8 h, at .4, a cut at 10 h: too far for a twentieth per hour.
    jump = parameters(initializer=[(0, 0), (8.5, 0.425), (8.5, 1)])

    learned = calibrate(answered(journeys(*HOURLY, [(0, "Email"), (10, "Email")]), jump))

    assert learned.initializer_membership[-2] == near(9, 0.45)
    assert learned.initializer_membership[-1] == (9, 1)


def test_a_pause_that_did_not_cut_never_does() -> None:
    # f_I(9.999 h) = .9999, next to 1 and in four digits the same: I = 1/2, 1/2.
    answers = answered(journeys(*HOURLY, [(0, "Email"), (9.999, "Email")]), parameters())

    learned = calibrate(answers)

    assert predict(answers, learned)["initializer"].iloc[-2:].tolist() == pytest.approx([0.5, 0.5], abs=0.0001)


def test_knots_on_a_line_are_left_out() -> None:
    # f_I is 0 up to 5 h: of the hundred looks there, all are within its first two knots.
    pairs = [[(0.0, "Email"), (step / 20, "Email")] for step in range(1, 101)]
    late = parameters(initializer=[(0, 0), (5, 0), (10, 1)])

    learned = calibrate(answered(journeys(*pairs, *HOURLY), late)).initializer_membership

    assert learned[:2] == ((0.05, 0), (5, 0))


# Made-up accounts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("saturation", [20, 200])
def test_a_made_up_account_is_given_back_for_journeys_not_learned_from(saturation: float) -> None:
    account = made_up_account(saturation, jumps=False, seed=1)
    answers = answered(many_journeys(1500, seed=1), account)

    errors = calibrate_and_check(answers, holdout=0.2, seed=1).errors

    assert errors["p95"]["ihc"] <= 0.0005
    assert errors["max"]["ihc"] <= 0.005


@pytest.mark.parametrize("saturation", [20, 200])
def test_an_account_with_jumps_is_given_back_but_for_pauses_next_to_the_jump(saturation: float) -> None:
    account = made_up_account(saturation, jumps=True, seed=2)
    answers = answered(many_journeys(1500, seed=2), account)
    learned, checked = (answers[answers["conversion_id"].between(*ids)] for ids in (("c0300", "c1499"), ("c0000", "c0299")))

    error = (predict(checked, calibrate(learned)) - checked[SHARES]).abs()["ihc"]

    wrong = checked.loc[error > 0.005, "conversion_id"].nunique()
    assert error.quantile(0.95) <= 0.0005
    assert wrong <= 1


@pytest.mark.parametrize("jumps", [False, True])
def test_strong_channel_weights_are_found_to_a_hundredth(jumps: bool) -> None:
    account = made_up_account(20, jumps=jumps, seed=3)

    learned = calibrate(answered(many_journeys(1500, seed=3), account))

    logs = [
        pd.DataFrame({name: w.model_dump() for name, w in p.channel_weights.items()}).map(np.log) for p in (learned, account)
    ]
    off = (logs[0] - logs[1]).sub((logs[0] - logs[1])["Email"], axis="index")  # the factor per phase is free
    assert off.abs().to_numpy().max() <= 0.01


def test_a_small_account_is_given_back_but_for_a_few() -> None:
    answers = answered(many_journeys(200, seed=4), made_up_account(60, jumps=False, seed=4))

    errors = calibrate_and_check(answers, holdout=0.2, seed=0).errors

    assert errors["within_0.001"]["ihc"] >= 0.95


# The same in any order ------------------------------------------------------------------------------------------------


def test_the_order_of_the_journeys_changes_nothing() -> None:
    answers = answered(many_journeys(300, seed=5), made_up_account(60, jumps=True, seed=5))
    by_conversion = [rows for _, rows in answers.groupby("conversion_id")]
    random.Random(5).shuffle(by_conversion)
    shuffled = pd.concat(by_conversion)

    assert calibrate(shuffled) == calibrate(answers)
    assert calibrate_and_check(shuffled).parameters == calibrate_and_check(answers).parameters


def test_the_learned_parameters_are_the_same_after_a_file(tmp_path: Path) -> None:
    answers = answered(many_journeys(300, seed=5), made_up_account(60, jumps=True, seed=5))
    learned = calibrate(answers)
    path = tmp_path / "ours.json"
    path.write_text(learned.model_dump_json(exclude={"name"}))

    loaded = IHCParameters.load(path)

    assert loaded.model_copy(update={"name": "unnamed"}) == learned
    assert loaded.name.startswith("ours.json@")


# The check ------------------------------------------------------------------------------------------------------------


def test_a_conversion_in_several_requests_stays_on_one_side() -> None:
    # Five conversions in two requests each: three are left, with six journeys of two rows.
    once = answered(journeys(*HOURLY[:5]), parameters())
    answers = pd.concat([once, once.assign(request="1")], ignore_index=True)

    check = calibrate_and_check(answers, holdout=0.4)

    assert (check.checked, check.left_out) == (2, True)
    assert "from 3 conversions (12 answers)" in check.parameters.description
    assert "On 2 other conversions" in check.parameters.description


def test_another_seed_checks_on_other_conversions() -> None:
    answers = answered(many_journeys(200, seed=6), made_up_account(60, jumps=False, seed=6))

    first, again, other = (calibrate_and_check(answers, seed=seed) for seed in (1, 1, 2))

    pd.testing.assert_frame_equal(first.errors, again.errors, check_exact=True)
    assert not first.errors.equals(other.errors)


def test_without_a_holdout_the_check_is_on_what_was_learned_from_and_says_so() -> None:
    answers = answered(journeys(*HOURLY), parameters())

    check = calibrate_and_check(answers, holdout=0)

    assert (check.checked, check.left_out) == (8, False)
    assert "On these conversions themselves" in check.parameters.description
    pd.testing.assert_frame_equal(check.errors, compare_answers(answers, check.parameters).errors)


# Refused --------------------------------------------------------------------------------------------------------------


def refusal(answers: pd.DataFrame) -> str:
    """The message of the AttributionError, which is one line."""
    with pytest.raises(AttributionError) as raised:
        calibrate(answers)

    message = str(raised.value)
    assert "\n" not in message
    return message


def test_no_answers_are_refused() -> None:
    assert "no recorded answers" in refusal(answered(journeys(*HOURLY), parameters()).iloc[:0])


def test_journeys_of_one_session_determine_nothing() -> None:
    answers = answered(journeys([(0, "Email")], [(0, "Search")]), parameters())

    assert "do not determine the initializer membership" in refusal(answers)


def test_journeys_that_are_all_cut_do_not_determine_the_initializer() -> None:
    answers = answered(journeys([(0, "Email"), (20, "Email")], [(0, "Email"), (30, "Email")]), parameters())

    assert "do not determine the initializer membership" in refusal(answers)


def test_sessions_that_never_close_do_not_determine_the_closer() -> None:
    answers = answered(journeys(*HOURLY, closer=0), parameters())

    assert "do not determine the closer membership" in refusal(answers)


def test_journeys_without_holder_credit_do_not_determine_the_phase_weights() -> None:
    answers = answered(journeys(*HOURLY, holder=0), parameters())

    assert "do not determine the phase weights" in refusal(answers)


def test_journeys_that_are_all_alike_do_not_determine_the_phase_weights() -> None:
    answers = answered(journeys(*[[(0.0, "Email"), (5.0, "Email")]] * 3), parameters())

    assert "do not determine the phase weights" in refusal(answers)


def test_a_cut_after_a_shorter_pause_than_one_without_is_a_contradiction() -> None:
    # Of one training that cuts from 10 h, and another that cuts from 4 h.
    before = answered(journeys(*HOURLY), parameters())
    after = answered(journeys(*HOURLY), parameters(initializer=[(0, 0), (4, 1)])).assign(request="1")

    message = refusal(pd.concat([before, after], ignore_index=True))

    assert "a pause of 4.0000 hours cuts a journey, but one of 8.0000 hours does not" in message


@pytest.mark.parametrize("holdout", [-0.1, 1, 2, float("nan")])
def test_a_holdout_that_is_no_share_is_refused(holdout: float) -> None:
    with pytest.raises(AttributionError, match="0 or more, and below 1"):
        calibrate_and_check(answered(journeys(*HOURLY), parameters()), holdout=holdout)


# The service's answers ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"the recorded answers of the IHC service are not there: {RECORDED}")
@pytest.mark.parametrize("seed", range(4))
def test_recorded_answers_are_given_back_from_the_other_ones(seed: int) -> None:
    errors = calibrate_and_check(read_answers(RECORDED), holdout=0.2, seed=seed).errors

    assert errors["p95"]["ihc"] <= 0.0005
    assert errors["max"]["ihc"] <= 0.005


@pytest.mark.skipif(not CHALLENGE.is_file(), reason=f"the journeys of the challenge are not there: {CHALLENGE}")
@pytest.mark.parametrize("preset", ["challenge", "alternative"])
def test_a_preset_is_given_back_from_its_answers_for_the_challenge(preset: str) -> None:
    with closing(sqlite3.connect(f"file:{CHALLENGE}?mode=ro", uri=True)) as connection:
        sessions = pd.read_sql(
            "SELECT '0' AS request, conv_id AS conversion_id, session_id, event_date || ' ' || event_time AS timestamp, "
            "channel_name AS channel_label, holder_engagement, closer_engagement "
            "FROM conversions JOIN session_sources USING (user_id) "
            "WHERE event_date || ' ' || event_time < conv_date || ' ' || conv_time ORDER BY 2, 4, 3",
            connection,
        )

    errors = calibrate_and_check(answered(sessions, IHCParameters.load(preset)), holdout=0.2, seed=0).errors

    assert errors["p95"]["ihc"] <= 0.0005
    assert errors["max"]["ihc"] <= 0.005
