"""The public API as text: `python -m tests.unit.booking_core.public_api` writes `public_api.txt` anew.

What is public is in docs/versioning.md: the names in `__all__` of the modules below, with the signatures, fields,
values and base classes that their users can come to depend on. It is read from the sources, as they are written.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

MODULES: Final = ("booking_core", "booking_core.ports", "booking_core.contracts", "booking_workers")
# Adapters have no `__all__`: what users of the library name is a class or two of each.
ADAPTERS: Final = {
    "booking_postgres.driver.pool": ("create_pool",),
    "booking_postgres.store": ("PostgresStore", "JoinedStore"),
    "booking_memory.store": ("MemoryStore",),
    "booking_memory.bus": ("MemoryEventBus",),
}
SNAPSHOT: Final = Path(__file__).with_name("public_api.txt")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_CHECKS: Final = ("validator", "converter", "repr")
_PROTOCOLS_OF_PYTHON: Final = ("__init__", "__enter__", "__exit__", "__call__")


def snapshot() -> str:
    """All of it, module by module; each name once, where it is first made public."""
    written: set[str] = set()
    lines: list[str] = []
    for module, names in {**dict.fromkeys(MODULES), **ADAPTERS}.items():
        lines += [f"## {module}", ""]
        for name in sorted(names or import_module(module).__all__):
            lines += [*_told(module, name, written), ""]
    return "\n".join(lines)


def _told(module: str, name: str, written: set[str]) -> Iterator[str]:
    home, node = _definition(module, name)
    key = f"{home}.{name}"
    if key in written:
        yield f"{name} (above)"
        return
    written.add(key)
    yield from _lines(node)
    if isinstance(node, ast.ClassDef):
        for base in node.bases:
            # What a public class inherits from a class that is not public is public all the same.
            inner = ast.unparse(base)
            if inner.isidentifier() and _is_ours_and_hidden(home, inner):
                yield from (f"    {line}" for line in _told(home, inner, written))


def _definition(module: str, name: str) -> tuple[str, ast.stmt]:
    """The statement that defines the name, and the module that it stands in, through all re-exports."""
    for node in _statements(module):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(node.module, alias.name)
    raise LookupError(f"{module} says nothing of {name}")


def _is_ours_and_hidden(module: str, name: str) -> bool:
    if any(name in import_module(each).__all__ for each in MODULES):
        return False
    try:
        return _definition(module, name)[0].startswith("booking_")
    except (LookupError, OSError, TypeError):
        return False  # a class of Python's own


def _lines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _Function):
        yield _signature(node)
    elif isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, [*node.bases, *(each.value for each in node.keywords)]))
        made_by = " ".join(f"@{ast.unparse(each)}" for each in node.decorator_list)
        yield f"{made_by} class {node.name}({bases})".strip().replace("()", "" if not bases else "()")
        for member in node.body:
            yield from (f"    {line}" for line in _member(member))
    elif isinstance(node, ast.AnnAssign):
        yield f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
    else:
        yield ast.unparse(node)


def _member(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _Function) and (not node.name.startswith("_") or node.name in _PROTOCOLS_OF_PYTHON):
        for decorator in node.decorator_list:
            yield f"@{ast.unparse(decorator)}"
        yield _signature(node)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and _is_promised(_targets(node)[0]):
        yield ast.unparse(_without_checks(node))


def _is_promised(name: str) -> bool:
    """Private names are not, and neither are the sentences that errors say to people."""
    return not name.startswith("_") and name != "message"


def _without_checks(node: ast.Assign | ast.AnnAssign) -> ast.stmt:
    """How attrs checks and converts a field is none of its signature."""
    if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "field":
        node.value.keywords = [
            each for each in node.value.keywords if each.arg not in ("validator", "converter", "repr")
        ]
        if not node.value.keywords:
            node.value = None if isinstance(node, ast.AnnAssign) else node.value
    return node


def _signature(node: _Function) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return f"{prefix}{node.name}({ast.unparse(node.args)}){returns}"


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _statements(module: str) -> Iterator[ast.stmt]:
    """At the top of the module, and in its `if TYPE_CHECKING`: what is imported when it is first used."""
    for node in _tree(module).body:
        yield from node.body if isinstance(node, ast.If) else [node]


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(import_module(module)))


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(), encoding="utf-8")
