"""Tables of figures: one description of each, shown as HTML, as a chart's text, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from lib.csv_stream import csv_chunks


@dataclass(frozen=True)
class Column:
    """A column: its key, its heading, how its values are written, and what it means."""

    key: str
    label: str
    # text, number, money, percent, interval, standing, minutes, points.
    kind: str = "text"
    meaning: str = ""
    # The key of what it was in the days before, where these are compared.
    was: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values stand to the right."""
        return self.kind not in ("text", "standing")


@dataclass(frozen=True)
class Table:
    """Rows under a title; `name` is that of its CSV file."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]] = field(default_factory=list)
    note: str = ""


def csv_reply(table: Table, file: str) -> Response:
    """The table as a file for a spreadsheet, every cell harmless there."""
    keys = dict(_keys(table.columns))
    labels = list(keys)
    rows = ({label: _plain(row.get(key)) for label, key in keys.items()} for row in table.rows)
    reply = Response("".join(csv_chunks(rows, labels, bom=True)), mimetype="text/csv")
    reply.headers["Content-Disposition"] = f'attachment; filename="{file}.csv"'
    return reply


def _keys(columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """The headings of a file and their keys: what was before stands behind what is."""
    for column in columns:
        yield column.label, column.key
        if column.was:
            yield f"{column.label} before", column.was


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return " to ".join(f"{one:.4f}" for one in value)
    return round(value, 4) if isinstance(value, float) else value
