"""A visitor's turn: who it is, the form they sent, one change, and where they go from there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, g, make_response, redirect, request
from flask.typing import ResponseReturnValue

from engine.vocabulary import UTM_FIELDS, Action
from errors import Conflict, NotFound
from lib.text import locale_chain, strip_controls
from services.lead_service import Visit
from web.limits import count_session
from web.unit_of_work import perform, resources, services
from web.widget import talk as steps
from web.widget.cookie import Draft, Visitor, fits, read_cookie, set_cookie
from web.widget.origin import refuse_other_sites
from web.widget.pages import trouble
from web.widget.talk import Talk, read_talk

# What a form holds beside what was typed.
CONTROLS = frozenset(
    {"website", "lang", "then", "pick", "skip", "reply", "agree", "product", "cta"}
)
MOST_VALUES = 100


@dataclass(frozen=True)
class Turn:
    """Where a visitor goes after a form, and what is to be said there."""

    address: str
    draft: Draft | None = None


def shown(view: Callable[..., str | Response]) -> Callable[..., ResponseReturnValue]:
    """A step to look at; without a live conversation the visitor is led to its beginning."""

    @functools.wraps(view)
    def served(**path: Any) -> ResponseReturnValue:
        visitor = visitor_now()
        if visitor is None:
            return redirect("/chat")

        def work() -> Response:
            talk = read_talk(visitor.session_id)
            if talk.closed and request.path != steps.SUMMARY:
                return to(steps.SUMMARY)
            return make_response(view(talk, visitor.draft, **path))

        try:
            return perform(work, writes=False)
        except NotFound:
            return redirect("/chat")

    return served


def sent(view: Callable[..., Turn]) -> Callable[..., ResponseReturnValue]:
    """A form of a step: one change, then a redirect, so that a reload never sends it again."""

    @functools.wraps(view)
    def served(**path: Any) -> ResponseReturnValue:
        refuse_other_sites()
        visitor = visitor_now()
        if visitor is None:
            return _begin_anew()

        def work() -> Response:
            talk = read_talk(visitor.session_id)
            turn = _finished() if talk.closed else view(talk, **path)
            return turned(visitor.session_id, turn)

        try:
            return perform(work, writes=True)
        except NotFound:
            return _begin_anew()
        except Conflict as error:
            notice = "not_open" if error.code == "question_not_open" else "closed"
            turn = Turn("/chat", Draft(notice=notice, typed=typed()))
            return turned(visitor.session_id, turn)

    return served


# What forms hold


def text_of(name: str) -> str:
    """The text of a form's field, without characters that nobody can see or store."""
    return strip_controls(request.form.get(name, "")).strip()


def typed() -> dict[str, list[str]]:
    """Everything a visitor typed or picked in this form."""
    return {
        strip_controls(name): [strip_controls(one) for one in values[:MOST_VALUES]]
        for name, values in request.form.lists()
        if name not in CONTROLS
    }


def goes_to_summary() -> bool:
    """Whether the visitor came from the summary, to change one thing."""
    return text_of("then") == "summary"


def still_at(address: str) -> str:
    """The step itself again, with the way back to the summary if there is one."""
    return f"{address}?then=summary" if goes_to_summary() else address


# Visitors and their turns


def visitor_now() -> Visitor | None:
    """Who this is, counted against the limit of the session."""
    visitor = read_cookie()
    if visitor is not None:
        g.session_id = visitor.session_id
        count_session(visitor.session_id, resources())
    return visitor


def to(address: str) -> Response:
    """A page elsewhere, for whoever asked for one that is not theirs to see now."""
    return make_response(redirect(address))


def turned(session_id: str, turn: Turn) -> Response:
    """A redirect to where the visitor goes, with what was typed in their cookie."""
    if turn.draft is not None and not fits(turn.draft):
        # Too much for a cookie: shown at once instead, so that it is not lost.
        reply = trouble(422, "; ".join(turn.draft.messages.values()), typed())
        set_cookie(reply, session_id)
        return reply
    reply = make_response(redirect(turn.address, code=303))
    set_cookie(reply, session_id, turn.draft)
    return reply


def _finished() -> Turn:
    return Turn(steps.SUMMARY, Draft(notice="closed", typed=typed()) if typed() else None)


def _begin_anew() -> Response:
    """A new conversation for a page that outlived its own, with what was typed there."""

    def work() -> Response:
        started = services().leads.start_session(visit_now(text_of("lang") or None))
        draft = Draft(request.path, "anew", typed())
        keeps = request.path == steps.CONTACT or request.path.startswith("/chat/questions/")
        return turned(started["session_id"], Turn(request.path if keeps else "/chat", draft))

    return perform(work, writes=True)


def visit_now(locale: str | None) -> Visit:
    """How this visitor came."""
    told = {name: request.args.get(name, "")[:255] or None for name in UTM_FIELDS}
    told = {name: strip_controls(value) if value else None for name, value in told.items()}
    return Visit(
        **told,
        referrer=strip_controls(request.referrer or "")[:2000] or None,
        landing_page=strip_controls(request.url)[:2000],
        locale=_known_locale(locale or request.args.get("lang", "")) or _preferred_locale(),
        user_agent=request.headers.get("User-Agent", "")[:512],
        surface="chat",
    )


def _known_locale(wanted: str) -> str | None:
    workflow = services().workflows.in_force().workflow
    known = {*workflow.translations, workflow.default_locale}
    chain = locale_chain(wanted, "") if wanted else []
    return next((name for name in chain if name in known), None)


def _preferred_locale() -> str | None:
    for wanted in list(request.accept_languages.values())[:10]:
        found = _known_locale(wanted)
        if found:
            return found
    return None


def keep_consent(talk: Talk, *, given: bool) -> None:
    """Keeps that the visitor agrees to this text, or no longer does; twice is once."""
    if talk.consent is None or given == talk.consented:
        return
    action = Action.CONSENT_GIVEN if given else Action.CONSENT_WITHDRAWN
    version = {"text_version": talk.consent["version"]}
    services().scoring.record_behavior(talk.held.id, action, version)
