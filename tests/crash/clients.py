"""Visitors who hold conversations over HTTP, repeat what was not acknowledged, and remember."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

# What one visitor says, after the start: a path, and the body without its session. The signals
# are facts each time they are sent, so one that is stored twice shows.
SIGNAL = ("/api/behavior", {"action": "website_visit"})
SCRIPT: Sequence[tuple[str, dict[str, Any]]] = (
    SIGNAL,
    ("/api/answer", {"question_id": 1, "answer_text": "Retail Store"}),
    ("/api/answer", {"question_id": 2, "answer_text": "Pune"}),
    ("/api/answer", {"question_id": 3, "answer_text": "2–5"}),
    ("/api/answer", {"question_id": 2, "answer_text": "Bandra West, Mumbai"}),
    ("/api/answer", {"question_id": 4, "answer_text": "₹50K–₹2L"}),
    ("/api/behavior", {"action": "clicked_demo"}),
    ("/api/answer", {"question_id": 5, "answer_text": ["Billing", "QR Payments"]}),
    ("/api/lead/profile", {"profile_data": {"name": "Asha Rao", "email": "asha@example.com"}}),
    ("/api/answer", {"question_id": 2, "answer_text": "Pune"}),
    SIGNAL,
)
TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
PATIENCE = 40.0  # seconds that a visitor goes on trying one request
PAUSE = 0.1  # seconds at most between two tries: bolder than Retry-After, to hit harder
LONGEST_REPLY = 15.0  # seconds


@dataclass
class Sent:
    """One request, and the reply that was seen, if any ever was."""

    path: str
    key: str
    body: dict[str, Any]
    status: int = 0
    reply: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False

    @property
    def is_acknowledged(self) -> bool:
        """Whether the visitor has seen that it was done."""
        return 200 <= self.status < 300


@dataclass
class Talk:
    """One conversation: all that was sent, in order."""

    sent: list[Sent] = field(default_factory=list)

    @property
    def session_id(self) -> str:
        """Its session; empty while nobody has acknowledged its start."""
        return str(self.sent[0].reply.get("session_id", "")) if self.sent else ""

    @property
    def is_whole(self) -> bool:
        """Whether every request of it was acknowledged."""
        return all(one.is_acknowledged for one in self.sent)


class Seen:
    """What all visitors together got to see: statuses, error codes, broken connections."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.broken = 0
        self.unfit: list[str] = []
        self.successes: list[float] = []
        self._lock = threading.Lock()

    def reply(self, status: int, said: Any, headers: http.client.HTTPMessage) -> None:
        """One reply; a refusal that does not say when to come back is unfit."""
        with self._lock:
            self.statuses[status] += 1
            if status < 300:
                self.successes.append(time.monotonic())
                return
            code = said.get("error", {}).get("code") if isinstance(said, dict) else None
            self.codes[str(code)] += 1
            if status not in (429, 503) or not headers.get("Retry-After"):
                self.unfit.append(f"{status} {code}")

    def cut(self) -> None:
        """One connection that broke before its reply was whole."""
        with self._lock:
            self.broken += 1

    def first_success_after(self, moment: float) -> float | None:
        """The seconds from a moment to the next success."""
        later = [one - moment for one in self.successes if one >= moment]
        return min(later, default=None)


class Caller:
    """One connection at a time to one port."""

    def __init__(self, port: int, seen: Seen) -> None:
        self.seen = seen
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_REPLY)

    def send(self, sent: Sent) -> bool:
        """Sends a request once; whether a whole reply came back."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": sent.key}
        try:
            self._connection.request("POST", sent.path, json.dumps(sent.body), headers)
            reply = self._connection.getresponse()
            said = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            self.seen.cut()
            return False
        self.seen.reply(reply.status, said, reply.headers)
        sent.status, sent.reply = reply.status, said
        sent.replayed = reply.headers.get("Idempotent-Replayed") == "true"
        return True

    def insist(self, sent: Sent) -> None:
        """Sends a request with its key until it is acknowledged or refused for good."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.send(sent) and sent.status not in TRY_AGAIN:
                return
            time.sleep(random.uniform(0, PAUSE))

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


class Visitors:
    """Many visitors at once, each in one conversation after the other."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.seen = Seen()
        self.talks: list[Talk] = []
        self._leave = threading.Event()
        self._threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(count)]

    def __enter__(self) -> Visitors:
        """Lets them come."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Waits until everybody has ended the conversation they are in."""
        self._leave.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, successes: int) -> None:
        """Returns when so many more requests have succeeded, in the middle of the next ones."""
        wanted = len(self.seen.successes) + successes
        until = time.monotonic() + PATIENCE
        while len(self.seen.successes) < wanted and time.monotonic() < until:
            time.sleep(random.uniform(0, 0.01))

    def requests(self) -> Iterator[Sent]:
        """Everything that was ever sent."""
        for talk in self.talks:
            yield from talk.sent

    def _visit(self) -> None:
        caller = Caller(self.port, self.seen)
        while not self._leave.is_set():
            talk = Talk()
            self.talks.append(talk)
            for sent in requests_of(talk):
                talk.sent.append(sent)
                caller.insist(sent)
                if not sent.is_acknowledged:
                    break
        caller.close()


def requests_of(talk: Talk) -> Iterator[Sent]:
    """All that one visitor says, each as soon as the one before was acknowledged."""
    yield Sent("/api/session/start", uuid.uuid4().hex, {"utm_source": "crash"})
    for path, body in SCRIPT:
        yield Sent(path, uuid.uuid4().hex, {"session_id": talk.session_id, **body})


def repeated_otherwise(port: int, requests: Iterable[Sent], callers: int = 4) -> list[str]:
    """Which acknowledged requests, sent once more, do not get their stored reply back."""
    waiting, wrong = iter([one for one in requests if one.is_acknowledged]), list[str]()
    lock = threading.Lock()

    def repeat() -> None:
        caller = Caller(port, Seen())
        while True:
            with lock:
                first = next(waiting, None)
            if first is None:
                break
            again = Sent(first.path, first.key, first.body)
            caller.insist(again)
            if not again.replayed or _lasting(again) != _lasting(first):
                wrong.append(f"{first.path}: {first.reply} became {again.status} {again.reply}")
        caller.close()

    threads = [threading.Thread(target=repeat) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def _lasting(sent: Sent) -> tuple[int, dict[str, Any]]:
    """A reply without its token, which is never stored and made anew each time."""
    return sent.status, {name: one for name, one in sent.reply.items() if name != "visitor_token"}
