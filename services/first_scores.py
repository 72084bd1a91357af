"""FirstScores: the scores with which leads come in, stored for many at once and no news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from engine.signals import employees_of, signals_of
from engine.stages import Pipeline
from many_rows import insert_alike
from models import LeadScore, ScorePoint
from services.lead_scores import LeadScores
from services.resources import Resources

_SCORE = ("profile", "score", "tier", "coverage", "armed", "crossings", "computed_at")
_POINT = ("kind", "score", "tier", "recorded_at")
_Seen = tuple[float | None, float | None]
_Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class FirstSeen:
    """What the first scores of a lead read: where it stands, and how large its company is."""

    lead_id: int
    stage: str | None
    staff_size: str | None
    attributes: Mapping[str, Any]


class FirstScores:
    """Leads of which nothing is known but what somebody wrote down: many of them score alike."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self._scores = LeadScores(session, resources)

    def store(self, pipeline: Pipeline, leads: Sequence[FirstSeen]) -> None:
        """The scores of leads with whom nobody has spoken, and the first of each history.

        Who is hot from the beginning did not become it: the watch is armed for the others only.
        """
        places = {stage: pipeline.place(stage) for stage in {lead.stage for lead in leads}}
        alike: dict[_Seen, list[int]] = defaultdict(list)
        for lead in leads:
            seen = places[lead.stage], employees_of(lead.staff_size, lead.attributes)
            alike[seen].append(lead.lead_id)
        made = [(self._rows(*seen), ids) for seen, ids in alike.items()]
        scores = [(row, ids) for (rows, _), ids in made for row in rows]
        points = [(row, ids) for (_, rows), ids in made for row in rows]
        insert_alike(self.session, LeadScore, "lead_id", _SCORE, scores)
        insert_alike(self.session, ScorePoint, "lead_id", _POINT, points)

    def _rows(self, place: float | None, employees: float | None) -> tuple[_Rows, _Rows]:
        """What is stored of a lead of this place and size, but for its id."""
        now = self.resources.clock.now()
        signals = signals_of((), now, stage_place=place, employees=employees)
        made = self._scores.without_talk(signals).items()
        return (
            [
                (
                    *(str(profile), one.score, str(one.tier), one.coverage),
                    *(one.score < self._scores.tiers(profile)[0], 0, now),
                )
                for profile, one in made
            ],
            [(str(profile), one.score, str(one.tier), now) for profile, one in made],
        )
