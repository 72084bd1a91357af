"""WorkflowService: keeps every version of the workflow; pins one to a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

import outbox
from database import dumps
from engine.experiment_arms import UNSHOWN, changed
from engine.experiments import stored_definition
from engine.vocabulary import FactKind
from engine.workflow import Workflow
from engine.workflow_reader import WorkflowInvalid, read_workflow
from errors import NotFound
from lib.crypto import sha256_hex
from models import Experiment, WorkflowVersion
from services.resources import Resources

log = structlog.get_logger(__name__)


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

    def in_force(self, version: int | None = None) -> Pinned:
        """The version that new sessions get; its number need not be asked for where it is known."""
        version = version or self.find_version_in_force()
        if version is None:
            raise NotFound("No workflow is published.", code="no_workflow")
        return Pinned(version, self.get(version))

    def get(self, version: int, arms: Mapping[str, str] | None = None) -> Workflow:
        """The workflow of a version, as the given arms show it; read once a process."""
        library = self.resources.workflows
        key = (version, tuple(sorted((arms or {}).items())))
        found = library.get(key)
        if found is None:
            found = self._arranged(version, arms) if arms else self._read(version)
            library[key] = found
        return found

    def config(self, version: int) -> dict[str, Any]:
        """A version as plain data: its `workflow` and its `tests`."""
        found: Any = self.session.scalar(
            select(WorkflowVersion.config).where(WorkflowVersion.version == version)
        )
        if found is None:
            raise NotFound(f"There is no workflow version {version}.", code="no_workflow")
        return dict(found)

    def publish(
        self,
        config: Mapping[str, Any],
        tests: Any,
        *,
        by: str | None = None,
        note: str | None = None,
        source: str = "console",
    ) -> int:
        """A version of somebody's own, in force from now on; WorkflowInvalid if it cannot be."""
        read_workflow(config, tests)
        now = self.resources.clock.now()
        version = (self.session.scalar(select(func.max(WorkflowVersion.version))) or 0) + 1
        plain = {"workflow": dict(config), "tests": tests}
        self.session.execute(
            insert(WorkflowVersion).values(
                version=version,
                source=source,
                content_hash=sha256_hex(dumps(plain)),
                config=plain,
                created_at=now,
                published_at=now,
                published_by=by,
                note=note,
            )
        )
        measured = {"version": version, "source": source}
        outbox.record(
            self.session, outbox.NewFact(FactKind.WORKFLOW_PUBLISHED, now, measured=measured)
        )
        return version

    def find_version_in_force(self) -> int | None:
        """The number of the version that new sessions get; None before there is one."""
        return self.session.scalar(
            select(WorkflowVersion.version)
            .where(WorkflowVersion.published_at.is_not(None))
            .order_by(WorkflowVersion.published_at.desc(), WorkflowVersion.version.desc())
            .limit(1)
        )

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
            WorkflowVersion.source != "shipped", WorkflowVersion.published_at.is_not(None)
        )
        return bool(self.session.scalar(statement))

    def _read(self, version: int) -> Workflow:
        config = self.config(version)
        return read_workflow(config["workflow"], config["tests"])

    def _arranged(self, version: int, arms: Mapping[str, str]) -> Workflow:
        """A version as these arms show it: its own tests, and the experiments beside them."""
        workflow = self.get(version)
        beside = {name: arm for name, arm in arms.items() if workflow.find_test(name) is None}
        if beside:
            workflow = self._changed(version, workflow, beside)
        return workflow.arranged(arms)

    def _changed(self, version: int, workflow: Workflow, arms: Mapping[str, str]) -> Workflow:
        """A version with what experiments change in it, the one that was started first first."""
        config = self.config(version)
        raw, tests = config["workflow"], config["tests"]
        definitions = self.session.scalars(
            select(Experiment.definition)
            .where(Experiment.name.in_(arms), Experiment.source == "api")
            .order_by(Experiment.started_at, Experiment.name)
        )
        for stored in definitions:
            definition = stored_definition(stored or {})
            change = definition.arm(arms[definition.name].partition("~")[0]).config
            if not change or definition.kind in UNSHOWN:
                continue
            try:
                tried = changed(raw, workflow, change)
                workflow, raw = read_workflow(tried, tests), tried
            except WorkflowInvalid as error:
                # Each was checked before its start; together, or in another version, they are not.
                log.warning("an arm cannot be shown", experiment=definition.name, why=str(error))
        return workflow
