"""The strict reader of JSON bodies: the same answer on every database, and never a surprise."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import marshmallow
from flask import Request, g, request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, UnsupportedMediaType

import errors

DEEPEST = 32
LARGEST_BODY = 64 * 1024
LARGEST_INTEGER = 2**63 - 1
JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")
BOM = b"\xef\xbb\xbf"
# Strings whole, even one without an end, so that no bracket in a text counts and nothing is
# read twice.
BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
IMPOSSIBLE_TEXT = re.compile("[\x00\ud800-\udfff]")


def read_json(
    *, required: bool = True, largest: int = LARGEST_BODY, only_json: bool = True
) -> dict[str, Any]:
    """The JSON object of this request, read once; `{}` for no body where none is required.

    Unless `only_json`, a body of another type is none.
    """
    if "json_body" not in g:
        g.json_body = _read(request, required=required, largest=largest, only_json=only_json)
    body: dict[str, Any] = g.json_body
    return body


def parse_json(raw: bytes) -> dict[str, Any]:
    """The object in these bytes; Malformed if it is no JSON, Invalid if nobody can store it."""
    text = _decoded(raw)
    _check_depth(text)
    strange: list[str] = []
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_int=lambda digits: _integer(digits, strange),
            parse_float=lambda digits: _float(digits, strange),
        )
    except (ValueError, RecursionError) as error:
        raise _malformed("The body is no valid JSON.") from error
    if not isinstance(value, dict):
        raise errors.Invalid("The body must be a JSON object.")
    if strange:
        raise errors.Invalid(strange[0])
    _check_texts(value, text)
    return value


def canonical(body: Mapping[str, Any] | None) -> bytes:
    """A body as bytes that do not depend on the order of its keys or on white space."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class StrictParser(FlaskParser):
    """webargs with our reader for bodies, and our error for what a schema refuses."""

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        """The body as `read_json` found it."""
        return read_json()

    def handle_error(
        self,
        error: marshmallow.ValidationError,
        req: Request,
        schema: marshmallow.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Raises Invalid with the fields named flatly."""
        raise invalid(error) from None

    def read(self, schema: marshmallow.Schema, location: str) -> dict[str, Any]:
        """What the schema takes from this place; keys it does not know are left out."""
        unknown = schema.unknown
        if unknown == marshmallow.RAISE:
            unknown = marshmallow.EXCLUDE
        loaded: dict[str, Any] = self.parse(schema, request, location=location, unknown=unknown)
        return loaded


def invalid(error: marshmallow.ValidationError) -> errors.Invalid:
    """The error of ours for what a schema refused: `{"profile_data.email": ["…"]}`."""
    messages: Any = error.messages
    if isinstance(messages, dict) and set(messages) <= {"json", "query"}:
        messages = next(iter(messages.values()))
    fields = dict(_flat(messages, ""))
    named = ", ".join(sorted(fields)) or "the request"
    return errors.Invalid(f"What was sent is not valid: {named}.", fields=fields)


def _read(source: Request, *, required: bool, largest: int, only_json: bool) -> dict[str, Any]:
    # One more than allowed: where no length is told, the library cuts the body off in silence.
    source.max_content_length = largest + 1
    raw = _received(source)
    if len(raw) > largest:
        raise RequestEntityTooLarge()
    if len(raw) < (source.content_length or 0):
        # Not every server tells; a body that was optional would pass for one that was left out.
        raise _malformed("The body broke off on its way.")
    if not raw.strip(b" \t\r\n"):
        if required:
            raise _malformed("The request needs a JSON body.")
        return {}
    if not JSON_TYPE.fullmatch(source.mimetype):
        if only_json:
            raise UnsupportedMediaType()
        return {}
    return parse_json(raw)


def _received(source: Request) -> bytes:
    try:
        return source.get_data(cache=True)
    except HTTPException:
        raise
    except Exception as error:
        # Each server has errors of its own for chunks that are none, or that stop coming.
        raise _malformed("The body broke off on its way.") from error


def _malformed(sentence: str) -> errors.Malformed:
    return errors.Malformed(sentence, code="malformed_json")


def _decoded(raw: bytes) -> str:
    if raw.startswith(BOM):
        raise _malformed("The body must be JSON without a byte order mark.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("The body must be UTF-8.") from None


def _check_depth(text: str) -> None:
    # Nearly every body has too few brackets to be deep, and counting them costs nothing.
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth = 0
    for found in BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
        if depth > DEEPEST:
            raise _malformed(f"The body is nested deeper than {DEEPEST} levels.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str, strange: list[str]) -> int:
    # The length first: Python refuses, and slowly, to read thousands of digits.
    number = int(digits) if len(digits) <= 20 else LARGEST_INTEGER + 1
    if abs(number) > LARGEST_INTEGER:
        strange.append("A whole number in the body is too large.")
        return 0
    return number


def _float(digits: str, strange: list[str]) -> float:
    number = float(digits)
    if not math.isfinite(number):
        strange.append("A number in the body is too large.")
        return 0.0
    return number


def _check_texts(value: Any, text: str) -> None:
    # Neither can stand in valid UTF-8 JSON but as an escape.
    if "\\u" not in text:
        return
    for name, words in _texts(value, ""):
        if IMPOSSIBLE_TEXT.search(words):
            sentence = "This text holds a character that cannot be stored."
            field = IMPOSSIBLE_TEXT.sub("\ufffd", name)
            raise errors.Invalid("A text cannot be stored.", fields={field: [sentence]})


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every string in a value, keys too, each with the dotted name of its place."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            inner = f"{name}.{key}".lstrip(".")
            yield inner, key
            yield from _texts(part, inner)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, f"{name}.{index}".lstrip("."))


def _flat(messages: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    """A tree of messages as dotted names with their lists."""
    if isinstance(messages, Mapping):
        for key, part in messages.items():
            inner = name if key == "_schema" else f"{name}.{key}".lstrip(".")
            yield from _flat(part, inner)
    elif isinstance(messages, Sequence) and not isinstance(messages, str):
        yield name or "body", [str(message) for message in messages]
    else:
        yield name or "body", [str(messages)]


PARSER = StrictParser()
