"""WorkflowService: keeps every version of the workflow; pins one to a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind
from engine.workflow import Workflow
from engine.workflow_reader import read_workflow
from errors import NotFound
from models import WorkflowVersion
from services.resources import Resources


@dataclass(frozen=True)
class Pinned:
    """A workflow and the number of its version."""

    version: int
    workflow: Workflow


class WorkflowService:
    """What the bot asks: the version in force, and those that older sessions began with."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def in_force(self) -> Pinned:
        """The version that new sessions get."""
        version = self.session.scalar(
            select(WorkflowVersion.version)
            .where(WorkflowVersion.published_at.is_not(None))
            .order_by(WorkflowVersion.published_at.desc(), WorkflowVersion.version.desc())
            .limit(1)
        )
        if version is None:
            raise NotFound("No workflow is published.", code="no_workflow")
        return Pinned(version, self.get(version))

    def get(self, version: int, arms: Mapping[str, str] | None = None) -> Workflow:
        """The workflow of a version, as the given arms show it; read once a process."""
        library = self.resources.workflows
        key = (version, tuple(sorted((arms or {}).items())))
        found = library.get(key)
        if found is None:
            found = self._read(version) if not arms else self.get(version).arranged(arms)
            library[key] = found
        return found

    def keep_shipped(self) -> None:
        """Store the shipped workflow as the next version where its content is new.

        It is in force at once, unless somebody published a version of their own.
        """
        shipped = self.resources.shipped
        latest = self.session.scalar(
            select(WorkflowVersion.content_hash)
            .where(WorkflowVersion.source == "shipped")
            .order_by(WorkflowVersion.version.desc())
            .limit(1)
        )
        if latest == shipped.content_hash:
            return
        now = self.resources.clock.now()
        newest = self.session.scalar(select(func.max(WorkflowVersion.version))) or 0
        published = None if self._somebody_published() else now
        row = {
            "version": newest + 1,
            "source": "shipped",
            "content_hash": shipped.content_hash,
            "config": shipped.config,
            "created_at": now,
            "published_at": published,
        }
        self.session.execute(insert(WorkflowVersion).values(row))
        if published:
            measured = {"version": newest + 1, "source": "shipped"}
            outbox.record(
                self.session, outbox.NewFact(FactKind.WORKFLOW_PUBLISHED, now, measured=measured)
            )

    def _somebody_published(self) -> bool:
        statement = select(func.count()).where(
            WorkflowVersion.source == "console", WorkflowVersion.published_at.is_not(None)
        )
        return bool(self.session.scalar(statement))

    def _read(self, version: int) -> Workflow:
        config: Any = self.session.scalar(
            select(WorkflowVersion.config).where(WorkflowVersion.version == version)
        )
        if config is None:
            raise NotFound(f"There is no workflow version {version}.", code="no_workflow")
        return read_workflow(config["workflow"], config["tests"])
