"""Rows as CSV text, a piece at a time, so that no export is ever held whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from lib.clock import iso
from lib.text import spreadsheet_safe

BOM = "\ufeff"
ROWS_A_CHUNK = 200


def csv_chunks(
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[str],
    *,
    spreadsheet: bool = True,
    bom: bool = False,
) -> Iterator[str]:
    """The rows under a header line, every cell quoted, in pieces of a few hundred rows.

    Cells are made harmless to spreadsheets unless `spreadsheet` is false (for programs);
    Excel needs the `bom` to read UTF-8. Keys that are no column are left out.
    """
    page = io.StringIO(BOM if bom else "", newline="")
    page.seek(0, io.SEEK_END)
    writer = csv.writer(page, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([_cell(column, spreadsheet=spreadsheet) for column in columns])
    for number, row in enumerate(rows, start=1):
        writer.writerow([_cell(row.get(column), spreadsheet=spreadsheet) for column in columns])
        if number % ROWS_A_CHUNK == 0:
            yield _taken(page)
    if page.tell():
        yield _taken(page)


def _taken(page: io.StringIO) -> str:
    """What was written since the last time."""
    text = page.getvalue()
    page.seek(0)
    page.truncate()
    return text


def _cell(value: object, *, spreadsheet: bool) -> str:
    """A value in a cell; only texts can be formulas, a negative number stays a number."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = _text(value).replace("\x00", "")
    return spreadsheet_safe(text) if spreadsheet else text


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
