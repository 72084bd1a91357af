"""Imports: a file is looked at, mapped, tried, imported with progress, and taken back."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, after_this_request, g, request
from marshmallow import fields, validate

import errors
from engine.policy import Permission
from lib.csv_table import ENCODINGS
from lib.packed_file import PackedFile, Utf8Stream, pack
from services.import_desk import POLICIES, Choices
from services.import_plan import ATTRIBUTE, FIELDS, IGNORE, ImportPlan
from web.console.frame import Pages, go_to, is_htmx, me, read, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("imports", __name__)
NEEDS = Permission.IMPORTS_WRITE
LARGEST_FILE = 60 * 1024 * 1024
COLUMN = "column-"
TARGETS: tuple[tuple[str, str], ...] = (
    (ATTRIBUTE, "an attribute of its own"),
    (IGNORE, "leave it out"),
    *((name, name.replace("_", " ").capitalize()) for name in FIELDS),
)
POLICY_WORDS = (
    ("update", "Update the lead there is"),
    ("skip", "Leave the row out, and say so"),
    ("add", "Add it as another lead"),
)
DELIMITER_WORDS = ((",", "Comma"), (";", "Semicolon"), ("\t", "Tab"), ("|", "Bar"))
STATES: dict[str, tuple[str, str]] = {
    "uploaded": ("to be mapped", ""),
    "checking": ("being tried", "accent"),
    "checked": ("tried, not imported", "warn"),
    "running": ("being imported", "accent"),
    "done": ("imported", "good"),
    "failed": ("failed, nothing kept", "bad"),
    "undone": ("taken back", ""),
}


class ChoicesForm(marshmallow.Schema):
    """How a file is to be read."""

    won_values = fields.String(load_default=None, validate=validate.Length(max=2000))
    limit = fields.Integer(load_default=None, validate=validate.Range(1, 1_000_000))
    policy = fields.String(load_default="update", validate=validate.OneOf(POLICIES))
    encoding = fields.String(load_default=None, validate=validate.OneOf(ENCODINGS))
    # Not stripped of blanks: a tab is one of them.
    delimiter = fields.String(load_default=None)
    then = fields.String(load_default="look", validate=validate.OneOf(("look", "try", "import")))


@pages.page("/imports", needs=NEEDS)
def imports() -> str:
    """Every import and how far it is, and the form for a new one."""
    return show("imports/list.html", rows=services().import_desk.list_all(), states=STATES)


def _pack_file(**path: Any) -> None:
    """The file, packed while no transaction is open: a slow upload must hold nobody up."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise errors.invalid_field("file", "Choose a file first.")
    g.upload = (pack(Utf8Stream(file.stream)), file.filename)  # type: ignore[arg-type]

    @after_this_request
    def _forget(reply: Response) -> Response:
        g.upload[0].close()
        return reply


@pages.page(
    "/imports",
    methods=("POST",),
    needs=NEEDS,
    again=imports,
    before=_pack_file,
    largest=LARGEST_FILE,
)
def upload() -> Response:
    """A file on the desk."""
    packed, name = g.upload
    assert isinstance(packed, PackedFile)
    identifier = services().import_desk.upload(packed, name, actor=me().email)
    return go_to("console_imports.one", identifier=identifier)


@pages.page("/imports/<identifier>", needs=NEEDS)
def one(identifier: str) -> str:
    """One import: its columns before, its progress meanwhile, its report after."""
    desk = services().import_desk
    found = desk.get(identifier)
    is_open = found["state"] in ("uploaded", "checked")
    return show(
        "imports/one.html",
        one=found,
        states=STATES,
        sample=desk.sample(identifier) if is_open else [],
        worked=desk.worked_since(identifier) if found["state"] == "done" else 0,
        targets=TARGETS,
        policies=POLICY_WORDS,
        encodings=[(name, name) for name in ENCODINGS],
        delimiters=DELIMITER_WORDS,
        won=_won(found["plan"]),
        is_part=is_htmx(),
    )


@pages.page("/imports/<identifier>/choose", methods=("POST",), needs=NEEDS, again=one)
def choose(identifier: str) -> Response:
    """Other choices; then look again, try the whole file, or import it."""
    form = read(ChoicesForm)
    desk = services().import_desk
    plan = desk.get(identifier)["plan"]
    mapping = {
        name: request.form[f"{COLUMN}{number}"]
        for number, (name, _) in enumerate(plan.columns)
        if request.form.get(f"{COLUMN}{number}")
    }
    desk.choose(
        identifier,
        Choices(
            mapping=mapping,
            won_values=form["won_values"],
            limit=form["limit"],
            policy=form["policy"],
            encoding=form["encoding"],
            delimiter=request.form.get("delimiter") or None,
        ),
    )
    if form["then"] != "look":
        desk.begin(identifier, dry_run=form["then"] == "try", actor=me().email)
    return go_to("console_imports.one", identifier=identifier)


@pages.page("/imports/<identifier>/forget", methods=("POST",), needs=NEEDS)
def forget(identifier: str) -> Response:
    """A file off the desk."""
    services().import_desk.forget(identifier, actor=me().email)
    say("The file is forgotten.")
    return go_to("console_imports.imports")


@pages.page("/imports/<identifier>/undo", methods=("POST",), needs=NEEDS)
def undo(identifier: str) -> Response:
    """The leads that came with it out of sight."""
    services().import_desk.undo(identifier, actor=me().email)
    say("Its leads are out of sight.", undo=f"/console/imports/{identifier}/redo")
    return go_to("console_imports.one", identifier=identifier)


@pages.page("/imports/<identifier>/redo", methods=("POST",), needs=NEEDS)
def redo(identifier: str) -> Response:
    """And back."""
    services().import_desk.redo(identifier, actor=me().email)
    say("Its leads are back.")
    return go_to("console_imports.one", identifier=identifier)


@pages.page("/imports/<identifier>/report.csv", needs=NEEDS)
def report(identifier: str) -> Response:
    """The rows that were left out, and why."""
    text = "".join(services().imports.rejections(identifier))
    headers = {"Content-Disposition": 'attachment; filename="rejected.csv"'}
    return Response(text, content_type="text/csv; charset=utf-8", headers=headers)


def _won(plan: ImportPlan) -> str:
    return ", ".join(plan.won) if plan.else_lost else ""
