"""Servers die, disks fill and connections break under load; nothing acknowledged is lost."""

from __future__ import annotations

import pytest

from tests.bench.stage import database
from tests.crash.scenes import (
    Outcome,
    fill_the_disk,
    kill_the_process,
    kill_workers,
    lose_replies,
    pairs,
    restart_database,
)
from tests.crash.stage import GUNICORN, ONE_PROCESS

FEW = 4  # visitors
SOON = (10, 60)  # requests until the next blow


def _filled() -> Outcome:
    outcome = fill_the_disk(0.5)
    if outcome is None:
        pytest.skip("No small disk may be mounted here.")
    return outcome


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_killed_workers_lose_and_double_nothing(database_url: str) -> None:
    outcome = kill_workers(database_url, 2, count=FEW, between=SOON)

    assert outcome.complaints == []


def test_a_killed_process_loses_and_doubles_nothing() -> None:
    outcome = kill_the_process(1, count=FEW, between=SOON)

    assert outcome.complaints == []
    assert outcome.seen.broken


def test_a_lost_reply_is_given_again() -> None:
    outcome = lose_replies(ONE_PROCESS, "", 0.5, count=FEW)

    assert outcome.complaints == []


def test_a_full_disk_is_refused_and_forgotten() -> None:
    assert _filled().complaints == []


@pytest.mark.nightly
@pytest.mark.postgres
def test_a_hundred_kills_of_workers() -> None:
    with database("killed") as (_, url):
        outcome = kill_workers(url, 100)

    assert outcome.complaints == []
    assert outcome.verdict.answers >= 5000


@pytest.mark.nightly
def test_a_hundred_kills_of_the_process() -> None:
    assert kill_the_process(100).complaints == []


@pytest.mark.nightly
@pytest.mark.postgres
def test_a_database_that_restarts_is_a_pause() -> None:
    with database("restarted") as (server, url):
        outcome = restart_database(server, url, 3)

    assert outcome.complaints == []


@pytest.mark.nightly
@pytest.mark.postgres
def test_lost_replies_behind_gunicorn() -> None:
    with database("cut") as (_, url):
        assert lose_replies(GUNICORN, url, 30.0).complaints == []


@pytest.mark.nightly
@pytest.mark.postgres
def test_ten_thousand_pairs_with_one_key() -> None:
    with database("pairs") as (_, url):
        assert pairs(GUNICORN, url, 10_000, others=1000).complaints == []
