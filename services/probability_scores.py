"""ProbabilityScores: what models say of leads as a scoring profile; who became hot by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

import outbox
from engine.alert_rules import LeadState, crossing
from engine.points import tier_for
from engine.vocabulary import FactKind, Profile, Tier
from many_rows import insert_new
from models import LeadScore, ScorePoint
from outbox import NewFact
from services.lead_scores import NOTABLE, NOTHING, LeadScores
from services.resources import Resources

PROFILE = str(Profile.ML_PROBABILITY)


class ProbabilityScores:
    """The one writer of the profile `ml_probability`; its score is the probability times 100."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.now = resources.clock.now()
        self.hot, self.warm = LeadScores(session, resources).tiers(Profile.ML_PROBABILITY)

    def keep(
        self, found: Mapping[int, float], before: Mapping[int, float | None], *, news: bool
    ) -> None:
        """Store what is said of leads now; who crosses the hot threshold upwards is a fact.

        `news` says that the leads themselves have changed. Where only the model has, or where a
        whole table came in, nobody has become hot: the watch is armed anew, and no one is told.
        """
        kept = self._kept(sorted(found), before)
        facts: list[NewFact] = []
        points: list[dict[str, Any]] = []
        for lead_id, row in sorted(kept.items()):
            score = 100 * found[lead_id]
            is_first, moved, was = row.score == NOTHING, abs(row.score - score), row.tier
            number = self._renew(row, score, news=news)
            if moved >= NOTABLE or was != row.tier:
                points.append(self._point(row))
            if number is not None or (was != row.tier and (news or not is_first)):
                facts.append(self._changed(row, was, number))
        if points:
            self.session.execute(insert(ScorePoint), points)
        outbox.record(self.session, *facts)

    def _renew(self, row: LeadScore, score: float, *, news: bool) -> int | None:
        """The new score in its row; the number of the crossing that somebody must hear of."""
        state = LeadState(row.lead_id, "", True, row.score, row.armed, row.crossings)
        crossed = crossing(state, score, self.hot)
        row.score, row.tier = score, str(tier_for(score, hot=self.hot, warm=self.warm))
        row.armed, row.computed_at = crossed.armed, self.now
        if not (news and crossed.became_hot):
            return None
        row.crossings = crossed.crossings
        return crossed.crossings

    def _kept(
        self, lead_ids: list[int], before: Mapping[int, float | None]
    ) -> dict[int, LeadScore]:
        """The stored rows under their locks, made where there are none."""
        mine = (LeadScore.lead_id.in_(lead_ids), LeadScore.profile == PROFILE)
        have = set(self.session.scalars(select(LeadScore.lead_id).where(*mine)))
        new = [one for one in lead_ids if one not in have]
        insert_new(self.session, LeadScore, list(self._new(new, before)))
        rows = self.session.scalars(
            select(LeadScore).where(*mine).order_by(LeadScore.lead_id).with_for_update(),
            execution_options={"populate_existing": True},
        )
        return {row.lead_id: row for row in rows}

    def _new(
        self, lead_ids: list[int], before: Mapping[int, float | None]
    ) -> Iterator[dict[str, Any]]:
        """Rows of leads that have none; one that had a probability is where that put it."""
        for lead_id in lead_ids:
            old = before.get(lead_id)
            score = NOTHING if old is None else 100 * old
            tier = Tier.COLD if old is None else tier_for(score, hot=self.hot, warm=self.warm)
            yield {
                "lead_id": lead_id,
                "profile": PROFILE,
                "score": score,
                "tier": str(tier),
                "coverage": 1.0,
                "armed": score < self.hot,
                "crossings": 0,
                "computed_at": self.now,
            }

    def _point(self, row: LeadScore) -> dict[str, Any]:
        return {
            "lead_id": row.lead_id,
            "kind": PROFILE,
            "score": row.score,
            "tier": row.tier,
            "recorded_at": self.now,
        }

    def _changed(self, row: LeadScore, was: str, number: int | None) -> NewFact:
        measured = {
            "profile": PROFILE,
            "from": was,
            "to": row.tier,
            "score": round(row.score, 1),
            "crossing": number,
        }
        return NewFact(FactKind.TIER_CHANGED, self.now, measured, lead_id=row.lead_id)
