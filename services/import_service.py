"""ImportService: a table of leads comes in row by row, and into sight all at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, null, or_, select, update
from sqlalchemy.orm import Session

import outbox
from database import insert_many, is_one_of, next_ids
from engine.vocabulary import FactKind, JobStatus
from errors import Invalid, NotFound
from lib.csv_stream import csv_chunks
from lib.csv_table import Record, lines, records
from lib.ids import import_id
from lib.packed_file import BLOCK, PackedFile, unpack
from models import (
    Event,
    Import,
    ImportBlock,
    ImportRejection,
    ImportUpdate,
    Job,
    Lead,
    LeadScore,
    ScorePoint,
)
from services.account_service import AccountService
from services.first_scores import FirstScores, FirstSeen
from services.import_leads import facts_of, lead_of
from services.import_plan import ADD, SKIP, ImportPlan, make_plan
from services.import_rows import WHOLE_ROW, Around, Row, RowRefused, read_row
from services.import_updates import ImportUpdates
from services.job_service import JobService, Progress
from services.lead_visibility import is_visible
from services.pipeline_stages import PipelineStages
from services.resources import Resources
from services.suppressions import SENTENCE, Suppressions
from services.workflow_service import WorkflowService

JOB, TIDY = "leads.import", "imports.tidy"
# Of a file that somebody is still looking at; after a while it is forgotten.
NO_JOB, FORGOTTEN_AFTER = "", timedelta(days=2)
MOST_ROWS = 1_000_000
# What one unit reads; writing it takes two to four times as long. For a unit of the embedded
# database visitors wait, so that it stays below 200 ms even where the machine is busy.
ROWS_AT_ONCE = 600
LONGEST_READING, LONGEST_READING_EMBEDDED = 0.07, 0.04
LONGEST_WRITING = 0.1
LEADS_AT_ONCE = 200
# A file of which more is wrong is a wrong file; all are counted, so many are explained.
MOST_EXPLAINED = 100_000
TOO_MANY = f"The file has more than {MOST_ROWS:,} rows; nothing of it was kept. Send it in parts."
KNOWN = "There is a lead of this e-mail already."
READ, PUBLISH, WRITE, DISCARD, REFUSED = "read", "publish", "write", "discard", "refused"


class ImportService:
    """Leads from files: taken in by a request, read by a job, published by one small update."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def begin(
        self,
        file: PackedFile,
        *,
        actor: str,
        mapping: Mapping[str, Any] | None = None,
        won_values: str | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Keep a file and have it imported in the background: what the caller may watch."""
        plan = make_plan(file, mapping=mapping, won_values=won_values, limit=limit)
        return self.run(self.take_in(file, plan, actor=actor), actor=actor)

    def take_in(
        self, file: PackedFile, plan: ImportPlan, *, actor: str, file_name: str | None = None
    ) -> str:
        """Keep a file and how it is to be read; the id of the import that it may become."""
        identifier = import_id()
        row = {
            "id": identifier,
            "job_id": NO_JOB,
            "plan": plan.plain(),
            "size": file.size,
            "imported": 0,
            "updated": 0,
            "rejected": 0,
            "requested_by": actor,
            "created_at": self.resources.clock.now(),
            "file_name": file_name,
        }
        self.session.execute(insert(Import).values(row))
        for number, content in enumerate(file.blocks()):
            block = {"import_id": identifier, "number": number, "content": content}
            self.session.execute(insert(ImportBlock).values(block))
        return identifier

    def run(self, identifier: str, *, actor: str) -> dict[str, Any]:
        """Have a file that was taken in read in the background: what the caller may watch."""
        kept = self.session.get(Import, identifier)
        assert kept is not None, "who calls has just read it"
        jobs = JobService(self.session, self.resources)
        job = jobs.request(JOB, requested_by=actor, payload={"import": identifier})
        kept.job_id = job["job_id"]
        detail = {"size": kept.size, "columns": len(kept.plan["columns"])}
        detail |= {"dry_run": True} if kept.plan.get("dry_run") else {}
        self._audit(actor, "import.requested", identifier, detail)
        if self._abandoned() is not None:
            jobs.request(TIDY, requested_by=actor)
        self.session.flush()
        return job

    def rejections(self, identifier: str) -> Iterator[str]:
        """The rows that were left out and why, as CSV; NotFound for an unknown import."""
        if self.session.get(Import, identifier) is None:
            raise NotFound("There is no import of this id.", code="unknown_import")
        rows = self.session.execute(
            select(ImportRejection.row, ImportRejection.field, ImportRejection.sentence)
            .where(ImportRejection.import_id == identifier)
            .order_by(ImportRejection.row, ImportRejection.id)
        )
        names = ("row", "field", "sentence")
        return csv_chunks((dict(zip(names, row, strict=True)) for row in rows), names)

    # The job, a unit of work at a time

    def step(self, job: Job) -> Progress:
        """One more unit of an import: read rows, publish, write updates, or take all back."""
        kept = self.session.get(Import, job.payload["import"], with_for_update=True)
        if kept is None:
            raise NotFound("There is no import of this id.", code="unknown_import")
        phase = job.payload.get("phase", READ)
        if phase == READ:
            return self._read(kept, job)
        if phase == PUBLISH and kept.plan.get("dry_run"):
            return self._looked(kept, job)
        if phase == PUBLISH:
            self._publish(kept)
        if phase in (PUBLISH, WRITE):
            return self._write(kept, job)
        if phase == DISCARD:
            is_gone = self._discard(kept)
            return Progress(job.done, job.total, {"phase": REFUSED} if is_gone else {})
        raise Invalid(TOO_MANY)

    def tidy(self, job: Job) -> Progress:
        """One more unit of taking back what failed imports have left; nobody ever saw it."""
        kept = self._abandoned()
        if kept is None:
            return Progress(job.done, result={"discarded": job.done})
        return Progress(job.done + self._discard(kept))

    def _read(self, kept: Import, job: Job) -> Progress:
        plan = ImportPlan.from_plain(kept.plan)
        number, offset, count = (job.payload.get(name, 0) for name in ("row", "offset", "read"))
        is_embedded = self.resources.settings.is_embedded
        until = time.monotonic() + (LONGEST_READING_EMBEDDED if is_embedded else LONGEST_READING)
        good: list[Row] = []
        bad: list[tuple[int, Mapping[str, str]]] = []
        around, is_end = self._around(), True
        for record in self._records(kept, plan, offset):
            if plan.limit is not None and count >= plan.limit:
                break
            number, offset = number + 1, record.end
            if number > 1 and not record.is_blank:
                count += 1
                _sort(plan, number, record, around, good, bad)
            if len(good) + len(bad) >= ROWS_AT_ONCE or time.monotonic() > until:
                is_end = False
                break
        if count > MOST_ROWS:
            return Progress(job.done, job.total, {"phase": DISCARD})
        self._keep(kept, good, bad, around)
        place = {"row": number, "offset": offset, "read": count}
        total = count if is_end else max(plan.limit or plan.lines, count)
        return Progress(count, total, {**place, "phase": PUBLISH if is_end else READ})

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

    def _around(self) -> Around:
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        return Around(
            region=workflow.default_region,
            allow_test_addresses=self.resources.settings.is_development,
            pipeline=PipelineStages(self.session, self.resources).in_force(),
            now=self.resources.clock.now(),
        )

    # Staging

    def _keep(
        self,
        kept: Import,
        good: Sequence[Row],
        bad: list[tuple[int, Mapping[str, str]]],
        around: Around,
    ) -> None:
        """What was read, where nobody sees it yet: new leads, news of known ones, refusals."""
        plan = ImportPlan.from_plain(kept.plan)
        seen, known = self._met(kept, [row.email_key for row in good if row.email_key])
        unique: list[Row] = []
        for row in good:
            if row.email_key in seen:
                bad.append((row.number, {self._email_column(kept): "This e-mail stood above."}))
                continue
            unique.append(row)
            if row.email_key:
                seen.add(row.email_key)
        unwanted = self._unwanted(unique)
        bad += [(row.number, {WHOLE_ROW: SENTENCE}) for row in unwanted]
        unique = [row for row in unique if row not in unwanted] if unwanted else unique
        if plan.policy == SKIP:
            met = [row for row in unique if row.email_key in known]
            unique = [row for row in unique if row.email_key not in known]
            bad += [(row.number, {self._email_column(kept): KNOWN}) for row in met]
        elif plan.policy == ADD:
            known = {}
        if plan.dry_run:
            self._only_look(kept, unique, known, bad)
            return
        ImportUpdates(self.session, self.resources).keep(
            kept, [(row, known[row.email_key]) for row in unique if row.email_key in known]
        )
        new = [row for row in unique if row.email_key not in known]
        self._insert(kept, new, around)
        self._explain(kept, bad)
        kept.imported += len(new)
        kept.updated += len(unique) - len(new)
        kept.rejected += len(bad)

    def _only_look(
        self,
        kept: Import,
        good: Sequence[Row],
        known: Mapping[str | None, int],
        bad: Iterable[tuple[int, Mapping[str, str]]],
    ) -> None:
        """What would become of the rows, counted; their e-mails are remembered until the end."""
        refused = list(bad)
        remembered = [
            {
                "import_id": kept.id,
                "row": row.number,
                "lead_id": known.get(row.email_key, 0),
                "email_key": row.email_key,
                "change": {},
            }
            for row in good
            if row.email_key
        ]
        if remembered:
            self.session.execute(insert(ImportUpdate), remembered)
        self._explain(kept, refused)
        updated = sum(row.email_key in known for row in good)
        kept.imported += len(good) - updated
        kept.updated += updated
        kept.rejected += len(refused)

    def _looked(self, kept: Import, job: Job) -> Progress:
        """The end of a dry run: what there would be, and the file still there for the real one."""
        self.session.execute(delete(ImportUpdate).where(ImportUpdate.import_id == kept.id))
        result = {"imported": kept.imported, "updated": kept.updated, "rejected": kept.rejected}
        return Progress(job.done, job.total, result={**result, "dry_run": True})

    def _unwanted(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of people who asked to be forgotten."""
        names = [(row, (row.email_key, row.profile.columns.get("phone_e164"))) for row in rows]
        known = Suppressions(self.session, self.resources).known(
            name for _, both in names for name in both
        )
        return [row for row, both in names if known.intersection(both)] if known else []

    def _met(self, kept: Import, keys: Sequence[str]) -> tuple[set[str | None], dict[Any, int]]:
        """E-mails that rows of this file have named already; and the leads that had one before.

        Of several leads of an e-mail it is the oldest.
        """
        seen: set[str | None] = set()
        known: dict[Any, int] = {}
        if not keys:
            return seen, known
        named = is_one_of(self.session, Lead.email_key, keys)
        mine = Lead.import_id == kept.id
        for key, lead_id, is_mine in self.session.execute(
            select(Lead.email_key, Lead.id, func.coalesce(mine, False))
            .where(named, or_(mine, and_(*is_visible())))
            .order_by(Lead.id)
        ):
            if is_mine:
                seen.add(key)
            else:
                known.setdefault(key, lead_id)
        if kept.updated or kept.plan.get("dry_run"):
            told = is_one_of(self.session, ImportUpdate.email_key, keys)
            others = select(ImportUpdate.email_key).where(ImportUpdate.import_id == kept.id, told)
            seen.update(self.session.scalars(others))
        return seen, known

    def _insert(self, kept: Import, rows: Sequence[Row], around: Around) -> None:
        """New leads with their facts and scores; nobody hears of these facts one by one."""
        if not rows:
            return
        leads = [lead_of(kept, row, around) for row in rows]
        ids = next_ids(self.session, Lead, len(leads))
        values = ((lead_id, *lead.values()) for lead_id, lead in zip(ids, leads, strict=True))
        insert_many(self.session, Lead, ("id", *leads[0]), values)
        facts = (
            fact
            for lead_id, row, lead in zip(ids, rows, leads, strict=True)
            for fact in facts_of(kept, row, lead, lead_id, around.now)
        )
        outbox.record_heard(self.session, facts)
        FirstScores(self.session, self.resources).store(
            around.pipeline,
            [
                FirstSeen(lead_id, lead["stage"], lead["staff_size"], lead["attributes"])
                for lead_id, lead in zip(ids, leads, strict=True)
            ],
        )

    def _explain(self, kept: Import, bad: Iterable[tuple[int, Mapping[str, str]]]) -> None:
        if kept.rejected >= MOST_EXPLAINED:
            return
        values = [
            {"import_id": kept.id, "row": number, "field": name, "sentence": sentence}
            for number, problems in bad
            for name, sentence in problems.items()
        ]
        if values:
            self.session.execute(insert(ImportRejection), values)

    def _email_column(self, kept: Import) -> str:
        plan = ImportPlan.from_plain(kept.plan)
        return next((name for name, target in plan.columns if target == "email"), WHOLE_ROW)

    # The end

    def _publish(self, kept: Import) -> None:
        """From the end of this unit on everybody sees all of it."""
        now = self.resources.clock.now()
        kept.published_at = now
        measured = {
            "import": kept.id,
            "imported": kept.imported,
            "updated": kept.updated,
            "rejected": kept.rejected,
            "actor": kept.requested_by,
        }
        outbox.record(self.session, outbox.NewFact(FactKind.LEAD_IMPORTED, now, measured))
        self._audit(kept.requested_by, "import.published", kept.id, measured)
        self.session.flush()

    def _write(self, kept: Import, job: Job) -> Progress:
        """News of known leads; a few are written in the unit that publishes."""
        until = time.monotonic() + LONGEST_WRITING
        if not ImportUpdates(self.session, self.resources).apply(kept, until):
            return Progress(job.done, job.total, {"phase": WRITE})
        self._forget_file(kept)
        result = {
            "imported": kept.imported,
            "updated": kept.updated,
            "rejected": kept.rejected,
            "errors_url": f"/api/imports/{kept.id}/errors",
        }
        return Progress(job.done, job.total, result=result)

    def _forget_file(self, kept: Import) -> None:
        kept.finished_at = self.resources.clock.now()
        self.session.execute(delete(ImportBlock).where(ImportBlock.import_id == kept.id))
        self.session.flush()

    def _abandoned(self) -> Import | None:
        """An import that never came to its end, and never will."""
        failed = select(Job.id).where(Job.status == str(JobStatus.FAILED))
        looked = select(Job.id).where(Job.kind == JOB, Job.status == str(JobStatus.DONE))
        idle = or_(Import.job_id == NO_JOB, Import.job_id.in_(looked))
        before = self.resources.clock.now() - FORGOTTEN_AFTER
        over = or_(Import.job_id.in_(failed), idle & (Import.created_at < before))
        statement = select(Import).where(Import.finished_at.is_(None), over)
        return self.session.scalar(statement.limit(1).with_for_update())

    def _discard(self, kept: Import) -> bool:
        """Take back some of what an import has staged; whether that was all.

        The log keeps that something was staged, without a word of what it was.
        """
        ids: Sequence[int] = ()
        if kept.published_at is None:
            mine = select(Lead.id).where(Lead.import_id == kept.id).limit(LEADS_AT_ONCE)
            ids = self.session.scalars(mine).all()
        if ids:
            typed = Event.lead_id.in_(ids) & Event.personal.is_not(None)
            self.session.execute(update(Event).where(typed).values(personal=null()))
            for table in (LeadScore, ScorePoint):
                self.session.execute(delete(table).where(table.lead_id.in_(ids)))
            self.session.execute(delete(Lead).where(Lead.id.in_(ids)))
            return False
        self.session.execute(delete(ImportUpdate).where(ImportUpdate.import_id == kept.id))
        self._forget_file(kept)
        return True

    def _audit(self, actor: str, action: str, identifier: str, detail: dict[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"import {identifier}", detail)


def _sort(
    plan: ImportPlan,
    number: int,
    record: Record,
    around: Around,
    good: list[Row],
    bad: list[tuple[int, Mapping[str, str]]],
) -> None:
    """A record to those that can be kept, or to the others with the reason."""
    try:
        good.append(read_row(plan, number, record, around))
    except RowRefused as refused:
        bad.append((number, refused.problems))
