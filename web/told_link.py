"""The link of a visitor's own page: signed, for one conversation, for thirty days."""

from __future__ import annotations

from datetime import timedelta

from web.unit_of_work import resources

PURPOSE = "told"
LIFE = timedelta(days=30)


def path_of(public_ref: str) -> str:
    """The path at which this conversation's visitor sees what they told us."""
    ours = resources()
    expires = int((ours.clock.now() + LIFE).timestamp())
    return f"/told/{public_ref}/{ours.signer.sign(PURPOSE, public_ref, expires)}"


def is_good(public_ref: str, token: str) -> bool:
    """Whether we gave this link, and its time is not over."""
    ours = resources()
    now = int(ours.clock.now().timestamp())
    return ours.signer.verify(token, PURPOSE, public_ref, now)
