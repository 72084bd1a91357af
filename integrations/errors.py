"""What can go wrong outside the house: one class for each thing that the outbox then does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

LONGEST_REPLY = 500


class DeliveryError(Exception):
    """A delivery that did not succeed; `reason` is one sentence without a secret in it."""

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        reply: str = "",
        progress: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        # The vendor's status code and the first characters of its words, for the delivery log.
        self.status = status
        self.reply = reply[:LONGEST_REPLY]
        # What a next attempt must know, such as which recipients already have the message.
        self.progress = dict(progress or {})


class TryLater(DeliveryError):
    """Not now: knock again by the schedule, or `after` what the vendor asked for.

    With `pause` the whole destination waits, not this message alone.
    """

    def __init__(
        self,
        reason: str,
        *,
        after: timedelta | None = None,
        pause: bool = False,
        status: int | None = None,
        reply: str = "",
        progress: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(reason, status=status, reply=reply, progress=progress)
        self.after = after
        self.pause = pause


class OutcomeUnknown(DeliveryError):
    """The message may have arrived: the answer did not come back."""


class ItemRefused(DeliveryError):
    """This message will never be taken; others to the same place may be."""


class ConnectionRefused(DeliveryError):
    """This destination will take nothing until a person mends it: revoked, gone, wrong password."""
