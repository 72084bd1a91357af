"""ImportPlan: how a file is read, and what each of its columns says of a lead."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol

from engine.vocabulary import PROFILE_FIELDS
from errors import invalid_field
from lib.csv_table import BOM, delimiter_of, encoding_of, lines, records
from services.profile import LONGEST_NAME

UPDATE, SKIP, ADD = "update", "skip", "add"
# What sales keeps of a lead beside its profile.
SALES_FIELDS = ("assigned_to", "stage", "campaign", "source", "utm_source")
# When the lead came in, and when its sale ended; both may lie in the past.
MOMENTS = ("created_at", "occurred_at")
OUTCOME, ATTRIBUTE, IGNORE = "outcome", "attribute", "ignore"
FIELDS = (*PROFILE_FIELDS, *SALES_FIELDS, *MOMENTS, OUTCOME)
TARGETS = (*FIELDS, ATTRIBUTE, IGNORE)
WON = ("yes", "true", "1", "won", "converted")
# With the shipped words for won, these are lost; any other word could mean anything.
LOST = frozenset(("no", "false", "0", "lost", "reject", "rejected", "closed lost", "not converted"))
MOST_COLUMNS = 200
MOST_WORDS, LONGEST_WORDS = 100, 10_000
_NUMBER = re.compile(r"-?[0-9]+([.,][0-9]+)?")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NO_NAME = re.compile(r"[\x00-\x1f\x7f\ufffd]")


@dataclass(frozen=True)
class ImportPlan:
    """Everything that reading a row depends on; it is kept with the import."""

    encoding: str
    delimiter: str
    # Each column's name and what it is.
    columns: tuple[tuple[str, str], ...]
    won: tuple[str, ...]
    # Whether whatever is not won is lost: so it is where the caller named the words for won.
    else_lost: bool
    limit: int | None
    # How many lines the file has, for those who watch.
    lines: int
    # What becomes of a row whose e-mail a lead has already: update, skip, or add beside it.
    policy: str = "update"
    # Only look: every row is judged, nothing is kept but the reasons.
    dry_run: bool = False

    def plain(self) -> dict[str, Any]:
        """The plan as it is stored."""
        return asdict(self)

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> ImportPlan:
        """The plan that was stored."""
        columns = tuple((name, target) for name, target in stored["columns"])
        return cls(**{**stored, "columns": columns, "won": tuple(stored["won"])})

    def outcome_of(self, word: str) -> str | None:
        """How the sale ended in a word of the file; ValueError for one that says neither."""
        said = word.strip().casefold()
        if not said:
            return None
        if said in self.won:
            return "won"
        if self.else_lost or said in LOST:
            return "lost"
        raise ValueError(f"This is no known outcome; won is {', '.join(self.won)}.")


class Head(Protocol):
    """What of a file is looked at before it is read."""

    @property
    def head(self) -> bytes:
        """Its first bytes."""

    @property
    def is_utf8(self) -> bool:
        """Whether all of it is."""

    @property
    def lines(self) -> int:
        """How many line ends it has."""


def make_plan(
    file: Head,
    *,
    mapping: Mapping[str, Any] | None = None,
    won_values: str | None = None,
    limit: int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ImportPlan:
    """How this file is to be read; Invalid says what of it, or of the mapping, cannot be.

    Encoding and delimiter are found out unless somebody chose them.
    """
    try:
        encoding = encoding or encoding_of(file.head, is_utf8=file.is_utf8)
        few = list(islice(lines([file.head], encoding), 51))
        delimiter = delimiter or delimiter_of(few)
        header = next((one for one in records(few, delimiter)), None)
        if header is None or header.is_blank:
            raise ValueError("The file is empty; its first row must name the columns.")
        if header.problem:
            raise ValueError(f"The first row must name the columns. {header.problem}")
        names = read_names(header.cells)
    except ValueError as error:
        raise invalid_field("file", str(error)) from None
    return ImportPlan(
        encoding=encoding,
        delimiter=delimiter,
        columns=_mapped(names, mapping or {}),
        won=_words(won_values) if won_values else WON,
        else_lost=bool(won_values),
        limit=limit,
        lines=max(file.lines - 1, 0),
    )


def read_names(cells: Sequence[str]) -> list[str]:
    """The names of the columns; ValueError where a row is none of names."""
    names = [cell.strip() for cell in (cells[0].removeprefix(BOM.decode()), *cells[1:])]
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"A file has at most {MOST_COLUMNS} columns.")
    for number, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"Column {number} has no name in the first row.")
        if len(name) > LONGEST_NAME or _NO_NAME.search(name):
            raise ValueError(f"The name of column {number} has 1 to {LONGEST_NAME} letters.")
    if any(map(_ADDRESS.fullmatch, names)) or all(map(_NUMBER.fullmatch, names)):
        raise ValueError("The first row must name the columns; this one looks like a lead.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'Two columns have the name "{twice[0]}".')
    return names


def _mapped(names: Sequence[str], mapping: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What each column is: as the caller says, else the field of its name, else an attribute."""
    for name, target in mapping.items():
        if name not in names:
            raise invalid_field("mapping", f'There is no column "{name[:LONGEST_NAME]}".')
        if target not in TARGETS:
            raise invalid_field("mapping", f"A column is one of {', '.join(TARGETS)}.")
    columns = tuple((name, str(mapping.get(name) or _field_of(name))) for name in names)
    counts = Counter(target for _, target in columns if target in FIELDS)
    twice = [target for target, count in counts.items() if count > 1]
    if twice:
        both = " and ".join(f'"{name}"' for name, target in columns if target == twice[0])
        raise invalid_field("mapping", f"The columns {both} are both {twice[0]}; map one of them.")
    return columns


def _field_of(name: str) -> str:
    plain = name.casefold().replace(" ", "_").replace("-", "_")
    plain = "email" if plain == "e_mail" else plain
    return plain if plain in FIELDS else ATTRIBUTE


def _words(text: str) -> tuple[str, ...]:
    """The words between commas, or of a JSON list."""
    parts: Any = text.split(",")
    if text.lstrip().startswith("["):
        try:
            parts = json.loads(text)
        except (ValueError, RecursionError):
            raise invalid_field("won_values", "This is no list of words.") from None
    if not all(isinstance(part, str) for part in parts):
        raise invalid_field("won_values", "This is no list of words.")
    words = tuple(dict.fromkeys(part.strip().casefold() for part in parts if part.strip()))
    if not 1 <= len(words) <= MOST_WORDS:
        raise invalid_field("won_values", f"Name 1 to {MOST_WORDS} words.")
    return words
