"""ImportDesk: what people do with a file before and after it is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind, JobStatus
from errors import Conflict, NotFound, invalid_field
from lib.clock import iso
from lib.crypto import sha256_hex
from lib.csv_table import DELIMITERS, ENCODINGS, lines, records
from lib.packed_file import PackedFile, unpack
from models import (
    Activity,
    Import,
    ImportBlock,
    ImportMap,
    ImportRejection,
    ImportUpdate,
    Job,
    Lead,
)
from services.account_service import AccountService
from services.import_plan import ADD, SKIP, UPDATE, ImportPlan, make_plan
from services.import_reading import ImportReading
from services.import_rows import RowReader, RowRefused
from services.import_service import NO_JOB, ImportService
from services.resources import Resources

POLICIES = (UPDATE, SKIP, ADD)
SHOWN_ROWS = 8
# Beside the columns of a remembered table the words that mean won; no column is called so, for
# a name holds no such sign.
WON_WORDS = "\x1fwon"
MOST_LISTED = 100
UPLOADED, CHECKING, CHECKED = "uploaded", "checking", "checked"
RUNNING, DONE, FAILED, UNDONE = "running", "done", "failed", "undone"


@dataclass(frozen=True)
class _Head:
    """The beginning of a kept file, as `make_plan` looks at it."""

    head: bytes
    is_utf8: bool
    lines: int


@dataclass(frozen=True)
class Choices:
    """What a person chose about a file."""

    mapping: Mapping[str, str]
    won_values: str | None = None
    limit: int | None = None
    policy: str = UPDATE
    encoding: str | None = None
    delimiter: str | None = None


class ImportDesk:
    """Files on the desk: looked at, mapped, tried, imported, taken back."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.imports = ImportService(session, resources)

    def upload(self, file: PackedFile, file_name: str | None, *, actor: str) -> str:
        """Put a file on the desk, its columns guessed or as they were the last time; its id."""
        plan = make_plan(file)
        remembered = self.session.get(ImportMap, _signature(plan))
        if remembered is not None:
            targets = remembered.columns
            plan = make_plan(
                file,
                mapping={name: targets[name] for name, _ in plan.columns},
                won_values=targets.get(WON_WORDS),
            )
        name = (file_name or "").strip()[:255] or None
        identifier = self.imports.take_in(file, plan, actor=actor, file_name=name)
        self._audit(actor, "import.uploaded", identifier, {"size": file.size})
        self.session.flush()
        return identifier

    def list_all(self) -> list[dict[str, Any]]:
        """The newest imports and how far each is."""
        rows = self.session.execute(
            select(Import, Job)
            .outerjoin(Job, Job.id == Import.job_id)
            .order_by(Import.created_at.desc(), Import.id)
            .limit(MOST_LISTED)
        )
        return [_view(kept, job) for kept, job in rows]

    def get(self, identifier: str) -> dict[str, Any]:
        """One import: its state, its plan, and what came of it."""
        kept = self._get(identifier)
        job = self.session.get(Job, kept.job_id) if kept.job_id else None
        reasons = self.session.execute(
            select(ImportRejection.field, ImportRejection.sentence, func.count())
            .where(ImportRejection.import_id == identifier)
            .group_by(ImportRejection.field, ImportRejection.sentence)
            .order_by(func.count().desc(), ImportRejection.field)
            .limit(12)
        ).all()
        plan = ImportPlan.from_plain(kept.plan)
        return {
            **_view(kept, job),
            "plan": plan,
            "reasons": [(name, sentence, count) for name, sentence, count in reasons],
        }

    def sample(self, identifier: str) -> list[dict[str, Any]]:
        """The first rows as the plan reads them: their cells, and what is wrong with each."""
        kept = self._get(identifier)
        plan = ImportPlan.from_plain(kept.plan)
        reader = RowReader(plan, ImportReading(self.session, self.resources).around())
        found: list[dict[str, Any]] = []
        text = lines([self._first_block(kept)], plan.encoding)
        for number, record in enumerate(islice(records(text, plan.delimiter), 1, 60), start=2):
            if record.is_blank:
                continue
            problems: Mapping[str, str] = {}
            try:
                reader.read(number, record)
            except RowRefused as refused:
                problems = refused.problems
            found.append({"number": number, "cells": record.cells, "problems": dict(problems)})
            if len(found) == SHOWN_ROWS:
                break
        return found

    def choose(self, identifier: str, choices: Choices) -> ImportPlan:
        """The plan with what somebody chose; remembered for the next table of these columns."""
        kept = self._idle(identifier)
        plan = ImportPlan.from_plain(kept.plan)
        for name, value, known in (
            ("policy", choices.policy, POLICIES),
            ("encoding", choices.encoding or plan.encoding, ENCODINGS),
            ("delimiter", choices.delimiter or plan.delimiter, tuple(DELIMITERS)),
        ):
            if value not in known:
                raise invalid_field(name, "This is none of the choices.")
        head = _Head(self._first_block(kept), plan.encoding == "utf-8", plan.lines + 1)
        encoding, delimiter = choices.encoding, choices.delimiter
        reread = (encoding or plan.encoding, delimiter or plan.delimiter) != (
            plan.encoding,
            plan.delimiter,
        )
        chosen = make_plan(
            head,
            # Read otherwise, the columns are others: they are guessed anew.
            mapping={} if reread else choices.mapping,
            won_values=choices.won_values,
            limit=choices.limit,
            encoding=encoding or plan.encoding,
            delimiter=delimiter or plan.delimiter,
        )
        chosen = replace(chosen, policy=choices.policy, lines=plan.lines, dry_run=plan.dry_run)
        kept.plan = chosen.plain()
        self.session.flush()
        return chosen

    def begin(self, identifier: str, *, dry_run: bool, actor: str) -> dict[str, Any]:
        """Read the whole file in the background: only to look, or to import it."""
        kept = self._idle(identifier)
        plan = ImportPlan.from_plain(kept.plan)
        self._remember(plan, actor)
        kept.plan = replace(plan, dry_run=dry_run).plain()
        kept.imported = kept.updated = kept.rejected = 0
        for table in (ImportRejection, ImportUpdate):
            self.session.execute(delete(table).where(table.import_id == identifier))
        self.session.flush()
        return self.imports.run(identifier, actor=actor)

    def forget(self, identifier: str, *, actor: str) -> None:
        """A file off the desk that was never imported."""
        kept = self._idle(identifier)
        for table in (ImportBlock, ImportRejection, ImportUpdate):
            self.session.execute(delete(table).where(table.import_id == identifier))
        self.session.delete(kept)
        self._audit(actor, "import.forgotten", identifier, {})
        self.session.flush()

    def worked_since(self, identifier: str) -> int:
        """Of how many leads of an import sales has done something since."""
        statement = (
            select(func.count(func.distinct(Lead.id)))
            .join(Activity, Activity.lead_id == Lead.id)
            .where(Lead.import_id == identifier)
        )
        return self.session.scalar(statement) or 0

    def undo(self, identifier: str, *, actor: str) -> None:
        """All leads that an import brought go out of sight, by one small update.

        What it changed in leads that were known before stays, as their history shows.
        """
        kept = self._published(identifier)
        if kept.undone_at is not None:
            return
        now = self.resources.clock.now()
        kept.undone_at = now
        self._record(FactKind.IMPORT_UNDONE, kept, actor)
        self._audit(actor, "import.undone", identifier, {"imported": kept.imported})
        self.session.flush()

    def redo(self, identifier: str, *, actor: str) -> None:
        """The leads of an import that was undone come back."""
        kept = self._published(identifier)
        if kept.undone_at is None:
            return
        kept.undone_at = None
        self._record(FactKind.IMPORT_REDONE, kept, actor)
        self._audit(actor, "import.redone", identifier, {"imported": kept.imported})
        self.session.flush()

    # Within

    def _record(self, kind: FactKind, kept: Import, actor: str) -> None:
        measured = {"import": kept.id, "imported": kept.imported, "actor": actor}
        fact = outbox.NewFact(kind, self.resources.clock.now(), measured)
        outbox.record(self.session, fact)

    def _get(self, identifier: str) -> Import:
        kept = self.session.get(Import, identifier)
        if kept is None:
            raise NotFound("There is no import of this id.", code="unknown_import")
        return kept

    def _idle(self, identifier: str) -> Import:
        """A file that nobody is reading just now, and that is not imported yet."""
        kept = self._get(identifier)
        job = self.session.get(Job, kept.job_id) if kept.job_id else None
        if _state(kept, job) not in (UPLOADED, CHECKED):
            raise Conflict("This file is being read, or it is imported already.")
        return kept

    def _published(self, identifier: str) -> Import:
        kept = self._get(identifier)
        if kept.published_at is None or kept.finished_at is None:
            raise Conflict("This import is not finished.")
        return kept

    def _first_block(self, kept: Import) -> bytes:
        content = self.session.scalar(
            select(ImportBlock.content).where(
                ImportBlock.import_id == kept.id, ImportBlock.number == 0
            )
        )
        return unpack(content) if content else b""

    def _remember(self, plan: ImportPlan, actor: str) -> None:
        signature, now = _signature(plan), self.resources.clock.now()
        row = self.session.get(ImportMap, signature) or ImportMap(signature=signature)
        said = {WON_WORDS: json.dumps(plan.won)} if plan.else_lost else {}
        row.columns = {**dict(plan.columns), **said}
        row.used_by, row.used_at = actor, now
        self.session.add(row)

    def _audit(self, actor: str, action: str, identifier: str, detail: dict[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"import {identifier}", detail)


def _signature(plan: ImportPlan) -> str:
    """By which a table of the same columns is known again."""
    return sha256_hex("\x1f".join(name for name, _ in plan.columns))


def _state(kept: Import, job: Job | None) -> str:
    if kept.undone_at is not None:
        return UNDONE
    if kept.finished_at is not None:
        return DONE if kept.published_at is not None else FAILED
    if kept.job_id == NO_JOB or job is None:
        return UPLOADED
    if job.status == JobStatus.FAILED:
        return FAILED
    if kept.plan.get("dry_run"):
        return CHECKED if job.status == JobStatus.DONE else CHECKING
    return RUNNING


def _view(kept: Import, job: Job | None) -> dict[str, Any]:
    return {
        "id": kept.id,
        "file_name": kept.file_name,
        "size": kept.size,
        "state": _state(kept, job),
        "imported": kept.imported,
        "updated": kept.updated,
        "rejected": kept.rejected,
        "by": kept.requested_by,
        "created_at": iso(kept.created_at),
        "done": job.done if job else 0,
        "total": job.total if job else None,
        "error": job.error if job else None,
    }
