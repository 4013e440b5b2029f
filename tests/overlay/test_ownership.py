"""The table that says whose a name of Twisted is."""

from __future__ import annotations

import re
import textwrap

import pytest

from tests.oracle import ROOT, runPython
from tests.overlay.list_names import FILE
from twistlike.overlay.catalog import catalog
from twistlike.overlay.differences import DIFFERENCES, differenceOf
from twistlike.overlay.instead import INSTEAD, insteadOf
from twistlike.overlay.lookup import State, ownershipOf, splitName
from twistlike.overlay.ownership import OURS_OVER_TWISTED, PACKAGES, hasModule


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("twisted", State.COVERED),
        ("twisted.internet", State.COVERED),
        ("twisted.internet.defer", State.COVERED),
        ("twisted.internet.defer.gatherResults", State.COVERED),
        ("twisted.internet.defer.Deferred.addCallback", State.COVERED),
        ("twisted.internet.reactor", State.COVERED),
        ("twisted.internet.reactor.seconds", State.COVERED),
        ("twisted.internet.reactor.callLater", State.DIFFERS),
        ("twisted.internet.interfaces.IReactorTime", State.DIFFERS),
        ("twisted.web", State.TWISTED),
        ("twisted.web.client.Agent", State.TWISTED),
        ("twisted.trial.unittest.TestCase", State.TWISTED),
        ("twisted.__version__", State.TWISTED),
        ("twisted.internet.defer.nothing", State.MISSING),
        ("twisted.web.client.nothing", State.MISSING),
        ("twisted.nothing.at.all", State.MISSING),
        ("twisted.overlay", State.MISSING),
        ("twisted._reactor.reactor", State.MISSING),
        ("twisted.internet.reactor.nothing", State.MISSING),
    ],
)
def test_each_name_has_a_state(name: str, state: State) -> None:
    """What we have is ours, what only Twisted has is Twisted's, what neither has is not there."""
    assert ownershipOf(name).state is state


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("twisted.internet.defer.Deferred.addCallback.__doc__", "Deferred.addCallback"),
        ("twisted.internet.defer.Deferred.myOwn", "Deferred"),
        ("twisted.internet.defer.Deferred.__init__", "Deferred"),
        ("twisted.internet.defer.gatherResults.x.y", "gatherResults"),
    ],
)
def test_a_name_is_known_as_far_as_its_class(name: str, known: str) -> None:
    """Below a class's attribute are values, which nobody can know without a run."""
    assert ownershipOf(name).name == f"twisted.internet.defer.{known}"


def test_a_name_that_is_not_twisteds_is_refused() -> None:
    """The table answers for names below `twisted` alone."""
    with pytest.raises(ValueError, match="no name below 'twisted'"):
        splitName("twistedness.x")


def test_what_a_module_of_ours_lacks_is_not_there_even_with_twisted() -> None:
    """Where ours stands in for an installed Twisted's, that one's names are out of reach."""
    found = ownershipOf("twisted.internet.defer.cmp")
    assert found.state is State.MISSING
    assert found.how.startswith("Twisted has it; twistlike stands in for twisted.internet.defer")


def test_asking_attaches_no_reactor() -> None:
    """Names of the reactor are looked up in it, and no property of it is asked for its value."""
    program = """
        import asyncio
        from twistlike.internet import reactor
        from twistlike.overlay.lookup import ownershipOf
        async def main():
            for name in ("running", "threadpool", "resolver", "callLater", "nix"):
                ownershipOf(f"twisted.internet.reactor.{name}")
            print(reactor)
        asyncio.run(main())
    """
    transcript = runPython(["-W", "error", "-c", textwrap.dedent(program)])
    assert "not started" in transcript.stdout


def test_the_modules_that_stand_in_are_there() -> None:
    """Each module that is to be ours over an installed Twisted exists, here and in Twisted."""
    for short in OURS_OVER_TWISTED:
        assert hasModule(short), short
        assert catalog().hasModule(short), short


def test_what_serves_instead_is_that_of_the_nearest_part() -> None:
    """A name has its module's text, or its own."""
    assert insteadOf("web.client.Agent") == insteadOf("web")
    assert "Proactor" in insteadOf("internet.reactor.addEvent")
    assert "logging" in insteadOf("python.logfile")
    assert insteadOf("webby") == insteadOf("internet.reactor") == ""


def test_what_is_here_needs_nothing_instead() -> None:
    """A text about a module that we have by now is to be deleted; packages have others inside."""
    for short in INSTEAD:
        assert short in PACKAGES or not hasModule(short), short


def flat(text: str) -> str:
    """A text as one line."""
    return re.sub(r"\s+", " ", text)


def test_each_difference_quotes_the_document() -> None:
    """The table's texts are sentences of docs/differences.md, and each of its points is used."""
    document = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    points = [flat(each) for each in re.split(r"^(?:- |## .*)", document, flags=re.MULTILINE)[1:]]
    for names, text in DIFFERENCES:
        assert any(text in point for point in points), f"not in docs/differences.md: {text}"
        for name in names.split():
            assert ownershipOf(f"twisted.{name}").isOurs, f"twistlike does not have {name}"
    for point in filter(str.strip, points):
        quoted = any(text in point for _, text in DIFFERENCES)
        assert quoted, f"twistlike/overlay/differences.py names nothing for: {point}"


def test_several_differences_of_a_name_are_all_told() -> None:
    """A name that differs in two ways says both."""
    how = differenceOf("internet.reactor.run")
    assert "ReactorNotRestartable" in how
    assert "Ctrl-C" in how


def test_the_catalogue_is_that_of_the_installed_twisted() -> None:
    """If the Twisted that the file was listed from is installed, it lists nothing else."""
    program = """
        import twisted
        from tests.overlay.list_names import linesOf, moduleNames
        print(twisted.__version__)
        print(len(list(moduleNames(twisted))) + 1)
        for name in ["internet.defer", "internet.reactor", "python.failure", "web.client"]:
            print(*linesOf(f"twisted.{name}"), sep="\\n")
    """
    arguments = ["-W", "ignore", "-c", textwrap.dedent(program)]
    version, count, *lines = runPython(arguments, cwd=ROOT).stdout.splitlines()
    if version != catalog().version:
        pytest.skip(f"the list is of Twisted {catalog().version}")
    assert int(count) == len(catalog().modules())
    recorded = FILE.read_text(encoding="utf-8").splitlines()
    missing = [line for line in lines if line not in recorded]
    assert not missing, "python -m tests.overlay.list_names lists them anew"
