"""Resources: what lives as long as the process, built once from Settings."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from config import Settings, SettingsError
from database import make_engine
from engine.workflow import Workflow
from engine.workflow_reader import WorkflowInvalid, read_workflow
from lib.clock import Clock, SystemClock
from lib.crypto import TokenSigner, sha256_hex
from lib.doorbell import Doorbell
from lib.metrics import Metrics
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG


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
    # Wakes the relay of this process, if it has one.
    doorbell: Doorbell = field(default_factory=Doorbell)

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
        return cls(
            settings=settings,
            clock=clock or SystemClock(),
            engine=make_engine(settings.database_url, may_drop=settings.is_development),
            signer=TokenSigner(settings.signing_keys()),
            metrics=Metrics(),
            shipped=read_shipped(workflow, tests),
        )

    def tiers(self, workflow: Workflow) -> tuple[float, float]:
        """From which score on a lead is hot and warm: the environment, else the workflow."""
        hot, warm = self.settings.HOT_LEAD_THRESHOLD, self.settings.WARM_LEAD_THRESHOLD
        return (
            workflow.hot_threshold if hot is None else hot,
            workflow.warm_threshold if warm is None else warm,
        )


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
