"""Holds the import arrows of docs/architecture.md, read from source text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOTS = {"lua2py": "transpiler", "msys": "runtime", "moonpost": "server"}

# who -> what of ours it may import, as prefixes
ALLOWED = {
    "msys": ("msys",),
    "lua2py": ("lua2py", "msys.catalog"),
    "moonpost": ("moonpost", "msys"),
    "moonpost.policy": ("moonpost", "msys", "lua2py"),
    "moonpost.coverage_plugin": ("moonpost", "msys", "lua2py"),
    "moonpost.cli": ("moonpost", "msys", "lua2py"),
    "moonpost.importing": ("moonpost", "msys", "lua2py"),
    "moonpost.sim": ("moonpost", "msys", "lua2py"),
    "samples": ("msys",),
}
PURE = (
    "lua2py",
    "moonpost.phases",
    "moonpost.queue.schedule",
    "moonpost.outbound.auth",
    "moonpost.outbound.conversation",
    "moonpost.outbound.dane",
    "moonpost.outbound.mta_sts",
    "moonpost.outbound.opening",
    "moonpost.outbound.push",
    "moonpost.outbound.security",
    "moonpost.outbound.xclient",
    "moonpost.spool.record",
)
IMPURE_MODULES = {"asyncio", "socket", "ssl", "time", "threading"}


def modules() -> list[tuple[str, Path]]:
    found = []
    for package, root in ROOTS.items():
        for path in sorted((ROOT / root / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT / root).with_suffix("").parts)
            found.append((name.removesuffix(".__init__"), path))
    found += [("samples", path) for path in sorted((ROOT / "samples").rglob("*.py"))]
    return found


def imports(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module))
    return found


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize(
    ("name", "path"), modules(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_imports_follow_the_arrows(name: str, path: Path) -> None:
    allowed = ALLOWED[max((key for key in ALLOWED if under(name, key)), key=len)]
    for line, module in imports(path):
        first = module.split(".")[0]
        where = f"{path.relative_to(ROOT)}:{line}: imports {module}"
        assert first not in ROOTS.values(), f"{where}: import the package, not its source root"
        assert first != "tests", where
        if first in ROOTS:
            assert any(under(module, prefix) for prefix in allowed), (
                f"{where}: {name} may import {allowed}"
            )
            if ".testing" in module:
                assert ".testing" in name or name.startswith("moonpost.sim"), (
                    f"{where}: testing packages are for tests and sim"
                )
        if any(under(name, prefix) for prefix in PURE):
            assert module.split(".")[0] not in IMPURE_MODULES, (
                f"{where}: {name} takes bytes and time as arguments"
            )


@pytest.mark.parametrize("root", sorted(set(ROOTS.values())))
def test_a_source_root_holds_its_package_and_a_readme(root: str) -> None:
    package = next(name for name, folder in ROOTS.items() if folder == root)
    found = {path.name for path in (ROOT / root).iterdir() if path.name != "__pycache__"}
    assert found == {package, "README.md"}
