"""The stages of the board: their names, order, meaning, and when a lead stands still in one."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission
from engine.stages import LONGEST_NAME, MOST_DAYS, MOST_STAGES
from engine.vocabulary import StageKind
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import services

# Empty lines at the end of the form, for stages to come.
SPARE = 2
ROWS = range(1, MOST_STAGES + SPARE + 1)
KINDS = (
    (str(StageKind.OPEN), "Open: somebody works it"),
    (str(StageKind.WON), "Won: the sale was made"),
    (str(StageKind.LOST), "Lost: it will not be"),
)
NUMBER = "A whole number of days, please."

pages = Pages("board_stages", __name__)


def _fields() -> dict[str, Any]:
    """The fields of every line: a list could not tell which of its values was left empty."""
    found: dict[str, Any] = {}
    for row in ROWS:
        found[f"name_{row}"] = fields.String(
            load_default=None, validate=validate.Length(max=LONGEST_NAME)
        )
        found[f"kind_{row}"] = fields.String(
            load_default=str(StageKind.OPEN), validate=validate.OneOf([key for key, _ in KINDS])
        )
        found[f"limit_{row}"] = fields.Integer(
            load_default=None,
            validate=validate.Range(1, MOST_DAYS),
            error_messages={"invalid": NUMBER},
        )
        found[f"place_{row}"] = fields.Float(load_default=float(row), allow_nan=False)
        found[f"gone_{row}"] = fields.Boolean(load_default=False)
    return found


StagesIn = marshmallow.Schema.from_dict(_fields(), name="StagesIn")


@pages.page("/board/stages", needs=Permission.LEADS_MANAGE)
def stages() -> str:
    """The form of all stages."""
    found = services().pipeline.stages().stages
    rows = [*found, *([None] * min(SPARE, MOST_STAGES - len(found)))]
    return show("board/stages.html", rows=rows, kinds=KINDS, most_days=MOST_DAYS)


@pages.page("/board/stages", methods=("POST",), needs=Permission.LEADS_MANAGE, again=stages)
def change_stages() -> Response:
    """Other stages; none that leads stand in goes away under them."""
    said = read(StagesIn)
    told = [
        (said[f"place_{row}"], row, said[f"name_{row}"])
        for row in ROWS
        if said[f"name_{row}"] and not said[f"gone_{row}"]
    ]
    wanted = [
        {"name": name, "kind": said[f"kind_{row}"], "limit_days": said[f"limit_{row}"]}
        for _, row, name in sorted(told)
    ]
    services().pipeline.change_stages(wanted, actor=me().email)
    say("The stages are saved.")
    return go_to("console_board.board")
