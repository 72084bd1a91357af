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
from errors import Invalid
from lib.clock import day_range
from lib.csv_table import Record
from services.import_plan import ATTRIBUTE, IGNORE, MOMENTS, OUTCOME, ImportPlan
from services.profile import LARGEST_ATTRIBUTES, LONGEST_VALUE, ProfileChange, read_profile
from services.sales_step import EARLIEST, LARGEST_LEAD_OF_A_CLOCK

LONGEST_SALES_TEXT = 255
# What no database keeps, and what a letter became that its encoding does not know.
_NUL, _NO_LETTER = re.compile("\x00"), re.compile("[\x00\ufffd]")
WHOLE_ROW = "row"


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


@dataclass(frozen=True)
class Row:
    """What one row says of a lead."""

    number: int
    profile: ProfileChange
    attributes: Mapping[str, str]
    sales: Mapping[str, str]
    outcome: str | None
    created_at: datetime | None
    occurred_at: datetime | None
    # The profile as it was sent, for the log.
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def email_key(self) -> str | None:
        """By which one knows the same lead again."""
        key: str | None = self.profile.columns.get("email_key")
        return key


def read_row(plan: ImportPlan, number: int, record: Record, around: Around) -> Row:
    """What a record says; RowRefused names every field of it that cannot be."""
    if record.problem:
        raise RowRefused({WHOLE_ROW: record.problem})
    found, wanted = len(record.cells), len(plan.columns)
    if found != wanted:
        raise RowRefused({WHOLE_ROW: f"The row has {found} cells, the first row has {wanted}."})
    return _Reading(plan, around, record.cells).row(number)


@lru_cache(maxsize=4096)
def _read_moment(text: str) -> datetime | None:
    """The moment that a text says, None if it says none; of a file many rows say the same day."""
    try:
        moment, _ = day_range(text, None)
    except ValueError:
        return None
    return moment


class _Reading:
    """The cells of one row on their way to a lead; problems are collected, not raised."""

    def __init__(self, plan: ImportPlan, around: Around, cells: Sequence[str]) -> None:
        self.plan = plan
        self.around = around
        self.cells = cells
        self.problems: dict[str, str] = {}

    def row(self, number: int) -> Row:
        """The row; RowRefused if it has a problem."""
        fields: dict[str, tuple[str, str]] = {}
        attributes: dict[str, str] = {}
        for name, target, cell in self._filled():
            if target == ATTRIBUTE:
                attributes[name] = cell
            else:
                fields[target] = (name, cell)
        known = {one: fields[one][1] for one in PROFILE_FIELDS if one in fields}
        profile = self._profile(known, fields)
        sales = self._sales(fields)
        created_at, occurred_at = (self._moment(one, fields) for one in MOMENTS)
        outcome = self._outcome(fields)
        self._check_order(created_at, occurred_at, fields)
        if attributes and len(json.dumps(attributes)) > LARGEST_ATTRIBUTES:
            self.problems[WHOLE_ROW] = "The custom attributes are too large together."
        if self.problems:
            raise RowRefused(self.problems)
        said = {**known, **({"attributes": attributes} if attributes else {})}
        stage = self.around.pipeline.find(sales.get("stage")) if "stage" in sales else None
        if stage and stage.kind is not StageKind.OPEN and outcome is None:
            outcome = str(stage.kind)
        return Row(number, profile, attributes, sales, outcome, created_at, occurred_at, said)

    def _filled(self) -> Iterator[tuple[str, str, str]]:
        """The cells in which something stands that can be kept."""
        unreadable = _NUL if self.plan.encoding == "utf-8" else _NO_LETTER
        for (name, target), cell in zip(self.plan.columns, self.cells, strict=True):
            if target == IGNORE or not cell.strip():
                continue
            if unreadable.search(cell):
                self.problems[name] = "This text holds a character that cannot be stored."
            elif len(cell) > LONGEST_VALUE:
                self.problems[name] = f"At most {LONGEST_VALUE} characters are kept."
            else:
                yield name, target, cell

    def _profile(
        self, known: Mapping[str, str], fields: Mapping[str, tuple[str, str]]
    ) -> ProfileChange:
        try:
            return read_profile(
                known,
                region=self.around.region,
                allow_test_addresses=self.around.allow_test_addresses,
            )
        except Invalid as error:
            for target, sentences in error.fields.items():
                self.problems[fields[target][0]] = sentences[0]
            return ProfileChange()

    def _sales(self, fields: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        sales: dict[str, str] = {}
        for target in ("assigned_to", "stage", "campaign", "source", "utm_source"):
            if target not in fields:
                continue
            name, cell = fields[target]
            if len(cell) > LONGEST_SALES_TEXT:
                self.problems[name] = f"At most {LONGEST_SALES_TEXT} characters are kept."
            elif target == "stage":
                stage = self.around.pipeline.find(cell)
                if stage is None:
                    known = ", ".join(one.name for one in self.around.pipeline.stages)
                    self.problems[name] = f"There is no such stage; there are {known}."
                else:
                    sales[target] = stage.name
            else:
                sales[target] = cell.strip()
        return sales

    def _moment(self, target: str, fields: Mapping[str, tuple[str, str]]) -> datetime | None:
        if target not in fields:
            return None
        name, cell = fields[target]
        moment = _read_moment(cell.strip())
        latest = self.around.now + LARGEST_LEAD_OF_A_CLOCK
        if moment is None or not EARLIEST <= moment <= latest:
            self.problems[name] = (
                f"This must be a date such as 2026-11-21, or an ISO 8601 date-time,"
                f" between {EARLIEST.year} and now."
            )
            return None
        return min(moment, self.around.now)

    def _outcome(self, fields: Mapping[str, tuple[str, str]]) -> str | None:
        if OUTCOME not in fields:
            return None
        name, cell = fields[OUTCOME]
        try:
            return self.plan.outcome_of(cell)
        except ValueError as error:
            self.problems[name] = str(error)
            return None

    def _check_order(
        self,
        created_at: datetime | None,
        occurred_at: datetime | None,
        fields: Mapping[str, tuple[str, str]],
    ) -> None:
        if created_at and occurred_at and occurred_at < created_at:
            name = fields["occurred_at"][0]
            self.problems[name] = "The outcome lies before the moment at which the lead came in."
