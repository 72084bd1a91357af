"""Deliveries: what was sent where, what came of it, and a button to send it again."""

from __future__ import annotations

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission
from engine.vocabulary import DeliveryStatus
from services.delivery_log import DeliveryFilter
from web.console import alert_words
from web.console.frame import Pages, go_to, me, read_query, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("deliveries", __name__)


class LogQuery(marshmallow.Schema):
    """Which deliveries, and which page of them."""

    status = fields.String(validate=validate.OneOf([str(one) for one in DeliveryStatus]))
    destination = fields.String(validate=validate.Length(max=32))
    lead = fields.Integer(validate=validate.Range(1, 2**53))
    cursor = fields.String(validate=validate.Length(max=400))


@pages.page("/deliveries", needs=Permission.ALERTS_READ)
def deliveries() -> str:
    """The log, the newest first, and how much waits."""
    query = read_query(LogQuery)
    found = services().deliveries.list_deliveries(DeliveryFilter(**query))
    return show(
        "deliveries/list.html",
        rows=found["deliveries"],
        following=found["next_cursor"],
        queue=services().deliveries.queue(),
        places=services().destinations.list_all()["destinations"],
        query=query,
        words=alert_words,
    )


@pages.page("/deliveries/<identifier>", needs=Permission.ALERTS_READ)
def delivery(identifier: str) -> str:
    """One delivery with every try."""
    found = services().deliveries.get(identifier)
    return show("deliveries/one.html", one=found, words=alert_words)


@pages.page("/deliveries/<identifier>/resend", methods=("POST",), needs=Permission.ALERTS_WRITE)
def resend(identifier: str) -> Response:
    """The same message again, under the same id."""
    services().deliveries.resend(identifier, actor=me().email)
    say("It is sent again.")
    return go_to("console_deliveries.delivery", identifier=identifier)
