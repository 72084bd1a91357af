"""LeadChoices: what a filter of leads can be set to, as this workspace knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Campaign, Conversation, ExperimentEpoch, Lead, Person
from services.lead_visibility import is_visible
from services.pipeline_stages import PipelineStages
from services.resources import Resources
from services.workflow_service import WorkflowService

MOST = 200


@dataclass(frozen=True)
class Asked:
    """A question of the workflow in force, and the options that one chooses from."""

    id: int
    text: str
    options: Sequence[str]


@dataclass(frozen=True)
class Choices:
    """Everything that the filters offer."""

    questions: Sequence[Asked]
    sources: Sequence[str]
    utm_campaigns: Sequence[str]
    variants: Sequence[str]


class LeadChoices:
    """Reads what there is; a value that is not offered can still be asked for by its address."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def stages(self) -> list[str]:
        """The stages of the pipeline, in their order."""
        pipeline = PipelineStages(self.session, self.resources).in_force()
        return [stage.name for stage in pipeline.stages]

    def owners(self) -> list[tuple[str, str]]:
        """Whoever a lead can be given to: address and name."""
        rows = self.session.execute(
            select(Person.email, Person.name)
            .where(Person.disabled_at.is_(None))
            .order_by(Person.name, Person.email)
            .limit(MOST)
        )
        return [(email, name) for email, name in rows]

    def campaigns(self) -> list[str]:
        """The campaigns at work."""
        at_work = select(Campaign.name).where(Campaign.archived_at.is_(None))
        return list(self.session.scalars(at_work.order_by(Campaign.name).limit(MOST)))

    def find(self) -> Choices:
        """What only the filters need; reads through leads and conversations."""
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        questions = [
            Asked(one.id, one.text, [option.value for option in one.options])
            for one in workflow.questions
        ]
        return Choices(
            questions,
            self._distinct(Lead.source, *is_visible()),
            self._distinct(Conversation.utm_campaign, Conversation.utm_campaign.is_not(None)),
            self._variants(),
        )

    def _distinct(self, column: Any, *conditions: Any) -> list[str]:
        found = select(column).where(*conditions).distinct().order_by(column).limit(MOST)
        return [one for one in self.session.scalars(found) if one]

    def _variants(self) -> list[str]:
        rows = self.session.execute(select(ExperimentEpoch.experiment, ExperimentEpoch.weights))
        return sorted({f"{name}:{arm}" for name, weights in rows for arm in weights})[:MOST]
