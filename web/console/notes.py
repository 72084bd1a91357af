"""Toasts: what a page says about what was just done, with a way back where there is one.

The note in the cookie is signed for the session: other sites of a shared domain can put cookies
into a browser, and a button of theirs on our page would press what they choose.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from flask import Response, g, request

from web.sign_in import signed_in
from web.unit_of_work import resources

COOKIE = "leadline_note"
LIFE = 60
LONGEST = 600
PURPOSE = "note"
UNDO_FROM = "/console/"


def say(text: str, *, undo: str | None = None, undo_label: str = "Undo") -> None:
    """Tell the person on the page that comes next; `undo` is a path of ours to POST to."""
    g.said = {"text": text[:LONGEST], "undo": undo, "label": undo_label}


def carry(reply: Response) -> None:
    """What was said travels with the reply: in a header for htmx, else in a cookie to the page."""
    said = g.pop("said", None)
    if said is None:
        return
    if request.headers.get("HX-Request") == "true" and "HX-Redirect" not in reply.headers:
        _trigger(reply, said)
    else:
        reply.set_cookie(
            COOKIE,
            _signed(_packed(said)),
            max_age=LIFE,
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
            path="/console",
        )


def tell(reply: Response, text: str, *, is_bad: bool = False) -> None:
    """Let the script of the page say this at once."""
    _trigger(reply, {"text": text[:LONGEST], "undo": None, "label": "", "bad": is_bad})


def heard() -> dict[str, Any] | None:
    """What the last page left for this one to say; forgotten once it is shown."""
    text = request.cookies.get(COOKIE)
    if not text or "said" in g:
        return None
    try:
        said = json.loads(base64.urlsafe_b64decode(_checked(text)))
        undo = said["undo"]
        if not isinstance(said["text"], str) or not isinstance(said["label"], str):
            return None
        if undo is not None and not str(undo).startswith(UNDO_FROM):
            return None
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    g.note_was_shown = True
    return {"text": said["text"][:LONGEST], "undo": undo, "label": said["label"][:40]}


def forget(reply: Response) -> Response:
    """The reply; after the page that showed the note the browser forgets it."""
    if g.pop("note_was_shown", False):
        reply.delete_cookie(COOKIE, path="/console")
    return reply


def _trigger(reply: Response, said: dict[str, Any]) -> None:
    reply.headers["HX-Trigger"] = json.dumps({"leadline:note": said})


def _signed(packed: str) -> str:
    expires = int(resources().clock.now().timestamp()) + LIFE
    return f"{resources().signer.sign(PURPOSE, _of_here(packed), expires)}.{packed}"


def _checked(text: str) -> str:
    """The note that we wrote ourselves, for who is signed in here; ValueError for any other."""
    token, _, packed = text.rpartition(".")
    now = int(resources().clock.now().timestamp())
    if not resources().signer.verify(token, PURPOSE, _of_here(packed), now):
        raise ValueError("This note is not ours.")
    return packed


def _of_here(packed: str) -> str:
    person = signed_in()
    return f"{person.session_id if person else 0} {packed}"


def _packed(said: dict[str, Any]) -> str:
    # Browsers drop a cookie of more than four kilobytes, and an escaped letter takes six bytes.
    text = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
    return base64.urlsafe_b64encode(text).decode()
