"""The frame of every console page: who may see it, one transaction, and how trouble looks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import marshmallow
from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.urls import iri_to_uri

import errors
from engine.policy import Permission
from lib.ids import LARGEST_ID
from lib.text import is_storable, strip_controls
from services.sign_in_service import Principal
from web.body import invalid
from web.console import notes
from web.errors import STATUSES
from web.sign_in import SAFE, guard_origin, guard_same_origin, signed_in
from web.unit_of_work import perform

View = Callable[..., Any]
LARGEST_FORM = 1024 * 1024
FIELDS_AT_MOST = 5000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a form, sentence by field, and what was typed in it."""

    message: str = ""
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    typed: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Guard:
    """Who may call a page; kept at the view, so that a test can go through all of them."""

    needs: Permission | None
    is_public: bool = False


class Pages(Blueprint):
    """A chapter of console pages."""

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(f"console_{name}", import_name, template_folder="templates")

    def page(
        self,
        rule: str,
        *,
        needs: Permission | None,
        methods: tuple[str, ...] = ("GET",),
        is_public: bool = False,
        again: View | None = None,
        largest: int = LARGEST_FORM,
        before: View | None = None,
    ) -> Callable[[View], View]:
        """Serves a view at /console<rule>; `needs` None lets in everybody who is signed in.

        The view gets its path parameters by keyword and returns HTML or a Response. GET reads; any
        other method writes, in one transaction that an error undoes. After one, a plain form is
        shown again by `again` (a view of the same parameters) with `trouble()` filled; without it
        there is a page that says what is wrong. An htmx request gets a toast. `before` is called
        first, while no transaction is open: the place for what takes long, such as a password.
        """
        guard = Guard(needs, is_public)

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def served(**path: Any) -> Response:
                request.max_content_length = largest
                request.max_form_memory_size = largest
                request.max_form_parts = FIELDS_AT_MOST
                stopped = None if guard.is_public else _admit(guard)
                if stopped is not None:
                    return stopped
                return _served(view, path, again, before, guard.is_public)

            vars(served)["guard"] = guard
            self.add_url_rule(f"/console{rule}", view.__name__, served, methods=list(methods))
            return view

        return decorate


def me() -> Principal:
    """Who is signed in; only in views that ask for it."""
    person = signed_in()
    assert person is not None, "only a public page is served to a stranger"
    return person


def read(schema: type[marshmallow.Schema] | marshmallow.Schema) -> dict[str, Any]:
    """What the schema takes from this form; an empty field counts as not sent, unknown ones not.

    A list field takes every value of its name.
    """
    return _loaded(schema, request.form)


def read_query(schema: type[marshmallow.Schema] | marshmallow.Schema) -> dict[str, Any]:
    """What the schema takes from the query of this address."""
    return _loaded(schema, request.args)


def read_text(schema: type[marshmallow.Schema] | marshmallow.Schema, text: str) -> dict[str, Any]:
    """What the schema takes from a query that a form carries as one of its fields."""
    return _loaded(schema, MultiDict(parse_qsl(text)))


def show(template: str, **context: Any) -> str:
    """A page; asked for by htmx, only its main part, for that is all that changes."""
    is_part = is_htmx() and "HX-Boosted" not in request.headers
    layout = "console/part.html" if is_part else "console/layout.html"
    return render_template(f"console/{template}", layout=layout, **context)


def is_htmx() -> bool:
    """Whether a script of ours asks, which puts the reply into the page."""
    return request.headers.get("HX-Request") == "true"


def go_to(endpoint: str, **values: Any) -> Response:
    """The reply after a form: on to this page."""
    return go(url_for(endpoint, **values))


def go(path: str) -> Response:
    """The reply after a form: on to this path of ours."""
    if is_htmx():
        return Response(status=204, headers={"HX-Redirect": iri_to_uri(path)})
    return make_response(redirect(path, code=303))


def trouble() -> Trouble:
    """What is wrong with the form that is shown again."""
    found: Trouble = g.get("trouble", Trouble())
    return found


def is_path_of_ours(path: str) -> bool:
    """Whether a redirect may lead there: a page of the console on this host."""
    inside = path == "/console" or path.startswith(("/console/", "/console?"))
    return inside and "\\" not in path and path.isprintable() and ".." not in path


def _admit(guard: Guard) -> Response | None:
    """Lets a request in, or the reply that sends it elsewhere."""
    person = signed_in()
    if person is None:
        return _to_sign_in()
    if guard.needs is not None and not person.may(guard.needs):
        return _refused(errors.Forbidden("Your role does not allow this.", code="not_allowed"))
    g.only_for = person.owner
    return None


def _to_sign_in() -> Response:
    here = request.full_path.rstrip("?") if request.method in SAFE else "/console"
    path = url_for("console_access.sign_in", next=here)
    if is_htmx():
        return Response(status=401, headers={"HX-Redirect": path})
    return make_response(redirect(path, code=303))


def _served(
    view: View, path: dict[str, Any], again: View | None, before: View | None, is_public: bool
) -> Response:
    try:
        _refuse_impossible(path)
        _guard_form(is_public)
        if before is not None:
            before(**path)
        writes = request.method not in SAFE
        return _finished(perform(lambda: _made(view(**path)), writes=writes))
    except errors.LeadlineError as error:
        return _refused(error, again, path)
    except HTTPException as error:
        if error.code is None or error.code < 400:
            raise
        return _refused(_of_framework(error))


def _refuse_impossible(path: Mapping[str, Any]) -> None:
    """Raises NotFound for what no row can be called; a number has one spelling only."""
    said = request.path.split("/")
    for value in path.values():
        if isinstance(value, int):
            is_known = value <= LARGEST_ID and str(value) in said
        else:
            is_known = is_storable(str(value))
        if not is_known:
            raise errors.NotFound("There is nothing at this address.")


def _guard_form(is_public: bool) -> None:
    """Raises Forbidden unless a form comes from a page of ours, and from this very browser."""
    person = signed_in()
    if person is not None and not is_public:
        guard_origin(person)
    elif request.method not in SAFE:
        # Who is not signed in has no token yet; their form comes from a page of ours all the same.
        guard_same_origin()


def _refused(
    error: errors.LeadlineError, again: View | None = None, path: dict[str, Any] | None = None
) -> Response:
    """How an error looks: a toast for a script, else the form again, else a page."""
    status = STATUSES.get(type(error), 422)
    if is_htmx() and again is None:
        reply = Response(status=status, headers={"HX-Reswap": "none"})
        notes.tell(reply, error.message, is_bad=True)
        return _finished(reply)
    if again is not None and isinstance(error, _SHOWN_AGAIN):
        g.trouble = Trouble(error.message, error.fields, _typed())
        reply = perform(lambda: _made(again(**(path or {}))), writes=False)
        reply.status_code = status
        return _finished(_with_wait(reply, error))
    text = render_template("console/trouble.html", message=error.message, status=status)
    return _finished(_with_wait(make_response(text, status), error))


def _with_wait(reply: Response, error: errors.LeadlineError) -> Response:
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        reply.headers["Retry-After"] = str(wait)
    return reply


def _of_framework(error: HTTPException) -> errors.LeadlineError:
    if error.code == 413:
        return errors.Invalid("This form is larger than the page takes.")
    if error.code == 404:
        return errors.NotFound("There is nothing at this address.")
    return errors.Malformed("This request cannot be read.")


_SHOWN_AGAIN = (errors.Invalid, errors.Conflict, errors.TooManyRequests)


def _made(returned: Any) -> Response:
    """The reply, whole, while the transaction is open; a stream reads in one of its own."""
    reply = make_response(returned)
    if not reply.is_streamed:
        reply.get_data()
    return reply


def _finished(reply: Response) -> Response:
    headers = reply.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cache-Control", "no-store")
    # For guards of forms a browser must say that a request comes from here.
    headers.setdefault("Referrer-Policy", "same-origin")
    reply.vary.update(("Cookie", "HX-Request"))
    notes.carry(reply)
    return reply


def _typed() -> dict[str, list[str]]:
    hidden = ("password", "csrf_token", "token")
    return {
        name: [strip_controls(one) for one in values]
        for name, values in request.form.lists()
        if not any(word in name for word in hidden)
    }


def _loaded(schema: type[marshmallow.Schema] | marshmallow.Schema, given: Any) -> dict[str, Any]:
    shape = schema() if isinstance(schema, type) else schema
    said: dict[str, Any] = {}
    for name, one in shape.fields.items():
        key = one.data_key or name
        values = [value for value in given.getlist(key) if value.strip()]
        if isinstance(one, marshmallow.fields.List):
            if key in given:
                said[key] = values
        elif values:
            said[key] = values[-1].strip()
    _refuse_nul(said)
    try:
        loaded: dict[str, Any] = shape.load(said)
    except marshmallow.ValidationError as error:
        raise invalid(error) from None
    _refuse_large(loaded)
    return loaded


def _refuse_large(loaded: Mapping[str, Any]) -> None:
    for name, value in loaded.items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(one, int) and abs(one) > LARGEST_ID for one in numbers):
            raise errors.invalid_field(name, "This number is too large.")


def _refuse_nul(said: Mapping[str, Any]) -> None:
    for name, value in said.items():
        texts = value if isinstance(value, list) else [value]
        if any("\x00" in text for text in texts):
            raise errors.invalid_field(name, "This text holds a character that cannot be stored.")
