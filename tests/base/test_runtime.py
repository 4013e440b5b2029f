"""python.runtime: which platform this is."""

from __future__ import annotations

from typing import Any

import pytest

from twistlike.python import runtime

twisted: Any = pytest.importorskip("twisted.python.runtime")


@pytest.mark.parametrize("names", [(), ("posix", "linux"), ("posix", "darwin"), ("nt", "win32")])
def test_the_same_answers_as_twisteds(names: tuple[str, ...]) -> None:
    """Each question gets Twisted's answer, about this platform and others."""
    ours, theirs = runtime.Platform(*names), twisted.Platform(*names)
    for question in ["isKnown", "getType", "isLinux", "isMacOSX", "isWindows"]:
        assert getattr(ours, question)() == getattr(theirs, question)(), question


def test_this_platform() -> None:
    """The module's own names say the same of this platform."""
    assert runtime.platformType == twisted.platformType
    assert runtime.platform.supportsThreads()
    assert abs(runtime.seconds() - twisted.seconds()) < 60
