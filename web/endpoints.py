"""One decorator by which a view says all of it: what it takes, who may call it, what it gives."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import flask_smorest
import marshmallow
from flask import Flask, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider

import errors
from engine.policy import Permission
from engine.vocabulary import Scope
from lib.clock import iso
from lib.crypto import sha256_hex
from web.auth import Access, admit, reader
from web.body import LARGEST_BODY, PARSER, canonical, read_json
from web.errors import Error
from web.form import read_form
from web.limits import count_session
from web.unit_of_work import Once, Secret, perform, resources

KEY = re.compile(r"[\x20-\x7e]{1,255}")
# Where nothing but the key itself says whose it is, nobody may guess it.
SHORTEST_START_KEY = 16
# A scope has room for 255 characters, the longest session id alone has as many.
LONGEST_PLAIN_ID = 240

View = Callable[..., Any]
Schema = type[marshmallow.Schema] | marshmallow.Schema


@dataclass(frozen=True)
class Endpoint:
    """What one endpoint takes, who may call it and what it gives."""

    method: str
    body: marshmallow.Schema | None
    query: marshmallow.Schema | None
    reply: marshmallow.Schema | None
    access: Access | Scope
    status: int
    session: str | None
    body_optional: bool
    # Off where older clients know of no body: then one of another type than JSON is none.
    only_json: bool
    idempotent: bool
    max_body: int
    writes: bool
    secret: Secret | None
    before: Callable[..., None] | None
    # A form with a file in place of a JSON body.
    form: marshmallow.Schema | None
    # What else the role of somebody who is signed in must allow; a key needs its scope alone.
    staff: Permission | None = None

    @property
    def is_once(self) -> bool:
        """Whether it heeds an Idempotency-Key."""
        return self.method == "POST" and self.idempotent and self.writes

    def answer(self, view: View, path: dict[str, Any]) -> Response:
        """The reply to this request, its effect committed."""
        _refuse_nul(path)
        admit(self.access, self._named_session(path), staff=self.staff)
        arguments = dict(path)
        if self.body is not None:
            read_json(
                required=not self.body_optional, largest=self.max_body, only_json=self.only_json
            )
        session_id = g.session_id = self._named_session(path)
        if session_id and reader().key is None:
            # A program that reads with its key must not use up the visitor's minute.
            count_session(session_id, resources())
        if self.query is not None:
            arguments["query"] = PARSER.read(self.query, "query")
        if self.body is not None:
            arguments["body"] = PARSER.read(self.body, "json")
        if self.form is not None:
            arguments["body"] = read_form(self.form, largest=self.max_body)
        if self.before is not None:
            self.before(**arguments)
        work = functools.partial(self._work, view, arguments)
        return perform(work, writes=self.writes, once=self._once(session_id))

    def _work(self, view: View, arguments: dict[str, Any]) -> Response:
        """The view's reply as bytes, so that nothing is left to do once the transaction ends."""
        returned = view(**arguments)
        if isinstance(returned, Response):
            returned.make_sequence()
            return returned
        said, headers = returned if isinstance(returned, tuple) else (returned, {})
        if current_app.testing and self.reply is not None:
            _check_promise(self.reply, said)
        text = current_app.json.dumps(said)
        return Response(text, status=self.status, headers=headers, mimetype="application/json")

    def _named_session(self, path: dict[str, Any]) -> str | None:
        """The session this request names, as far as it has been read."""
        if self.session == "path":
            return str(path["session_id"])
        if self.session == "query":
            return request.args.get("session_id") or None
        if self.session == "body.session_id" and "json_body" in g:
            named = g.json_body.get("session_id")
            return named if isinstance(named, str) and named else None
        return None

    def _once(self, session_id: str | None) -> Once | None:
        key = request.headers.get("Idempotency-Key")
        if key is None or not self.is_once:
            return None
        if not KEY.fullmatch(key):
            raise _bad_key("An idempotency key is 1 to 255 printable ASCII characters.")
        body = canonical(g.json_body if self.body is not None else None)
        if self.form is not None:
            body = g.form_seen
        place = f"{request.method}\n{request.path}\n".encode("utf-8", "replace")
        return Once(
            scope=self._scope(session_id, key),
            key=key,
            fingerprint=sha256_hex(place + body),
            session_id=session_id,
            secret=self.secret,
        )

    def _scope(self, session_id: str | None, key: str) -> str:
        """Whose key it is: the session's, the API key's, or nobody's yet."""
        if session_id:
            plain = len(session_id) <= LONGEST_PLAIN_ID
            return f"session:{session_id if plain else sha256_hex(session_id)}"
        holder, person = reader().key, reader().person
        if holder is not None:
            return f"key:{holder.id}"
        if person is not None:
            return f"person:{person.person_id}"
        if len(key) < SHORTEST_START_KEY:
            raise _bad_key("Here an idempotency key needs at least 16 characters.")
        return "start"


class Api(flask_smorest.Blueprint):
    """A chapter of endpoints, with their documentation."""

    def endpoint(
        self,
        method: str,
        rule: str,
        *,
        body: Schema | None = None,
        reply: Schema | None = None,
        access: Access | Scope,
        status: int = 200,
        query: Schema | None = None,
        session: str | None = None,
        body_optional: bool = False,
        only_json: bool = True,
        idempotent: bool = True,
        max_body: int = LARGEST_BODY,
        writes: bool | None = None,
        secret: Secret | None = None,
        before: Callable[..., None] | None = None,
        content_type: str | None = None,
        form: Schema | None = None,
        staff: Permission | None = None,
    ) -> Callable[[View], View]:
        """Serves a view at this address; its docstring is its line in the documentation.

        The view gets its path parameters, `body` (or `form` as that) and `query` by keyword, and
        returns a dict, a dict with headers, or a Response. `session` says where a session id stands
        ("body.session_id", "path", "query"). `before` is called with what the view will get while
        no transaction is open: the place for what asks the network.
        """
        offer = Endpoint(
            method=method,
            body=_instance(body),
            query=_instance(query),
            reply=_instance(reply),
            access=access,
            status=status,
            session=session,
            body_optional=body_optional,
            only_json=only_json,
            idempotent=idempotent,
            max_body=max_body,
            writes=method != "GET" if writes is None else writes,
            secret=secret,
            before=before,
            form=_instance(form),
            staff=staff,
        )

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def served(**path: Any) -> Response:
                return offer.answer(view, path)

            # Where the library looks for notes, and tests for the guard of an endpoint.
            vars(served).update(_apidoc=self._described(offer, rule, content_type), offer=offer)
            self.add_url_rule(rule, None, served, methods=[method])
            return view

        return decorate

    def _described(self, offer: Endpoint, rule: str, content_type: str | None) -> dict[str, Any]:
        """What the library's own decorators would note of such a view."""

        def described() -> None:
            """Never called; it only carries the notes."""

        if offer.query is not None:
            described = self.arguments(offer.query, location="query")(described)
        if offer.body is not None:
            described = self.arguments(offer.body, required=not offer.body_optional)(described)
        if offer.form is not None:
            described = self.arguments(offer.form, location="files")(described)
        described = self.response(offer.status, offer.reply, content_type=content_type)(described)
        for status in _refusals(offer, has_path="<" in rule):
            described = self.alt_response(status, schema=Error)(described)
        described = self.doc(**_notes(offer))(described)
        notes: dict[str, Any] = described._apidoc  # type: ignore[attr-defined]
        arguments = notes.setdefault("arguments", {})
        # The library notes 422 for arguments as a shape of its own.
        arguments.pop("responses", None)
        if offer.is_once:
            arguments.setdefault("parameters", []).append(_key_header(offer))
        return notes


class Documentation(flask_smorest.Api):
    """The OpenAPI document of all chapters; errors are not its business."""

    ERROR_SCHEMA = Error
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Registers none: web/errors.py has them all."""


class Json(DefaultJSONProvider):
    """JSON as we send it: keys in their order, text as it is, moments in UTC."""

    sort_keys = False
    ensure_ascii = False
    compact = True
    mimetype = "application/json"

    @staticmethod
    def default(value: Any) -> Any:
        """A value that JSON does not know, as text."""
        if isinstance(value, datetime):
            return iso(value)
        return DefaultJSONProvider.default(value)

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """The text of a value; NaN is an error of ours, never sent."""
        kwargs.setdefault("separators", (",", ":"))
        return super().dumps(obj, allow_nan=False, **kwargs)


def register(app: Flask) -> Documentation:
    """Prepares the application for chapters of endpoints; the document they register with."""
    app.json = Json(app)
    app.config.setdefault("MAX_CONTENT_LENGTH", LARGEST_BODY)
    app.config["API_TITLE"] = "Leadline"
    app.config["API_VERSION"] = "1"
    app.config["OPENAPI_VERSION"] = "3.1.0"
    documentation = Documentation(app)
    app.extensions["leadline.documentation"] = documentation
    for name, scheme in SECURITY_SCHEMES.items():
        documentation.spec.components.security_scheme(name, scheme)
    return documentation


SECURITY_SCHEMES = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: `lk_…`."},
    "visitorToken": {"type": "apiKey", "in": "header", "name": "X-Visitor-Token"},
}


def _notes(offer: Endpoint) -> dict[str, Any]:
    """What the document says besides shapes: credentials and headers."""
    notes: dict[str, Any] = {"security": [{}]}
    if isinstance(offer.access, Scope):
        notes["security"] = [{"apiKey": []}]
        notes["description"] = f"Needs an API key with the scope `{offer.access}`."
    elif offer.access is Access.KNOWN:
        notes["security"] = [{"apiKey": []}]
    elif offer.access is Access.READ:
        notes["security"] = [{}, {"visitorToken": []}, {"apiKey": []}]
    return notes


def _key_header(offer: Endpoint) -> dict[str, Any]:
    shortest = 1 if offer.session or isinstance(offer.access, Scope) else SHORTEST_START_KEY
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key and body give the same reply, for 24 hours.",
        "schema": {"type": "string", "minLength": shortest, "maxLength": 255},
    }


def _refusals(offer: Endpoint, *, has_path: bool) -> list[int]:
    """Every error status that such an endpoint can give."""
    found = {400, 404, 405, 422, 429, 503}
    if not (has_path or offer.session):
        found.discard(404)
    if offer.access is not Access.WIDGET:
        found |= {401, 403}
    if offer.body is not None or offer.form is not None:
        found |= {413, 415}
    if offer.writes:
        found.add(409)
    return sorted(found)


def _check_promise(schema: marshmallow.Schema, said: Any) -> None:
    """In tests: a reply must hold every field that its shape promises."""
    promised = {field.data_key or name for name, field in schema.fields.items() if field.required}
    missing = sorted(promised - set(said))
    assert not missing, f"the reply lacks {', '.join(missing)}"


def _refuse_nul(path: dict[str, Any]) -> None:
    # No database can look for a text with NUL in it; PostgreSQL's driver would raise.
    if any("\x00" in value for value in path.values() if isinstance(value, str)):
        raise errors.NotFound("There is nothing of this name.")
    for name, value in request.args.items(multi=True):
        if "\x00" in name + value:
            field = name.replace("\x00", "\ufffd")
            sentence = "This text holds a character that cannot be stored."
            raise errors.Invalid("A filter cannot be used.", fields={field: [sentence]})


def _bad_key(sentence: str) -> errors.Invalid:
    return errors.invalid_field("Idempotency-Key", sentence, code="invalid_idempotency_key")


def _instance(schema: Schema | None) -> marshmallow.Schema | None:
    return schema() if isinstance(schema, type) else schema
