"""Relay: fan facts out to who reacts to them; claim, send and settle deliveries; run jobs.

The tables are the truth: any number of relays may work on them, in threads, in processes, on
machines, and each may be killed at any moment. What one had claimed is due again when its lease
runs out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

import outbox
from delivery_results import Prepared, deliver
from engine.vocabulary import DeliveryStatus
from integrations.channels.base import Receipt
from integrations.errors import DeliveryError, OutcomeUnknown
from jobs.subscriptions import SUBSCRIBERS, Subscriber
from models import Event
from services import Services, unit_of_work
from services.resources import Resources

log = structlog.get_logger(__name__)

FACTS_AT_ONCE = 100
DELIVERIES_AT_ONCE = 10
QUERY_CANCELED = "57014"
LONGEST_UNIT = 0.1
# SQLite lets in who happens to ask while nobody writes, and who has waited for a quarter of a
# second asks every 100 ms: without a breath of more than that after a unit of some length a long
# queue would lock every visitor out.
LONG_UNIT, BREATH = 0.05, 0.11
# The longest that one sending may take; a lease with less left is given back.
LONGEST_SENDING = timedelta(seconds=20)


class Relay:
    """The work of one relay, step by step; `jobs.runner` and the embedded server keep it going."""

    def __init__(
        self, resources: Resources, subscribers: Sequence[Subscriber] = SUBSCRIBERS
    ) -> None:
        self.resources = resources
        self.subscribers = subscribers

    def fan_out(self) -> int:
        """Tell everybody about the next facts; how many there were."""
        with unit_of_work(self.resources) as services:
            facts = outbox.take_facts(services.session, services.now(), FACTS_AT_ONCE)
            until = time.monotonic() + LONGEST_UNIT
            for lead_id, theirs in _from_both_ends(facts):
                self._tell(services, lead_id, theirs)
                if time.monotonic() > until:
                    # The rest is taken next: on SQLite a visitor waits for this unit to end.
                    break
        return len(facts)

    def _tell(self, services: Services, lead_id: int | None, facts: Sequence[Event]) -> None:
        """All subscribers about the facts of one lead; a failure undoes theirs alone."""
        session = services.session
        try:
            with session.begin_nested():
                for subscriber in self.subscribers:
                    heard = [fact for fact in facts if fact.kind in subscriber.kinds]
                    if heard:
                        subscriber.react(services, lead_id, heard)
                services.store.flush()
        except Exception as error:
            if isinstance(error, OperationalError) and not _took_too_long(error):
                # The database is away, or wants the unit again: nobody has failed over a fact.
                raise
            log.exception("a subscriber failed", lead=lead_id, facts=len(facts))
            outbox.tell_again(
                session,
                [fact.id for fact in facts],
                services.now(),
                type(error).__name__,
            )
        else:
            outbox.all_heard(session, [fact.id for fact in facts])

    def send(self, only: Sequence[str] | None = None) -> int:
        """Send the next deliveries of one destination; how many were claimed."""
        with unit_of_work(self.resources) as services:
            prepared = services.notifications.prepare(DELIVERIES_AT_ONCE, only=only)
            until = services.now() + self.resources.lease - LONGEST_SENDING
        for one in prepared:
            if self.resources.clock.now() > until and one is not prepared[0]:
                self._give_back(one)
            else:
                self._send(one)
        return len(prepared)

    def _send(self, prepared: Prepared) -> None:
        """One delivery: sent while no transaction is open, then settled in one of its own."""
        started = time.monotonic()
        outcome: Receipt | DeliveryError
        try:
            outcome = deliver(prepared)
        except DeliveryError as error:
            outcome = error
        except Exception:
            # A fault of ours must not look like a success, nor stop the other deliveries.
            log.exception("a channel failed", channel=prepared.channel.name)
            outcome = OutcomeUnknown("The program failed while it sent this; see its log.")
        seconds = time.monotonic() - started
        status = self._settle(prepared, outcome, seconds)
        log.info(
            "delivery settled",
            delivery=prepared.delivery.id,
            channel=prepared.channel.name,
            status=str(status),
        )

    def _settle(
        self, prepared: Prepared, outcome: Receipt | DeliveryError, seconds: float
    ) -> DeliveryStatus:
        """Write it down, twice if need be: what is not written down is sent once more."""
        try:
            with unit_of_work(self.resources) as services:
                return services.notifications.settle(prepared, outcome, seconds)
        except DBAPIError:
            with unit_of_work(self.resources) as services:
                return services.notifications.settle(prepared, outcome, seconds)

    def _give_back(self, prepared: Prepared) -> None:
        with unit_of_work(self.resources) as services:
            outbox.give_back(services.session, prepared.delivery, services.now())


def send_asked(resources: Resources, deliveries: Sequence[str]) -> None:
    """Send what a plain script has just asked for; what fails waits for the next relay."""
    relay = Relay(resources)
    while relay.send(only=deliveries):
        pass


class RelayThreads:
    """Relays as threads of this process: one that fans out, a few that send."""

    def __init__(self, resources: Resources, *, senders: int = 3, pause: float = 1.0) -> None:
        self.resources = resources
        self.pause = pause
        is_sqlite = resources.engine.dialect.name == "sqlite"
        self._breath = BREATH if is_sqlite else 0.0
        self._stopping = threading.Event()
        relay = Relay(resources)
        works = [
            ("facts", relay.fan_out),
            *((f"sender-{n}", relay.send) for n in range(senders)),
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(work,), name=f"relay-{name}", daemon=True)
            for name, work in works
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after what is in hand."""
        self._stopping.set()
        self.resources.doorbell.ring()
        for thread in self._threads:
            thread.join(timeout=LONGEST_SENDING.total_seconds())

    def _work(self, work: Callable[[], int]) -> None:
        """Work while there is some; then wait for the doorbell, or a moment."""
        while not self._stopping.is_set():
            heard = self.resources.doorbell.rings
            started = time.monotonic()
            try:
                found = work()
            except Exception:
                log.exception("a relay failed; it goes on")
                found = 0
                self._stopping.wait(self.pause)
            if not found:
                self.resources.doorbell.wait(heard, self.pause)
            elif time.monotonic() - started > LONG_UNIT:
                self._stopping.wait(self._breath)


def _from_both_ends(facts: Sequence[Event]) -> Iterator[tuple[int | None, list[Event]]]:
    """The facts lead by lead: the newest lead's, the oldest one's, the next newest one's …

    So a visitor of this moment does not wait for all who came before, nor they for ever.
    """
    groups: dict[int | None, list[Event]] = {}
    for fact in facts:
        groups.setdefault(fact.lead_id, []).append(fact)
    waiting = deque(sorted(groups.items(), key=lambda group: group[1][-1].id))
    while waiting:
        yield waiting.pop()
        if waiting:
            yield waiting.popleft()


def _took_too_long(error: OperationalError) -> bool:
    """Whether PostgreSQL stopped a statement by its time limit: so it will be the next time."""
    return getattr(error.orig, "pgcode", None) == QUERY_CANCELED
