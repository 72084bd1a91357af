"""Leads generated bodies to a session and questions that exist, so that they get past the door."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

# Closing is left out: after it every later answer would only be a 409.
ACTIONS = ("clicked_product", "cta_clicked", "clicked_demo", "consent_given", "email_open")


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """A body of a good shape with the names of real things in it; a bad shape stays bad."""
    if not isinstance(body, dict):
        return body
    found = dict(body)
    if _is_text(found.get("session_id"), 255):
        found["session_id"] = os.environ["FUZZ_SESSION"]
    number = found.get("question_id")
    if isinstance(number, int) and not isinstance(number, bool):
        found["question_id"] = number % 6
    for name in ("action", "behavior_type"):
        if _is_text(found.get(name), 64):
            found[name] = ACTIONS[len(found[name]) % len(ACTIONS)]
    return found


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest
