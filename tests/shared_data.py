"""Public data sets that stand beside the repository and are never copied into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared" / "data"


def shared_file(name: str) -> Path:
    """The file of this name; where it is absent (a user's machine) the test is skipped.

    `SHARED_DATA` names another folder.
    """
    path = Path(os.environ.get("SHARED_DATA") or BESIDE) / name
    if not path.exists():
        pytest.skip(f"{name} is not in SHARED_DATA or ../shared/data")
    return path
