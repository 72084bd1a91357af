"""Who is asking: visitors with a token, programs with a key, people who are signed in; who may
read and write what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

import structlog
from flask import g, request
from sqlalchemy.exc import SQLAlchemyError

import errors
from engine.policy import Permission, may_call
from engine.vocabulary import Scope, grants
from lib.crypto import TOKEN, same
from services import unit_of_work
from services.account_service import USED_EVERY, KeyHolder
from services.sign_in_service import Principal
from web.sign_in import guard_origin, signed_in
from web.unit_of_work import resources

log = structlog.get_logger(__name__)

VISITOR = "visitor"
TOKEN_LIFE = timedelta(days=30)
# Reading of older clients that `PUBLIC_READ=full` opens besides the reads of a session.
OLDER_READS = re.compile(r"/api/(?:lead/export/[^/]+|analytics/leads|leads)")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Access(Enum):
    """Who may call an endpoint that asks for no particular scope."""

    # Whoever knows the session id may write to that session; no credential is looked at.
    WIDGET = "widget"
    # A session's own visitor or `leads:read` sees everything, others what PUBLIC_READ says.
    READ = "read"
    # Whoever shows a good key or is signed in; what of it they may see, the view says.
    KNOWN = "known"


@dataclass(frozen=True)
class Reader:
    """Who is asking: how much they may see, and the key they showed."""

    full: bool = False
    key: KeyHolder | None = None
    person: Principal | None = None

    def may_watch(self, kind: str, requested_by: str) -> bool:
        """Whether how far a job is may be shown to them."""
        watcher = self.key or self.person
        return watcher is not None and watcher.may_watch(kind, requested_by)

    @property
    def actor(self) -> str:
        """The name under which an audit knows who did it."""
        if self.key is not None:
            return f"key {self.key.name}"
        return self.person.email if self.person is not None else "loopback"


def reader() -> Reader:
    """Who is asking in this request; a stranger until `admit` has found out more."""
    found: Reader = g.get("reader", Reader())
    return found


def admit(
    access: Access | Scope, session_id: str | None = None, *, staff: Permission | None = None
) -> None:
    """Lets this request in and notes who it is, or raises Unauthorized or Forbidden."""
    if access is Access.WIDGET:
        return
    if access is Access.READ:
        g.reader = _reader_of(session_id or "")
    elif access is Access.KNOWN:
        person = None if "Authorization" in request.headers else signed_in()
        g.reader = Reader(True, person=person) if person else Reader(True, key=_holder(None))
    elif _is_opened() and OLDER_READS.fullmatch(request.path):
        g.reader = Reader(full=True)
    else:
        assert isinstance(access, Scope)
        person = _person(access, staff)
        g.reader = Reader(True, person=person) if person else Reader(True, key=_holder(access))


def visitor_token(session_id: str) -> str:
    """A token with which the visitor of this session reads it back, for thirty days."""
    ours = resources()
    expires = int((ours.clock.now() + TOKEN_LIFE).timestamp())
    return ours.signer.sign(VISITOR, session_id, expires)


def may_read_back(session_id: str | None, *, proven: bool = False) -> bool:
    """Whether who writes to a session showed its visitor's token, and so may read it as well.

    The id alone only writes: where it leaks, nobody's name may come back. A bad token is none.
    With `proven`, only the token counts, wherever reading is open to everybody.
    """
    token = request.headers.get("X-Visitor-Token")
    if session_id is None or token is None:
        return not proven and _is_opened()
    ours = resources()
    now = int(ours.clock.now().timestamp())
    return ours.signer.verify(token.strip(), VISITOR, session_id, now)


def guard_metrics() -> None:
    """Raises Unauthorized unless /metrics is open, or the bearer token is the operator's."""
    wanted = resources().settings.METRICS_TOKEN
    if wanted and not same(_bearer() or "", wanted):
        raise errors.Unauthorized("The metrics need their token.", code="invalid_key")


def _reader_of(session_id: str) -> Reader:
    token = request.headers.get("X-Visitor-Token")
    if token is not None:
        _check_token(token.strip(), session_id)
        return Reader(full=True)
    if "Authorization" in request.headers:
        return Reader(full=True, key=_holder(Scope.LEADS_READ))
    found = signed_in()
    if found is not None and may_call(found.role, Scope.LEADS_READ):
        g.only_for = found.owner
        return Reader(full=True, person=found)
    if _is_opened():
        return Reader(full=True)
    if resources().settings.PUBLIC_READ == "off":
        raise errors.Unauthorized("Reading needs the visitor's token or an API key.")
    return Reader()


def _check_token(token: str, session_id: str) -> None:
    ours = resources()
    now = int(ours.clock.now().timestamp())
    if ours.signer.verify(token, VISITOR, session_id, now):
        return
    parts = TOKEN.fullmatch(token) if ours.signer.knows_key_of(token) else None
    if parts is None or int(parts[2]) <= now:
        raise errors.Unauthorized(
            "This visitor token is not valid, or it has expired.", code="invalid_token"
        )
    # Whole and in time, so it is another session's; a forged one looks the same and gains nothing.
    raise errors.Forbidden("This visitor token belongs to another session.", code="wrong_session")


def _person(needed: Scope, staff: Permission | None) -> Principal | None:
    """Who calls from the console, if nobody shows a key; refused where the role forbids it."""
    found = None if "Authorization" in request.headers else signed_in()
    if found is None:
        return None
    if not may_call(found.role, needed) or (staff is not None and not found.may(staff)):
        asked = staff or needed
        raise errors.Forbidden(f"Your role does not allow {asked}.", code="missing_permission")
    guard_origin(found)
    g.only_for = found.owner
    return found


def _holder(needed: Scope | None) -> KeyHolder:
    if "Authorization" not in request.headers:
        raise errors.Unauthorized("This needs an API key, sent as a bearer token.")
    key = _bearer()
    holder = None
    if key is not None:
        with unit_of_work(resources(), read_only=True) as services:
            holder = services.accounts.find_key(key)
    if holder is None:
        raise errors.Unauthorized("This API key is not valid.", code="invalid_key")
    if needed is not None and not grants(holder.scopes, needed):
        raise errors.Forbidden(f"This API key lacks the scope {needed}.", code="missing_scope")
    _note_use(holder)
    return holder


def _note_use(holder: KeyHolder) -> None:
    """In a transaction of its own; what visitors call looks at no key, so that none of it waits."""
    ours = resources()
    last = holder.last_used_at
    if last is not None and ours.clock.now() - last < USED_EVERY:
        return
    try:
        with unit_of_work(ours) as services:
            services.accounts.touch_key(holder.id)
    except SQLAlchemyError:
        # Who only reads must not be turned away because nothing can be written just now.
        log.warning("the use of a key was not noted", key=holder.id)


def _bearer() -> str | None:
    found = BEARER.fullmatch(request.headers.get("Authorization", ""))
    return found[1] if found else None


def _is_opened() -> bool:
    """Whether the operator opened reading, and this caller came by a name of this machine.

    The name is checked because a web page can make its own name lead to this machine.
    """
    if resources().settings.PUBLIC_READ != "full" or request.method not in ("GET", "HEAD"):
        return False
    host = request.host.lower()
    return re.sub(r":[0-9]*\Z", "", host) in LOOPBACK_HOSTS
