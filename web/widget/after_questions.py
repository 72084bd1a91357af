"""The steps of the plain chat after its questions: products, contact, calls to action, summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from engine.vocabulary import Action
from errors import Invalid, NotFound
from services.profile import read_profile
from web.unit_of_work import perform, resources, services
from web.widget import talk as steps
from web.widget.cookie import Draft, Visitor
from web.widget.origin import refuse_other_sites
from web.widget.pages import page
from web.widget.talk import Talk, read_talk
from web.widget.turns import (
    Turn,
    goes_to_summary,
    keep_consent,
    sent,
    shown,
    still_at,
    text_of,
    to,
    turned,
    typed,
    visit_now,
    visitor_now,
)

pages = Blueprint("after_questions", __name__)


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
        return to("/chat")
    return page("contact", talk, draft)


@pages.post("/chat/contact")
@sent
def keep_contact(talk: Talk) -> Turn:
    """The visitor's contact, with or without consent; nothing is kept while a field is wrong."""
    following = steps.SUMMARY if goes_to_summary() else talk.after(steps.CONTACT)
    if "skip" in request.form:
        return Turn(following)
    profile = _contact_of(talk)
    messages = _problems(talk, profile)
    if messages:
        return Turn(still_at(steps.CONTACT), Draft(steps.CONTACT, "", typed(), messages))
    trap = text_of("website")
    services().leads.record_profile(talk.held.id, profile, honeypot=trap or None)
    if talk.consent and ("consent" in request.form) != talk.consented:
        keep_consent(talk, given=not talk.consented)
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
    before = visitor_now()

    def work() -> Response:
        locale = _locale_of(before) if before else None
        started = services().leads.start_session(visit_now(locale))
        return turned(started["session_id"], Turn(steps.GREETING))

    return perform(work, writes=True)


# What these steps need


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


def _locale_of(visitor: Visitor) -> str | None:
    try:
        return read_talk(visitor.session_id).lang
    except NotFound:
        return None
