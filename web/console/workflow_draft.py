"""A draft of the workflow, part by part, in forms that need no programmer."""

from __future__ import annotations

from flask import Response, url_for

import errors
from engine import workflow_edits as edits
from engine.policy import Permission
from engine.vocabulary import DEFAULT_POINTS, PROFILE_FIELDS, QuestionType
from engine.widget_words import WORDS
from engine.workflow_reader import MESSAGES
from engine.workflow_shape import Plain
from engine.workflow_texts import completeness, found_text, text_lines
from engine.workflow_words import ACTIONS, condition_words
from lib.languages import NAMES
from lib.text import LOCALE, LONGEST_LOCALE, direction
from services.workflow_drafts import Draft
from web.console import typed
from web.console import workflow_forms as forms
from web.console.frame import Pages, go, go_to, me, trouble
from web.console.notes import say
from web.console.workflow import as_file
from web.console.workflow_question import KINDS, show_question
from web.console.workflow_view import show_draft
from web.unit_of_work import services

pages = Pages("workflow_draft", __name__)

READ, WRITE = Permission.WORKFLOW_READ, Permission.WORKFLOW_WRITE
DRAFT = "/workflow/drafts/<int:draft_id>"
_CODES = {name.casefold(): code for code, name in NAMES.items()}
PARTS = f"{DRAFT}/<any({', '.join(edits.PARTS)}):part>"


# The parts


@pages.page(PARTS, needs=READ)
def part(draft_id: int, part: str) -> str:
    """The form of a part."""
    draft = services().workflow_drafts.get(draft_id)
    kept = edits.look_at(draft.workflow, part)
    return show_draft(
        f"{part}.html",
        draft,
        part,
        shown=forms.read_part(part) if trouble().message else kept,
        mark=edits.mark_of(kept),
        actions=[(str(one), ACTIONS[one], worth) for one, worth in DEFAULT_POINTS.items()],
        fields=PROFILE_FIELDS,
        messages=MESSAGES,
        words={name: word for name, word in WORDS["en"].items() if name != "launcher"},
        greeted=_greeted(draft.tests),
    )


@pages.page(PARTS, methods=("POST",), needs=WRITE, again=part)
def save_part(draft_id: int, part: str) -> Response:
    """A part in its new words."""
    edit = edits.replace_part(part, forms.read_part(part), typed.text("mark"))
    _save(draft_id, edit)
    return go_to("console_workflow_draft.part", draft_id=draft_id, part=part)


# Questions


@pages.page(f"{DRAFT}/questions", needs=READ)
def questions(draft_id: int) -> str:
    """The questions in their order."""
    draft = services().workflow_drafts.get(draft_id)
    asked = draft.workflow.get("questions", [])
    when = {one["id"]: condition_words(one.get("show_if"), draft.workflow) for one in asked}
    return show_draft("questions.html", draft, "questions", asked=asked, when=when, kinds=KINDS)


@pages.page(f"{DRAFT}/questions", methods=("POST",), needs=WRITE, again=questions)
def add_question(draft_id: int) -> Response:
    """One more question, and on to its form."""
    text, kind = typed.text("text"), typed.text("type")
    if not text:
        raise errors.invalid_field("text", "Write what is asked.")
    if kind not in set(map(str, QuestionType)):
        raise errors.invalid_field("type", "Choose the kind of answer.")
    number = services().workflow_drafts.add_question(draft_id, text, kind, actor=me().email)
    return go_to("console_workflow_draft.question", draft_id=draft_id, number=number)


@pages.page(f"{DRAFT}/questions/order", methods=("POST",), needs=WRITE)
def order_questions(draft_id: int) -> Response:
    """The questions in the order into which they were dragged."""
    said = typed.text("order").split(",")
    if not all(typed.WHOLE.fullmatch(one) for one in said):
        raise errors.Invalid("This form cannot be read; load the page again.")
    _save(draft_id, edits.order_questions([int(one) for one in said]))
    return go_to("console_workflow_draft.questions", draft_id=draft_id)


@pages.page(f"{DRAFT}/questions/<int:number>/move", methods=("POST",), needs=WRITE)
def move_question(draft_id: int, number: int) -> Response:
    """A question one place up or down."""
    by = 1 if typed.text("to") == "down" else -1
    _save(draft_id, edits.move_question(number, by))
    return go_to("console_workflow_draft.questions", draft_id=draft_id, _anchor=f"q{number}")


@pages.page(f"{DRAFT}/questions/<int:number>/remove", methods=("POST",), needs=WRITE)
def remove_question(draft_id: int, number: int) -> Response:
    """Without this question."""
    _save(draft_id, edits.remove_question(number), said="The question is gone from this draft.")
    return go_to("console_workflow_draft.questions", draft_id=draft_id)


@pages.page(f"{DRAFT}/questions/<int:number>", needs=READ)
def question(draft_id: int, number: int) -> str:
    """The form of a question."""
    draft = services().workflow_drafts.get(draft_id)
    return show_question(draft, number)


@pages.page(f"{DRAFT}/questions/<int:number>", methods=("POST",), needs=WRITE, again=question)
def save_question(draft_id: int, number: int) -> Response:
    """A question in its new words."""
    edit = edits.replace_question(number, forms.read_question(number), typed.text("mark"))
    _save(draft_id, edit)
    return go_to("console_workflow_draft.question", draft_id=draft_id, number=number)


@pages.page(f"{DRAFT}/experiments/remove", methods=("POST",), needs=WRITE)
def remove_experiment(draft_id: int) -> Response:
    """Without this experiment of the workflow's own."""
    edit = edits.remove_test(typed.text("name"))
    _save(draft_id, edit, said="The experiment is gone from this draft.")
    return go_to("console_workflow_draft.questions", draft_id=draft_id)


# Languages


@pages.page(f"{DRAFT}/languages", needs=READ)
def languages(draft_id: int) -> str:
    """Which languages there are, and how much of each."""
    draft = services().workflow_drafts.get(draft_id)
    known = draft.workflow.get("translations", {})
    lines = [(locale, *completeness(draft.workflow, locale)) for locale in known]
    return show_draft("languages.html", draft, "languages", lines=lines, languages=NAMES)


@pages.page(f"{DRAFT}/languages", methods=("POST",), needs=WRITE, again=languages)
def add_language(draft_id: int) -> Response:
    """One more language, and on to its texts."""
    said = typed.text("locale")
    locale = _CODES.get(said.casefold(), said)
    if not LOCALE.fullmatch(locale) or len(locale) > LONGEST_LOCALE:
        raise errors.invalid_field(
            "locale", "Choose one of the list, or write its code like hi, ar or pt-BR."
        )
    draft = services().workflow_drafts.get(draft_id)
    if locale in draft.workflow.get("translations", {}):
        raise errors.invalid_field("locale", "This language is there already.")
    _save(draft_id, edits.replace_locale(locale, {}), said="Now its texts.")
    return go_to("console_workflow_draft.language", draft_id=draft_id, locale=locale)


@pages.page(f"{DRAFT}/languages/<locale>", needs=READ)
def language(draft_id: int, locale: str) -> str:
    """The texts of a language beside those of the default one."""
    draft = services().workflow_drafts.get(draft_id)
    kept = edits.locale_of(draft.workflow, locale)
    if kept is None:
        raise errors.NotFound("This draft does not have this language.")
    shown = forms.read_texts() if trouble().message else kept
    lines = [(line, found_text(shown, line.path)) for line in text_lines(draft.workflow)]
    return show_draft(
        "language.html",
        draft,
        "languages",
        prefix=f"translations.{locale}",
        locale=locale,
        dir=direction(locale),
        lines=[pair for pair in lines if not pair[0].is_extra],
        extras=[pair for pair in lines if pair[0].is_extra],
        mark=edits.mark_of(kept),
    )


@pages.page(f"{DRAFT}/languages/<locale>", methods=("POST",), needs=WRITE, again=language)
def save_language(draft_id: int, locale: str) -> Response:
    """The texts of a language."""
    _save(draft_id, edits.replace_locale(locale, forms.read_texts(), typed.text("mark")))
    return go_to("console_workflow_draft.language", draft_id=draft_id, locale=locale)


@pages.page(f"{DRAFT}/languages/<locale>/remove", methods=("POST",), needs=WRITE)
def remove_language(draft_id: int, locale: str) -> Response:
    """Without this language."""
    _save(draft_id, edits.remove_locale(locale), said="The language is gone from this draft.")
    return go_to("console_workflow_draft.languages", draft_id=draft_id)


# The draft as a whole


@pages.page(f"{DRAFT}/file", needs=READ)
def draft_file(draft_id: int) -> Response:
    """The draft as a file."""
    draft = services().workflow_drafts.get(draft_id)
    note = f"A draft, revision {draft.revision}."
    return as_file(draft.workflow, draft.tests, note, f"workflow-draft-{draft.id}")


@pages.page(f"{DRAFT}/name", methods=("POST",), needs=WRITE)
def rename(draft_id: int) -> Response:
    """Another name for the draft."""
    services().workflow_drafts.rename(draft_id, typed.text("name"), actor=me().email)
    return go_to("console_workflow_try.look_before", draft_id=draft_id)


@pages.page(f"{DRAFT}/throw-away", methods=("POST",), needs=WRITE)
def throw_away(draft_id: int) -> Response:
    """Out of sight, with a way back."""
    services().workflow_drafts.throw_away(draft_id, actor=me().email)
    back = url_for("console_workflow_draft.bring_back", draft_id=draft_id)
    say("The draft is thrown away.", undo=back)
    return go_to("console_workflow.versions")


@pages.page(f"{DRAFT}/bring-back", methods=("POST",), needs=WRITE)
def bring_back(draft_id: int) -> Response:
    """A draft that was thrown away, again."""
    services().workflow_drafts.throw_away(draft_id, actor=me().email, back=True)
    return go(url_for("console_workflow_draft.part", draft_id=draft_id, part="beginning"))


def _save(draft_id: int, edit: edits.Edit, *, said: str = "") -> Draft:
    """The draft after an edit, told to who made it."""
    revision = typed.whole("revision")
    drafts = services().workflow_drafts
    draft = drafts.change(draft_id, edit, revision=revision, actor=me().email)
    count = len(draft.problems)
    if said:
        say(said)
    elif count:
        place = "1 place needs" if count == 1 else f"{count} places need"
        say(f"Saved. {place} you before it can be published.")
    else:
        say("Saved.")
    return draft


def _greeted(tests: Plain) -> list[str]:
    """The experiments that show a greeting of their own instead of the draft's."""
    return [name for name, one in tests.items() if "'greeting" in repr(one)]
