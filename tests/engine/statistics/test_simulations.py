"""The promises of the statistics, simulated: each kept, and each seen broken the wrong way."""

from __future__ import annotations

import math

import pytest
from click.testing import CliRunner

import cli
from engine.statistics.simulations import selftest
from engine.statistics.simulations.checks import FULL, QUICK, Check, Limit, at_least, at_most
from engine.statistics.simulations.selftest import SIMULATIONS, run_all

BROKEN = Check("always wrong", 0.5, at_most(0.05), 0.9, at_least(0.4))


def kept(name: str, profile: object) -> None:
    checks = SIMULATIONS[name](profile)  # type: ignore[arg-type]
    assert checks
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize("name", SIMULATIONS)
def test_a_promise_is_kept_and_the_wrong_way_breaks_it(name: str) -> None:
    kept(name, QUICK)


@pytest.mark.nightly
@pytest.mark.parametrize("name", SIMULATIONS)
def test_a_promise_is_kept_over_many_more_runs(name: str) -> None:
    kept(name, FULL)


def test_the_same_seed_gives_the_same_figures() -> None:
    assert SIMULATIONS["family"](QUICK) == SIMULATIONS["family"](QUICK)


def test_a_check_fails_when_the_promise_or_its_control_does() -> None:
    assert not BROKEN.passed
    assert Check("kept", 0.01, at_most(0.05), 0.9, at_least(0.4)).passed
    assert not Check("no control", 0.01, at_most(0.05), 0.1, at_least(0.4)).passed


def test_limits_are_written_as_one_writes_them() -> None:
    assert [str(one) for one in (at_most(0.05), at_least(2), Limit(1, 3))] == [
        *("<= 0.05", ">= 2", "1 to 3")
    ]
    assert Limit(1, 3).holds(3) and not Limit(1, 3).holds(math.nan)


def test_the_command_prints_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "SIMULATIONS", {"idle arm": SIMULATIONS["idle arm"]})

    said = CliRunner().invoke(cli.experiments_selftest, ["--full"])

    assert said.exit_code == 0
    assert "ok" in said.output and said.output.endswith("0 failed\n")


def test_the_command_fails_when_a_promise_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "SIMULATIONS", {"broken": lambda _: [BROKEN]})

    said = CliRunner().invoke(cli.experiments_selftest)

    assert said.exit_code == 1
    assert "FAIL" in said.output and "1 failed" in said.output
    assert list(run_all(QUICK)) == [BROKEN]
