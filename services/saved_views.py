"""SavedViews: filters of leads under a name, one's own and those that somebody shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from errors import Conflict, NotFound, invalid_field
from models import Person, SavedView
from services.account_service import AccountService
from services.lead_view import LeadView
from services.resources import Resources

MOST_VIEWS = 100
LONGEST_NAME = 80


@dataclass(frozen=True)
class Saved:
    """A view as a person finds it."""

    id: int
    name: str
    view: LeadView
    shared: bool
    is_mine: bool
    owner: str


class SavedViews:
    """The views of one person; who shares one stays the only one to change it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def list_views(self, person_id: int) -> list[Saved]:
        """One's own by name, then those of others."""
        rows = self.session.execute(
            select(SavedView, Person.name)
            .join(Person, Person.id == SavedView.person_id)
            .where(or_(SavedView.person_id == person_id, SavedView.shared.is_(True)))
            .order_by(SavedView.person_id != person_id, func.lower(SavedView.name), SavedView.id)
        )
        return [_saved(row, owner, person_id) for row, owner in rows]

    def keep(self, person_id: int, name: str, view: LeadView, *, shared: bool, actor: str) -> int:
        """A view under a name; under a name that the person uses already it takes its place."""
        name = _named(name)
        row = self.session.scalar(
            select(SavedView).where(SavedView.person_id == person_id, SavedView.name == name)
        )
        if row is None:
            self._refuse_too_many(person_id)
            row = SavedView(person_id=person_id, name=name)
            row.created_at = self.resources.clock.now()
            self.session.add(row)
        row.query, row.shared = view.plain(), shared
        self.session.flush()
        self._audit(actor, "view.saved", row.id, {"shared": shared})
        return row.id

    def rename(self, view_id: int, name: str, *, shared: bool, person_id: int, actor: str) -> None:
        """Another name, and whether others see it; Conflict where one's own has that name."""
        row, name = self._mine(view_id, person_id), _named(name)
        taken = select(SavedView.id).where(
            SavedView.person_id == person_id, SavedView.name == name, SavedView.id != view_id
        )
        if self.session.scalar(taken) is not None:
            raise Conflict(f"You have a view called “{name}” already.", code="name_taken")
        row.name, row.shared = name, shared
        self._audit(actor, "view.renamed", view_id, {"shared": shared})
        self.session.flush()

    def delete(self, view_id: int, *, person_id: int, actor: str) -> Saved:
        """What it was, for who wants it back."""
        row = self._mine(view_id, person_id)
        was = _saved(row, "", person_id)
        self.session.delete(row)
        self._audit(actor, "view.deleted", view_id, {})
        self.session.flush()
        return was

    def get(self, view_id: int, *, person_id: int) -> Saved:
        """One that the person may use; NotFound else."""
        found = next((one for one in self.list_views(person_id) if one.id == view_id), None)
        if found is None:
            raise _unknown()
        return found

    def _mine(self, view_id: int, person_id: int) -> SavedView:
        row = self.session.get(SavedView, view_id)
        if row is None or row.person_id != person_id:
            raise _unknown()
        return row

    def _refuse_too_many(self, person_id: int) -> None:
        mine = select(func.count(SavedView.id)).where(SavedView.person_id == person_id)
        if (self.session.scalar(mine) or 0) >= MOST_VIEWS:
            raise invalid_field("name", f"At most {MOST_VIEWS} views are kept; delete one first.")

    def _audit(self, actor: str, action: str, view_id: int, detail: dict[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"view {view_id}", detail)


def _saved(row: SavedView, owner: str, person_id: int) -> Saved:
    is_mine = row.person_id == person_id
    return Saved(row.id, row.name, LeadView.of(row.query), row.shared, is_mine, owner)


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise invalid_field("name", f"A view needs a name of 1 to {LONGEST_NAME} characters.")
    return name


def _unknown() -> NotFound:
    return NotFound("There is no such view of yours.", code="unknown_view")
