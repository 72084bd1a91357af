"""Tests of lib.ids: what cannot be guessed, and what cannot be an id."""

from __future__ import annotations

import base64
import re
from collections import Counter

import pytest

from lib.ids import is_ascii_id, public_ref, request_id, session_id


def test_a_session_id_is_24_random_bytes_behind_its_prefix() -> None:
    name = session_id()

    assert re.fullmatch(r"sess_[A-Za-z0-9_-]{32}", name)
    assert len(base64.urlsafe_b64decode(name.removeprefix("sess_"))) == 24


def test_session_ids_are_evenly_spread() -> None:
    names = [session_id().removeprefix("sess_") for _ in range(20_000)]

    assert len(set(names)) == len(names)
    for place in range(32):
        seen = Counter(name[place] for name in names)
        # 312 of each are expected, 18 is a standard deviation; ten of them never happen.
        assert len(seen) == 64 and max(seen.values()) < 500


def test_references_and_request_ids_are_plain_and_new() -> None:
    assert re.fullmatch(r"[2-9b-z]{16}", public_ref())
    assert re.fullmatch(r"[0-9a-f]{32}", request_id())
    assert len({public_ref() for _ in range(1000)} | {request_id() for _ in range(1000)}) == 2000


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), (str(2**63 - 1), 2**63 - 1)])
def test_a_number_in_a_path_is_an_id(text: str, number: int) -> None:
    assert is_ascii_id(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+1", "1e3", "1.0", " 1", "1 ", "1\n", "01", "0x1", "1_000", "٣", "１", "²"]
    + [str(2**63), "9" * 19, "9" * 10_000, "\x00", "sess_1"],
)
def test_anything_else_is_none(text: str) -> None:
    assert is_ascii_id(text) is None
