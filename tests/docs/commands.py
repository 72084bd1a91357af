"""The commands of a document, run as a reader would run them, and the replies it promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The language of a block, what else its first line says, and the block.
FENCE = re.compile(r"^```(\w*)(?P<more>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "@@@ block"
ANYTHING = "…"


@dataclass
class Step:
    """One block of commands, and what the document says they print."""

    commands: str
    line: int
    promised_json: Any = None
    promised_text: str | None = None
    in_order: bool = False
    printed: str = field(default="", compare=False)

    def broken_promises(self) -> list[str]:
        """What the document says and the program does not do."""
        if self.promised_text is not None:
            return unlike_text(self.promised_text, self.printed)
        if self.promised_json is None:
            return []
        try:
            said = json.loads(self.printed.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return [f"the last line is no JSON: {self.printed[-300:]!r}"]
        broken = list(differences(self.promised_json, said, "reply"))
        if self.in_order and list(said)[: len(self.promised_json)] != list(self.promised_json):
            broken.append(f"the reply begins with the keys {', '.join(said)}")
        return broken


def steps(document: Path) -> list[Step]:
    """The blocks marked `sh`; a block `json` or `output` right after one is its promise."""
    text = document.read_text(encoding="utf-8")
    found: list[Step] = []
    for fence in FENCE.finditer(text):
        kind, body = fence[1], fence["body"]
        if kind == "sh":
            found.append(Step(body, text.count("\n", 0, fence.start()) + 1))
        elif kind == "json" and found:
            found[-1].promised_json = json.loads(body)
            found[-1].in_order = "in-order" in fence["more"]
        elif kind == "output" and found:
            found[-1].promised_text = body
    return found


def run(
    ready: Sequence[Step], folder: Path, environment: Mapping[str, str], replaced: Mapping[str, str]
) -> None:
    """Run the blocks one after the other in one shell, and note what each printed."""
    script = ["set -euo pipefail"]
    for step in ready:
        commands = step.commands
        for name, value in replaced.items():
            commands = commands.replace(name, value)
        script += [f"printf '%s\\n' '{MARK}'", commands]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    printed = done.stdout.split(f"{MARK}\n")[1:]
    for step, text in zip(ready, printed, strict=False):
        step.printed = text
    last = ready[len(printed) - 1]
    assert done.returncode == 0, f"the block at line {last.line} failed: {done.stderr}{printed[-1]}"


def differences(promised: Any, said: Any, place: str) -> Iterator[str]:
    """What is promised and not so; more may be said, and a text may hold `…` for anything."""
    if isinstance(promised, dict) and isinstance(said, dict):
        yield from _differences_of_objects(promised, said, place)
    elif isinstance(promised, list) and isinstance(said, list):
        wanted, whole = promised, promised[-1:] != [ANYTHING]
        wanted = wanted if whole else wanted[:-1]
        if (len(wanted) != len(said)) if whole else (len(wanted) > len(said)):
            yield f"{place} has {len(said)} parts, not {len(wanted)}"
        for index, (one, other) in enumerate(zip(wanted, said, strict=False)):
            yield from differences(one, other, f"{place}[{index}]")
    elif isinstance(promised, str) and ANYTHING in promised:
        if promised != ANYTHING and not (isinstance(said, str) and _fits(promised, said)):
            yield f"{place} is {said!r}, not {promised!r}"
    elif promised != said or isinstance(promised, bool) != isinstance(said, bool):
        yield f"{place} is {said!r}, not {promised!r}"


def _differences_of_objects(
    promised: Mapping[str, Any], said: Mapping[str, Any], place: str
) -> Iterator[str]:
    for name, value in promised.items():
        if name not in said:
            yield f"{place}.{name} is missing"
        else:
            yield from differences(value, said[name], f"{place}.{name}")


def unlike_text(promised: str, printed: str) -> list[str]:
    """The lines that are promised and not printed so; `…` stands for anything."""
    wanted, lines = promised.strip().splitlines(), printed.strip().splitlines()
    if len(wanted) == len(lines) and all(map(_fits, wanted, lines)):
        return []
    return [f"it prints {printed!r}, not {promised!r}"]


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split(ANYTHING))), text) is not None


def programs() -> str:
    """The folder of the Python that runs the tests, which a reader has as .venv/bin."""
    return str(Path(sys.executable).parent)
