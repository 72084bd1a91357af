"""Long random walks: hundreds of steps in every run, thousands by night, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.shop import shop
from tests.statemachine.machine import Walk

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def walk(url: str, folder: Path, *, runs: int, length: int) -> int:
    """How many steps were taken without a difference from the model."""
    with shop(
        url,
        folder,
    ) as ours:

        class Here(Walk):
            """A walk through this application."""

            shop = ours
            key = ours.new_key("admin")
            steps = 0

        chosen = settings(
            max_examples=runs,
            stateful_step_count=length,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=QUIET,
            phases=(Phase.generate,),
        )
        run_state_machine_as_test(Here, settings=chosen)
        return Here.steps


def test_hundreds_of_random_steps_agree_with_the_contract(
    sqlite_template: Path, tmp_path: Path
) -> None:
    file = tmp_path / "walk.db"
    file.write_bytes(sqlite_template.read_bytes())

    steps = walk(f"sqlite:///{file}", tmp_path, runs=25, length=30)

    assert steps >= 500


@pytest.mark.nightly
def test_thousands_of_random_steps_agree_with_the_contract(
    database_url: str, tmp_path: Path
) -> None:
    steps = walk(database_url, tmp_path, runs=300, length=40)

    assert steps >= 5000
