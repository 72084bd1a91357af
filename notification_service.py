"""NotificationService: who hears what, in which words; delivers one alert.

So far it keeps an alert that an older script asks for as a fact; the channels come with deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind
from lib.on_class import on_class


class NotificationService:
    """Alerts as older scripts ask for them."""

    def __init__(self, session: Session, resources: Any) -> None:
        self.session = session
        self.resources = resources

    @on_class
    def send_email_alert(self, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for an e-mail about a lead; kept in the log, not sent yet."""
        return self._keep("email", lead_data)

    @on_class
    def send_slack_notification(self, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a Slack message about a lead; kept in the log, not sent yet."""
        return self._keep("slack", lead_data)

    @on_class
    def send_discord_notification(self, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a Discord message about a lead; kept in the log, not sent yet."""
        return self._keep("discord", lead_data)

    def _keep(self, channel: str, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """The reply says plainly that nothing has left the house."""
        now = self.resources.clock.now()
        personal = {"lead_data": dict(lead_data)}
        fact = outbox.NewFact(FactKind.ALERT_REQUESTED, now, {"channel": channel}, personal)
        outbox.record(self.session, fact)
        reason = f"Kept in the log: this release has no {channel} channel yet."
        return {"channel": channel, "sent": False, "status": "held", "reason": reason}
