"""The workflow versions: who published what and why, what differs, one of them again, as a file."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import fields, validate

import errors
from engine.policy import Permission
from engine.workflow_file import LARGEST, as_json, as_python
from engine.workflow_shape import Plain
from services.refresh_service import RefreshService
from web.console.frame import Pages, go_to, me, read, read_query, show, trouble
from web.console.notes import say
from web.console.workflow_view import grouped
from web.unit_of_work import services

pages = Pages("workflow", __name__)

READ, WRITE = Permission.WORKFLOW_READ, Permission.WORKFLOW_WRITE
RESCORE = "leads.refresh"
TYPES = {"json": "application/json", "py": "text/x-python"}


class JobQuery(marshmallow.Schema):
    """Which work in the background the page tells of."""

    job = fields.String(validate=validate.Length(max=32))


class AgainstQuery(marshmallow.Schema):
    """The version to compare with."""

    against = fields.Integer(validate=validate.Range(1, 2**31 - 1))


class FileQuery(marshmallow.Schema):
    """As which kind of file."""

    kind = fields.String(validate=validate.OneOf(sorted(TYPES)), load_default="json")


class NoteForm(marshmallow.Schema):
    """Why a version is published."""

    note = fields.String(load_default="")


class BeginForm(marshmallow.Schema):
    """What a new draft begins from, and its name."""

    version = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))
    name = fields.String(load_default="", validate=validate.Length(max=255))


@pages.page("/workflow", needs=READ)
def versions() -> str:
    """Every version and every draft."""
    ours, query = services(), read_query(JobQuery)
    return show(
        "workflow/versions.html",
        versions=ours.workflow_history.versions(),
        drafts=ours.workflow_drafts.list_drafts(),
        leads=ours.make(RefreshService).count(),
        job=find_job(query.get("job"), RESCORE),
        may_write=me().may(WRITE),
    )


@pages.page("/workflow/versions/<int:version>", needs=READ)
def version(version: int) -> str:
    """A version, and what differs from another: from the one before it, unless one is named."""
    history = services().workflow_history
    lines = history.versions()
    line = next((one for one in lines if one.version == version), None)
    if line is None:
        raise errors.NotFound(f"There is no version {version}.")
    others = [one.version for one in lines if one.version != version]
    before = max((one for one in others if one < version), default=None)
    # A form that is shown again has no query of its own.
    against = read_query(AgainstQuery).get("against", before) if request.args else before
    changes = history.differences(against, version) if against else []
    return show(
        "workflow/version.html",
        line=line,
        against=against,
        others=others,
        changes=grouped(changes),
        note=request.form.get("note", ""),
        may_write=me().may(WRITE),
    )


@pages.page("/workflow/versions/<int:version>/file", needs=READ)
def version_file(version: int) -> Response:
    """A version as a file."""
    workflow, tests = services().workflow_history.shaped(version)
    return as_file(workflow, tests, f"Version {version} of the workflow.", f"workflow-{version}")


@pages.page(
    "/workflow/versions/<int:version>/restore", methods=("POST",), needs=WRITE, again=version
)
def restore(version: int) -> Response:
    """This version in force again, as a new one."""
    note = read(NoteForm)["note"]
    new = services().workflow_history.restore(version, note, actor=me().email)
    say(f"Version {version} is in force again, as version {new}.")
    return go_to("console_workflow.versions")


@pages.page("/workflow/drafts", methods=("POST",), needs=WRITE)
def begin() -> Response:
    """A draft of a version."""
    form = read(BeginForm)
    drafts = services().workflow_drafts
    draft_id = drafts.begin(form["version"], actor=me().email, name=form["name"])
    say("A draft. Visitors see nothing of it until it is published.")
    return go_to("console_workflow_draft.part", draft_id=draft_id, part="beginning")


@pages.page("/workflow/import", methods=("POST",), needs=WRITE, again=versions, largest=2 * LARGEST)
def import_file() -> Response:
    """A draft of an uploaded file, whatever is wrong with it."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise errors.invalid_field("file", "Choose a file first.")
    content = file.stream.read(LARGEST + 1)
    file.close()
    drafts = services().workflow_drafts
    draft_id, problems = drafts.begin_from_file(content, file.filename, actor=me().email)
    say(f"Imported as a draft. {len(problems)} places need you." if problems else "Imported.")
    return go_to("console_workflow_draft.part", draft_id=draft_id, part="beginning")


@pages.page("/workflow/rescore", methods=("POST",), needs=WRITE)
def rescore() -> Response:
    """All leads under the version in force, in the background."""
    ours, actor = services(), me().email
    job = ours.jobs.request(RESCORE, requested_by=actor)["job_id"]
    number = ours.workflows.find_version_in_force()
    ours.accounts.audit(actor, "leads.rescore_asked", f"job {job}", {"version": number})
    return go_to("console_workflow.versions", job=job)


@pages.page("/workflow/jobs/<identifier>", needs=READ)
def job(identifier: str) -> str:
    """How far re-scoring is, for the page that waits for it."""
    return show("workflow/rescoring.html", job=find_job(identifier, RESCORE))


def find_job(identifier: str | None, kind: str) -> dict[str, Any] | None:
    """A job of this kind; None for another, or none."""
    if not identifier or trouble().message:
        return None
    found = services().jobs.watch(identifier, me())
    return found if found["kind"] == kind else None


def as_file(workflow: Plain, tests: Plain, note: str, name: str) -> Response:
    """A workflow as the kind of file that the query asks for."""
    kind = read_query(FileQuery)["kind"]
    text = as_json(workflow, tests) if kind == "json" else as_python(workflow, tests, note)
    reply = Response(text, content_type=f"{TYPES[kind]}; charset=utf-8")
    reply.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return reply
