"""The tables of docs/compatibility.md."""

from __future__ import annotations

from tests.porting.survey import BEGIN, DOCUMENT, END, PACKAGES, Use, render
from twistlike.overlay.lookup import State


def test_the_tables_count_packages_and_files() -> None:
    """A file is complete if each name that it counts on is there; a name counts once a package."""
    defer, agent, gone = "twisted.internet.defer", "twisted.web.client.Agent", "twisted.gone"
    text = render(
        {"one 1.0": 2, "two 2.0": 1},
        [
            Use("one 1.0", "a.py", defer, State.COVERED, False),
            Use("one 1.0", "a.py", agent, State.TWISTED, False),
            Use("one 1.0", "b.py", gone, State.MISSING, True),
            Use("two 2.0", "c.py", gone, State.MISSING, False),
            Use("two 2.0", "c.py", gone, State.MISSING, False),
        ],
    )
    assert "on 2 published packages, 3 files" in text
    assert "| one 1.0 | 2 | 1 | 2 | 1 | 1 | 1 |" in text
    assert "| two 2.0 | 1 | 0 | 0 | 0 | 0 | 1 |" in text
    assert "| `twisted.gone` | 1 | 2 |" in text
    assert "| `twisted.web.client` | 1 | 1 |" in text


def test_the_document_has_the_tables() -> None:
    """Each package of the survey is in the document, with a version."""
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition(BEGIN)[2].partition(END)[0]
    for package in PACKAGES.split():
        assert f"\n| {package} " in table, package
