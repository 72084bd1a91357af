"""The workspace: in which currency all count, and by whose clock people read who chose none."""

from __future__ import annotations

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.money import CURRENCIES
from engine.policy import Permission
from lib.clock import zone_places
from services.workspace_service import WorkspaceService
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("workspace", __name__)


class WorkspaceForm(marshmallow.Schema):
    """The settings that are nobody's own."""

    currency = fields.String(required=True, validate=validate.Length(max=3))
    time_zone = fields.String(load_default="UTC", validate=validate.Length(max=64))


@pages.page("/workspace", needs=Permission.ADMIN)
def workspace() -> str:
    """The settings that all people share."""
    return show(
        "workspace.html",
        settings=services().make(WorkspaceService).settings(),
        currencies=[(code, f"{name} ({code})") for code, name in _by_name()],
        zones=[("UTC", "UTC"), *zone_places()],
        workflow=services().workflows.in_force().workflow,
    )


@pages.page("/workspace", methods=("POST",), needs=Permission.ADMIN, again=workspace)
def change() -> Response:
    """Other settings."""
    services().make(WorkspaceService).change(**read(WorkspaceForm), actor=me().email)
    say("Saved.")
    return go_to("console_workspace.workspace")


def _by_name() -> list[tuple[str, str]]:
    return sorted(CURRENCIES.items(), key=lambda one: one[1])
