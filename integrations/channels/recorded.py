"""A channel that sends nothing: what would have gone out is only written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.channels.base import Alert, Channel, Receipt


class Recorded:
    """Another channel's addresses, and deliveries that stay in the house (demo mode)."""

    def __init__(self, channel: Channel) -> None:
        self.name = channel.name
        self.idempotent = channel.idempotent
        self._channel = channel

    def check(self, address: str) -> str:
        """The address as the real channel wants it."""
        return self._channel.check(address)

    def mask(self, address: str) -> str:
        """The address as the real channel shows it."""
        return self._channel.mask(address)

    def send(
        self,
        alert: Alert,
        address: str,
        *,
        secrets: tuple[str, ...] = (),
        progress: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Nothing leaves; the delivery log says so."""
        return Receipt(note="Demo mode: recorded, not sent.")
