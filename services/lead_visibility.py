"""Which leads there are: for everybody, and for one person who works only their own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, event, or_, select
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from models import Import, Lead

OWNER, IN_SIGHT = "leadline.owner", "leadline.in_sight"


def is_visible() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions by which a statement over leads finds those that anybody may see.

    The leads of an import come into sight together, by the one row that says it is published,
    and go out of it together, when somebody undoes it.
    """
    is_published = or_(Lead.import_id.is_(None), Lead.import_id.not_in(_at_work()))
    return Lead.deleted_at.is_(None), is_published


def of_visible_lead(session: Session, lead_id: Any) -> ColumnElement[bool]:
    """The condition that what belongs to this lead may be seen, for a walk over many rows.

    Whoever may see everybody's leads misses only the few that are hidden; looking for these is
    quicker than joining all others. Who sees some only sees what a lead in sight owns.
    """
    this = Lead.id == lead_id
    if session.info.get(OWNER) is None:
        is_hidden = or_(Lead.deleted_at.is_not(None), Lead.import_id.in_(_at_work()))
        return ~select(Lead.id).where(this, is_hidden).exists()
    return select(Lead.id).where(this, *is_visible()).exists()


def _at_work() -> Select[Any]:
    unseen = or_(Import.published_at.is_(None), Import.undone_at.is_not(None))
    return select(Import.id).where(unseen)


def see_only(session: Session, owner: str) -> None:
    """From now on every statement of this session finds only leads of this owner and of nobody.

    Put on once, where the request begins, so that no use case can forget it.
    """
    session.info[OWNER] = owner


def keep_in_sight(session: Session, lead_id: int) -> None:
    """Who just gave a lead away still gets the reply about it; the next request finds it gone."""
    session.info.setdefault(IN_SIGHT, set()).add(lead_id)


@event.listens_for(Session, "do_orm_execute")
def _narrowed(state: ORMExecuteState) -> None:
    owner: Any = state.session.info.get(OWNER)
    # What is loaded already was found under the filter; reading it again must not lose it.
    if owner is None or state.is_column_load or state.is_relationship_load:
        return
    if not (state.is_select or state.is_update or state.is_delete):
        return
    mine = or_(Lead.assigned_to == owner, Lead.assigned_to.is_(None))
    in_sight = state.session.info.get(IN_SIGHT)
    if in_sight:
        mine = or_(mine, Lead.id.in_(sorted(in_sight)))
    state.statement = state.statement.options(
        with_loader_criteria(Lead, mine, include_aliases=True)
    )
