"""The documents: what they show runs, their links lead somewhere, the reference is complete."""

from __future__ import annotations

import importlib
import re
import shlex
import zlib
from functools import cache
from pathlib import Path
from types import FunctionType

import pytest

from tests.oracle import ROOT, runProgram, runPython
from tests.test_shape import FACE, MODULES, fullName, literalAll, modules, room, tree
from twistlike.overlay.instead import INSTEAD


def documents() -> list[Path]:
    """What the project tells its users."""
    pages = [each for each in (ROOT / "docs").rglob("*.md") if "TEMPLATE" not in each.name]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(pages)]


def snippets(language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language in all documents: where, and the text.

    A block after a line ``<!-- not run: why -->`` is left out.
    """
    pattern = rf"(?P<skip><!-- not run: .+ -->\n)?^```{language}\n(?P<text>.*?)^```$"
    found = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
            if not match["skip"]:
                line = text.count("\n", 0, match.start("text")) + 1
                found.append((f"{path.relative_to(ROOT)}:{line}", match["text"]))
    return found


def areTests(text: str) -> bool:
    """Whether a block is a file of tests."""
    return re.search(r"^(async )?def test_", text, re.MULTILINE) is not None


@pytest.mark.parametrize(
    ("where", "text"), [each for each in snippets("python") if not areTests(each[1])]
)
def test_the_python_in_the_documents_runs(where: str, text: str, tmp_path: Path) -> None:
    """Each block named python is a program that ends well; Twisted's run by the command line."""
    script = tmp_path / "snippet.py"
    script.write_text(text, encoding="utf-8")
    if re.search(r"^(from|import) twisted\b", text, re.MULTILINE):
        transcript = runPython(["-W", "error", "-m", "twistlike", "run", str(script)])
    else:
        transcript = runProgram(text, ["-W", "error"], script)
    assert (transcript.returncode, transcript.stderr) == (0, ""), where


@pytest.mark.parametrize(
    ("where", "text"), [each for each in snippets("python") if areTests(each[1])]
)
def test_the_tests_in_the_documents_pass(where: str, text: str, tmp_path: Path) -> None:
    """A block with tests at its top is run by pytest, with our plugin alone."""
    script = tmp_path / "test_snippet.py"
    script.write_text(text, encoding="utf-8")
    command = ["-m", "pytest", "-q", "-p", "twistlike.pytest_plugin", "-p", "no:cacheprovider"]
    transcript = runPython(
        ["-W", "error", *command, "--rootdir", str(tmp_path), str(script)],
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert (transcript.returncode, transcript.stderr) == (0, ""), where


@pytest.mark.parametrize(("where", "text"), snippets("text"))
def test_a_program_that_is_not_run_says_why(where: str, text: str) -> None:
    """Python in a block named text, which no test runs, has a reason in a comment above it."""
    assert not re.search(r"^(In \[\d+\]: )?(from \S+ import|import) ", text, re.MULTILINE), where


@pytest.mark.parametrize(("where", "text"), snippets("sh"))
def test_the_commands_in_the_documents_run(where: str, text: str) -> None:
    """Each line of a block named sh that runs this project succeeds.

    The lines that set up an environment are what brought this test here: they are not run again.
    """
    for line in text.splitlines():
        if "pip install" in line or line.startswith("#") or not line.strip():
            continue
        words = shlex.split(line, comments=True)
        assert words[0] == "python", f"{where}: {line}"
        transcript = runPython(words[1:], cwd=ROOT, timeout=100)
        assert transcript.returncode == 0, f"{where}: {line}\n{transcript.stderr}"


def test_the_readme_opens_with_the_two_commands() -> None:
    """The first sh block: one line that runs the main job, one that passes the tests."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert match
    job, tests = match[1].splitlines()
    assert job.endswith("-m twistlike run examples/threads_howto.py")
    command = re.search(r"-m pytest\b.*", tests)
    assert command
    for line in (job, tests):
        assert line.startswith("python3 -m venv ")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f'"$python" {command[0]} ' in script, "CI has another"


def test_the_first_program_of_the_readme_is_short() -> None:
    """The block that shows what this is has at most 20 lines."""
    where, text = snippets("python")[0]
    assert where.startswith("README.md:")
    assert len(text.splitlines()) <= 20


def test_the_links_in_the_documents_lead_somewhere() -> None:
    """Each relative link names a file of the project."""
    for path in documents():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_porting_page_names_what_serves_instead() -> None:
    """Its table "not offered" says what the errors of the overlay say, and leaves nothing out."""
    page = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`twisted\..*`) \| (.*) \|$", page, re.MULTILINE)
    table = {name: text for names, text in rows for name in re.findall(r"`twisted\.(.*?)`", names)}
    assert table == INSTEAD


@cache
def inventory(folder: Path) -> set[str]:
    """Build the site into a folder; return the Python names that its reference has."""
    transcript = runPython(
        # Without the members in each page's table of contents, which take a third of the time.
        ["-m", "sphinx", "-q", "-W", "-D", "toc_object_entries=0", "docs", str(folder)],
        cwd=ROOT,
        timeout=300,
    )
    assert (transcript.returncode, transcript.stderr) == (0, "")
    data = (folder / "objects.inv").read_bytes()
    text = zlib.decompress(data.split(b"\n", 4)[4]).decode()
    return {line.split()[0] for line in text.splitlines() if " py:" in line}


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_the_site_is_built_and_its_reference_is_complete(tmp_path: Path) -> None:
    """No warning; and each public class and function of the face has its entry."""
    pytest.importorskip("sphinx")
    found = inventory(tmp_path / "site")
    missing = []
    for module in MODULES:
        if room(module) not in FACE or modules()[module].name == "__init__.py":
            continue
        for name in literalAll(tree(module)) or []:
            value = getattr(importlib.import_module(fullName(module)), name)
            isHere = getattr(value, "__module__", None) == fullName(module)
            isShown = f"{fullName(module)}.{name}" in found
            if isinstance(value, type | FunctionType) and isHere and not isShown:
                missing.append(f"{module}.{name}")
    assert not missing


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if room(m) in FACE and modules()[m].name != "__init__.py"],
)
def test_each_module_of_the_face_has_a_page(module: str) -> None:
    """The reference has a page for each public module."""
    assert (ROOT / "docs" / "api" / f"{module}.md").exists()


def test_messages_point_to_places_that_exist() -> None:
    """The project has no public address yet: no message asks for an issue to be opened there."""
    for path in (ROOT / "twistlike").rglob("*.py"):
        assert not re.search(r"open an issue|file an issue", path.read_text(encoding="utf-8")), path
