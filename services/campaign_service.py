"""CampaignService: what campaigns there are, who works them, and how they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from engine.campaign_pace import GoalOf, Standing, standing
from engine.money import money
from engine.policy import Role
from engine.rates import Share
from engine.routing import HEAVIEST
from engine.vocabulary import Classification, Outcome
from errors import Conflict, NotFound, invalid_field
from models import Campaign, CampaignAgent, Lead, Person
from services.account_service import AccountService
from services.figure_scope import count_if
from services.lead_visibility import is_visible
from services.resources import Resources
from services.workspace_service import WorkspaceService

FIELDS = ("name", "description", "starts_on", "ends_on", "goal", "goal_of", "routes")
# An open lead to which nothing happened for so long stands still.
STAGNANT = timedelta(days=14)
# The leads of a campaign carry its name; so many are renamed with it, in one short statement.
MOST_RENAMED = 10_000


@dataclass(frozen=True)
class Agent:
    """Somebody who works a campaign, or could."""

    id: int
    name: str
    email: str
    weight: int
    is_disabled: bool


@dataclass(frozen=True)
class Health:
    """What came of a campaign's leads so far."""

    leads: int = 0
    qualified: int = 0
    won: int = 0
    lost: int = 0
    won_value: float = 0.0
    stagnant: int = 0
    without_owner: int = 0
    newest: datetime | None = None

    @property
    def open(self) -> int:
        """Leads whose sale has not ended."""
        return self.leads - self.won - self.lost

    def done(self, of: GoalOf) -> float:
        """How much there is of what a goal may be of."""
        return {
            GoalOf.LEADS: self.leads,
            GoalOf.QUALIFIED: self.qualified,
            GoalOf.WON: self.won,
            GoalOf.VALUE: self.won_value,
        }[of]

    @property
    def qualification(self) -> Share:
        """Leads classed SQL, of all."""
        return Share(self.qualified, self.leads)

    @property
    def wins(self) -> Share:
        """Sales won, of all that ended."""
        return Share(self.won, self.won + self.lost)


@dataclass(frozen=True)
class View:
    """A campaign as people see it."""

    id: int
    name: str
    description: str | None
    starts_on: datetime | None
    ends_on: datetime | None
    goal: int | None
    goal_of: str
    routes: bool
    created_by: str
    created_at: datetime
    archived_at: datetime | None
    agents: Sequence[Agent]
    health: Health
    pace: Standing

    @property
    def done(self) -> float:
        """How much of what the goal is of there is."""
        return self.health.done(GoalOf(self.goal_of))


class CampaignService:
    """Campaigns and their agents; a lead belongs to the campaign whose name it carries."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    # Reading

    def list_campaigns(self, *, archived: bool = False) -> list[View]:
        """All campaigns at work, the newest first; or those that were put away."""
        kept = Campaign.archived_at.is_not(None) if archived else Campaign.archived_at.is_(None)
        rows = self.session.scalars(select(Campaign).where(kept).order_by(Campaign.id.desc())).all()
        health = self._health([row.name for row in rows])
        agents = self._agents([row.id for row in rows])
        return [self._view(row, health.get(row.name), agents.get(row.id, [])) for row in rows]

    def find(self, campaign_id: int) -> View:
        """One campaign; NotFound if there is none."""
        row = self._get(campaign_id)
        health = self._health([row.name]).get(row.name)
        return self._view(row, health, self._agents([row.id]).get(row.id, []))

    def names_without(self) -> list[tuple[str, int]]:
        """Names that leads carry and no campaign has, with how many leads do."""
        rows = self.session.execute(
            select(Lead.campaign, func.count())
            .where(
                Lead.campaign.is_not(None),
                Lead.campaign != "",
                Lead.campaign.not_in(select(Campaign.name)),
                *is_visible(),
            )
            .group_by(Lead.campaign)
            .order_by(func.count().desc(), Lead.campaign)
            .limit(20)
        )
        return [(str(name), int(count)) for name, count in rows]

    def possible_agents(self) -> list[Agent]:
        """Everybody who sells and may sign in; their weight is that of the workspace."""
        rows = self.session.scalars(
            select(Person)
            .where(Person.role == str(Role.SALES), Person.disabled_at.is_(None))
            .order_by(func.lower(Person.name), Person.id)
        )
        return [_agent(person, person.weight) for person in rows]

    # Writing

    def create(self, data: Mapping[str, Any], agents: Mapping[int, int], *, actor: str) -> int:
        """A new campaign and its agents by their weights; its id."""
        values = self._checked(data)
        row = {**values, "created_by": actor, "created_at": self.resources.clock.now()}
        statement = insert(Campaign).values(row).returning(Campaign.id)
        campaign_id = int(self.session.execute(statement).scalar_one())
        self._keep_agents(campaign_id, agents)
        self._audit(actor, "campaign.created", campaign_id, values, agents)
        return campaign_id

    def edit(
        self, campaign_id: int, data: Mapping[str, Any], agents: Mapping[int, int], *, actor: str
    ) -> None:
        """Change a campaign and who works it; a new name goes to its leads as well."""
        before = self._get(campaign_id, lock=True)
        values = self._checked(data, campaign_id)
        if values["name"] != before.name:
            self._rename_leads(before.name, values["name"])
        self.session.execute(update(Campaign).where(Campaign.id == campaign_id).values(**values))
        self._keep_agents(campaign_id, agents)
        self._audit(actor, "campaign.edited", campaign_id, values, agents)

    def archive(self, campaign_id: int, *, is_archived: bool, actor: str) -> None:
        """Put a campaign away, or take it back; its leads stay as they are."""
        row = self._get(campaign_id, lock=True)
        if (row.archived_at is not None) != is_archived:
            at = self.resources.clock.now() if is_archived else None
            row.archived_at = at
            self.session.flush()
        action = "campaign.archived" if is_archived else "campaign.taken_back"
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"campaign {campaign_id}", {"name": row.name})

    # Within

    def _get(self, campaign_id: int, *, lock: bool = False) -> Campaign:
        row = self.session.get(Campaign, campaign_id, with_for_update=lock or None)
        if row is None:
            raise NotFound("There is no such campaign.", code="unknown_campaign")
        return row

    def _checked(self, data: Mapping[str, Any], campaign_id: int | None = None) -> dict[str, Any]:
        values = {name: data.get(name) for name in FIELDS}
        values["name"] = str(values["name"] or "").strip()
        values["routes"] = bool(values["routes"])
        values["goal_of"] = values["goal_of"] or str(GoalOf.LEADS)
        if values["goal_of"] not in tuple(GoalOf):
            raise invalid_field("goal_of", "Choose what the goal is of.")
        if not values["name"]:
            raise invalid_field("name", "A campaign needs a name.")
        starts, ends = values["starts_on"], values["ends_on"]
        if starts and ends and ends < starts:
            raise invalid_field("ends_on", "It must not end before it begins.")
        taken = select(Campaign.id).where(func.lower(Campaign.name) == values["name"].lower())
        if self.session.scalar(taken.where(Campaign.id != (campaign_id or 0))):
            raise invalid_field("name", "Another campaign has this name, perhaps an archived one.")
        return values

    def _rename_leads(self, before: str, after: str) -> None:
        mine = Lead.campaign == before
        count = self.session.scalar(select(func.count()).select_from(Lead).where(mine)) or 0
        if count > MOST_RENAMED:
            raise Conflict(
                f"{count} leads carry this name, too many to rename at once; keep the name.",
                code="too_many_leads",
            )
        self.session.execute(
            update(Lead)
            .where(mine)
            .values(campaign=after)
            .execution_options(synchronize_session=False)
        )

    def _keep_agents(self, campaign_id: int, agents: Mapping[int, int]) -> None:
        known = set(self.session.scalars(select(Person.id).where(Person.id.in_(agents))))
        if known != set(agents):
            raise invalid_field("agents", "Somebody of these is not here any more.")
        if any(not 1 <= weight <= HEAVIEST for weight in agents.values()):
            raise invalid_field("agents", f"A share is a whole number from 1 to {HEAVIEST}.")
        mine = CampaignAgent.campaign_id == campaign_id
        self.session.execute(delete(CampaignAgent).where(mine))
        now = self.resources.clock.now()
        rows = [
            {"campaign_id": campaign_id, "person_id": one, "weight": weight, "assigned_at": now}
            for one, weight in agents.items()
        ]
        if rows:
            self.session.execute(insert(CampaignAgent), rows)

    def _audit(
        self,
        actor: str,
        action: str,
        campaign_id: int,
        values: Mapping[str, Any],
        agents: Mapping[int, int],
    ) -> None:
        detail = {
            "name": values["name"],
            "goal": values["goal"],
            "goal_of": values["goal_of"],
            "routes": values["routes"],
            "agents": {str(one): weight for one, weight in sorted(agents.items())},
        }
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"campaign {campaign_id}", detail)

    def _health(self, names: Sequence[str]) -> dict[str, Health]:
        is_open, is_won = Lead.outcome.is_(None), Lead.outcome == str(Outcome.WON)
        lately = self.resources.clock.now() - STAGNANT
        rows = self.session.execute(
            select(
                Lead.campaign,
                func.count(),
                count_if(Lead.lead_classification == str(Classification.SQL)),
                count_if(is_won),
                count_if(Lead.outcome == str(Outcome.LOST)),
                func.sum(case((is_won, Lead.outcome_value), else_=0)),
                count_if(is_open & (Lead.last_activity_at < lately)),
                count_if(is_open & Lead.assigned_to.is_(None)),
                func.max(Lead.created_at),
            )
            .where(Lead.campaign.in_(names), *is_visible())
            .group_by(Lead.campaign)
        )
        return {
            name: Health(leads, qualified, won, lost, float(value or 0), still, free, newest)
            for name, leads, qualified, won, lost, value, still, free, newest in rows
        }

    def _money(self, amount: float) -> str:
        settings = WorkspaceService(self.session, self.resources).settings()
        return money(amount, settings.currency)

    def _agents(self, ids: Sequence[int]) -> dict[int, list[Agent]]:
        rows = self.session.execute(
            select(CampaignAgent.campaign_id, CampaignAgent.weight, Person)
            .join(Person, Person.id == CampaignAgent.person_id)
            .where(CampaignAgent.campaign_id.in_(ids))
            .order_by(func.lower(Person.name), Person.id)
        )
        found: dict[int, list[Agent]] = {}
        for campaign_id, weight, person in rows:
            found.setdefault(campaign_id, []).append(_agent(person, weight))
        return found

    def _view(self, row: Campaign, health: Health | None, agents: Sequence[Agent]) -> View:
        health = health or Health()
        now = self.resources.clock.now()
        of = GoalOf(row.goal_of)
        pace = standing(
            health.done(of), row.goal, row.starts_on, row.ends_on, now, of=of, money=self._money
        )
        plain = {name: getattr(row, name) for name in FIELDS}
        return View(
            id=row.id,
            **plain,
            created_by=row.created_by,
            created_at=row.created_at,
            archived_at=row.archived_at,
            agents=agents,
            health=health,
            pace=pace,
        )


def _agent(person: Person, weight: int) -> Agent:
    return Agent(person.id, person.name, person.email, weight, person.disabled_at is not None)
