"""Tables of figures: one description of each, shown as HTML, as a chart's text, and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from lib.csv_stream import csv_chunks


@dataclass(frozen=True)
class Column:
    """A column: its key, its heading, how its values are written, and what it means."""

    key: str
    label: str
    # text, number, money, percent, interval, standing, minutes, points, change.
    kind: str = "text"
    meaning: str = ""

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
    labels = [column.label for column in table.columns]
    rows = ({one.label: _plain(row.get(one.key)) for one in table.columns} for row in table.rows)
    reply = Response("".join(csv_chunks(rows, labels, bom=True)), mimetype="text/csv")
    reply.headers["Content-Disposition"] = f'attachment; filename="{file}.csv"'
    return reply


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return " to ".join(f"{one:.4f}" for one in value)
    return round(value, 4) if isinstance(value, float) else value
