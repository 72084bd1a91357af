"""Reads the sources with `ast` and says where they break the picture of the house or its locks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NEVER_SOURCES = {"__pycache__", "node_modules"}


@dataclass(frozen=True)
class Picture:
    """Who stands on which line, 0 the topmost; and the surfaces that a room is divided into."""

    lines: Mapping[str, int]
    surfaces: Mapping[str, Sequence[str]]

    @classmethod
    def parse(cls, drawing: str) -> Picture:
        """The picture from its drawing: labels in the left margin, line under line of names."""
        rows = [row for row in drawing.splitlines() if row.strip()]
        margin = max(len(row) - len(row.lstrip()) for row in rows)
        lines: dict[str, int] = {}
        surfaces: dict[str, list[str]] = {}
        for number, row in enumerate(rows):
            for name, parts in re.findall(r"(\w+)(?: \(([^)]*)\))?", row[margin:]):
                lines[name] = number
                if parts:
                    surfaces[name] = re.findall(r"\w+", parts)
        return cls(lines, surfaces)


@dataclass(frozen=True)
class Lock:
    """What the modules of some rooms may not touch: modules, or single names of them."""

    rooms: Sequence[str]
    forbidden: Sequence[str]
    reason: str


@dataclass(frozen=True)
class Door:
    """Modules that only a few may touch."""

    guarded: Sequence[str]
    allowed: Sequence[str]
    reason: str


@dataclass(frozen=True)
class Look:
    """An import upwards that is allowed by name, inside this function (none named: in any)."""

    importer: str
    imported: str
    function: str | None = None

    def allows(self, touch: Touch) -> bool:
        """Whether it is this import, made at call time."""
        at_call_time = touch.function is not None and self.function in (None, touch.function)
        return self.importer == touch.importer and self.imported == touch.root and at_call_time


@dataclass(frozen=True)
class House:
    """The picture and all that goes with it."""

    picture: Picture
    outside: frozenset[str]
    locks: Sequence[Lock]
    doors: Sequence[Door]
    looks: Sequence[Look]


@dataclass(frozen=True)
class Touch:
    """A full dotted name that a module imports or uses: where, and inside which function."""

    importer: str
    name: str
    line: int
    function: str | None
    is_import: bool

    @property
    def root(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} {'imports' if self.is_import else 'uses'} {self.name}"


def violations(root: Path, house: House) -> list[str]:
    """One sentence for each thing in the sources below `root` that the house does not allow."""
    found = _unplaced(root, house)
    touches: list[Touch] = []
    modules = _modules(root, house.picture.lines)
    for name, file in modules.items():
        reader = _Reader(name)
        reader.visit(ast.parse(file.read_text(encoding="utf-8"), filename=str(file)))
        touches += reader.touches
        found += reader.relative
    imports = [touch for touch in touches if touch.is_import]
    found += [sentence for touch in imports for sentence in _against_the_picture(touch, house)]
    found += [sentence for touch in touches for sentence in _against_the_locks(touch, house)]
    found += _circles(imports, set(modules))
    return sorted(set(found))


def third_party_imports(root: Path, house: House, also: Sequence[str] = ()) -> set[str]:
    """The root names of everything that the house, and the files named besides, import."""
    files = [*_modules(root, house.picture.lines).values()]
    files += [file for name in also for file in _python_files(root / name)]
    names = set()
    for file in files:
        reader = _Reader(file.stem)
        reader.visit(ast.parse(file.read_text(encoding="utf-8"), filename=str(file)))
        names |= {touch.root for touch in reader.touches if touch.is_import}
    return names - set(house.picture.lines) - house.outside


def _python_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (
            file for file in sorted(path.rglob("*.py")) if not NEVER_SOURCES & set(file.parts)
        )
    elif path.suffix == ".py":
        yield path


def _root_names(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in NEVER_SOURCES:
            continue
        if next(_python_files(path), None) is not None:
            yield (path.name if path.is_dir() else path.stem), path


def _modules(root: Path, placed: Mapping[str, int]) -> dict[str, Path]:
    """Every module of the house by its dotted name; a package is its `__init__`."""
    found = {}
    for name, path in _root_names(root):
        for file in _python_files(path) if name in placed else ():
            parts = file.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def _unplaced(root: Path, house: House) -> list[str]:
    known = set(house.picture.lines) | house.outside
    return [
        f"{name} has no place in the picture" for name, _ in _root_names(root) if name not in known
    ]


class _Reader(ast.NodeVisitor):
    """Collects what one module imports, and the dotted names that it uses of that."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.touches: list[Touch] = []
        self.relative: list[str] = []
        self._functions: list[str] = []
        self._aliases: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._touch(alias.name, node, is_import=True)
            bound = alias.asname or alias.name.partition(".")[0]
            self._aliases[bound] = alias.name if alias.asname else bound

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            self.relative.append(f"{self.module}:{node.lineno} imports relatively")
            return
        for alias in node.names:
            name = node.module or ""
            full = name if alias.name == "*" else f"{name}.{alias.name}"
            self._touch(full, node, is_import=True)
            self._aliases[alias.asname or alias.name] = full

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if outside is not None:
                self.visit(outside)
        self._functions.append(node.name)
        for inside in node.body:
            self.visit(inside)
        self._functions.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        is_builtin = isinstance(node.func, ast.Name) and node.func.id == "__import__"
        if (is_builtin or self._dotted(node.func) == "importlib.import_module") and node.args:
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                self._touch(node.args[0].value, node, is_import=True)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if dotted := self._dotted(node):
            self._touch(dotted, node, is_import=False)
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._touch(self._aliases.get(node.id, f"builtins.{node.id}"), node, is_import=False)

    def _dotted(self, node: ast.expr) -> str | None:
        """The full name of `datetime.now` and the like, as the imports of this module have it."""
        if isinstance(node, ast.Name):
            return self._aliases.get(node.id)
        if isinstance(node, ast.Attribute):
            before = self._dotted(node.value)
            return f"{before}.{node.attr}" if before else None
        return None

    def _touch(self, name: str, node: ast.stmt | ast.expr, *, is_import: bool) -> None:
        function = self._functions[-1] if self._functions else None
        self.touches.append(Touch(self.module, name, node.lineno, function, is_import))


def _against_the_picture(touch: Touch, house: House) -> Iterator[str]:
    lines, own = house.picture.lines, touch.importer.partition(".")[0]
    if touch.root in house.outside:
        yield f"{touch}, which stands outside the picture"
    if touch.root == own:
        yield from _between_surfaces(touch, house.picture.surfaces.get(own, ()))
    elif touch.root in lines and lines[touch.root] <= lines[own]:
        if not any(look.allows(touch) for look in house.looks):
            where = "on its own line" if lines[touch.root] == lines[own] else "above it"
            yield f"{touch}, which stands {where}"


def _between_surfaces(touch: Touch, surfaces: Sequence[str]) -> Iterator[str]:
    mine, other = (f"{name}..".split(".")[1] for name in (touch.importer, touch.name))
    if mine in surfaces and other in surfaces and mine != other:
        yield f"{touch}, which is another surface"


def _against_the_locks(touch: Touch, house: House) -> Iterator[str]:
    for lock in house.locks:
        if _is_below(touch.importer, lock.rooms) and _is_below(touch.name, lock.forbidden):
            yield f"{touch}: {lock.reason}"
    for door in house.doors:
        is_let_in = touch.importer in door.allowed or touch.importer in door.guarded
        if touch.is_import and _is_below(touch.name, door.guarded) and not is_let_in:
            yield f"{touch}: {door.reason}"


def _is_below(name: str, parents: Sequence[str]) -> bool:
    """Whether a dotted name is one of the parents or lies in one; `flask_*` names a family."""
    for parent in parents:
        if parent.endswith("_*") and name.startswith(parent[:-1]):
            return True
        if name == parent or name.startswith(f"{parent}."):
            return True
    return False


@dataclass
class _Walk:
    """What the search for circles has seen (Tarjan's strongly connected components)."""

    edges: Mapping[str, set[str]]
    number: dict[str, int] = field(default_factory=dict)
    lowest: dict[str, int] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    circles: list[list[str]] = field(default_factory=list)

    def visit(self, module: str) -> None:
        """Follow the imports of a module; what leads back to it is a circle."""
        self.number[module] = self.lowest[module] = len(self.number)
        self.open.append(module)
        for target in sorted(self.edges.get(module, ())):
            if target not in self.number:
                self.visit(target)
            if target in self.open:
                self.lowest[module] = min(self.lowest[module], self.lowest[target])
        if self.lowest[module] == self.number[module]:
            start = self.open.index(module)
            self.circles.append(self.open[start:])
            del self.open[start:]


def _circles(imports: Sequence[Touch], modules: set[str]) -> list[str]:
    edges: dict[str, set[str]] = {}
    for touch in imports:
        target = _module_of(touch.name, modules)
        if target and target != touch.importer and touch.root == touch.importer.partition(".")[0]:
            edges.setdefault(touch.importer, set()).add(target)
    walk = _Walk(edges)
    for module in sorted(edges):
        if module not in walk.number:
            walk.visit(module)
    return [f"circle: {', '.join(sorted(ring))}" for ring in walk.circles if len(ring) > 1]


def _module_of(name: str, modules: set[str]) -> str | None:
    """The module of ours that holds a dotted name."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None
