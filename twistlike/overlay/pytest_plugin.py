"""A pytest plugin that installs the overlay: `pytest -p twistlike.overlay.pytest_plugin`.

Given on the command line (or in `PYTEST_ADDOPTS`) it is loaded before the plugins that are found by
their entry points, such as pytest-twisted, and before any test: so nothing has imported Twisted.
Named in an ini file or a `conftest.py` it may come too late, and says so.
"""

from __future__ import annotations

from twistlike import overlay

__all__: list[str] = []

overlay.install()
