"""API keys: which other programs may come in, for what, and until when."""

from __future__ import annotations

from datetime import timedelta

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission
from engine.vocabulary import Scope
from services.account_service import LONGEST_NAME
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("keys", __name__)

LIVES = (("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("0", "No end"))
SCOPES = {
    Scope.LEADS_READ: "Read leads, with names and contacts",
    Scope.LEADS_WRITE: "Read and change leads",
    Scope.LEADS_EXPORT: "Export leads",
    Scope.ANALYTICS_READ: "Read figures",
    Scope.ALERTS_READ: "Read alert settings and deliveries",
    Scope.ALERTS_WRITE: "Change alert settings, send again",
    Scope.PREDICTIONS_READ: "Ask for predictions",
    Scope.PREDICTIONS_WRITE: "Change predictions",
    Scope.MODELS_READ: "Read the models' cards",
    Scope.MODELS_WRITE: "Train and promote models",
    Scope.EXPERIMENTS_READ: "Read experiments",
    Scope.EXPERIMENTS_WRITE: "Run experiments",
    Scope.IMPORTS_WRITE: "Import leads",
    Scope.ADMIN: "All of this",
}


class KeyIn(marshmallow.Schema):
    """A key that another program is to have."""

    name = fields.String(required=True, validate=validate.Length(max=LONGEST_NAME))
    scopes = fields.List(
        fields.String(validate=validate.OneOf([str(one) for one in Scope])), load_default=list
    )
    days = fields.Integer(required=True, validate=validate.OneOf([int(one) for one, _ in LIVES]))


@pages.page("/keys", needs=Permission.ADMIN)
def keys() -> str:
    """Every key there has been, the newest first."""
    now = resources().clock.now()
    found = [{**one, "state": _state(one, now)} for one in services().accounts.list_keys()]
    return show("keys/list.html", keys=found[::-1], scopes=SCOPES, lives=LIVES)


@pages.page("/keys", methods=("POST",), needs=Permission.ADMIN, again=keys)
def create() -> str:
    """A new key, shown this once."""
    said = read(KeyIn)
    days = said["days"]
    expires_at = resources().clock.now() + timedelta(days=days) if days else None
    key = services().accounts.create_key(said["name"], said["scopes"], expires_at, actor=me().email)
    return show("keys/created.html", key=key, name=said["name"], expires_at=expires_at)


@pages.page("/keys/<prefix>/revoke", methods=("POST",), needs=Permission.ADMIN)
def revoke(prefix: str) -> Response:
    """A key stops working at once."""
    services().accounts.revoke_key(prefix, actor=me().email)
    say("The key is revoked: who shows it is refused from now on.")
    return go_to("console_keys.keys")


def _state(key: dict[str, object], now: object) -> str:
    if key["revoked_at"] is not None:
        return "revoked"
    ends = key["expires_at"]
    return "expired" if ends is not None and ends <= now else "good"  # type: ignore[operator]
