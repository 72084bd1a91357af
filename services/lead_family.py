"""LeadFamily: a lead and those that became one with it, and whose facts are whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from models import Conversation, Event, LeadMerge


class LeadFamily:
    """Facts are never rewritten: those of a lead that was merged are found by these."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def kept_of(self, lead_ids: Sequence[int]) -> dict[int, int]:
        """Each of these leads and every part of it, with the one that it is part of now."""
        found = {one: one for one in lead_ids}
        new = list(found)
        while new:
            rows = self.session.execute(
                select(LeadMerge.merged_id, LeadMerge.kept_id).where(
                    LeadMerge.kept_id.in_(new), LeadMerge.parted_at.is_(None)
                )
            ).all()
            fresh = {merged: found[kept] for merged, kept in rows if merged not in found}
            found |= fresh
            new = list(fresh)
        return found

    def members(self, lead_id: int) -> list[int]:
        """A lead and all that are part of it now."""
        return list(self.kept_of([lead_id]))

    def facts(self, lead_id: int) -> ColumnElement[bool]:
        """The condition of the facts of one lead, among them those of its conversations.

        A conversation goes back with its lead when two are parted, and so do the facts in it.
        """
        family = self.members(lead_id)
        ever = or_(LeadMerge.kept_id == lead_id, LeadMerge.merged_id == lead_id)
        if self.session.scalar(select(LeadMerge.id).where(ever).limit(1)) is None:
            return Event.lead_id == lead_id
        talks = select(Conversation.id).where(Conversation.lead_id == lead_id)
        loose = and_(Event.lead_id.in_(family), Event.session_id.is_(None))
        return or_(Event.session_id.in_(talks), loose)

    def facts_by_lead(
        self, lead_ids: Sequence[int], *columns: Any, only: ColumnElement[bool] | None = None
    ) -> list[tuple[int, Any]]:
        """What these columns of facts say, each row with the lead that it belongs to now.

        `only` narrows the facts; without an order, for the parts of a lead are read one by one.
        """
        kinds = () if only is None else (only,)
        kept = self.kept_of(lead_ids)
        touched = {to for one, to in kept.items() if one != to} | self._ever_parted(lead_ids)
        touched &= set(lead_ids)
        plain = [one for one in lead_ids if one not in touched]
        rows = self.session.execute(
            select(Event.lead_id, *columns).where(Event.lead_id.in_(plain), *kinds)
        ).all()
        found = [(row[0], row[1:]) for row in rows if row[0] is not None]
        for lead_id in sorted(touched):
            mine = self.session.execute(select(*columns).where(self.facts(lead_id), *kinds)).all()
            found += [(lead_id, tuple(row)) for row in mine]
        return found

    def _ever_parted(self, lead_ids: Sequence[int]) -> set[int]:
        rows = self.session.execute(
            select(LeadMerge.kept_id, LeadMerge.merged_id).where(
                LeadMerge.parted_at.is_not(None),
                or_(LeadMerge.kept_id.in_(lead_ids), LeadMerge.merged_id.in_(lead_ids)),
            )
        )
        return {one for pair in rows for one in pair}
