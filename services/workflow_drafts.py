"""WorkflowDrafts: a workflow while people change it, until it is published or thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

import errors
from engine.plain_reading import Problem
from engine.workflow_edits import Edit, Gone, add_question
from engine.workflow_file import NotReadable, read_file
from engine.workflow_reader import WorkflowInvalid, read_workflow
from engine.workflow_shape import Plain, next_number, shaped
from engine.workflow_size import find_too_large
from engine.workflow_words import Change, differences
from lib.text import strip_controls
from models import WorkflowDraft, WorkflowVersion
from services.account_service import AccountService
from services.resources import Resources
from services.workflow_history import WorkflowHistory, checked_note
from services.workflow_service import WorkflowService

LONGEST_NAME = 255
# Of many parts that are too large so many are named.
MOST_SAID = 10


@dataclass(frozen=True)
class Draft:
    """A draft as it stands."""

    id: int
    name: str
    based_on: int
    revision: int
    created_by: str
    updated_by: str
    updated_at: datetime
    published_as: int | None
    workflow: Plain
    tests: Plain

    @cached_property
    def problems(self) -> Sequence[Problem]:
        """What a visitor would trip over: each with its place and the remedy."""
        return problems_of(self.workflow, self.tests)


class WorkflowDrafts:
    """Drafts: begun from a version or a file, changed part by part, published."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.workflows = WorkflowService(session, resources)
        self.history = WorkflowHistory(session, resources)

    def list_drafts(self) -> Sequence[Draft]:
        """The drafts that are at work, the last changed first."""
        rows = self.session.scalars(
            select(WorkflowDraft)
            .where(WorkflowDraft.deleted_at.is_(None), WorkflowDraft.published_as.is_(None))
            .order_by(WorkflowDraft.updated_at.desc(), WorkflowDraft.id.desc())
        )
        return [_draft(row) for row in rows]

    def get(self, draft_id: int) -> Draft:
        """A draft; NotFound for one that there is not, or was thrown away."""
        return _draft(self._row(draft_id))

    def begin(self, version: int, *, actor: str, name: str = "") -> int:
        """A draft that says what a version says; its id."""
        workflow, tests = self.history.shaped(version)
        name = name.strip() or f"Draft of version {version}"
        draft_id = self._insert(name, version, workflow, tests, actor)
        detail = {"based_on": version}
        self._audit(actor, "workflow.draft_begun", draft_id, detail)
        return draft_id

    def begin_from_file(
        self, content: bytes, name: str, *, actor: str
    ) -> tuple[int, Sequence[Problem]]:
        """A draft of what a file holds, and what its reader had to complain of.

        Invalid where the file holds no workflow at all; nothing in it is ever run.
        """
        try:
            config, tests = read_file(content, name)
        except NotReadable as error:
            raise errors.invalid_field("file", str(error)) from None
        _refuse_too_large(config, tests, "file")
        problems = problems_of(config, tests)
        try:
            workflow, arms = shaped(config, tests)
        except (TypeError, ValueError, AttributeError, RecursionError):
            raise errors.invalid_field(
                "file", "This workflow has another shape than ours: " + str(problems[0])
            ) from None
        based_on = self.workflows.find_version_in_force() or 0
        draft_id = self._insert(
            strip_controls(name)[:LONGEST_NAME], based_on, workflow, arms, actor
        )
        self._audit(actor, "workflow.draft_imported", draft_id, {"problems": len(problems)})
        return draft_id, problems

    def change(self, draft_id: int, edit: Edit, *, revision: int, actor: str) -> Draft:
        """The draft after an edit; Conflict if somebody else changed the same part meanwhile."""
        row = self._row(draft_id, locked=True)
        workflow, tests = row.config["workflow"], row.config["tests"]
        try:
            if row.revision != revision and edit.is_late(workflow):
                raise errors.Conflict(
                    f"{row.updated_by} changed this while you were typing. What you typed is still"
                    " here: look at the draft in another tab, then save again to replace theirs.",
                    code="draft_changed",
                )
            made = edit.make(workflow, tests)
        except Gone:
            raise errors.Conflict(
                f"{row.updated_by} changed the draft meanwhile: it is no longer there.",
                code="draft_changed",
            ) from None
        _refuse_too_large(*made)
        row.config = {"workflow": made[0], "tests": made[1]}
        row.revision += 1
        row.updated_by, row.updated_at = actor, self.resources.clock.now()
        self.session.flush()
        self._audit(actor, "workflow.draft_changed", draft_id, {"part": edit.what})
        return _draft(row)

    def add_question(self, draft_id: int, text: str, kind: str, *, actor: str) -> int:
        """One more question at the end of a draft; its id, which no question ever had."""
        draft = self.get(draft_id)
        known = [config["workflow"] for config in self.session.scalars(self._configs())]
        number = next_number([*known, draft.workflow])
        steps = [one.get("step") for one in draft.workflow.get("questions", ())]
        last = max((step for step in steps if isinstance(step, int)), default=0)
        question: Plain = {"id": number, "slug": f"question_{number}", "text": text, "type": kind}
        if kind in ("choice", "multi_choice"):
            question["options"] = []
        question |= {"field": None, "step": last + 1}
        self.change(draft_id, add_question(question), revision=draft.revision, actor=actor)
        return number

    def rename(self, draft_id: int, name: str, *, actor: str) -> None:
        """Another name for a draft."""
        row = self._row(draft_id, locked=True)
        row.name = name.strip()[:LONGEST_NAME] or row.name
        self.session.flush()
        self._audit(actor, "workflow.draft_renamed", draft_id, {})

    def throw_away(self, draft_id: int, *, actor: str, back: bool = False) -> None:
        """Out of sight, or `back` again."""
        now = self.resources.clock.now()
        there = WorkflowDraft.deleted_at
        found = self.session.execute(
            update(WorkflowDraft)
            .where(WorkflowDraft.id == draft_id, there.is_not(None) if back else there.is_(None))
            .values(deleted_at=None if back else now)
            .returning(WorkflowDraft.id)
        ).scalar_one_or_none()
        if found is None:
            raise _unknown()
        word = "workflow.draft_brought_back" if back else "workflow.draft_thrown_away"
        self._audit(actor, word, draft_id, {})

    def differences(self, draft: Draft) -> tuple[int, list[Change]]:
        """The version in force, and what would change in it."""
        version = self.workflows.in_force().version
        return version, differences(self.history.shaped(version), (draft.workflow, draft.tests))

    def publish(self, draft_id: int, note: str, *, revision: int, actor: str) -> int:
        """The draft in force from now on; the number of its version.

        Conflict if it is not the draft that was looked at, Invalid while it has problems.
        """
        row = self._row(draft_id, locked=True)
        if row.revision != revision:
            raise errors.Conflict(
                f"{row.updated_by} changed the draft since you looked at it; look again."
            )
        said = checked_note(note)
        config = row.config
        try:
            version = self.workflows.publish(
                config["workflow"], config["tests"], by=actor, note=said
            )
        except WorkflowInvalid as error:
            raise errors.Invalid(
                f"The draft cannot be published yet: {len(error.problems)} places must be mended."
            ) from None
        row.published_as = version
        self.session.flush()
        self._audit(actor, "workflow.published", draft_id, {"version": version})
        return version

    def _insert(self, name: str, based_on: int, workflow: Plain, tests: Plain, actor: str) -> int:
        now = self.resources.clock.now()
        row = {
            "name": name[:LONGEST_NAME],
            "based_on": based_on,
            "config": {"workflow": workflow, "tests": tests},
            "revision": 1,
            "created_by": actor,
            "updated_by": actor,
            "created_at": now,
            "updated_at": now,
        }
        statement = insert(WorkflowDraft).values(row).returning(WorkflowDraft.id)
        return int(self.session.execute(statement).scalar_one())

    def _row(self, draft_id: int, *, locked: bool = False) -> WorkflowDraft:
        statement = select(WorkflowDraft).where(
            WorkflowDraft.id == draft_id, WorkflowDraft.deleted_at.is_(None)
        )
        if locked:
            statement = statement.with_for_update()
        row = self.session.scalar(statement, execution_options={"populate_existing": True})
        if row is None:
            raise _unknown()
        if locked and row.published_as is not None:
            raise errors.Conflict(
                f"This draft became version {row.published_as}; begin another from it."
            )
        return row

    def _configs(self) -> Any:
        return select(WorkflowVersion.config)

    def _audit(self, actor: str, action: str, draft_id: int, detail: dict[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"draft {draft_id}", detail)


def problems_of(workflow: Any, tests: Any) -> tuple[Problem, ...]:
    """Every reason why a visitor would trip over this."""
    try:
        read_workflow(workflow, tests)
    except WorkflowInvalid as error:
        return error.problems
    return ()


def _refuse_too_large(workflow: Any, tests: Any, field: str | None = None) -> None:
    """Raises Invalid for more than is ever read: its pages would be as slow as its checks."""
    found: dict[str, list[str]] = {}
    for one in find_too_large(workflow, tests)[:MOST_SAID]:
        found.setdefault(field or one.place, []).append(str(one) if field else one.sentence)
    if found:
        raise errors.Invalid("This is more than a workflow may hold.", fields=found)


def _draft(row: WorkflowDraft) -> Draft:
    return Draft(
        id=row.id,
        name=row.name,
        based_on=row.based_on,
        revision=row.revision,
        created_by=row.created_by,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
        published_as=row.published_as,
        workflow=row.config["workflow"],
        tests=row.config["tests"],
    )


def _unknown() -> errors.NotFound:
    return errors.NotFound("There is no draft of this number.", code="unknown_draft")
