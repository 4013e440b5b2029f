"""Type checkers accept the samples, whose wrong lines are marked where they stand."""

from __future__ import annotations

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
    pytest.mark.parametrize("samples", ["network_samples.py", "threads_samples.py"]),
]


def test_mypy(tmp_path: Path, samples: str) -> None:
    """mypy, strict: it also complains about a mark that is not needed."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path)]
    command.append(str(_HERE / samples))
    found = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_pyright(samples: str) -> None:
    """pyright, with the project's settings."""
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent))
    if pyright is None:
        pytest.skip("pyright is not installed beside this Python")
    found = subprocess.run(
        [pyright, str(_HERE / samples)], cwd=_ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout
