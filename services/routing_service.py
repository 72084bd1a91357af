"""RoutingService: new qualified leads go to people in turn, by share and while they have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.policy import Role
from engine.routing import Agent, next_turn
from engine.vocabulary import Classification
from errors import invalid_field
from many_rows import insert_new
from models import Campaign, CampaignAgent, Lead, Person, WorkspaceSetting
from services.account_service import AccountService
from services.lead_visibility import is_visible
from services.pipeline_service import PipelineService
from services.resources import Resources
from services.workspace_settings import keep_setting

SETTING, TURNS = "routing", "routing.turns"
ACTOR = "routing"
# What counts as qualified, the strictest first.
CLASSES = {"SQL": ("SQL",), "MQL": ("SQL", "MQL")}


@dataclass(frozen=True)
class RoutingSettings:
    """Whether leads are given out by themselves, from which class on, and walk-ins as well."""

    enabled: bool = False
    from_class: str = str(Classification.SQL)
    entered: bool = False


class RoutingService:
    """Whose turn it is is `engine.routing`'s; here it is kept and done."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def settings(self) -> RoutingSettings:
        """What is in force."""
        kept = self.session.get(WorkspaceSetting, SETTING)
        return RoutingSettings(**kept.value) if kept else RoutingSettings()

    def change(self, *, enabled: bool, from_class: str, entered: bool, actor: str) -> None:
        """Keep other settings."""
        if from_class not in CLASSES:
            raise invalid_field("from_class", "Choose SQL or MQL.")
        value = {"enabled": enabled, "from_class": from_class, "entered": entered}
        keep_setting(self.session, SETTING, value, by=actor, now=self.resources.clock.now())
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, "settings.changed", SETTING, value)

    def on_facts(self, lead_id: int) -> str | None:
        """Give a lead that has no owner to whose turn it is; the owner, if it was given away."""
        pool = self._pool(self.session.get(Lead, lead_id))
        if pool is None:
            return None
        lead = self.session.scalar(
            select(Lead)
            .where(Lead.id == lead_id, *is_visible())
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        # Somebody may have taken it while we waited for the lock.
        if lead is None or self._pool(lead) != pool:
            return None
        owner = self._take_turn(pool)
        if owner is not None:
            pipeline = PipelineService(self.session, self.resources)
            pipeline.assign(lead_id, owner, actor=ACTOR)
        return owner

    def _pool(self, lead: Lead | None) -> int | None:
        """Among whom a lead is given out: a campaign's id, 0 for the workspace, None for nobody."""
        if lead is None or lead.deleted_at or lead.assigned_to or lead.outcome:
            return None
        if lead.campaign:
            campaign_id = self.session.scalar(
                select(Campaign.id).where(
                    Campaign.name == lead.campaign,
                    Campaign.routes.is_(True),
                    Campaign.archived_at.is_(None),
                )
            )
            if campaign_id is not None:
                return int(campaign_id)
        settings = self.settings()
        is_entered = settings.entered and lead.session_id is None
        is_qualified = lead.lead_classification in CLASSES[settings.from_class]
        return 0 if settings.enabled and (is_qualified or is_entered) else None

    def _take_turn(self, pool: int) -> str | None:
        """The address of whose turn it is; the lock keeps two from taking the same turn."""
        name = f"{TURNS}.{pool}"
        now = self.resources.clock.now()
        first = {"name": name, "value": {}, "updated_by": ACTOR, "updated_at": now}
        insert_new(self.session, WorkspaceSetting, [first])
        kept = self.session.get_one(WorkspaceSetting, name, with_for_update=True)
        people = self._people(pool)
        gained = {int(one): int(amount) for one, amount in kept.value.items()}
        turn = next_turn(self._agents(people), gained)
        kept.value = {str(one): amount for one, amount in turn.gained.items()}
        kept.updated_at = now
        self.session.flush()
        return next((person.email for person, _ in people if person.id == turn.agent), None)

    def _people(self, pool: int) -> Sequence[tuple[Person, int]]:
        statement: Any = select(Person, Person.weight).where(Person.role == str(Role.SALES))
        if pool:
            statement = (
                select(Person, CampaignAgent.weight)
                .join(CampaignAgent, CampaignAgent.person_id == Person.id)
                .where(CampaignAgent.campaign_id == pool)
            )
        rows = self.session.execute(statement.order_by(Person.id))
        return [(person, int(weight)) for person, weight in rows]

    def _agents(self, people: Sequence[tuple[Person, int]]) -> list[Agent]:
        limited = [person.email for person, _ in people if person.capacity is not None]
        rows = self.session.execute(
            select(Lead.assigned_to, func.count())
            .where(Lead.assigned_to.in_(limited), Lead.outcome.is_(None), *is_visible())
            .group_by(Lead.assigned_to)
        )
        in_hand = {owner: int(count) for owner, count in rows} if limited else {}
        return [
            Agent(
                person.id,
                weight,
                in_hand.get(person.email, 0),
                person.capacity,
                person.disabled_at is not None,
            )
            for person, weight in people
        ]
