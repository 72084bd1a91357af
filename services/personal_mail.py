"""PersonalMail: what one person asked for, by e-mail to that person's own address."""

from __future__ import annotations

from sqlalchemy.orm import Session

import outbox
from alert_contents import PERSONAL
from integrations.channels.letter import deliverable
from models import Destination, Person
from services.resources import Resources, smtp_settings


class PersonalMail:
    """Somebody's own address as a destination that only they use; others' alerts pass it by."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def is_possible(self) -> bool:
        """Whether e-mail can leave at all; in demo mode it is only written down."""
        settings = self.resources.settings
        return settings.DEMO_MODE or smtp_settings(settings) is not None

    def enqueue(
        self, person: Person, event_id: int, trigger: str, *, lead_id: int | None
    ) -> str | None:
        """The delivery of a fact to this person; None where nothing can be sent, or was already."""
        place = self._place(person) if self.is_possible() else None
        if place is None:
            return None
        now = self.resources.clock.now()
        wanted = outbox.Wanted(place.id, now)
        found = outbox.enqueue(self.session, event_id, trigger, [wanted], lead_id=lead_id, now=now)
        return found[0] if found else None

    def _place(self, person: Person) -> Destination | None:
        is_test = self.resources.settings.is_development
        address = deliverable(person.email, is_test=is_test)
        if not address or person.disabled_at is not None:
            return None
        now, identifier = self.resources.clock.now(), f"{PERSONAL}_{person.id}"
        place = self.session.get(Destination, identifier)
        if place is None:
            place = Destination(
                id=identifier,
                channel="email",
                source=PERSONAL,
                secrets=[],
                enabled=True,
                created_at=now,
            )
            self.session.add(place)
        place.address, place.updated_at = address, now
        self._mend(place)
        return place

    def _mend(self, place: Destination) -> None:
        """Nobody is asked to switch this place on again: asking for a letter does."""
        was_stopped = place.state == outbox.STOPPED
        place.state, place.reason = outbox.WORKING, None
        place.failing_since = place.paused_until = None
        self.session.flush()
        if was_stopped:
            outbox.release(self.session, place.id, self.resources.clock.now(), gathers=False)
