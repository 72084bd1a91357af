"""The whole conversation as plain HTML pages, complete without any script.

It stays as what is shown where the widget cannot run. A GET shows a step, a POST changes one
thing and redirects; where a step stands is read from what the services keep, never from the page.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, request
from flask.typing import ResponseReturnValue

from engine.vocabulary import UTM_FIELDS, Action, QuestionType
from errors import Conflict, Invalid, NotFound
from lib.text import locale_chain, strip_controls
from services.lead_service import Visit
from services.profile import read_profile
from web.limits import count_session
from web.unit_of_work import perform, resources, services
from web.widget import talk as steps
from web.widget.cookie import Draft, Visitor, fits, read_cookie, set_cookie
from web.widget.origin import refuse_other_sites
from web.widget.pages import file, kindly, limit_size, page, trouble
from web.widget.talk import Line, Talk, question_address, read_talk

pages = Blueprint("chat", __name__, template_folder="templates")
pages.before_request(limit_size)
pages.after_request(kindly)
pages.add_url_rule("/assets/chat/<name>", "file", file)

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
        visitor = _visitor()
        if visitor is None:
            return redirect("/chat")

        def work() -> Response:
            talk = read_talk(visitor.session_id)
            if talk.closed and request.path != steps.SUMMARY:
                return _to(steps.SUMMARY)
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
        visitor = _visitor()
        if visitor is None:
            return _begin_anew()

        def work() -> Response:
            talk = read_talk(visitor.session_id)
            turn = _finished() if talk.closed else view(talk, **path)
            return _turned(visitor.session_id, turn)

        try:
            return perform(work, writes=True)
        except NotFound:
            return _begin_anew()
        except Conflict as error:
            notice = "not_open" if error.code == "question_not_open" else "closed"
            turn = Turn("/chat", Draft(notice=notice, typed=typed()))
            return _turned(visitor.session_id, turn)

    return served


# Greeting and consent


@pages.get("/chat", strict_slashes=False)
def chat() -> ResponseReturnValue:
    """The beginning of a conversation, or the step where the visitor left off."""
    if request.method == "HEAD":
        return Response(mimetype="text/html")
    visitor = _visitor()
    if visitor is not None:
        try:
            return perform(functools.partial(_resumed, visitor), writes=False)
        except NotFound:
            pass  # The lead was deleted since: quietly anew.
    return perform(_started, writes=True)


@pages.get("/chat/greeting")
@shown
def greeting(talk: Talk, draft: Draft) -> str:
    """The first words and their quick replies."""
    return page("greeting", talk, draft)


@pages.post("/chat/greeting")
@sent
def reply_to_greeting(talk: Talk) -> Turn:
    """The visitor goes on, or not now."""
    _note_honeypot(talk)
    reply = text_of("reply")
    if reply in talk.replies:
        services().scoring.record_behavior(talk.held.id, Action.REPLIED_TO_GREETING)
        # The first reply is the one that goes on; any other asks for time.
        if reply != talk.replies[0]:
            return Turn(steps.GREETING, Draft(notice="no_hurry"))
    return Turn(talk.after(steps.GREETING))


@pages.get("/chat/consent")
@shown
def consent(talk: Talk, draft: Draft) -> str:
    """What the visitor is asked to agree to, before anything personal."""
    return page("consent", talk, draft)


@pages.post("/chat/consent")
@sent
def agree(talk: Talk) -> Turn:
    """The visitor agrees, or goes on without."""
    if text_of("agree") == "yes":
        _keep_consent(talk, given=True)
    return Turn(talk.after(steps.CONSENT))


# Questions


@pages.get("/chat/questions/<slug>")
@shown
def question(talk: Talk, draft: Draft, slug: str) -> str | Response:
    """One question, with what was answered before."""
    line = talk.line(slug)
    if line is None:
        return _to("/chat")
    return page("question", talk, draft, line=line, **_place(talk, line))


@pages.post("/chat/questions/<slug>")
@sent
def answer(talk: Talk, slug: str) -> Turn:
    """The answer to one question, or a skip; what cannot be taken is asked again."""
    address = question_address(slug)
    asked = talk.held.workflow.find_question(slug)
    if asked is None:
        return Turn("/chat")
    skip = "skip" in request.form
    kept = services().questions.record_answer(
        talk.held.id, asked.id, None if skip else _answer_to(asked.type), skip=skip
    )
    if not kept["accepted"]:
        reask = kept["reask"]
        messages = {"answer": reask["message"]}
        draft = Draft(address, "", typed(), messages, reask["suggestions"])
        return Turn(_still_at(address), draft)
    following = kept["next_question"]
    if following is not None and following["id"] == asked.id:
        return Turn(address)  # It was a reply to the greeting, and the question stands.
    # Read again: this answer may have opened a question, or hidden one.
    return Turn(steps.SUMMARY if _to_summary() else read_talk(talk.held.id).after(address))


# Products, contact, calls to action


@pages.get("/chat/products")
@shown
def products(talk: Talk, draft: Draft) -> str:
    """The product menu."""
    return page("products", talk, draft, menu=services().catalog.product_menu(talk.held.id))


@pages.post("/chat/products")
@sent
def look_at_product(talk: Talk) -> Turn:
    """The visitor wants to know more about one product."""
    product = talk.held.workflow.find_product(text_of("product"))
    if product is None:
        return Turn(steps.PRODUCTS)
    services().scoring.record_behavior(
        talk.held.id, Action.CLICKED_PRODUCT, {"product": product.id}
    )
    return Turn(f"{steps.PRODUCTS}#product-{product.id}")


@pages.get("/chat/contact")
@shown
def contact(talk: Talk, draft: Draft) -> str | Response:
    """Where the visitor can be reached, with what is known already."""
    if talk.held.workflow.contact is None:
        return _to("/chat")
    return page("contact", talk, draft)


@pages.post("/chat/contact")
@sent
def keep_contact(talk: Talk) -> Turn:
    """The visitor's contact, with or without consent; nothing is kept while a field is wrong."""
    following = steps.SUMMARY if _to_summary() else talk.after(steps.CONTACT)
    if "skip" in request.form:
        return Turn(following)
    profile = _contact_of(talk)
    messages = _problems(talk, profile)
    if messages:
        return Turn(_still_at(steps.CONTACT), Draft(steps.CONTACT, "", typed(), messages))
    trap = text_of("website")
    services().leads.record_profile(talk.held.id, profile, honeypot=trap or None)
    if talk.consent and ("consent" in request.form) != talk.consented:
        _keep_consent(talk, given=not talk.consented)
    return Turn(following)


@pages.get("/chat/next")
@shown
def calls_to_action(talk: Talk, draft: Draft) -> str:
    """What the visitor may do next."""
    return page("next", talk, draft, calls=services().catalog.cta_options(talk.held.id))


@pages.post("/chat/next")
@sent
def call_to_action(talk: Talk) -> Turn:
    """The visitor chose what comes next."""
    call = talk.held.workflow.find_call_to_action(text_of("cta"))
    if call is None:
        return Turn(steps.NEXT)
    is_demo = call.action is Action.DEMO_REQUESTED
    word, metadata = ("clicked_demo", None) if is_demo else ("cta_clicked", {"cta": call.id})
    services().scoring.record_behavior(talk.held.id, word, metadata)
    return Turn(steps.SUMMARY)


# The end


@pages.get("/chat/summary")
@shown
def summary(talk: Talk, draft: Draft) -> str:
    """What the visitor told us, to look over; the last words once it is confirmed."""
    catalog = services().catalog
    return page(
        "summary",
        talk,
        draft,
        closing=catalog.closing(talk.held),
        known=_known_contact(talk),
        looked_at=_looked_at(talk),
        called=_called(talk),
    )


@pages.post("/chat/summary")
@sent
def confirm(talk: Talk) -> Turn:
    """That is right: the conversation is closed."""
    services().scoring.record_behavior(talk.held.id, Action.CONFIRMED_SUMMARY)
    return Turn(steps.SUMMARY)


@pages.post("/chat/again")
def again() -> ResponseReturnValue:
    """A new conversation; the one before stays as it is."""
    refuse_other_sites()
    before = _visitor()

    def work() -> Response:
        locale = _locale_of(before) if before else None
        started = services().leads.start_session(_visit(locale))
        return _turned(started["session_id"], Turn(steps.GREETING))

    return perform(work, writes=True)


@pages.get("/chat/<path:other>")
def elsewhere(other: str) -> ResponseReturnValue:
    """No step of ours: back to the conversation."""
    return redirect("/chat")


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


def _to_summary() -> bool:
    """Whether the visitor came from the summary, to change one thing."""
    return text_of("then") == "summary"


def _still_at(address: str) -> str:
    return f"{address}?then=summary" if _to_summary() else address


def _answer_to(kind: QuestionType) -> str | list[str]:
    picked = text_of("pick")
    if kind is not QuestionType.MULTI_CHOICE:
        return picked or text_of("answer")
    given = [picked] if picked else request.form.getlist("answer")[:MOST_VALUES]
    return [strip_controls(one).strip() for one in given]


def _contact_of(talk: Talk) -> dict[str, str | None]:
    """The contact as it was sent; a field that was emptied takes its value away."""
    assert talk.held.workflow.contact is not None
    sent_ones = {name: text_of(name) for name in talk.held.workflow.contact.fields}
    known = {name for name in sent_ones if talk.profile.get(name)}
    return {name: value or None for name, value in sent_ones.items() if value or name in known}


def _problems(talk: Talk, profile: Mapping[str, str | None]) -> dict[str, str]:
    """What is wrong with a contact, field by field, in the visitor's language."""
    workflow, found = talk.held.workflow, {}
    try:
        read_profile(
            profile,
            region=workflow.default_region,
            allow_test_addresses=resources().settings.is_development,
        )
    except Invalid as error:
        for name, sentences in error.fields.items():
            known = name in ("email", "phone")
            found[name] = workflow.message(name, talk.held.locale) if known else sentences[0]
    missing = talk.consent and talk.consent["required"] and "consent" not in request.form
    if missing and any(profile.values()):
        found["consent"] = talk.words["consent_needed"]
    return found


def _note_honeypot(talk: Talk) -> None:
    trap = text_of("website")
    if trap:
        services().leads.record_profile(talk.held.id, {}, honeypot=trap)


def _keep_consent(talk: Talk, *, given: bool) -> None:
    if talk.consent is None or given == talk.consented:
        return
    action = Action.CONSENT_GIVEN if given else Action.CONSENT_WITHDRAWN
    version = {"text_version": talk.consent["version"]}
    services().scoring.record_behavior(talk.held.id, action, version)


# Visitors and their turns


def _visitor() -> Visitor | None:
    """Who this is, counted against the limit of the session."""
    visitor = read_cookie()
    if visitor is not None:
        g.session_id = visitor.session_id
        count_session(visitor.session_id, resources())
    return visitor


def _to(address: str) -> Response:
    return make_response(redirect(address))


def _turned(session_id: str, turn: Turn) -> Response:
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


def _resumed(visitor: Visitor) -> Response:
    talk = read_talk(visitor.session_id)
    address = talk.resume()
    if address != steps.GREETING:
        return _to(address)
    return make_response(page("greeting", talk, visitor.draft))


def _started() -> Response:
    started = services().leads.start_session(_visit(None))
    reply = make_response(page("greeting", read_talk(started["session_id"]), Draft()))
    set_cookie(reply, started["session_id"])
    return reply


def _begin_anew() -> Response:
    """A new conversation for a page that outlived its own, with what was typed there."""

    def work() -> Response:
        started = services().leads.start_session(_visit(text_of("lang") or None))
        draft = Draft(request.path, "anew", typed())
        keeps = request.path == steps.CONTACT or request.path.startswith("/chat/questions/")
        return _turned(started["session_id"], Turn(request.path if keeps else "/chat", draft))

    return perform(work, writes=True)


def _visit(locale: str | None) -> Visit:
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


def _locale_of(visitor: Visitor) -> str | None:
    try:
        return read_talk(visitor.session_id).lang
    except NotFound:
        return None


# What pages show besides


def _place(talk: Talk, line: Line) -> dict[str, Any]:
    """Where a question stands, and the exchanges before it."""
    number = talk.lines.index(line) + 1
    said = [one for one in talk.lines[: number - 1] if not one.is_open]
    return {
        "number": number,
        "total": len(talk.lines),
        "said": said,
        "then": "summary" if request.args.get("then") == "summary" else "",
    }


def _known_contact(talk: Talk) -> list[str]:
    contact = talk.held.workflow.contact
    values = [talk.profile.get(name) for name in contact.fields] if contact else []
    return [", ".join(one) if isinstance(one, list) else str(one) for one in values if one]


def _looked_at(talk: Talk) -> list[str]:
    menu = services().catalog.product_menu(talk.held.id)["products"]
    return [one["name"] for one in menu if talk.did(Action.CLICKED_PRODUCT, one["id"])]


def _called(talk: Talk) -> list[str]:
    calls = services().catalog.cta_options(talk.held.id)["options"]
    return [one["label"] for one in calls if has_called(talk, one)]


def has_called(talk: Talk, call: Mapping[str, Any]) -> bool:
    """Whether the visitor chose this call to action before."""
    action = Action(call["action"])
    return talk.did(action, call["id"] if action is Action.CTA_CLICKED else "")
