"""The house's rules, read from the source: arrows only downwards, decisions pure, one writer of a skill's state."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ("donna_skills", "lifecycle", "automations")
MAY_IMPORT = {
    "donna_skills": {"donna_skills"},
    "lifecycle": {"donna_skills", "lifecycle"},
    "automations": {"donna_skills", "lifecycle", "automations"},
}
TOP_LEVEL = {*HOUSE, "tests", "bench"}
LONGEST_MODULE = 400
ALSO_IN_DECISIONS = {"automations/decisions/schedule.py": {"croniter"}}
ADAPTER_NAMES = ("views", "api", "admin", "tasks", "forms")
ADAPTER_PATHS = ("views/", "api/", "api.py", "admin.py", "admin/", "tasks.py", "management/commands/", "templatetags/")
WRITES = {
    "save", "create", "update", "delete", "get_or_create", "update_or_create", "bulk_create", "bulk_update",
    "acreate", "aupdate", "adelete", "asave",
}  # fmt: skip
MANAGERS = {"objects", "_default_manager", "_base_manager"}
QUERIES = {"filter", "exclude", "all", "select_related", "prefetch_related", "order_by", "select_for_update", "using"}
# What fills a database for a purpose of its own, in the style of a migration, says so here and why.
MAY_WRITE: dict[str, str] = {}


@cache
def modules() -> tuple[Path, ...]:
    found = [path for package in HOUSE for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return tuple(sorted(found))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, inside functions too; `from a import b` gives a.b."""
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def of(folder: str) -> list[Path]:
    """The modules below `*/folder/`."""
    return [path for path in modules() if folder in path.relative_to(ROOT).parts[1:-1]]


def test_packages_import_only_downwards() -> None:
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in modules()
        for line, name in imports(path)
        if (top := name.split(".")[0]) in TOP_LEVEL and top not in MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    ]
    assert not wrong


def test_decisions_import_only_the_standard_library_and_their_siblings() -> None:
    wrong = []
    for path in of("decisions"):
        siblings = ".".join(path.relative_to(ROOT).parts[:2])
        also = ALSO_IN_DECISIONS.get(name_of(path), set())
        for line, name in imports(path):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names | also and not f"{name}.".startswith(f"{siblings}."):
                wrong.append(f"{name_of(path)}:{line} imports {name}")
    assert of("decisions")
    assert not wrong


def test_decisions_read_no_clock_and_no_chance() -> None:
    clocks = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
    wrong = []
    for path in of("decisions"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks:
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id in {"datetime", "date", "time"}:
                    wrong.append(f"{name_of(path)}:{node.lineno} reads the clock")
        wrong += [f"{name_of(path)}:{line} imports {name}" for line, name in imports(path) if name.startswith("random")]
    assert not wrong


def test_services_never_import_an_adapter() -> None:
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in [*of("services"), *(path for path in modules() if path.name == "services.py")]
        for line, name in imports(path)
        if name.split(".")[0] in HOUSE and set(name.split(".")[1:3]) & set(ADAPTER_NAMES)
    ]
    assert of("services")
    assert not wrong


def test_adapters_never_write_models() -> None:
    wrong = []
    for path in modules():
        inside = path.relative_to(ROOT / path.relative_to(ROOT).parts[0]).as_posix()
        if not any(inside.startswith(part) or f"/{part}" in f"/{inside}" for part in ADAPTER_PATHS):
            continue
        if name_of(path) in MAY_WRITE:
            continue
        wrong += [f"{name_of(path)}:{line} calls .{method}()" for line, method in _model_writes(tree(path))]
    assert not wrong


def test_only_transitions_write_the_state_of_a_skill() -> None:
    wrong = []
    for path in modules():
        if name_of(path) == "lifecycle/services/transitions.py":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(
                    isinstance(one, ast.Attribute) and one.attr == "state" and _is_skill(one.value) for one in targets
                ):
                    wrong.append(f"{name_of(path)}:{node.lineno} sets .state")
            elif isinstance(node, ast.Call) and _writes_a_state(node):
                wrong.append(f"{name_of(path)}:{node.lineno} writes state=")
    assert not wrong


def test_no_module_is_too_long() -> None:
    everything = [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in everything}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [name_of(path) for path in modules() if ast.get_docstring(tree(path)) is None and tree(path).body]
    assert silent == []


def test_no_two_shapes_of_the_api_share_a_name() -> None:
    """The OpenAPI description knows them by their names alone: of two, one would stand for both."""
    folders = [ROOT / "lifecycle/api", ROOT / "automations/api", *(ROOT / "donna_skills").glob("*/api.py")]
    files = [path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*.py"))]
    named = [node.name for path in files for node in tree(path).body if isinstance(node, ast.ClassDef)]
    assert sorted({name for name in named if named.count(name) > 1} - {"In"}) == []


def test_the_house_has_three_packages() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= TOP_LEVEL


def test_tests_replace_none_of_our_own_code_by_mocks() -> None:
    wrong = []
    for path in (ROOT / "tests").rglob("*.py"):
        wrong += [f"{name_of(path)}:{line}" for line, name in imports(path) if "mock" in name.split(".")]
    assert wrong == []


def test_browser_tests_wait_for_what_they_expect() -> None:
    """`assert page.….is_visible()` asks once, and a slow machine has not drawn it yet; `expect(…)` waits."""
    once = r"assert .*\.(is_(visible|hidden|enabled|disabled|checked)|inner_(text|html)|text_content|input_value)\("
    wrong = []
    for path in (ROOT / "tests" / "browser").rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        wrong += [f"{name_of(path)}:{number}" for number, line in enumerate(lines, 1) if re.search(once, line)]
    assert wrong == []


def test_every_directory_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a package index", r"(files\.pythonhosted|pypi)\.(org|python\.org)/|--(extra-)?index-url|--trusted-host"),
        ("a path of one machine", r"(?<![\w.])/(?:work|root|tmp|home/[a-z]+|opt|Users/[a-z]+)/[\w.]"),
        ("a private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|sk-ant-[\w-]{20}|\bsk-[A-Za-z0-9]{32}"),
    ],
)  # fmt: skip
def test_no_file_names(what: str, pattern: str) -> None:
    wanted = re.compile(pattern)
    found = []
    for path in _files_of_the_repository():
        if path == Path(__file__).resolve():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, IsADirectoryError, FileNotFoundError):
            continue
        found += [f"{name_of(path)}:{number}" for number, line in enumerate(lines, 1) if wanted.search(line)]
    assert found == []


def test_the_lock_pins_every_package_by_its_hashes() -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text(encoding="utf-8").strip())
    pinned = [block for block in blocks if not block.startswith("#")]
    assert len(pinned) > 40
    assert [block.splitlines()[0] for block in pinned if "==" not in block or "--hash=sha256:" not in block] == []


def _files_of_the_repository() -> list[Path]:
    """What git would commit; in an exported archive there is no git to ask, and nothing to read."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def _model_writes(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls that look like a write through the ORM: on a manager, on a queryset, or .save() and .delete() on a row."""
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES):
            continue
        owner = node.func.value
        if node.func.attr in {"save", "asave"} or _on_a_manager(owner):
            # super().save() of an admin or a form hands on to Django; models' own rows are ours.
            if not (isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"):
                yield node.lineno, node.func.attr
        elif node.func.attr in {"delete", "adelete"} and not node.args and not node.keywords:
            yield node.lineno, node.func.attr


def _on_a_manager(owner: ast.expr) -> bool:
    """`X.objects`, or a call of filter() and the like, on whatever it may be called."""
    if isinstance(owner, ast.Attribute):
        return owner.attr in MANAGERS
    return isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute) and owner.func.attr in QUERIES


def _writes_a_state(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in WRITES - {"create", "acreate"}:
        return False
    return any(keyword.arg == "state" for keyword in call.keywords) and _is_skill(call.func.value)


def _is_skill(owner: ast.expr) -> bool:
    """Whether an expression is about skills: `skill`, `Skill.objects.filter(…)`, `run.skill`."""
    words = {node.id for node in ast.walk(owner) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(owner) if isinstance(node, ast.Attribute)}
    return bool(words & {"skill", "Skill", "skills"})
