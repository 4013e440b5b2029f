"""Type checkers accept the samples and reject each wrong line, with the project's settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("what", ["defer", "threads"]),
]


def _wrongLines(rejected: Path) -> set[int]:
    lines = rejected.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def test_mypy(what: str, tmp_path: Path) -> None:
    """mypy, strict."""
    samples, rejected = _HERE / f"{what}_samples.py", _HERE / f"{what}_rejected.py"
    pytest.importorskip("mypy")
    found = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--hide-error-context", "--no-pretty"),
            *("--follow-imports=silent", "--cache-dir", str(tmp_path)),
            *(str(samples), str(rejected)),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    errors = [line.split(":") for line in found.stdout.splitlines() if ": error:" in line]
    assert [line for line in errors if not line[0].endswith("_rejected.py")] == []
    assert {int(line[1]) for line in errors} == _wrongLines(rejected), found.stdout


def test_pyright(what: str, tmp_path: Path) -> None:
    """pyright, with the project's settings."""
    samples, rejected = _HERE / f"{what}_samples.py", _HERE / f"{what}_rejected.py"
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent))
    if pyright is None:
        pytest.skip("pyright is not installed beside this Python")
    # A copy, since the settings exclude the original: it is not to be mended.
    copied = shutil.copy(rejected, tmp_path)
    found = subprocess.run(
        [*(pyright, "--outputjson", "--pythonpath", sys.executable), str(samples), str(copied)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    diagnostics = json.loads(found.stdout)["generalDiagnostics"]
    errors = [d for d in diagnostics if d["severity"] == "error"]
    assert [d for d in errors if not d["file"].endswith("_rejected.py")] == []
    assert {d["range"]["start"]["line"] + 1 for d in errors} == _wrongLines(rejected)
