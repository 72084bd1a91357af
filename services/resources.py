"""Resources: what lives as long as the process, built once from Settings."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Engine

import workflow_config
from config import Settings, SettingsError
from database import make_engine
from engine.workflow import Workflow
from engine.workflow_reader import WorkflowInvalid, read_workflow
from integrations.channels.base import Channel
from integrations.smtp import SmtpSettings
from lib.clock import Clock, SystemClock
from lib.crypto import TokenSigner, sha256_hex
from lib.doorbell import Doorbell
from lib.metrics import Metrics
from models import Destination
from outbox import LEASE

# An older file may have no tests beside it; without a workflow the reader says what is missing.
WORKFLOW_CONFIG: Any = getattr(workflow_config, "WORKFLOW_CONFIG", None)
ACTIVE_TESTS: Any = getattr(workflow_config, "ACTIVE_TESTS", None) or {}
ENVIRONMENT = "environment"
GMAIL = "smtp.gmail.com"


@dataclass(frozen=True)
class Shipped:
    """The workflow of `workflow_config.py`: as data, checked, and the hash of its content."""

    config: Mapping[str, Any]
    workflow: Workflow
    content_hash: str


@dataclass
class Readiness:
    """Whether this process saw that the database is migrated and has the shipped workflow."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    done: bool = False


@dataclass(frozen=True)
class Resources:
    """What every unit of work shares; nothing in it matters after the process is gone."""

    settings: Settings
    clock: Clock
    engine: Engine
    signer: TokenSigner
    metrics: Metrics
    shipped: Shipped
    # Versions this process has read, by number and arms; a version never changes.
    workflows: dict[Any, Workflow] = field(default_factory=dict)
    readiness: Readiness = field(default_factory=Readiness)
    # How long who has claimed a delivery or a job may take.
    lease: timedelta = LEASE
    # Wakes the relay of this process, if it has one.
    doorbell: Doorbell = field(default_factory=Doorbell)
    # Models this process has read, by id; a version never changes.
    models: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        workflow: Mapping[str, Any] = WORKFLOW_CONFIG,
        tests: Mapping[str, Any] = ACTIVE_TESTS,
    ) -> Resources:
        """Everything that Settings name; opens no connection and starts no thread.

        SettingsError says which line of the workflow a visitor would trip over.
        """
        clock = clock or SystemClock()
        return cls(
            settings=settings,
            clock=clock,
            engine=make_engine(settings.database_url, may_drop=settings.is_development),
            signer=TokenSigner(settings.signing_keys()),
            metrics=Metrics(),
            shipped=read_shipped(workflow, tests),
        )

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """Every channel by its name."""
        return make_channels(self.settings, self.clock)

    def address_of(self, place: Destination) -> str | None:
        """Where a destination is; the environment's secrets never reach the database."""
        if place.source != ENVIRONMENT:
            return place.address
        return default_addresses(self.settings).get(place.id)

    def mark_of(self, destination_id: str) -> str:
        """What tells, without giving it away, whether the environment's words for it changed."""
        said = [default_addresses(self.settings)[destination_id]]
        if destination_id.startswith("env_email_"):
            mail = smtp_settings(self.settings)
            assert mail is not None, "only with a mail server is an address a destination"
            said += [mail.host, str(mail.port), mail.user, mail.password, mail.sender]
        return sha256_hex("\n".join([*self.settings.signing_keys()[:1], *said]))[:16]


def read_shipped(config: Mapping[str, Any], tests: Mapping[str, Any]) -> Shipped:
    """The shipped workflow, checked; SettingsError holds each problem with its place and remedy."""
    try:
        workflow = read_workflow(config, tests)
    except WorkflowInvalid as error:
        raise SettingsError(f"workflow_config.py cannot be used. {error}") from None
    # Not sorted: the order of variants matters, the first is the control.
    text = json.dumps({"workflow": config, "tests": tests}, ensure_ascii=False)
    plain = json.loads(text)
    return Shipped(plain, workflow, sha256_hex(text))


def make_channels(settings: Settings, clock: Clock) -> Mapping[str, Channel]:
    """Every channel by its name; in demo mode they record instead of sending."""
    # Imported here: a process that only serves chats needs none of them.
    from integrations.channels.discord import Discord
    from integrations.channels.email import Email
    from integrations.channels.other import Other
    from integrations.channels.recorded import Recorded
    from integrations.channels.slack import Slack
    from integrations.channels.teams import Teams
    from integrations.channels.webhook import Webhook
    from integrations.http import HttpDoor

    door = HttpDoor(allowed_networks=settings.OUTBOUND_ALLOWED_NETWORKS)
    smtp = smtp_settings(settings) or SmtpSettings(host="")
    email = Email(smtp, clock, settings.APP_URL, is_test=settings.is_development)
    channels: tuple[Channel, ...] = (
        Slack(door, clock),
        Discord(door, clock),
        Teams(door, clock),
        Webhook(door, clock),
        email,
        Other(clock),
    )
    if settings.DEMO_MODE:
        channels = tuple(Recorded(channel) for channel in channels)
    return {channel.name: channel for channel in channels}


def smtp_settings(settings: Settings) -> SmtpSettings | None:
    """How e-mail leaves, by either dialect of the environment; None when it cannot."""
    off = settings.channels_off
    sender = settings.SENDER_EMAIL or settings.EMAIL_HOST_USER
    host = settings.EMAIL_HOST or (GMAIL if settings.SENDER_EMAIL else "")
    if not sender or not host or "EMAIL_PORT" in off or "EMAIL_USE_TLS" in off:
        return None
    password = settings.EMAIL_HOST_PASSWORD or settings.SENDER_PASSWORD
    return SmtpSettings(
        host=host,
        port=settings.EMAIL_PORT or 587,
        user=settings.EMAIL_HOST_USER or (sender if password else ""),
        password=password,
        sender=sender,
        require_tls=settings.EMAIL_USE_TLS is not False,
    )


def default_addresses(settings: Settings) -> dict[str, str]:
    """The addresses that the environment names, by the id of the destination that they are."""
    off = settings.channels_off
    found = {}
    for channel in ("slack", "discord", "teams"):
        name = f"{channel.upper()}_WEBHOOK_URL"
        address = getattr(settings, name)
        if address and name not in off:
            found[f"env_{channel}"] = address
    if smtp_settings(settings) is not None:
        for address in settings.SALES_TEAM_EMAILS:
            found[f"env_email_{sha256_hex(address.lower())[:8]}"] = address
    return found
