"""How a step of the chat becomes a page, and trouble a kind one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from flask import Response, g, make_response, render_template, request, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from engine.matching import calling_code
from engine.vocabulary import Action
from engine.widget_words import DEFAULT, WORDS, fill, page_words
from lib.crypto import short_hash
from lib.text import direction, strip_controls
from web.auth import visitor_token
from web.body import LARGEST_BODY
from web.widget.cookie import Draft
from web.widget.files import find_built
from web.widget.talk import Talk

STATIC = Path(__file__).resolve().parent / "static"
FILES = frozenset({"chat.css", "shop.css"})
A_YEAR = 365 * 24 * 3600
KNOWN_TROUBLE = frozenset({403, 404, 413, 422, 429, 503})
# What a person sees of a form that is sent again; the rest travels along hidden.
HIDDEN = frozenset(
    {"website", "lang", "then", "pick", "skip", "reply", "agree", "consent", "product", "cta"}
)


def page(template: str, talk: Talk, draft: Draft, **more: object) -> str:
    """A step as HTML; what was typed is shown again at the step where it was.

    With a script the widget takes the page over, and goes on with the same session. Not where
    something is to be said about what was typed: that stands on this page only.
    """
    here = draft.step == request.path
    is_handed_over = find_built() is not None and not draft.step and not draft.notice
    return render_template(
        f"chat/{template}.html",
        talk=talk,
        w=talk.words,
        notice=draft.notice,
        quoted=[] if here else _quoted(draft),
        typed=draft.typed if here else {},
        messages=draft.messages if here else {},
        suggestions=draft.suggestions if here else (),
        here=request.path,
        back=talk.before(request.path),
        onward=talk.after(request.path),
        country=isolated(calling_code(talk.held.workflow.default_region)),
        fill=fill,
        Action=Action,
        token=visitor_token(talk.held.id) if is_handed_over else "",
        css=versioned("chat.css"),
        **more,
    )


def trouble(status: int, message: str, typed: Mapping[str, Sequence[str]]) -> Response:
    """What went wrong in kind words, and the form again with all that was typed."""
    g.is_kind = True
    locale = _spoken()
    words = page_words(locale)
    text = render_template(
        "chat/trouble.html",
        w=words,
        lang=locale,
        dir=direction(locale),
        message=message or words[f"trouble_{status if status in KNOWN_TROUBLE else 500}"],
        fields=[(name, value) for name, values in typed.items() for value in values],
        hidden=HIDDEN,
        here=request.path,
        css=versioned("chat.css"),
    )
    return make_response(text, status)


def limit_size() -> None:
    """No form of ours is larger than what the API takes."""
    request.max_content_length = LARGEST_BODY


def kindly(reply: Response) -> Response:
    """The reply with what every page of the chat needs; an error becomes a kind page."""
    if reply.status_code >= 400 and not g.get("is_kind"):
        reply = _kind(reply)
    if reply.mimetype == "text/html":
        reply.headers["Cache-Control"] = "no-store"
        # Of no page outside; to ourselves, for without it a browser sends forms as from nowhere.
        reply.headers["Referrer-Policy"] = "same-origin"
        reply.vary.add("Accept-Language")
    return reply


def file(name: str) -> ResponseReturnValue:
    """A file of ours; for long where its address names its content."""
    if name not in FILES:
        raise NotFound()
    is_named = request.args.get("v") == _version(name)
    reply = send_from_directory(STATIC, name, max_age=A_YEAR if is_named else 3600)
    reply.cache_control.public = True
    reply.cache_control.immutable = is_named
    return reply


def versioned(name: str) -> str:
    """The address of a file, which changes with its content."""
    return f"/assets/chat/{name}?v={_version(name)}"


def isolated(code: str | None) -> str:
    """A calling code that keeps its plus sign before it, whatever is written around it."""
    return f"\u2066{code}\u2069" if code else ""


@cache
def _version(name: str) -> str:
    return short_hash((STATIC / name).read_text(encoding="utf-8"))


def _kind(reply: Response) -> Response:
    """A kind page in place of a bare one, with its status and the seconds to wait."""
    wait = reply.headers.get("Retry-After", "")
    words = page_words(_spoken())
    message = fill(words["trouble_429"], x=wait or 1) if reply.status_code == 429 else ""
    # A form from elsewhere is not offered for sending: one click would do what it wanted.
    mine = request.method == "POST" and reply.status_code != 403
    kind = trouble(reply.status_code, message, _sent() if mine else {})
    if wait:
        kind.headers["Retry-After"] = wait
    return kind


def _sent() -> dict[str, list[str]]:
    try:
        return {
            strip_controls(name): [strip_controls(one) for one in values]
            for name, values in request.form.lists()
        }
    except HTTPException:
        return {}  # It is too large to be read at all.


def _spoken() -> str:
    try:
        asked = request.form.get("lang") or request.args.get("lang")
    except HTTPException:
        asked = None
    if asked is not None and asked in WORDS:
        return asked
    return request.accept_languages.best_match(list(WORDS), DEFAULT) or DEFAULT


def _quoted(draft: Draft) -> list[str]:
    if draft.notice not in ("closed", "not_open", "anew"):
        return []
    return [one for values in draft.typed.values() for one in values if one]
