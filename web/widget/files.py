"""The widget's one file, as the front end's build left it, and what it fetches when needed."""

from __future__ import annotations

import functools
import gzip
from dataclasses import dataclass
from pathlib import Path

import phonenumbers
from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from engine.matching import calling_code
from lib.crypto import sha256_hex

BUILT = Path(__file__).parent / "static" / "dist" / "widget.js"
# Short, because customers' pages name no version: a new release reaches them within five minutes.
FRESH_SECONDS = 300
A_DAY = 24 * 3600
NOT_BUILT = (
    "// The widget is not built yet. Run `make install` where Leadline is installed.\n"
    'console.warn("Leadline: the widget is not built; run `make install`.");\n'
)

pages = Blueprint("widget_files", __name__)


@dataclass(frozen=True)
class Built:
    """The built file, as it is and compressed."""

    plain: bytes
    packed: bytes
    tag: str


@pages.get("/widget.js")
def widget() -> Response:
    """The script that a page on any site loads."""
    built = find_built()
    if built is None:
        reply = Response(NOT_BUILT, status=503, mimetype="text/javascript")
        reply.headers["Retry-After"] = "60"
    else:
        packed = request.accept_encodings["gzip"] > 0
        reply = Response(built.packed if packed else built.plain, mimetype="text/javascript")
        reply.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
        reply.vary.add("Accept-Encoding")
        if packed:
            reply.headers["Content-Encoding"] = "gzip"
        reply.set_etag(f"{built.tag}-gz" if packed else built.tag)
        reply.make_conditional(request)
    reply.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    reply.headers["Access-Control-Allow-Origin"] = "*"
    return reply


@pages.get("/chat/live")
def live() -> ResponseReturnValue:
    """Where the conversation with a script stood once; /chat is that page now."""
    query = request.query_string.decode("latin-1")
    return redirect(f"/chat?{query}" if query else "/chat", code=301)


@pages.get("/widget/countries.json")
def countries() -> Response:
    """The calling code of every country, for the widget when it asks for a phone."""
    codes = {region: calling_code(region) for region in sorted(phonenumbers.SUPPORTED_REGIONS)}
    reply = jsonify(codes)
    reply.headers["Cache-Control"] = f"public, max-age={A_DAY}"
    reply.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    reply.headers["Access-Control-Allow-Origin"] = "*"
    return reply


def find_built() -> Built | None:
    """The built file; a new build is noticed, so that nobody has to start the server again."""
    try:
        return _read(BUILT, BUILT.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@functools.lru_cache(maxsize=1)
def _read(path: Path, _changed: int) -> Built:
    plain = path.read_bytes()
    return Built(plain, gzip.compress(plain, 9, mtime=0), sha256_hex(plain)[:32])
