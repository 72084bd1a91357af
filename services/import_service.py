"""ImportService: a table of leads comes in row by row, and into sight all at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, null, or_, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind, JobStatus
from errors import Invalid, NotFound
from lib.csv_stream import csv_chunks
from lib.ids import import_id
from lib.packed_file import PackedFile
from many_rows import dont_wait_for_disk, each_of, insert_many, next_ids
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
from services.import_leads import NewLead
from services.import_plan import ADD, SKIP, ImportPlan, make_plan
from services.import_reading import ImportReading, Rows
from services.import_rows import WHOLE_ROW, Around, Row
from services.import_updates import ImportUpdates
from services.job_service import JobService, Progress
from services.lead_visibility import is_visible
from services.resources import Resources
from services.suppressions import SENTENCE, Suppressions

JOB, TIDY = "leads.import", "imports.tidy"
# Of a file that somebody is still looking at; after a while it is forgotten.
NO_JOB, FORGOTTEN_AFTER = "", timedelta(days=2)
MOST_ROWS = 1_000_000
LONGEST_WRITING = 0.1
LEADS_AT_ONCE = 200
# A file of which more is wrong is a wrong file; all are counted, so many are explained.
MOST_EXPLAINED = 100_000
TOO_MANY = f"The file has more than {MOST_ROWS:,} rows; nothing of it was kept. Send it in parts."
KNOWN = "There is a lead of this e-mail already."
NOTHING_ELSE = nullcontext()
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

    def step(
        self,
        job: Job,
        rows: Rows | None = None,
        meanwhile: AbstractContextManager[None] = NOTHING_ELSE,
    ) -> Progress:
        """One more unit of an import: stage rows, publish, write updates, or take all back.

        `rows` are those that come next, if the caller has read them; `meanwhile` is done while
        the database writes most of the unit.
        """
        kept = self.session.get(Import, job.payload["import"], with_for_update=True)
        if kept is None:
            raise NotFound("There is no import of this id.", code="unknown_import")
        phase = job.payload.get("phase", READ)
        if phase == READ:
            return self._read(kept, job, rows, meanwhile)
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

    def _read(
        self, kept: Import, job: Job, rows: Rows | None, meanwhile: AbstractContextManager[None]
    ) -> Progress:
        """Stage the next rows; if nobody has read them yet, they are read here."""
        rows = rows or ImportReading(self.session, self.resources).next_rows(kept.id, job.payload)
        assert rows is not None, "who calls has just read the import"
        if rows.count > MOST_ROWS:
            return Progress(job.done, job.total, {"phase": DISCARD})
        # What a power cut might take back it takes with the place of the job, kept beside it; the
        # unit that publishes waits for the disk, and so for all that was written before it.
        dont_wait_for_disk(self.session)
        self._keep(kept, rows, meanwhile)
        plan = ImportPlan.from_plain(kept.plan)
        total = rows.count if rows.is_end else max(plan.limit or plan.lines, rows.count)
        phase = PUBLISH if rows.is_end else READ
        return Progress(rows.count, total, {**rows.place, "phase": phase})

    # Staging

    def _keep(self, kept: Import, rows: Rows, meanwhile: AbstractContextManager[None]) -> None:
        """What was read, where nobody sees it yet: new leads, news of known ones, refusals."""
        plan, good, bad = ImportPlan.from_plain(kept.plan), rows.good, list(rows.bad)
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
        self._insert([rows.leads[row.number] for row in new], rows.around, meanwhile)
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
        mine = Lead.import_id == kept.id
        for key, lead_id, is_mine in self.session.execute(
            each_of(
                self.session,
                Lead.email_key,
                keys,
                select(Lead.email_key, Lead.id, func.coalesce(mine, False))
                .where(or_(mine, and_(*is_visible())))
                .order_by(Lead.id),
            )
        ):
            if is_mine:
                seen.add(key)
            else:
                known.setdefault(key, lead_id)
        if kept.updated or kept.plan.get("dry_run"):
            told = select(ImportUpdate.email_key).where(ImportUpdate.import_id == kept.id)
            told = told.order_by(ImportUpdate.row)
            others = each_of(self.session, ImportUpdate.email_key, keys, told)
            seen.update(self.session.scalars(others))
        return seen, known

    def _insert(
        self, leads: Sequence[NewLead], around: Around, meanwhile: AbstractContextManager[None]
    ) -> None:
        """New leads with their facts and scores; nobody hears of these facts one by one."""
        if not leads:
            return
        numbered = list(zip(next_ids(self.session, Lead, len(leads)), leads, strict=True))
        with meanwhile:
            values = ((lead_id, *lead.columns.values()) for lead_id, lead in numbered)
            insert_many(self.session, Lead, ("id", *leads[0].columns), values)
            facts = (
                outbox.HeardFact(kind, lead_id, measured, personal, at, around.now)
                for lead_id, lead in numbered
                for kind, measured, personal, at in lead.facts
            )
            outbox.record_heard(self.session, facts)
            seen = (FirstSeen(n, lead.columns["stage"], *lead.seen) for n, lead in numbered)
            FirstScores(self.session, self.resources).store(around.pipeline, list(seen))

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
