"""Everybody who may come to the door, with what each shows there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from engine.vocabulary import Scope
from tests.shop import Shop, bearer


@dataclass(frozen=True)
class Principal:
    """A caller: name, headers, the session asked about, and the scope of a good key."""

    name: str
    session: str
    lead: Callable[[], int]
    headers: dict[str, str] = field(default_factory=dict)
    scope: Scope | None = None

    @property
    def is_known(self) -> bool:
        """Whether a key was shown that is good."""
        return self.scope is not None


def everybody(ours: Shop) -> list[Principal]:
    """Strangers, visitors, bad keys, and a key of each single scope."""
    mine, other = ours.start(), ours.start()
    session = mine["session_id"]

    def lead() -> int:
        fresh = ours.start()["session_id"]
        with ours.unit() as services:
            return int(services.leads.create_lead(fresh)["id"])

    def who(name: str, headers: dict[str, str], scope: Scope | None = None) -> Principal:
        return Principal(name, session, lead, headers, scope)

    token, foreign = mine["visitor_token"], other["visitor_token"]
    return [
        who("bare", {}),
        who("visitor, own token", {"X-Visitor-Token": token}),
        who("visitor, other's token", {"X-Visitor-Token": foreign}),
        who(
            "bad token", {"X-Visitor-Token": f"{token[:-2]}{'AA' if token[-2:] != 'AA' else 'BB'}"}
        ),
        who("nonsense token", {"X-Visitor-Token": "v1.x"}),
        who("empty token", {"X-Visitor-Token": ""}),
        who("bad key", bearer("lk_23456789_" + "a" * 43)),
        who("no bearer", {"Authorization": "Basic YTpi"}),
        who("revoked key", bearer(_revoked(ours))),
        who("expired key", bearer(_expired(ours))),
        *(who(str(one), bearer(ours.new_key(one)), one) for one in Scope),
    ]


def _revoked(ours: Shop) -> str:
    key = ours.new_key("admin")
    with ours.unit() as services:
        services.accounts.revoke_key(key.split("_")[1])
    return key


def _expired(ours: Shop) -> str:
    return ours.new_key("admin", expires_at=ours.clock.now() - timedelta(seconds=1))
