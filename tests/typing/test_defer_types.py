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
_SAMPLES = _HERE / "defer_samples.py"
_REJECTED = _HERE / "defer_rejected.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _wrongLines() -> set[int]:
    lines = _REJECTED.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def test_mypy(tmp_path: Path) -> None:
    """mypy, strict."""
    pytest.importorskip("mypy")
    found = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--hide-error-context", "--no-pretty"),
            *("--follow-imports=silent", "--cache-dir", str(tmp_path)),
            *(str(_SAMPLES), str(_REJECTED)),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    errors = [line.split(":") for line in found.stdout.splitlines() if ": error:" in line]
    assert [line for line in errors if not line[0].endswith("defer_rejected.py")] == []
    assert {int(line[1]) for line in errors} == _wrongLines(), found.stdout


def test_pyright(tmp_path: Path) -> None:
    """pyright, with the project's settings."""
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent))
    if pyright is None:
        pytest.skip("pyright is not installed beside this Python")
    # A copy, since the settings exclude the original: it is not to be mended.
    rejected = shutil.copy(_REJECTED, tmp_path)
    found = subprocess.run(
        [*(pyright, "--outputjson", "--pythonpath", sys.executable), str(_SAMPLES), rejected],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    diagnostics = json.loads(found.stdout)["generalDiagnostics"]
    errors = [d for d in diagnostics if d["severity"] == "error"]
    assert [d for d in errors if not d["file"].endswith("defer_rejected.py")] == []
    assert {d["range"]["start"]["line"] + 1 for d in errors} == _wrongLines()
