"""ImportReading: the next rows of a file that is being imported, read and checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.csv_table import Record, lines, records
from lib.packed_file import BLOCK, unpack
from models import Import, ImportBlock
from services.import_leads import NewLead, NewLeads
from services.import_plan import ImportPlan
from services.import_rows import Around, Row, RowReader, RowRefused
from services.pipeline_stages import PipelineStages
from services.resources import Resources
from services.workflow_service import WorkflowService

# What one unit takes: writing it takes two to five times as long as reading it. For a unit of the
# embedded database visitors wait, so that it stays below 200 ms even where the machine is busy.
ROWS_AT_ONCE, ROWS_AT_ONCE_EMBEDDED = 1000, 600
LONGEST_READING, LONGEST_READING_EMBEDDED = 0.1, 0.03


@dataclass
class Rows:
    """Some rows of a file, those that can be kept and those that cannot, and the place after them.

    Nothing but the place at which they begin says whether they are the next ones.
    """

    around: Around
    begin: int
    number: int
    offset: int
    count: int
    is_end: bool = True
    good: list[Row] = field(default_factory=list)
    bad: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    # By the number of its row, each good one as a lead, in case that there is none yet.
    leads: dict[int, NewLead] = field(default_factory=dict)

    def follow(self, place: Mapping[str, Any]) -> bool:
        """Whether a job that stands at this place goes on with these rows."""
        return self.begin == int(place.get("offset", 0))

    @property
    def place(self) -> dict[str, int]:
        """Where a job stands once they are written."""
        return {"row": self.number, "offset": self.offset, "read": self.count}


class ImportReading:
    """Reads a kept file on from any place in it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def around(self) -> Around:
        """What reading a row depends on beside the file."""
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        return Around(
            region=workflow.default_region,
            allow_test_addresses=self.resources.settings.is_development,
            pipeline=PipelineStages(self.session, self.resources).in_force(),
            now=self.resources.clock.now(),
        )

    def next_rows(self, identifier: str, place: Mapping[str, Any]) -> Rows | None:
        """The rows that come next; None where there is no such import."""
        kept = self.session.get(Import, identifier)
        return None if kept is None else self._rows(kept, place)

    def _rows(self, kept: Import, place: Mapping[str, Any]) -> Rows:
        is_embedded = self.resources.settings.is_embedded
        until = time.monotonic() + (LONGEST_READING_EMBEDDED if is_embedded else LONGEST_READING)
        most = min(ROWS_AT_ONCE, ROWS_AT_ONCE_EMBEDDED) if is_embedded else ROWS_AT_ONCE
        number, offset, count = (int(place.get(name, 0)) for name in ("row", "offset", "read"))
        rows = Rows(self.around(), offset, number, offset, count)
        plan = ImportPlan.from_plain(kept.plan)
        reader = RowReader(plan, rows.around)
        for record in self._records(kept, plan, offset):
            if plan.limit is not None and rows.count >= plan.limit:
                break
            rows.number, rows.offset = rows.number + 1, record.end
            if rows.number > 1 and not record.is_blank:
                rows.count += 1
                _sort(reader, record, rows)
            read = rows.count - count
            if read >= most or (read and time.monotonic() > until):
                rows.is_end = False
                break
        if not plan.dry_run:
            new = NewLeads(kept, rows.around)
            rows.leads = {row.number: new.of(row) for row in rows.good}
        return rows

    def _records(self, kept: Import, plan: ImportPlan, offset: int) -> Iterator[Record]:
        """The records from a place in the file on."""
        blocks = self._blocks(kept.id, offset // BLOCK, offset % BLOCK)
        return records(lines(blocks, plan.encoding, offset), plan.delimiter)

    def _blocks(self, identifier: str, number: int, begin: int) -> Iterator[bytes]:
        where = ImportBlock.import_id == identifier
        while True:
            statement = select(ImportBlock.content).where(where, ImportBlock.number == number)
            content = self.session.scalar(statement)
            if content is None:
                return
            yield unpack(content)[begin:]
            number, begin = number + 1, 0


def _sort(reader: RowReader, record: Record, rows: Rows) -> None:
    """A record to those that can be kept, or to the others with the reason."""
    try:
        rows.good.append(reader.read(rows.number, record))
    except RowRefused as refused:
        rows.bad.append((rows.number, refused.problems))
