"""Tests of lib.csv_stream: what comes out is what a reader gets, and no formula."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from lib.csv_stream import ROWS_A_CHUNK, csv_chunks


def test_rows_are_read_back_as_they_were() -> None:
    rows = [{"name": 'Zoë "Z", Ltd\nBerlin', "size": "2–5", "extra": "left out"}, {"name": None}]

    text = "".join(csv_chunks(rows, ["name", "size"]))

    assert text.startswith('"name","size"\r\n"Zoë ""Z"", Ltd\nBerlin","2–5"\r\n')
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [
        ['Zoë "Z", Ltd\nBerlin', "2–5"],
        ["", ""],
    ]


def test_values_are_written_as_programs_read_them() -> None:
    row = {
        "a": True,
        "b": -5,
        "c": -0.5,
        "d": ["Billing", "₹"],
        "e": datetime(2026, 1, 1, tzinfo=UTC),
        "f": {"k": Decimal("1.5")},
        "g": "a\x00b",
        "h": False,
        "i": Decimal("-2"),
    }

    cells = next(csv.DictReader(io.StringIO("".join(csv_chunks([row], list(row))), newline="")))

    assert list(cells.values()) == [
        *("true", "-5", "-0.5", '["Billing", "₹"]', "2026-01-01T00:00:00.000Z", '{"k": "1.5"}'),
        *("ab", "false", "'-2"),
    ]


def test_formulas_are_disarmed_in_cells_and_headers_unless_a_program_reads() -> None:
    rows = [{"=x": "=1+1"}]

    assert "".join(csv_chunks(rows, ["=x"])) == '"\'=x"\r\n"\'=1+1"\r\n'
    assert "".join(csv_chunks(rows, ["=x"], spreadsheet=False)) == '"=x"\r\n"=1+1"\r\n'


def test_a_bom_stands_once_and_in_front() -> None:
    text = "".join(csv_chunks([{"a": str(n)} for n in range(1000)], ["a"], bom=True))

    assert text.startswith('\ufeff"a"') and text.count("\ufeff") == 1
    assert "\ufeff" not in "".join(csv_chunks([], ["a"]))


def test_rows_are_taken_as_they_are_needed() -> None:
    taken = itertools.count()

    def rows() -> Iterator[dict[str, object]]:
        while True:
            yield {"n": next(taken)}

    chunks = csv_chunks(rows(), ["n"])
    next(chunks)

    assert next(taken) == ROWS_A_CHUNK


def test_no_chunk_is_empty() -> None:
    for count in (0, 1, ROWS_A_CHUNK, ROWS_A_CHUNK + 1):
        chunks = list(csv_chunks([{"n": n} for n in range(count)], ["n"]))
        assert all(chunks)
        assert "".join(chunks).count("\r\n") == count + 1
