"""The strict reader of forms with a file: multipart/form-data, spooled to the disk as it comes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import marshmallow
from flask import Request, Response, after_this_request, g, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

import errors
from lib.packed_file import PackedFile, pack
from web.body import canonical, invalid

# Beside the file there are a few short fields.
MOST_PARTS, LARGEST_FIELDS = 20, 256 * 1024


def read_form(schema: marshmallow.Schema, *, largest: int) -> dict[str, Any]:
    """What the schema takes from this form, `file` packed; for a replay `g.form_seen` is its body.

    Read before a transaction begins: a visitor must never wait for somebody's slow upload.
    """
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType()
    said, file = _parts(request, largest)
    if file is not None:
        said["file"] = file = _packed(file)
    try:
        loaded: dict[str, Any] = schema.load(said)
    except marshmallow.ValidationError as error:
        raise invalid(error) from None
    g.form_seen = canonical({**said, "file": file.sha256})
    return loaded


def _packed(file: FileStorage) -> PackedFile:
    """The file, kept until this request has its reply."""
    packed = pack(file.stream)
    file.close()

    @after_this_request
    def _forget(reply: Response) -> Response:
        packed.close()
        return reply

    return packed


def _parts(source: Request, largest: int) -> tuple[dict[str, Any], Any]:
    """The fields of the form and its file, each at most once."""
    source.max_content_length = largest + LARGEST_FIELDS
    source.max_form_memory_size = LARGEST_FIELDS
    source.max_form_parts = MOST_PARTS
    try:
        given, files = source.form, source.files
    except HTTPException:
        raise
    except Exception as error:
        # Each server has errors of its own for a body that stops coming.
        raise errors.Malformed("The form broke off on its way.", code="malformed_form") from error
    named = (*given.items(multi=True), *files.items(multi=True))
    counts = Counter(name for name, _ in named)
    for name in (name for name, count in counts.items() if count > 1):
        field = name[:64].replace("\x00", "\ufffd")
        raise errors.invalid_field(field, "This part stands in the form twice.")
    if "file" in given:
        raise errors.invalid_field("file", "This part must be a file, with a name.")
    return {name: given[name] for name in given}, files.get("file")
