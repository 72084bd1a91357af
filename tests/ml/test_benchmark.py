"""The command that prints the figures, and the opponents it measures against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from cli import prediction_benchmark
from ml import benchmark


def test_without_the_files_the_command_says_which_is_missing(tmp_path: Path) -> None:
    said = CliRunner().invoke(prediction_benchmark, ["--data", str(tmp_path)])

    assert said.exit_code == 1
    assert "There is no bank-full.csv" in said.output


def test_a_line_says_what_was_wanted_and_whether_it_is_so() -> None:
    good = benchmark.Line("bank", "AUC", 0.8, 0.793)
    missed = benchmark.Line("bank", "log-loss", 0.3, 0.289, at_most=True)

    assert good.good and str(good).split()[-1] == "ok"
    assert not missed.good and str(missed).split()[-4:] == ["0.3", "≤", "0.289", "MISSED"]
    assert benchmark.Line("bank", "Brier", 0.1).good


def test_naive_bayes_counts_and_clamps() -> None:
    frame = {"kind": ["a"] * 50 + ["b"] * 50, "size": [float(it) for it in range(100)]}
    won = np.array([1] * 40 + [0] * 10 + [1] * 5 + [0] * 45)
    choice = benchmark.Choice(detect_leaks=False)

    bayes = benchmark.FrequencyBayes().fit(frame, won, choice)
    low, middle, high = bayes.logits({"kind": ["b", None, "a"], "size": [99.0, None, 0.0]})

    assert low < middle < high
    assert middle == np.log(45 / 55)
    assert np.abs(bayes.logits(frame)).max() <= np.log(9999)


def test_the_points_of_the_public_tables_are_within_0_and_100() -> None:
    bank = {
        "poutcome": np.array(["success", "unknown"]),
        "contact": np.array(["cellular", "unknown"]),
        "previous": np.array(["9", "0"]),
        "campaign": np.array(["1", "40"]),
        "loan": np.array(["no", "yes"]),
        "balance": np.array(["90000", "0"]),
        "pdays": np.array(["100", "-1"]),
    }

    assert benchmark.bank_points(bank).tolist() == [100.0, 0.0]
