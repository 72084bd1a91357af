"""The demo: believable, the same each time, and made by the real services alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from config import Settings
from jobs.demo import LATELY, DemoRun
from lib.clock import SettableClock
from models import Activity, Conversation, Lead, PendingFact, ScorePoint
from services import unit_of_work
from services.demo_visitors import visitors
from services.resources import Resources

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
REPS = ("sam@example.com", "sue@example.com")


def _resources(url: str, folder: Path) -> Resources:
    settings = Settings(_env_file=None, DATABASE_URL=url, DATA_DIR=folder, DEMO_MODE=True)
    return Resources.from_settings(settings, clock=SettableClock(NOW))


def test_the_same_seed_makes_the_same_visitors_and_none_from_the_future() -> None:
    first = list(visitors(7, NOW, days=30, count=200))

    assert first == list(visitors(7, NOW, days=30, count=200))
    assert first != list(visitors(8, NOW, days=30, count=200))
    moments = [one.starts_at for one in first]
    assert moments == sorted(moments)
    assert NOW - timedelta(days=31) < moments[0] and moments[-1] < NOW
    assert len({one.email for one in first}) == 200


def test_a_played_past_is_one_that_the_log_tells_again(database_url: str, tmp_path: Path) -> None:
    resources = _resources(database_url, tmp_path)

    played = DemoRun(resources, REPS).play(days=20, sessions=60)

    with unit_of_work(resources) as services:
        session = services.session
        assert played == session.scalar(select(func.count()).select_from(Conversation)) == 60
        assert services.replays.replay_all().differences == []
        assert session.scalar(select(func.count()).select_from(PendingFact)) == 0
        late = select(func.count()).select_from(Activity).where(Activity.occurred_at > NOW)
        assert session.scalar(late) == 0
        lately = select(ScorePoint.recorded_at, Lead.created_at).join(
            Lead, Lead.id == ScorePoint.lead_id
        )
        recent = (ScorePoint.kind == "core_points", Lead.created_at > NOW - LATELY)
        points = session.execute(lately.where(*recent)).all()
        assert points and all(at - born < timedelta(hours=1) for at, born in points)
        owners = set(session.scalars(select(Lead.assigned_to).where(Lead.stage.is_not(None))))
        assert owners == set(REPS)
        funnel = session.scalars(select(Conversation.next_question_id).distinct()).all()
        assert len(funnel) >= 4, "people leave at different questions"
    assert resources.clock.now() == NOW
