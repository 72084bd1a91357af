"""Whether a form was sent from a page of ours, and not from somebody else's."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import abort, request

from web.unit_of_work import resources


def refuse_other_sites() -> None:
    """Ends this request with 403 when a browser says that another site sent it.

    A caller that says nothing of itself is no browser of today; the cookie's SameSite stands
    between it and a visitor.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site != "same-origin":
            abort(403)
        return
    origin = request.headers.get("Origin")
    if origin is not None and _host(origin) not in _our_hosts():
        abort(403)


def _our_hosts() -> set[str]:
    return {request.host.lower(), _host(resources().settings.APP_URL)} - {""}


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""
