"""How a step of the chat becomes a page, and trouble a kind one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import phonenumbers
from flask import Response, g, make_response, render_template, request, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from engine.vocabulary import Action
from lib.crypto import short_hash
from lib.text import direction, strip_controls
from web.body import LARGEST_BODY
from web.widget.cookie import Draft
from web.widget.talk import Talk
from web.widget.words import WORDS, words_for

STATIC = Path(__file__).resolve().parent / "static"
FILES = frozenset({"chat.css", "shop.css"})
A_YEAR = 365 * 24 * 3600
KNOWN_TROUBLE = frozenset({403, 404, 413, 422, 429, 503})
# What a person sees of a form that is sent again; the rest travels along hidden.
HIDDEN = frozenset(
    {"website", "lang", "then", "pick", "skip", "reply", "agree", "consent", "product", "cta"}
)


def page(template: str, talk: Talk, draft: Draft, **more: object) -> str:
    """A step as HTML; what was typed is shown again at the step where it was."""
    here = draft.step == request.path
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
        country_code=phonenumbers.country_code_for_region(talk.held.workflow.default_region),
        Action=Action,
        css=versioned("chat.css"),
        **more,
    )


def trouble(status: int, message: str, typed: Mapping[str, Sequence[str]]) -> Response:
    """What went wrong in kind words, and the form again with all that was typed."""
    g.is_kind = True
    locale = _spoken()
    words = words_for(locale)
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


@cache
def _version(name: str) -> str:
    return short_hash((STATIC / name).read_text(encoding="utf-8"))


def _kind(reply: Response) -> Response:
    """A kind page in place of a bare one, with its status and the seconds to wait."""
    wait = reply.headers.get("Retry-After", "")
    words = words_for(_spoken())
    message = words["trouble_429"].format(seconds=wait or 1) if reply.status_code == 429 else ""
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
    return request.accept_languages.best_match(list(WORDS), "en") or "en"


def _quoted(draft: Draft) -> list[str]:
    if draft.notice not in ("closed", "not_open", "anew"):
        return []
    return [one for values in draft.typed.values() for one in values if one]
