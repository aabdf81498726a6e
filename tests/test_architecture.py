"""House rules that a machine can check; the layers are in pyproject.toml (`make check`)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parents[1] / "app"
TEMPLATES = APP / "templates"
# a mail and a printed sheet are files that need no other: their styles are within
STYLED_WITHIN = {"sheets"}


def modules() -> Iterator[Path]:
    """Yield the portal's modules."""
    yield from sorted(APP.rglob("*.py"))


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of every call."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def places(pattern: str, *, but: set[str]) -> list[str]:
    """Return where a call is made, outside the modules that may."""
    return [
        f"{path.relative_to(APP)}:{line} {name}"
        for path in modules()
        if path.relative_to(APP).as_posix() not in but
        for line, name in calls(path)
        if re.search(pattern, name)
    ]


def test_only_the_transaction_commits() -> None:
    assert places(r"\.commit$", but={"transaction.py"}) == []


def test_only_the_clock_reads_the_wall_clock() -> None:
    wall = r"^(datetime(\.datetime)?\.(now|utcnow|today)|date\.today|time\.time|time)$"
    assert places(wall, but={"clock.py"}) == []


def test_no_savepoint_is_opened() -> None:
    # SQLite keeps the row when a savepoint is rolled back
    assert places(r"\.begin_nested$", but=set()) == []


def test_no_exception_is_caught_and_forgotten() -> None:
    forgotten = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.ExceptHandler)
                and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
                and all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
            ):
                forgotten.append(f"{path.relative_to(APP)}:{node.lineno}")
    assert forgotten == []


def test_nothing_is_called_utils() -> None:
    assert [path for path in modules() if re.search("util|helper|misc", path.stem)] == []


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(TEMPLATES.rglob("*.html")) if path.parent.name not in STYLED_WITHIN],
    ids=lambda path: path.relative_to(TEMPLATES).as_posix(),
)
def test_a_page_has_no_inline_style_or_script(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", text)


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(APP)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_a_day_is_written_by_the_filters_alone() -> None:
    # one way to write it in the whole portal: `| day`, `| time`; what is no day may differ
    own = re.compile(r"%Y[/-]%m[/-]%d|%d %B|%H:%M")
    places = [
        f"{path.relative_to(APP)}:{number}"
        for folder in (TEMPLATES, APP / "mailing" / "templates")
        for path in sorted(folder.rglob("*.*"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        # the value of a field, as browsers ask for it
        if own.search(line) and "set form =" not in line
    ]
    assert places == []
