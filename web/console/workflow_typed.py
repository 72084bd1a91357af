"""A form of the workflow editor while somebody types in it: nothing here is saved or audited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import errors
from engine import workflow_edits as edits
from engine.policy import Permission
from services.workflow_drafts import Draft
from web.console import condition_form as tree
from web.console import typed
from web.console import workflow_forms as forms
from web.console.frame import Pages, show
from web.console.workflow_question import find_question, show_question
from web.console.workflow_view import Wrong, problems_here, wrong_of
from web.unit_of_work import services

pages = Pages("workflow_typed", __name__)

DRAFT = "/workflow/drafts/<int:draft_id>"
# The lists of a form, and the field without which a row says nothing.
LISTS: Mapping[str, str] = {
    "options": "value",
    "products": "name",
    "calls_to_action": "label",
    "greeting.replies": "value",
}
_AT = re.compile(r"([a-z_.]+)\[(\d+)\]")


@pages.page(f"{DRAFT}/look/<path:part>", methods=("POST",), needs=Permission.WORKFLOW_WRITE)
def look(draft_id: int, part: str) -> str:
    """What would have to be mended, were this form saved as it stands."""
    draft = as_typed(services().workflow_drafts.get(draft_id), part)
    here, prefix = _scope(draft, part)
    wrong = wrong_of(problems_here(draft, here, prefix), prefix)
    return show(
        "workflow/looked.html",
        wrong=[replace(one, field=field) for one, field in _fields(wrong, part)],
        count_wrong=len(draft.problems),
    )


@pages.page(
    f"{DRAFT}/questions/<int:number>/rows", methods=("POST",), needs=Permission.WORKFLOW_WRITE
)
def rows(draft_id: int, number: int) -> str:
    """The form of a question with a row more or less in its condition."""
    draft = as_typed(services().workflow_drafts.get(draft_id), f"questions/{number}")
    whole = forms.read_tree()
    if whole is None:
        raise errors.Invalid("This condition is written by hand; its rows cannot be changed.")
    return show_question(draft, number, rows=tree.changed(whole, typed.text("rows")))


def as_typed(draft: Draft, part: str) -> Draft:
    """A draft as it would be, were the form of this part saved; NotFound for no part."""
    try:
        workflow, tests = _edit(part).make(draft.workflow, draft.tests)
    except edits.Gone:
        raise errors.Conflict("It is no longer in the draft; load the page again.") from None
    return replace(draft, workflow=workflow, tests=tests)


def _edit(part: str) -> edits.Edit:
    kind, _, name = part.partition("/")
    if kind in edits.PARTS and not name:
        return edits.replace_part(kind, forms.read_part(kind))
    if kind == edits.QUESTIONS and typed.WHOLE.fullmatch(name):
        return edits.replace_question(int(name), forms.read_question(int(name)))
    if kind == edits.LANGUAGES and name:
        return edits.replace_locale(name, forms.read_texts())
    raise errors.NotFound("There is nothing at this address.")


def _scope(draft: Draft, part: str) -> tuple[str, str]:
    """The tab of a part, and the place of what it edits."""
    kind, _, name = part.partition("/")
    if kind == edits.QUESTIONS:
        asked = draft.workflow["questions"]
        return kind, f"questions[{asked.index(find_question(draft, int(name)))}]"
    return kind, f"translations.{name}" if kind == edits.LANGUAGES else ""


def _fields(wrong: list[Wrong], part: str) -> Iterator[tuple[Wrong, str]]:
    """Problems with the place of their field, by the keys that rows have in the form."""
    whole = forms.read_tree() if part.startswith("questions/") else None
    keys = dict(tree.places(whole)) if whole else {}
    for one in wrong:
        yield one, tree.row_of(one.field, keys) or _row_field(one.field)


def _row_field(field: str) -> str:
    found = _AT.match(field)
    if found is None or found[1] not in LISTS:
        return field
    name = found[1].rpartition(".")[2]
    said = [key for key, row in typed.keyed_rows(name).items() if row.get(LISTS[found[1]])]
    index = int(found[2])
    return f"{found[1]}[{said[index]}]{field[found.end():]}" if index < len(said) else field
