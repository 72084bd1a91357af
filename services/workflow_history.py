"""WorkflowHistory: every version there was, what differs between two, and one of them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import errors
from engine.workflow_reader import WorkflowInvalid
from engine.workflow_shape import Plain, shaped
from engine.workflow_words import Change, differences
from models import Conversation, WorkflowVersion
from services.account_service import AccountService
from services.resources import Resources
from services.workflow_service import WorkflowService

LONGEST_NOTE = 1000


@dataclass(frozen=True)
class VersionLine:
    """A version as the list shows it."""

    version: int
    source: str
    by: str | None
    note: str | None
    created_at: datetime
    published_at: datetime | None
    in_force: bool
    conversations: int


class WorkflowHistory:
    """The versions of the workflow, for those who keep it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.workflows = WorkflowService(session, resources)

    def versions(self) -> Sequence[VersionLine]:
        """Every version, the newest first."""
        counted = select(Conversation.workflow_version, func.count()).group_by(
            Conversation.workflow_version
        )
        talks = {number: count for number, count in self.session.execute(counted)}
        in_force = self.workflows.find_version_in_force()
        rows = self.session.execute(
            select(
                WorkflowVersion.version,
                WorkflowVersion.source,
                WorkflowVersion.published_by,
                WorkflowVersion.note,
                WorkflowVersion.created_at,
                WorkflowVersion.published_at,
            ).order_by(WorkflowVersion.version.desc())
        )
        return [
            VersionLine(*row, in_force=row[0] == in_force, conversations=talks.get(row[0], 0))
            for row in rows
        ]

    def shaped(self, version: int) -> tuple[Plain, Plain]:
        """A version as forms edit it: its workflow and its ACTIVE_TESTS; NotFound for none."""
        config = self.workflows.config(version)
        return shaped(config["workflow"], config["tests"])

    def differences(self, before: int, after: int) -> list[Change]:
        """What was changed from one version to another."""
        return differences(self.shaped(before), self.shaped(after))

    def restore(self, version: int, note: str, *, actor: str) -> int:
        """A version published once more, under a number of its own; that number."""
        config = self.workflows.config(version)
        said = f"Version {version} again. {checked_note(note)}"
        try:
            new = self.workflows.publish(config["workflow"], config["tests"], by=actor, note=said)
        except WorkflowInvalid as error:
            raise errors.Conflict(
                f"Version {version} is of an earlier release and cannot be used as it is."
                f" Begin a draft from it; {len(error.problems)} places must be mended."
            ) from None
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, "workflow.restored", f"version {new}", {"of": version})
        return new


def checked_note(note: str) -> str:
    """A note on why a version is published; Invalid for none."""
    if not note.strip() or len(note) > LONGEST_NOTE:
        raise errors.invalid_field(
            "note", f"Say in a few words why (at most {LONGEST_NOTE} characters)."
        )
    return note.strip()
