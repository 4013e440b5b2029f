"""Runs the text of a test file by pytest, in a process of its own, with chosen plugins."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.oracle import ROOT

__all__ = ["OURS", "RunTests"]

OURS = "twistlike.pytest_plugin"
_USUAL = (OURS, "pytest_asyncio.plugin", "anyio.pytest_plugin")


class RunTests:
    """What a test calls with a file's text.

    Args:
        pytester: Of the test that asks.
        monkeypatch: Likewise: it sets the environment of the processes.
    """

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        # Only what a test asks for: 0.5 s.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def __call__(
        self, text: str, *arguments: str, ini: str = "", plugins: Sequence[str] = _USUAL
    ) -> pytest.RunResult:
        """Run a file.

        Args:
            text: The file's.
            arguments: Of the command line.
            ini: Lines of the ini file.
            plugins: The modules of those that are loaded, in this order.
        """
        if "pytest_asyncio.plugin" in plugins:
            ini += "\nasyncio_default_fixture_loop_scope = function"
        self.pytester.makeini(f"[pytest]\nfilterwarnings = error\n{ini}")
        self.pytester.makepyfile(text)
        chosen = [word for plugin in (*plugins, "no:cacheprovider") for word in ("-p", plugin)]
        return self.pytester.runpytest_subprocess(*chosen, *arguments, timeout=100)
