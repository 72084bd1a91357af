"""Leads made up for learning, and the public data where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml import benchmark

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Leads:
    """Columns of leads and whether each was won."""

    frame: dict[str, list[Any]]
    won: np.ndarray[Any, Any]


@pytest.fixture(scope="session")
def leads() -> Callable[..., Leads]:
    """Makes leads whose outcome depends on their visits, source and points, with gaps."""

    def make(rows: int = 400, *, seed: int = 1, signal: float = 1.0) -> Leads:
        rng = np.random.default_rng(seed)
        visits = rng.poisson(3, rows).astype(float)
        source = rng.choice(["ads", "search", "friend"], rows)
        amount = np.round(np.exp(rng.normal(8, 1.5, rows)), 1)
        points = rng.integers(0, 101, rows).astype(float)
        logit = 0.7 * (visits - 3) + 1.2 * (source == "friend") + 0.02 * (points - 50) - 1
        won = (rng.random(rows) < 1 / (1 + np.exp(-signal * logit))).astype(np.int64)
        visits[::9] = np.nan
        frame = {
            "website_visits": [None if np.isnan(it) else it for it in visits.tolist()],
            "source": [
                None if number % 13 == 0 else it for number, it in enumerate(source.tolist())
            ],
            "amount": amount.tolist(),
            "points": points.tolist(),
        }
        return Leads(frame, won)

    return make


@pytest.fixture(scope="session")
def public() -> Callable[[str], benchmark.Dataset]:
    """Reads the `bank` or `shop` data; skips where it is not at hand."""
    folder = Path(os.environ.get("LEADLINE_TEST_DATA", ROOT.parent / "shared" / "data"))
    kept: dict[str, benchmark.Dataset] = {}

    def read(name: str) -> benchmark.Dataset:
        if not (folder / "bank-full.csv").is_file():
            pytest.skip(f"The public data is not in {folder} (LEADLINE_TEST_DATA names another).")
        if name not in kept:
            kept[name] = benchmark.load(folder, name)
        return kept[name]

    return read
