"""One row of an imported file: read, checked, and what it says of a lead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from datetime import datetime
from typing import Any

from engine.stages import Pipeline
from engine.vocabulary import PROFILE_FIELDS, StageKind
from lib.clock import day_range
from lib.csv_table import Record
from services.import_plan import ATTRIBUTE, IGNORE, MOMENTS, OUTCOME, SALES_FIELDS, ImportPlan
from services.profile import (
    CHECKED,
    LARGEST_ATTRIBUTES,
    LONGEST_VALUE,
    ProfileChange,
    read_field,
)
from services.sales_step import EARLIEST, LARGEST_LEAD_OF_A_CLOCK

LONGEST_SALES_TEXT = 255
# What no database keeps, and what a letter became that its encoding does not know.
_NUL, _NO_LETTER = re.compile("\x00"), re.compile("[\x00\ufffd]")
WHOLE_ROW = "row"
TOO_EARLY = "The outcome lies before the moment at which the lead came in."
NO_MOMENT = (
    f"This must be a date such as 2026-11-21, or an ISO 8601 date-time,"
    f" between {EARLIEST.year} and now."
)
# A letter beyond the first plane is written as two escapes.
_LARGEST_LETTER = 12


class RowRefused(Exception):
    """A row that cannot be kept: each field with its sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True)
class Around:
    """What reading a row depends on beside the file: the workspace, and the moment."""

    region: str
    allow_test_addresses: bool
    pipeline: Pipeline
    now: datetime


@dataclass(slots=True)
class Row:
    """What one row says of a lead; made for every row of a file, so not frozen, which costs."""

    number: int
    profile: ProfileChange
    attributes: Mapping[str, str]
    sales: Mapping[str, str]
    outcome: str | None
    created_at: datetime | None
    occurred_at: datetime | None
    # The profile as it was sent, for the log, but for the attributes.
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def email_key(self) -> str | None:
        """By which one knows the same lead again."""
        key: str | None = self.profile.columns.get("email_key")
        return key

    @property
    def said(self) -> dict[str, Any]:
        """The profile as it was sent, for the log."""
        return {**self.known, **({"attributes": self.attributes} if self.attributes else {})}


@lru_cache(maxsize=4096)
def _read_moment(text: str) -> datetime | None:
    """The moment that a text says, None if it says none; of a file many rows say the same day."""
    try:
        moment, _ = day_range(text, None)
    except ValueError:
        return None
    return moment


class RowReader:
    """Reads the rows of one file; what depends on its columns alone is found out once."""

    def __init__(self, plan: ImportPlan, around: Around) -> None:
        self.plan = plan
        self.around = around
        self.wanted = [
            (place, name, target)
            for place, (name, target) in enumerate(plan.columns)
            if target != IGNORE
        ]
        # The column of each field; two are never the same one.
        self.names = {target: name for _, name, target in self.wanted if target != ATTRIBUTE}
        self.unreadable = _NUL if plan.encoding == "utf-8" else _NO_LETTER
        self.latest = around.now + LARGEST_LEAD_OF_A_CLOCK
        named = sum(_LARGEST_LETTER * len(name) + 8 for name, _ in plan.columns)
        # As many letters are never too large together, however they are written.
        self.surely_small = (LARGEST_ATTRIBUTES - named) // _LARGEST_LETTER

    def read(self, number: int, record: Record) -> Row:
        """What a record says; RowRefused names every field of it that cannot be."""
        if record.problem:
            raise RowRefused({WHOLE_ROW: record.problem})
        found, wanted = len(record.cells), len(self.plan.columns)
        if found != wanted:
            raise RowRefused({WHOLE_ROW: f"The row has {found} cells, the first row has {wanted}."})
        return _Reading(self, record.cells).row(number)


class _Reading:
    """The cells of one row on their way to a lead; problems are collected, not raised."""

    def __init__(self, reader: RowReader, cells: Sequence[str]) -> None:
        self.reader = reader
        self.around = reader.around
        self.cells = cells
        self.problems: dict[str, str] = {}

    def row(self, number: int) -> Row:
        """The row; RowRefused if it has a problem."""
        fields: dict[str, str] = {}
        attributes: dict[str, str] = {}
        for name, target, cell in self._filled():
            if target == ATTRIBUTE:
                attributes[name] = cell
            else:
                fields[target] = cell
        known = {one: fields[one] for one in PROFILE_FIELDS if one in fields}
        profile = self._profile(known)
        sales = self._sales(fields)
        created_at, occurred_at = (self._moment(one, fields) for one in MOMENTS)
        outcome = self._outcome(fields)
        if created_at and occurred_at and occurred_at < created_at:
            self._refuse("occurred_at", TOO_EARLY)
        if self._are_too_large(attributes):
            self.problems[WHOLE_ROW] = "The custom attributes are too large together."
        if self.problems:
            raise RowRefused(self.problems)
        stage = self.around.pipeline.find(sales.get("stage")) if "stage" in sales else None
        if stage and stage.kind is not StageKind.OPEN and outcome is None:
            outcome = str(stage.kind)
        return Row(number, profile, attributes, sales, outcome, created_at, occurred_at, known)

    def _filled(self) -> Iterator[tuple[str, str, str]]:
        """The cells in which something stands that can be kept."""
        cells, unreadable = self.cells, self.reader.unreadable
        filled = (
            (name, target, cells[place])
            for place, name, target in self.reader.wanted
            if cells[place] and not cells[place].isspace()
        )
        whole = "".join(cells)
        if len(whole) <= LONGEST_VALUE and not unreadable.search(whole):
            return filled
        return (one for one in filled if self._can_be_kept(one[0], one[2]))

    def _can_be_kept(self, name: str, cell: str) -> bool:
        if self.reader.unreadable.search(cell):
            self.problems[name] = "This text holds a character that cannot be stored."
        elif len(cell) > LONGEST_VALUE:
            self.problems[name] = f"At most {LONGEST_VALUE} characters are kept."
        else:
            return True
        return False

    def _are_too_large(self, attributes: Mapping[str, str]) -> bool:
        if sum(map(len, attributes.values())) <= self.reader.surely_small:
            return False
        return len(json.dumps(attributes)) > LARGEST_ATTRIBUTES

    def _refuse(self, target: str, sentence: str) -> None:
        self.problems[self.reader.names[target]] = sentence

    def _profile(self, known: Mapping[str, str]) -> ProfileChange:
        change = ProfileChange()
        for target, cell in known.items():
            if target not in CHECKED:
                change.columns[target] = cell.strip()
                continue
            try:
                read_field(
                    change,
                    target,
                    cell,
                    region=self.around.region,
                    allow_test_addresses=self.around.allow_test_addresses,
                )
            except ValueError as error:
                self._refuse(target, str(error))
        return change

    def _sales(self, fields: Mapping[str, str]) -> dict[str, str]:
        sales: dict[str, str] = {}
        for target in SALES_FIELDS:
            if target not in fields:
                continue
            cell = fields[target]
            if len(cell) > LONGEST_SALES_TEXT:
                self._refuse(target, f"At most {LONGEST_SALES_TEXT} characters are kept.")
            elif target == "stage":
                stage = self.around.pipeline.find(cell)
                if stage is None:
                    known = ", ".join(one.name for one in self.around.pipeline.stages)
                    self._refuse(target, f"There is no such stage; there are {known}.")
                else:
                    sales[target] = stage.name
            else:
                sales[target] = cell.strip()
        return sales

    def _moment(self, target: str, fields: Mapping[str, str]) -> datetime | None:
        if target not in fields:
            return None
        moment = _read_moment(fields[target].strip())
        if moment is None or not EARLIEST <= moment <= self.reader.latest:
            self._refuse(target, NO_MOMENT)
            return None
        return min(moment, self.around.now)

    def _outcome(self, fields: Mapping[str, str]) -> str | None:
        if OUTCOME not in fields:
            return None
        try:
            return self.reader.plan.outcome_of(fields[OUTCOME])
        except ValueError as error:
            self._refuse(OUTCOME, str(error))
            return None
