"""Each example of the marketers' page is read as the program reads the real file."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from config import ROOT
from engine.vocabulary import DEFAULT_POINTS
from engine.workflow_reader import MESSAGES, WorkflowInvalid, read_workflow
from tests.docs.commands import FENCE, differences
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG

PAGE = (ROOT / "docs" / "for-marketers.md").read_text(encoding="utf-8")
EXAMPLES = [fence["body"] for fence in FENCE.finditer(PAGE) if fence[1] == "python"]
# What a workflow cannot be without, where an example shows another part.
AROUND = {"greeting": "Hello!", "questions": WORKFLOW_CONFIG["questions"]}


def read(example: str) -> Any:
    """The workflow of an example: a part of WORKFLOW_CONFIG, or ACTIVE_TESTS."""
    if example.startswith("ACTIVE_TESTS"):
        tests = ast.literal_eval(example.partition("=")[2].strip())
        return read_workflow(WORKFLOW_CONFIG, tests)
    part = ast.literal_eval("{" + example + "}")
    products = WORKFLOW_CONFIG["products"]
    return read_workflow({**AROUND, "products": products, **part}, {})


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split('"')[1])
def test_an_example_can_be_used(example: str) -> None:
    workflow = read(example)

    assert workflow.questions


def test_an_example_with_a_mistake_would_be_noticed() -> None:
    spoilt = [example.replace("business_type", "busines_type", 1) for example in EXAMPLES]

    refused = [example for example in spoilt if _is_refused(example)]

    assert refused


def _is_refused(example: str) -> bool:
    try:
        read(example)
    except WorkflowInvalid:
        return True
    return False


def test_the_table_of_points_is_that_of_the_program() -> None:
    for action, points in DEFAULT_POINTS.items():
        name = "clicked_demo" if action == "demo_requested" else str(action)
        assert any(
            line.startswith(f"| `{name}`") and f"| {points} |" in line for line in PAGE.splitlines()
        ), name


def test_every_set_phrase_is_named() -> None:
    assert [name for name in MESSAGES if f"`{name}`" not in PAGE] == []


def test_the_shipped_tests_are_the_example() -> None:
    example = next(one for one in EXAMPLES if one.startswith("ACTIVE_TESTS"))

    shown = ast.literal_eval(example.partition("=")[2].strip())

    assert list(differences(shown_variants(shown), shown_variants(ACTIVE_TESTS), "tests")) == []


def shown_variants(tests: Any) -> Any:
    """The variants of each test, without their weights."""
    return {name: test["variants"] for name, test in tests.items()}
