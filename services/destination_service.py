"""DestinationService: the places that hear of leads, and the rules by which they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

import outbox
from alert_contents import PERSONAL
from engine.alert_settings import AlertSettingsInvalid, read_settings
from engine.quiet_hours import QuietHours
from engine.vocabulary import ChannelName, DeliveryStatus, FactKind, Profile, Trigger
from errors import Conflict, Forbidden, Invalid, NotFound, invalid_field
from integrations.channels.base import AddressRefused
from integrations.signing import new_secret
from lib.clock import iso
from lib.ids import destination_id
from models import Destination, Lead
from notification_service import ALERTS
from outbox import STOPPED, WORKING, NewFact, Wanted
from services.account_service import AccountService
from services.delivery_log import DeliveryLog
from services.lead_scores import LeadScores
from services.resources import ENVIRONMENT, Resources, default_addresses
from services.workspace_settings import keep_setting

DIGESTS = ("hourly", "daily")
# How long a webhook's old secret signs beside the new one.
ROTATION = timedelta(hours=24)
MOST_DESTINATIONS = 100


@dataclass(frozen=True)
class Who:
    """Who changes something, and whether it is the operator."""

    name: str
    is_operator: bool = False


class DestinationService:
    """Destinations and the alert configuration; every change is audited."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    # The configuration of alerts

    def config(self) -> dict[str, Any]:
        """The configuration as stored, whole."""
        return LeadScores(self.session, self.resources).settings.to_plain()

    def change_config(self, change: Mapping[str, Any], *, who: Who) -> dict[str, Any]:
        """The configuration after some of its fields were changed; Invalid names a bad one."""
        scores = LeadScores(self.session, self.resources)
        stands, now = scores.settings, self.resources.clock.now()
        try:
            settings = read_settings(change, stands, otherwise=scores.tiers_otherwise)
        except AlertSettingsInvalid as error:
            raise Invalid("The configuration cannot be used.", fields=error.fields) from None
        if settings.queue_profile == Profile.ML_PROBABILITY and not self._has_probabilities():
            raise invalid_field("queue_profile", "No model has given any lead a probability yet.")
        before, after = stands.to_plain(), settings.to_plain()
        changed = {name: after[name] for name in after if after[name] != before[name]}
        if changed:
            keep_setting(self.session, ALERTS, after, by=who.name, now=now)
            measured = {"setting": ALERTS, "changed": changed}
            outbox.record(self.session, NewFact(FactKind.SETTINGS_CHANGED, now, measured))
            self._audit(who, "alerts.configured", ALERTS, changed)
        return after

    def _has_probabilities(self) -> bool:
        found = select(Lead.id).where(Lead.probability.is_not(None)).limit(1)
        return self.session.scalar(found) is not None

    # Destinations

    def list_all(self) -> dict[str, Any]:
        """Every destination, its address masked."""
        rows = self.session.scalars(
            select(Destination)
            .where(Destination.deleted_at.is_(None))
            .order_by(Destination.created_at, Destination.id)
        )
        return {"destinations": [self._view(row) for row in rows if self._is_known(row)]}

    def get(self, identifier: str) -> dict[str, Any]:
        """One destination, its address masked."""
        return self._view(self._row(identifier))

    def add(self, data: Mapping[str, Any], *, who: Who) -> dict[str, Any]:
        """A new destination; a webhook's signing secret is shown this once.

        Its address comes from `checked_address`.
        """
        now = self.resources.clock.now()
        channel = _channel(data.get("channel"), who)
        if len(self.list_all()["destinations"]) >= MOST_DESTINATIONS:
            raise Conflict(f"There are {MOST_DESTINATIONS} destinations already; delete some.")
        secret = new_secret() if channel == ChannelName.WEBHOOK else None
        row = Destination(
            id=destination_id(),
            channel=channel,
            address=data["address"],
            source="api",
            secrets=[{"secret": secret, "until": None}] if secret else [],
            state=WORKING,
            created_at=now,
            updated_at=now,
            **{"enabled": True, **_choices(data)},
        )
        self.session.add(row)
        self.session.flush()
        self._audit(who, "destination.added", row.id, {"channel": channel})
        view = self._view(row)
        return {**view, "secret": secret} if secret else view

    def change(self, identifier: str, data: Mapping[str, Any], *, who: Who) -> dict[str, Any]:
        """The destination with some fields changed; what was held is sent once it works again."""
        row = self._row(identifier)
        now = self.resources.clock.now()
        if "channel" in data and data["channel"] != row.channel:
            raise invalid_field("channel", "The channel of a destination cannot be changed.")
        if "address" in data:
            if row.source == ENVIRONMENT:
                raise invalid_field("address", "This address is set in the environment.")
            _channel(row.channel, who)
            row.address = data["address"]
        secret = self._rotated(row, now) if data.get("rotate_secret") else None
        for name, value in _choices(data).items():
            setattr(row, name, value)
        row.updated_at = now
        if data.get("enabled") is True or "address" in data:
            self._mend(row, now)
        self.session.flush()
        if row.enabled and row.state == WORKING:
            outbox.release(self.session, row.id, now, gathers=row.digest is not None)
        else:
            outbox.hold(self.session, row.id)
        fields = sorted(name for name in data if name != "address")
        self._audit(who, "destination.changed", row.id, {"fields": fields})
        view = self._view(row)
        return {**view, "secret": secret} if secret else view

    def remove(self, identifier: str, *, who: Who) -> dict[str, Any]:
        """The destination hears nothing any more; its log stays."""
        row = self._row(identifier)
        if row.source == ENVIRONMENT:
            raise Conflict("This destination is set in the environment; switch it off instead.")
        now = self.resources.clock.now()
        row.deleted_at, row.address, row.secrets = now, "", []
        self.session.flush()
        outbox.drop(self.session, row.id, "The destination was deleted.", now)
        self._audit(who, "destination.removed", row.id, {})
        return {"id": row.id, "deleted": True}

    def test(self, identifier: str, *, who: Who) -> dict[str, Any]:
        """A test message on its way, to be watched as a delivery; held where the place is off."""
        row = self._row(identifier)
        now = self.resources.clock.now()
        if row.state == STOPPED:
            self._mend(row, now)
            self.session.flush()
            outbox.release(self.session, row.id, now, gathers=row.digest is not None)
        fact = NewFact(FactKind.ALERT_REQUESTED, now, {"channel": row.channel, "test": True})
        (event_id,) = outbox.record(self.session, fact)
        wanted = Wanted(row.id, now) if row.enabled else Wanted(row.id, None, DeliveryStatus.HELD)
        (delivery,) = outbox.enqueue(
            self.session, event_id, "test", [wanted], lead_id=None, now=now
        )
        self._audit(who, "destination.tested", row.id, {})
        return {**DeliveryLog(self.session, self.resources).get(delivery), "delivery_id": delivery}

    # Those of the environment

    def keep_defaults(self) -> None:
        """A row for each destination that the environment names.

        One that it does not name is passed over by this process and left alone: a command in a
        poorer environment must not take a channel away from the server that runs beside it.
        """
        now = self.resources.clock.now()
        for identifier in default_addresses(self.resources.settings):
            kept = self.session.get(Destination, identifier)
            if kept is None:
                kept = _default(identifier, now)
                self.session.add(kept)
            kept.deleted_at = None
            self._mend_if_changed(kept, now)
        self.session.flush()

    def _mend_if_changed(self, row: Destination, now: datetime) -> None:
        """An operator who mends a variable and starts again need not switch anything on."""
        mark = self.resources.mark_of(row.id)
        if row.address == mark:
            return
        row.address = mark
        if row.state == STOPPED:
            self._mend(row, now)
            self.session.flush()
            if row.enabled:
                outbox.release(self.session, row.id, now, gathers=row.digest is not None)

    def _row(self, identifier: str) -> Destination:
        row = self.session.get(Destination, identifier)
        if row is None or row.deleted_at is not None or not self._is_known(row):
            raise NotFound("There is no destination of this id.", code="unknown_destination")
        return row

    def _is_known(self, row: Destination) -> bool:
        """Whether this process's environment names it, for one that an environment has named.

        Somebody's own address is no place that others change.
        """
        return row.source != PERSONAL and self.resources.address_of(row) is not None

    def _mend(self, row: Destination, now: datetime) -> None:
        row.state, row.reason = WORKING, None
        row.failing_since = row.paused_until = None
        row.updated_at = now

    def _rotated(self, row: Destination, now: datetime) -> str:
        """A new secret; the one before it signs beside it for a day."""
        if row.channel != ChannelName.WEBHOOK:
            raise invalid_field("rotate_secret", "Only a webhook has a secret.")
        until = (now + ROTATION).isoformat()
        secret = new_secret()
        before = [{**one, "until": until} for one in row.secrets[:1]]
        row.secrets = [{"secret": secret, "until": None}, *before]
        return secret

    def _view(self, row: Destination) -> dict[str, Any]:
        address = self.resources.address_of(row)
        return {
            "id": row.id,
            "channel": row.channel,
            "name": row.name,
            "address": (self.resources.channels[row.channel].mask(address) if address else None),
            "triggers": row.triggers,
            "enabled": row.enabled,
            "quiet_hours": row.quiet_hours,
            "digest": row.digest,
            "source": row.source,
            "state": row.state,
            "reason": row.reason,
            "paused_until": row.paused_until and iso(row.paused_until),
            "failing_since": row.failing_since and iso(row.failing_since),
            "last_delivered_at": row.last_delivered_at and iso(row.last_delivered_at),
            "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at),
        }

    def _audit(self, who: Who, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        accounts = AccountService(self.session, self.resources)
        accounts.audit(who.name, action, subject, dict(detail))


def checked_address(resources: Resources, channel: Any, address: Any, *, who: Who) -> str:
    """An address as its channel wants it; Invalid says what is wrong.

    It may ask the network for a name: called while no transaction is open.
    """
    name = _channel(channel, who)
    if not isinstance(address, str) or not address.strip():
        raise invalid_field("address", "A destination needs an address.")
    try:
        return resources.channels[name].check(address.strip())
    except AddressRefused as error:
        raise invalid_field("address", str(error)) from None


def _channel(channel: Any, who: Who) -> str:
    known = [str(name) for name in ChannelName]
    if channel not in known:
        raise invalid_field("channel", f"The channel is one of {', '.join(known)}.")
    if channel == ChannelName.OTHER and not who.is_operator:
        raise Forbidden("Only the operator, with scope admin, sets a destination of this kind.")
    return str(channel)


def _choices(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a person may choose of a destination, checked."""
    chosen: dict[str, Any] = {}
    if "name" in data:
        chosen["name"] = data["name"]
    if "enabled" in data:
        chosen["enabled"] = data["enabled"]
    if "triggers" in data:
        chosen["triggers"] = _triggers(data["triggers"])
    if "quiet_hours" in data:
        chosen["quiet_hours"] = _quiet_hours(data["quiet_hours"])
    if "digest" in data:
        if data["digest"] not in (None, *DIGESTS):
            raise invalid_field("digest", f"A digest is {' or '.join(DIGESTS)}, or null.")
        chosen["digest"] = data["digest"]
    return chosen


def _triggers(names: Sequence[str] | None) -> list[str] | None:
    """Which alerts a place hears; none named: all."""
    if not names:
        return None
    known = [str(one) for one in Trigger]
    for name in names:
        if name not in known:
            raise invalid_field(
                "triggers",
                f"There is no trigger {name[:40]!r}; there are {', '.join(known)}.",
            )
    return list(dict.fromkeys(names))


def _quiet_hours(hours: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if hours is None:
        return None
    try:
        return QuietHours.parse(hours).to_plain()
    except ValueError as error:
        raise invalid_field("quiet_hours", str(error)) from None


def _default(identifier: str, now: datetime) -> Destination:
    return Destination(
        id=identifier,
        channel=identifier.split("_")[1],
        address="",
        source=ENVIRONMENT,
        secrets=[],
        enabled=True,
        state=WORKING,
        created_at=now,
        updated_at=now,
    )
