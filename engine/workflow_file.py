"""A workflow as a file: `workflow_config.py` or JSON out, either of them in; nothing is run."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from engine.workflow_shape import Plain
from lib.text import strip_all

LARGEST = 1024 * 1024
_WIDTH = 100
_HEAD = '''"""What the bot asks and what an answer is worth; plain data, edited by marketers.

{note}
docs/for-marketers.md explains each part with examples.
"""

'''


class NotReadable(ValueError):
    """A file that holds no workflow we can read; the sentence says why."""


def as_json(workflow: Plain, tests: Plain) -> str:
    """The workflow as JSON."""
    said = {"WORKFLOW_CONFIG": workflow, "ACTIVE_TESTS": tests}
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"


def as_python(workflow: Plain, tests: Plain, note: str) -> str:
    """The workflow as a `workflow_config.py`; `note` says in one line where it comes from."""
    told = note.replace("\\", "/").replace('"', "'")
    return (
        _HEAD.format(note=told)
        + f"WORKFLOW_CONFIG = {_written(workflow)}\n\n"
        + "# What is being tried on visitors; the first variant is the control.\n"
        + f"ACTIVE_TESTS = {_written(tests)}\n"
    )


def read_file(content: bytes, name: str) -> tuple[Any, Any]:
    """The workflow and its ACTIVE_TESTS in a file; NotReadable says why there is none."""
    if len(content) > LARGEST:
        raise NotReadable("This file is larger than a workflow may be (1 MB).")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotReadable("This file is no text in UTF-8.") from None
    found = _assigned(text) if name.lower().endswith(".py") else _loaded(text)
    config = found.get("WORKFLOW_CONFIG", found.get("workflow"))
    tests = found.get("ACTIVE_TESTS", found.get("tests"))
    # A bare configuration is one, too.
    if config is None and "questions" in found:
        config = found
    if not isinstance(config, Mapping):
        raise NotReadable("There is no WORKFLOW_CONFIG in this file.")
    try:
        return strip_all(config), strip_all(tests)
    except RecursionError:
        raise NotReadable("This file is nested deeper than a workflow is.") from None


def _loaded(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotReadable("This file is no JSON; a Python file needs the ending .py.") from None
    return found if isinstance(found, Mapping) else {}


def _assigned(text: str) -> Mapping[str, Any]:
    """The names that plain data are assigned to: read as text, never run."""
    try:
        tree = ast.parse(text)
        return {
            target.id: ast.literal_eval(one.value)
            for one in tree.body
            if isinstance(one, ast.Assign)
            for target in one.targets
            if isinstance(target, ast.Name) and target.id in ("WORKFLOW_CONFIG", "ACTIVE_TESTS")
        }
    except SyntaxError as error:
        raise NotReadable(f"Line {error.lineno} of this file is no Python.") from None
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise NotReadable(
            "WORKFLOW_CONFIG may hold plain data only: texts, numbers, lists, dictionaries."
        ) from None


def _written(value: Any, depth: int = 0) -> str:
    """Plain data as Python, each long part with its members on lines of their own."""
    short = _on_one_line(value)
    if not isinstance(value, (dict, list)) or len(short) + 4 * depth < _WIDTH:
        return short
    inner = "    " * (depth + 1)
    if isinstance(value, dict):
        lines = [f"{_on_one_line(k)}: {_written(one, depth + 1)}" for k, one in value.items()]
    else:
        lines = [_written(one, depth + 1) for one in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    body = "".join(f"{inner}{line},\n" for line in lines)
    return f"{opening}\n{body}{'    ' * depth}{closing}"


def _on_one_line(value: Any) -> str:
    if isinstance(value, str):
        # What JSON escapes, Python reads the same way.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        pairs = (f"{_on_one_line(key)}: {_on_one_line(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_on_one_line, value)) + "]"
    return repr(value)
