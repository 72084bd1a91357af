"""Reads tables that other programs wrote as CSV, a record at a time, from anywhere in the file.

A quote that is never closed would swallow the rest of the file: such a line is a bad record of its
own, and reading goes on with the line after it.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from charset_normalizer import from_bytes

DELIMITERS = ",;\t|"
BOM = b"\xef\xbb\xbf"
# In each of them a line end is one byte that is no part of a letter.
ENCODINGS = ("utf-8", "cp1252", "cp1250", "cp1251", "cp1254", "shift_jis", "gb18030")
# A quoted cell may hold line ends; one of more lines than this was not closed.
MOST_LINES = 200
LONGEST_RECORD = 200_000
LONGEST_LINE = 5 * LONGEST_RECORD
# Bytes that Windows-1252 gives no letter to.
_NO_LETTERS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
# Letters beyond ASCII: western words have one or two of them in a row, others consist of them.
_FOREIGN = re.compile(rb"[\x80-\x9f\xa1-\xff]+")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
# What can be told from Western letters by the bytes alone; people choose among the other ones.
_GUESSED = ["cp1251", "shift_jis", "gb18030"]
_FEW = 20_000
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")
# Cells longer than the library's own limit are refused by whoever reads them, with their row.
csv.field_size_limit(1 << 27)

BROKEN = "The quotes of this row are not in order."
TOO_LONG = "This row is too long."


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file as text, and the place in the file at which the next one begins."""

    text: str
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the table, or the sentence that says why there is none to read."""

    cells: tuple[str, ...]
    end: int
    problem: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return not self.problem and not any(cell.strip() for cell in self.cells)


def encoding_of(head: bytes, *, is_utf8: bool) -> str:
    """The encoding of a file; ValueError where people must save it otherwise."""
    few = head[:200]
    if few.startswith((b"\xff\xfe", b"\xfe\xff")) or few.count(b"\x00") > len(few) // 4:
        raise ValueError("The file is UTF-16; save it as CSV UTF-8.")
    if is_utf8:
        return "utf-8"
    if (guess := _guess(head)) is not None:
        return guess
    if _NO_LETTERS.search(head):
        raise ValueError("The file is neither UTF-8 nor Windows-1252; save it as CSV UTF-8.")
    return "cp1252"


def lines(blocks: Iterable[bytes], encoding: str, offset: int = 0) -> Iterator[Line]:
    """The lines in these blocks, the first of which begins at this place of the file.

    Of a line without end only its beginning is kept: its row is refused in any case.
    """
    kept, left_out, end = b"", 0, offset
    for block in blocks:
        text = kept + block
        # A line end at the very edge may be the first half of "\r\n".
        last = _last_end(text)
        for found in _LINE.finditer(text, 0, last):
            end, left_out = end + len(found[0]) + left_out, 0
            yield Line(found[0].decode(encoding, "replace"), end)
        kept = text[last:]
        if len(kept) > LONGEST_LINE:
            left_out += len(kept) - LONGEST_LINE
            kept = kept[: LONGEST_LINE - 1] + kept[-1:]
    for part in _last_lines(kept):
        end, left_out = end + len(part) + left_out, 0
        yield Line(part.decode(encoding, "replace"), end)


def records(source: Iterable[Line], delimiter: str) -> Iterator[Record]:
    """The rows of these lines, blank ones too; a broken one is a record with a problem."""
    waiting, rest = deque[Line](), iter(source)

    def following() -> Line | None:
        return waiting.popleft() if waiting else next(rest, None)

    while (first := following()) is not None:
        taken = [first]
        record = _record(taken, following, delimiter)
        if record is None:
            # Only the first line is to blame; what was taken after it is read once more.
            waiting.extendleft(reversed(taken[1:]))
            record = Record((), first.end, BROKEN)
        yield record


def delimiter_of(head: Iterable[Line]) -> str:
    """The delimiter that cuts most of these lines into the most cells, alike in each."""
    few = list(head)[:50]
    return max(DELIMITERS, key=lambda one: (_alike(few, one), -DELIMITERS.index(one)))


def _reads_western(head: bytes) -> bool:
    """Whether letters beyond ASCII stand among others, as in the languages of Windows-1252."""
    runs = [len(found) for found in _FOREIGN.findall(head)]
    return sum(run for run in runs if run > 2) <= sum(runs) / 2


def _guess(head: bytes) -> str | None:
    """The encoding of another script in which this reads as text; None where it does in none."""
    # A letter cut in two at the edge is no letter in any encoding.
    few = head[: head.rfind(b"\n", 0, _FEW) + 1] or head[:_FEW]
    if _CONTROLS.search(few) or _reads_western(few):
        return None
    best = from_bytes(few, cp_isolation=_GUESSED).best()
    return best.encoding if best else None


def _last_end(text: bytes) -> int:
    """Behind the last line end that is one for certain."""
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1


def _last_lines(kept: bytes) -> list[bytes]:
    """What no line end follows, cut where one stands at the very edge."""
    return re.findall(rb"[^\r]*\r\n?|[^\r]+", kept)


def _record(
    taken: list[Line], following: Callable[[], Line | None], delimiter: str
) -> Record | None:
    """The row that begins with the line taken; None if its quotes never come to an end."""
    first = taken[0]
    if len(first.text) > LONGEST_RECORD:
        return Record((), first.end, TOO_LONG)
    if '"' not in first.text:
        cells = first.text.rstrip("\r\n").split(delimiter)
        return Record(tuple(cells), first.end)
    try:
        cells = next(csv.reader(_taking(taken, following), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None
    return Record(tuple(cells), taken[-1].end)


def _taking(taken: list[Line], following: Callable[[], Line | None]) -> Iterator[str]:
    """The lines of one row as its reader asks for them, up to what one row may have."""
    yield taken[0].text
    letters = len(taken[0].text)
    while len(taken) < MOST_LINES and letters <= LONGEST_RECORD:
        line = following()
        if line is None:
            return
        taken.append(line)
        letters += len(line.text)
        yield line.text


def _alike(few: list[Line], delimiter: str) -> float:
    """How many cells a delimiter makes of a line, if it makes as many of nearly every line."""
    found = [len(one.cells) for one in records(few, delimiter) if not one.is_blank]
    if not found:
        return 0.0
    alike = sum(count == found[0] for count in found)
    return found[0] * (alike / len(found)) if found[0] > 1 else 0.0
