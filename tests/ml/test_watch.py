"""What mends the model in service: the version before, its intercept, or the newest leads alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from ml.features import Choice
from ml.train import train
from services.model_watch import MENDED, Incumbent, Rows, repair, watch

START = datetime(2026, 1, 1, tzinfo=UTC)
# One strong column is all there is here; elsewhere it would be suspected to know too much.
CHOICE = Choice(detect_leaks=False)


def world(*parts: tuple[int, float, float], seed: int = 1) -> Rows:
    """Leads an hour apart, a part each: how many, how far size speaks for them, and how likely."""
    rng = np.random.default_rng(seed)
    size, won = [], []
    for leads, slope, base in parts:
        mine = rng.normal(size=leads)
        size += mine.tolist()
        won += (rng.random(leads) < 1 / (1 + np.exp(-(slope * mine + base)))).tolist()
    moments = [START + timedelta(hours=number) for number in range(len(won))]
    frame: dict[str, list[object]] = {"size": size}
    return Rows(frame, np.array(won, dtype=np.int64), moments, ())


def serving(rows: Rows, learned: slice, name: str = "mdl_now") -> Incumbent:
    """A model of some of the rows."""
    frame = {key: values[learned] for key, values in rows.frame.items()}
    return Incumbent(name, train(frame, rows.won[learned], CHOICE), rows.decided[learned.stop - 1])


def test_a_world_that_stays_as_it_was_mends_nothing() -> None:
    rows = world((600, 1.5, -1), (200, 1.5, -1))
    now = serving(rows, slice(0, 600))

    seen = watch(rows, now)

    assert seen is not None and repair(rows, now, seen, CHOICE) is None


def test_the_first_answer_to_a_new_rate_is_the_intercept() -> None:
    rows = world((600, 1.5, -2), (200, 1.5, 0))
    now = serving(rows, slice(0, 600))

    seen = watch(rows, now)
    assert seen is not None
    found = repair(rows, now, seen, CHOICE)

    assert found is not None and found.model is not None and found.returned is None
    assert 1 < found.model.card[MENDED] < 3 and "was moved by +" in found.reasons[0]


def test_where_that_was_done_the_newest_leads_alone_teach() -> None:
    rows = world((3000, 1.5, -2), (400, -1.5, 0))
    now = serving(rows, slice(0, 3000))
    now = replace(now, model=replace(now.model, card={**now.model.card, MENDED: 0.5}))

    seen = watch(rows, now)
    assert seen is not None
    found = repair(rows, now, seen, CHOICE)

    assert found is not None and found.model is not None and found.rows is not None
    assert "newest 400 outcomes alone" in found.reasons[0] and len(found.rows.won) == 400
    assert MENDED not in found.model.card


def test_a_version_before_that_is_not_surely_better_stays_where_it_is() -> None:
    rows = world((300, 1.5, -1), (300, 1.5, -1), (200, 1.5, -1))
    before = serving(rows, slice(0, 300), "mdl_old")
    now = replace(serving(rows, slice(0, 600)), previous=before)

    seen = watch(rows, now)

    assert seen is not None and seen.state["previous"]["leads"] == 200
    assert not seen.is_previous_better and repair(rows, now, seen, CHOICE) is None


def test_a_new_rate_alone_brings_no_version_back() -> None:
    # The one before fits the new rate by chance; the one in service does too once it is mended.
    rows = world((100, 0.7, 0.5), (900, 1.5, -2), (200, 1.5, 0.5))
    before = serving(rows, slice(0, 100), "mdl_old")
    now = replace(serving(rows, slice(100, 1000)), previous=before)

    seen = watch(rows, now)
    assert seen is not None
    found = repair(rows, now, seen, CHOICE)

    assert seen.state["previous"]["gain"] > 2.4 * seen.state["previous"]["error"]
    assert found is not None and found.model is not None and found.model.card[MENDED] > 1


def test_a_version_before_that_ranks_better_comes_back() -> None:
    rows = world((600, 1.5, -1), (600, -1.5, -1), (200, 1.5, -1))
    before = serving(rows, slice(0, 600), "mdl_old")
    now = replace(serving(rows, slice(600, 1200)), previous=before)

    seen = watch(rows, now)
    assert seen is not None
    found = repair(rows, now, seen, CHOICE)

    assert found is not None and found.returned is before and "it is back" in found.reasons[0]
