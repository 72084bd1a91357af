"""The console's built files: scripts, styles and icons, under names that tell their content."""

from __future__ import annotations

import functools
import gzip
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import NotFound

BUILT = Path(__file__).parent / "static" / "dist"
MANIFEST = BUILT / "manifest.json"
A_YEAR = 365 * 24 * 3600
PACKED = frozenset({".js", ".css", ".svg", ".json", ".map"})

pages = Blueprint("console_assets", __name__)


@dataclass(frozen=True)
class Files:
    """What a page loads at first: the names of its script, its style and its icons."""

    script: str
    style: str
    icons: str


@pages.get("/console/assets/<path:name>")
def asset(name: str) -> Response:
    """One built file; for long, because its name changes with its content."""
    found = _names(_changed()).get(name)
    if found is None:
        raise NotFound()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    packs = found.suffix in PACKED and request.accept_encodings["gzip"] > 0
    reply = Response(_packed(found) if packs else found.read_bytes(), mimetype=kind)
    if packs:
        reply.headers["Content-Encoding"] = "gzip"
    reply.vary.add("Accept-Encoding")
    reply.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    return reply


def files() -> Files | None:
    """The files of a page; None while the front end is not built."""
    manifest = _manifest(_changed())
    if manifest is None:
        return None
    entry = manifest["console/main.ts"]
    icons = next(name for name in _names(_changed()) if name.startswith("icons-"))
    return Files(_url(entry["file"]), _url(entry["css"][0]), _url(icons))


def _url(name: str) -> str:
    return url_for("console_assets.asset", name=name)


def _changed() -> int:
    """When the front end was last built; a new build is noticed without a restart."""
    try:
        return MANIFEST.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@functools.lru_cache(maxsize=1)
def _manifest(changed: int) -> dict[str, Any] | None:
    if not changed:
        return None
    found: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return found


@functools.lru_cache(maxsize=1)
def _names(changed: int) -> dict[str, Path]:
    """Every file that was built, by the name in its address: nothing else is ever served."""
    if not changed:
        return {}
    return {str(one.relative_to(BUILT)): one for one in BUILT.rglob("*") if one.is_file()}


@functools.lru_cache(maxsize=128)
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)
