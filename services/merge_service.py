"""MergeService: two leads that are one person become one, and can be parted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import PROFILE_FIELDS, FactKind
from errors import Conflict, NotFound, invalid_field, unknown_lead
from lib.clock import iso
from models import Activity, Conversation, FollowUp, Lead, LeadMerge
from services.account_service import AccountService
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.resources import Resources
from services.session_store import SessionStore

KEPT, OTHER = "kept", "other"
# What is chosen as one: an address with its key, a stage with its outcome.
CHOICES: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in PROFILE_FIELDS},
    "email": ("email", "email_key"),
    "phone": ("phone", "phone_e164"),
    "assigned_to": ("assigned_to",),
    "campaign": ("campaign",),
    "source": ("source", "utm_source"),
    "stage": ("stage", "staged_at", "outcome", "outcome_value", "outcome_at"),
}
_MOMENTS = ("staged_at", "outcome_at")
MOST_GROUPS = 50
_MOVED: tuple[tuple[str, Any], ...] = (
    ("sessions", Conversation),
    ("activities", Activity),
    ("follow_ups", FollowUp),
)


@dataclass(frozen=True)
class Field:
    """One thing that both leads may say differently, and whose word would be kept."""

    name: str
    kept: Any
    other: Any
    pick: str

    @property
    def differs(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.kept != self.other and (self.kept or self.other))


@dataclass(frozen=True)
class Side:
    """One of the two leads, and what hangs on it."""

    id: int
    created_at: datetime
    lead_score: int
    classification: str
    sessions: int
    activities: int
    follow_ups: int


@dataclass(frozen=True)
class Preview:
    """What a merge would make of two leads."""

    kept: Side
    other: Side
    fields: Sequence[Field]
    score: int
    same: Sequence[str]


@dataclass(frozen=True)
class Alike:
    """Leads with the same address or number."""

    by: str
    ids: Sequence[int]


class MergeService:
    """Nobody is merged because of what a visitor typed; people confirm it, and may regret it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    # Looking

    def duplicates(self) -> list[Alike]:
        """Leads that share an address or a number, those seen last first."""
        found = []
        for by, column in (("email", Lead.email_key), ("phone", Lead.phone_e164)):
            same = self.session.scalars(
                select(column)
                .where(*is_visible(), column.is_not(None))
                .group_by(column)
                .having(func.count(Lead.id) > 1)
                .order_by(func.max(Lead.id).desc())
                .limit(MOST_GROUPS)
            ).all()
            mine = select(column, Lead.id).where(*is_visible(), column.in_(same))
            groups: dict[str | None, list[int]] = {one: [] for one in same}
            for value, lead_id in self.session.execute(mine.order_by(Lead.id)):
                groups[value].append(lead_id)
            found += [Alike(by, tuple(ids)) for ids in groups.values()]
        return list({one.ids: one for one in found}.values())

    def named(self, lead_ids: Sequence[int]) -> list[dict[str, Any]]:
        """What tells leads that are alike from one another, the oldest first."""
        mine = select(Lead).where(Lead.id.in_(lead_ids), *is_visible()).order_by(Lead.id)
        columns = ("id", "name", "email", "phone", "company", "source", "created_at")
        return [
            {name: getattr(lead, name) for name in columns} for lead in self.session.scalars(mine)
        ]

    def preview(self, kept_id: int, other_id: int) -> Preview:
        """Both side by side; the kept one's word stands where it has any."""
        kept, other = self._pair(kept_id, other_id)
        fields = [
            Field(
                name,
                getattr(kept, name),
                getattr(other, name),
                KEPT if getattr(kept, name) or not getattr(other, name) else OTHER,
            )
            for name in CHOICES
        ]
        same = [
            word
            for word, name in (("e-mail", "email_key"), ("phone number", "phone_e164"))
            if getattr(kept, name) and getattr(kept, name) == getattr(other, name)
        ]
        best = self._best([kept_id, other_id])
        score = best.score if best else max(kept.lead_score, other.lead_score)
        return Preview(self._side(kept), self._side(other), fields, score, same)

    def merges(self, lead_id: int) -> list[LeadMerge]:
        """What became part of a lead and can be parted again, the last first."""
        mine = (LeadMerge.kept_id == lead_id, LeadMerge.parted_at.is_(None))
        rows = select(LeadMerge).where(*mine).order_by(LeadMerge.id.desc())
        return [row for row in self.session.scalars(rows) if row.undo]

    # Merging

    def merge(self, kept_id: int, other_id: int, picks: Mapping[str, str], *, actor: str) -> int:
        """The kept lead with the other's conversations, diary and the chosen words; the merge."""
        unknown = sorted(set(picks) - set(CHOICES))
        if unknown or any(one not in (KEPT, OTHER) for one in picks.values()):
            raise invalid_field("picks", "Choose for each field whose word is kept.")
        self._lock_talks([kept_id, other_id])
        kept, other = self._pair(kept_id, other_id, lock=True)
        now = self.resources.clock.now()
        columns = self._chosen(kept, other, picks)
        moved = self._move_rows(other_id, kept_id)
        born = None
        if kept.session_id is None and other.session_id is not None:
            born, other.session_id = other.session_id, None
        other.deleted_at, other.merged_into = now, kept_id
        flat = self._flatten(other_id, kept_id)
        self.session.flush()
        if born is not None:
            columns["session_id"] = born
        undo = {
            "before": _plain({name: getattr(kept, name) for name in columns}),
            "after": _plain(columns),
            "session_id": born,
            "points": [kept.lead_score, kept.lead_classification],
            "merged": flat,
            **moved,
        }
        for name, value in columns.items():
            setattr(kept, name, value)
        self._rescore(kept)
        kept.updated_at = now
        row = LeadMerge(
            kept_id=kept_id, merged_id=other_id, undo=undo, merged_by=actor, merged_at=now
        )
        self.session.add(row)
        self.session.flush()
        told = {"merged": [other_id], "fields": sorted(picked for picked in columns)}
        told["sessions"] = len(moved["sessions"])
        self._record(FactKind.LEAD_MERGED, kept_id, told, actor)
        self._audit(actor, "lead.merged", kept_id, {"merged": other_id})
        LeadScores(self.session, self.resources).renew(kept_id)
        return row.id

    def part(self, merge_id: int, *, actor: str) -> tuple[int, int]:
        """Both leads again, each with what was its own; what was changed since stays as it is."""
        row = self._merge(merge_id)
        self._lock_talks([row.kept_id])
        kept = self._locked(row.kept_id)
        other = self.session.get(Lead, row.merged_id, with_for_update=True)
        if kept is None or other is None or other.merged_into != kept.id:
            raise Conflict("The lead that it is part of became part of another; part that first.")
        now, undo = self.resources.clock.now(), row.undo
        after = undo["after"]
        present = _plain({name: getattr(kept, name) for name in after})
        for name, value in undo["before"].items():
            if present[name] == after[name]:
                setattr(kept, name, _moment(name, value))
        if undo["session_id"] is not None and kept.session_id == undo["session_id"]:
            kept.session_id = None
        self.session.flush()
        other.deleted_at = other.merged_into = None
        other.session_id = undo["session_id"] or other.session_id
        self._move_back(undo, kept.id, other.id)
        self.session.flush()
        for lead in (kept, other):
            lead.updated_at = now
            if not self._rescore(lead) and lead is kept:
                kept.lead_score, kept.lead_classification = undo["points"]
        row.parted_by, row.parted_at = actor, now
        self.session.flush()
        for lead, parted in ((kept, other), (other, kept)):
            self._record(FactKind.LEAD_PARTED, lead.id, {"parted": parted.id}, actor)
        self._audit(actor, "lead.parted", kept.id, {"parted": other.id})
        LeadScores(self.session, self.resources).renew_many([kept.id, other.id])
        return kept.id, other.id

    # Within

    def _pair(self, kept_id: int, other_id: int, *, lock: bool = False) -> tuple[Lead, Lead]:
        if kept_id == other_id:
            raise invalid_field("other", "A lead cannot become part of itself.")
        both = select(Lead).where(Lead.id.in_([kept_id, other_id]), *is_visible())
        both = both.order_by(Lead.id)
        if lock:
            both = both.with_for_update().execution_options(populate_existing=True)
        found = {one.id: one for one in self.session.scalars(both)}
        if len(found) < 2:
            raise unknown_lead()
        return found[kept_id], found[other_id]

    def _merge(self, merge_id: int) -> LeadMerge:
        row = self.session.get(LeadMerge, merge_id, with_for_update=True)
        if row is None or self._locked(row.kept_id) is None and row.parted_at is None:
            raise NotFound("There is no such merge.", code="unknown_merge")
        if row.parted_at is not None:
            raise Conflict("These leads were parted already.", code="already_parted")
        if not row.undo:
            raise Conflict("What was known of them was erased; they cannot be parted.")
        return row

    def _locked(self, lead_id: int) -> Lead | None:
        return self.session.scalar(
            select(Lead)
            .where(Lead.id == lead_id, *is_visible())
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    def _lock_talks(self, lead_ids: Sequence[int]) -> None:
        """Their conversations before the leads, as a visitor's answer locks them."""
        store = SessionStore(self.session, self.resources)
        ids = select(Conversation.id).where(Conversation.lead_id.in_(lead_ids))
        for session_id in self.session.scalars(ids.order_by(Conversation.id)).all():
            store.lock(session_id)

    def _chosen(self, kept: Lead, other: Lead, picks: Mapping[str, str]) -> dict[str, Any]:
        """The columns of the kept lead that change."""
        columns: dict[str, Any] = {}
        for name, pick in picks.items():
            if pick == OTHER:
                columns |= {one: getattr(other, one) for one in CHOICES[name]}
        if other.attributes:
            columns["attributes"] = {**other.attributes, **kept.attributes}
        return {name: value for name, value in columns.items() if getattr(kept, name) != value}

    def _move_rows(self, from_id: int, to_id: int) -> dict[str, list[Any]]:
        moved: dict[str, list[Any]] = {}
        for name, table in _MOVED:
            mine = select(table.id).where(table.lead_id == from_id).order_by(table.id)
            moved[name] = list(self.session.scalars(mine))
            self._point(table, moved[name], from_id, to_id)
        return moved

    def _move_back(self, undo: Mapping[str, Any], from_id: int, to_id: int) -> None:
        for name, table in _MOVED:
            self._point(table, undo[name], from_id, to_id)
        again = update(Lead).where(Lead.id.in_(undo["merged"]), Lead.merged_into == from_id)
        self.session.execute(again.values(merged_into=to_id))

    def _point(self, table: Any, ids: Sequence[Any], from_id: int, to_id: int) -> None:
        rows = update(table).where(table.id.in_(ids), table.lead_id == from_id)
        self.session.execute(
            rows.values(lead_id=to_id), execution_options={"synchronize_session": "fetch"}
        )

    def _flatten(self, other_id: int, kept_id: int) -> list[int]:
        """What was part of the other lead is part of the kept one now."""
        parts = select(Lead.id).where(Lead.merged_into == other_id).order_by(Lead.id)
        ids = list(self.session.scalars(parts))
        self.session.execute(update(Lead).where(Lead.id.in_(ids)).values(merged_into=kept_id))
        return ids

    def _best(self, lead_ids: Sequence[int]) -> Conversation | None:
        return self.session.scalar(
            select(Conversation)
            .where(Conversation.lead_id.in_(lead_ids))
            .order_by(Conversation.score.desc(), Conversation.id)
            .limit(1)
        )

    def _rescore(self, lead: Lead) -> bool:
        """A lead's score and class are those of its best conversation, if it has any."""
        best = self._best([lead.id])
        if best is not None:
            lead.lead_score, lead.lead_classification = best.score, best.classification
        return best is not None

    def _side(self, lead: Lead) -> Side:
        counts = [
            self.session.scalar(select(func.count(table.id)).where(table.lead_id == lead.id)) or 0
            for _, table in _MOVED
        ]
        return Side(lead.id, lead.created_at, lead.lead_score, lead.lead_classification, *counts)

    def _record(
        self, kind: FactKind, lead_id: int, measured: Mapping[str, Any], actor: str
    ) -> None:
        now = self.resources.clock.now()
        fact = outbox.NewFact(kind, now, measured={**measured, "actor": actor}, lead_id=lead_id)
        outbox.record(self.session, fact)

    def _audit(self, actor: str, action: str, lead_id: int, detail: dict[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, action, f"lead {lead_id}", detail)


def _plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: iso(value, "microseconds") if isinstance(value, datetime) else value
        for name, value in columns.items()
    }


def _moment(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _MOMENTS and value else value
