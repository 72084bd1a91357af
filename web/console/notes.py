"""Toasts: what a page says about what was just done, with a way back where there is one."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from flask import Response, g, request

COOKIE = "leadline_note"
LIFE = 60
LONGEST = 600
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
            _packed(said),
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
        said = json.loads(base64.urlsafe_b64decode(text.encode("ascii", "replace")))
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


def _packed(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
