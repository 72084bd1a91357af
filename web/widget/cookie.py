"""The one functional cookie of the chat: whose conversation it is, and what was typed but not kept.

What a form was refused for travels in the visitor's own cookie, so that every POST can end in a
redirect and a reload shows it again; nothing personal stands in an address or waits on the server.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from flask import Response, request

from web.auth import TOKEN_LIFE, VISITOR, visitor_token
from web.unit_of_work import resources

NAME = "leadline_chat"
PATH = "/chat"
# Browsers refuse cookies beyond 4096 bytes, name and attributes included.
LARGEST_DRAFT = 3400
LARGEST_TEXT = 40_000


@dataclass(frozen=True)
class Draft:
    """What was typed at a step and is not kept, with what was said about it."""

    step: str = ""
    notice: str = ""
    typed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    suggestions: Sequence[str] = ()


@dataclass(frozen=True)
class Visitor:
    """Whose conversation this browser holds, and the draft that goes with it."""

    session_id: str
    draft: Draft = Draft()


def read_cookie() -> Visitor | None:
    """Who this browser is; None without a cookie of ours that is signed and in time."""
    session_id, _, rest = request.cookies.get(NAME, "").partition("~")
    token, _, draft = rest.partition("~")
    ours = resources()
    now = int(ours.clock.now().timestamp())
    if not session_id or not ours.signer.verify(token, VISITOR, session_id, now):
        return None
    return Visitor(session_id, _unpacked(draft) or Draft())


def set_cookie(reply: Response, session_id: str, draft: Draft | None = None) -> None:
    """Gives the browser its conversation for another thirty days."""
    parts = [session_id, visitor_token(session_id)]
    if draft is not None:
        parts.append(_packed(draft))
    reply.set_cookie(
        NAME,
        "~".join(parts),
        max_age=int(TOKEN_LIFE.total_seconds()),
        path=PATH,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def fits(draft: Draft) -> bool:
    """Whether a browser would keep a cookie with this draft, and we would read it again."""
    return len(_text(draft)) <= LARGEST_TEXT and len(_packed(draft)) <= LARGEST_DRAFT


def _text(draft: Draft) -> bytes:
    return json.dumps(asdict(draft), ensure_ascii=False, separators=(",", ":")).encode()


def _packed(draft: Draft) -> str:
    return base64.urlsafe_b64encode(zlib.compress(_text(draft), 9)).decode().rstrip("=")


def _unpacked(packed: str) -> Draft | None:
    """The draft, or None for what we did not write: a cookie is the visitor's to change."""
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        # No more than a limit, for a few bytes can be made to hold gigabytes.
        said = json.loads(zlib.decompressobj().decompress(raw, LARGEST_TEXT))
        return Draft(
            step=str(said["step"]),
            notice=str(said["notice"]),
            typed={str(k): [str(one) for one in v] for k, v in said["typed"].items()},
            messages={str(k): str(v) for k, v in said["messages"].items()},
            suggestions=[str(one) for one in said["suggestions"]],
        )
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, RecursionError):
        return None
