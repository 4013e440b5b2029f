"""The overlay: what `import twisted...` gives while it is installed, and what it refuses.

Each rule is tried in a process of its own: an import system that was changed is not changed back.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.oracle import Transcript, runPython

INSTALL = "from twistlike import overlay\noverlay.install(useTwisted=False)\n"


def python(program: str) -> Transcript:
    """Run a program after the overlay was installed; it must succeed in silence."""
    transcript = runPython(["-W", "error", "-c", INSTALL + textwrap.dedent(program)])
    assert (transcript.returncode, transcript.stderr) == (0, ""), transcript.stderr
    return transcript


def failing(statement: str) -> tuple[str, str, str]:
    """Run a statement that raises ImportError: the error's class, message and `name`."""
    program = f"""
    try:
        {statement}
    except ImportError as error:
        print(type(error).__name__, error, error.name, sep="|")
    """
    kind, message, name = python(program).stdout.strip().split("|")
    return kind, message, name


def test_modules_are_the_same_objects() -> None:
    """A module is one object under both names, whichever was imported first."""
    python("""
        import twisted.internet.error
        import twistlike.internet.error
        assert twisted.internet.error is twistlike.internet.error
        import twistlike.python.failure
        from twisted.python import failure
        import twisted.python.failure as again
        assert failure is again is twistlike.python.failure
    """)


def test_a_module_that_replaces_itself_stays_replaced() -> None:
    """`twisted.internet.reactor` is the reactor, not a module, by each form of import."""
    python("""
        import twisted.internet.reactor as first
        from twisted.internet import reactor as second
        import twistlike.internet.reactor, sys
        import twisted.internet.reactor
        assert first is second is twistlike.internet.reactor is twisted.internet.reactor
        assert sys.modules["twisted.internet.reactor"] is first
        assert hasattr(first, "callFromThread"), first
    """)


def test_our_module_keeps_its_own_spec() -> None:
    """An import under Twisted's name changes nothing in the module: reload and pickle work."""
    python("""
        import importlib, pickle
        from twisted.internet import error
        assert error.__name__ == error.__spec__.name == "twistlike.internet.error"
        assert importlib.reload(error) is error
        import twisted.internet.error
        assert twisted.internet.error is error
        ours = pickle.dumps(error.ReactorNotRunning())
        assert type(pickle.loads(ours)) is error.ReactorNotRunning
        theirs = b"ctwisted.internet.error\\nReactorNotRunning\\n."
        assert pickle.loads(theirs) is error.ReactorNotRunning
    """)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("import twisted.web", "twisted.web"),
        ("from twisted import web", "twisted.web"),
        ("import twisted.web.client", "twisted.web"),
        ("from twisted.web.client import Agent", "twisted.web"),
        ("import twisted.internet.foo", "twisted.internet.foo"),
        ("from twisted.internet import foo", "twisted.internet.foo"),
        ("from twisted.internet.foo import bar", "twisted.internet.foo"),
        ("import importlib; importlib.import_module('twisted.web')", "twisted.web"),
    ],
)
def test_a_module_that_we_lack_is_an_error_that_says_what_to_do(statement: str, name: str) -> None:
    """The ImportError names the module in Twisted's terms, and the ways out."""
    kind, message, missing = failing(statement)
    assert missing == name
    assert f"'{name}'" in message or f"'{name.rpartition('.')[0]}'" in message
    assert "twistlike" in message
    assert kind in ("ModuleNotFoundError", "ImportError")


def test_the_nearest_thing_is_named() -> None:
    """The error says what serves instead, or which of our modules may have been meant."""
    assert "aiohttp or httpx" in failing("import twisted.web")[1]
    assert "asyncioreactor" in failing("from twisted.internet import epollreactor")[1]
    assert "Did you mean 'error'?" in failing("import twisted.internet.eror")[1]


@pytest.mark.parametrize("module", ["internet.defer", "internet.threads", "internet.error"])
def test_a_name_that_we_lack_is_an_error(module: str) -> None:
    """`from twisted.internet.defer import Foo` fails at once, and says what is missing."""
    kind, message, _ = failing(f"from twisted.{module} import Foo")
    assert kind == "ImportError"
    assert "cannot import name 'Foo'" in message


def test_what_serves_instead_of_a_name_is_named() -> None:
    """A name that a module of ours lacks: what serves instead, where it is, what may be meant."""
    message = failing("from twisted.internet.defer import waitForDeferred")[1]
    assert "'twisted.internet.defer'" in message and "Instead: inlineCallbacks." in message
    message = failing("from twisted.internet.threads import Deferred")[1]
    assert message.endswith("It is in twisted.internet.defer.")
    message = failing("from twisted.internet.task import LoopingCal")[1]
    assert message.endswith("Did you mean 'LoopingCall'?")
    message = failing("from twisted.internet.interfaces import IResolver")[1]
    assert message.endswith("To use Twisted's, run the program on Twisted itself")


def test_our_own_modules_are_not_twisteds() -> None:
    """`twisted.overlay` does not exist: programs that import it would not run on Twisted."""
    kind, message, _ = failing("import twisted.overlay")
    assert kind == "ModuleNotFoundError"
    assert "import twistlike.overlay" in message


def test_asking_for_a_module_does_not_raise() -> None:
    """`importlib.util.find_spec` answers None for what we lack, and imports nothing else."""
    python("""
        import sys
        from importlib.util import find_spec
        assert find_spec("twisted.web") is None
        assert find_spec("twistlike.web") is None
        spec = find_spec("twisted.internet.error")
        assert spec.origin.endswith("error.py"), spec
        assert spec.submodule_search_locations is None
        assert list(find_spec("twisted.python").submodule_search_locations)[0].endswith("python")
        assert not {"twistlike.internet.error", "twistlike.python"} & set(sys.modules)
    """)


def test_the_version_is_that_of_the_twisted_whose_api_is_offered() -> None:
    """Programs ask for `twisted.__version__`, `version` and `copyright`; ours is another number."""
    python("""
        import twisted, twistlike
        from twisted import copyright, version
        from twisted.internet import defer
        from twistlike.overlay.catalog import catalog
        assert twisted.__version__ == copyright.version == catalog().version
        assert (version.package, version.base()) == ("Twisted", catalog().version)
        assert version > (22, 4, 0) and twistlike.__version__ in copyright.longversion
        assert twisted.internet is twistlike.internet
        from twisted.python.failure import Failure
        failure = Failure(defer.CancelledError())
        assert failure.check("twisted.internet.defer.CancelledError")
        assert not failure.check("twisted.internet.defer.TimeoutError")
    """)


def test_packages_can_be_walked() -> None:
    """`pkgutil` lists our modules under Twisted's names."""
    python("""
        import pkgutil, twisted.internet
        found = pkgutil.iter_modules(twisted.internet.__path__, "twisted.internet.")
        assert "twisted.internet.error" in {module.name for module in found}
    """)


def test_ours_wins_over_an_installed_twisted_until_uninstalled() -> None:
    """While it is installed Twisted is out of reach; afterwards it is imported as ever."""
    python("""
        import sys
        import twisted.internet.error as ours
        overlay.uninstall()
        overlay.uninstall()
        assert not [name for name in sys.modules if name.startswith("twisted")]
        import twisted.internet.error as theirs
        assert theirs is not ours and theirs.__spec__.name == "twisted.internet.error"
        assert sys.modules["twistlike.internet.error"] is ours
    """)


def test_installing_twice_is_installing_once() -> None:
    """It is idempotent, and uninstalling once undoes it."""
    python("""
        import sys
        before = list(sys.meta_path)
        overlay.install()
        assert sys.meta_path == before
        overlay.uninstall()
        assert sys.meta_path == before[1:]
    """)


def test_an_imported_twisted_is_refused() -> None:
    """Where the real Twisted is imported already, installing says so and changes nothing."""
    python("""
        import sys
        overlay.uninstall()
        import twisted.internet.error
        before = list(sys.meta_path)
        try:
            overlay.install()
        except RuntimeError as error:
            assert "already imported (twisted, twisted." in str(error), error
            assert "before anything imports twisted" in str(error), error
        else:
            raise AssertionError("not refused")
        assert sys.meta_path == before
    """)


def test_threads_that_import_at_once_get_the_same_objects() -> None:
    """The first imports may come from several threads, by both names."""
    python("""
        import importlib, threading
        names = ["twisted.internet.error", "twistlike.internet.error", "twisted.python.failure"]
        gate, found = threading.Barrier(12), []
        def load(name):
            gate.wait()
            found.append(importlib.import_module(name).__name__)
        threads = [threading.Thread(target=load, args=(names[i % 3],)) for i in range(12)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert sorted(found) == ["twistlike.internet.error"] * 8 + ["twistlike.python.failure"] * 4
    """)


def test_an_import_that_fails_inside_our_module_is_shown_as_it_is(tmp_path: Path) -> None:
    """An error within one of our modules is not taken for a missing module."""
    (tmp_path / "broken.py").write_text("import nosuchthing", encoding="utf-8")
    python(f"""
        import twistlike.internet
        twistlike.internet.__path__.append({str(tmp_path)!r})
        try:
            from twisted.internet import broken
        except ImportError as error:
            assert error.name == "nosuchthing", error
        else:
            raise AssertionError("imported")
    """)


def ported(statement: str) -> tuple[str, str, str]:
    """Run a statement that fails, with no overlay: the error's class, message and `name`."""
    program = f"""
    import sys, twistlike
    assert "twistlike.overlay" not in sys.modules
    try:
        {statement}
    except (ImportError, AttributeError) as error:
        print(type(error).__name__, error, error.name, sep="|")
    """
    transcript = runPython(["-W", "error", "-c", textwrap.dedent(program)])
    assert (transcript.returncode, transcript.stderr) == (0, ""), transcript.stderr
    kind, message, name = transcript.stdout.strip().split("|")
    return kind, message, name


@pytest.mark.parametrize(
    ("statement", "kind", "name", "instead"),
    [
        ("from twistlike.web.client import Agent", "ModuleNotFoundError", "web", "aiohttp"),
        ("import twistlike.web", "ModuleNotFoundError", "web", "aiohttp"),
        ("from twistlike import web", "ImportError", "web", "aiohttp"),
        ("import twistlike.python.logfile", "ModuleNotFoundError", "python.logfile", "logging"),
        ("from twistlike.python import logfile", "ImportError", "python.logfile", "logging"),
        ("import twistlike.internet.eror", "ModuleNotFoundError", "internet.eror", "'error'?"),
    ],
)
def test_a_ported_import_that_fails_says_what_serves_instead(
    statement: str, kind: str, name: str, instead: str
) -> None:
    """Without the overlay the error speaks of twistlike's names, and guesses only misspellings."""
    found = ported(statement)
    assert (found[0], found[2]) == (kind, f"twistlike.{name}")
    assert f"has no module 'twistlike.{name}'" in found[1]
    assert instead in found[1]
    assert ("Did you mean" in found[1]) == ("'error'" in found[1])


@pytest.mark.parametrize(
    ("statement", "ends"),
    [
        ("from twistlike.internet.defer import waitForDeferred", "Instead: inlineCallbacks."),
        ("from twistlike.internet.threads import Deferred", "It is in twistlike.internet.defer."),
        ("from twistlike.internet.defer import defered", "Did you mean 'Deferred'?"),
        ("from twistlike.logger import Loger", "Did you mean 'Logger'?"),
        ("from twistlike.internet.task import zzz", "twistlike VERSION does not have it."),
        ("from twistlike.internet.interfaces import IResolver", "on Twisted's reactor"),
        ("from twistlike import deferToThread", "It is in twistlike.internet.threads."),
        ("from twistlike.internet import Deferred", "It is in twistlike.internet.defer."),
        ("from twistlike import reactor", "Write: from twistlike.internet import reactor"),
        (
            "from twistlike.internet.threads import reactor",
            "Write: from twistlike.internet import reactor",
        ),
    ],
)
def test_a_ported_name_that_is_missing_says_what_to_write(statement: str, ends: str) -> None:
    """`from twistlike.X import name`: what serves instead, where it is, or what may be meant."""
    from twistlike import __version__

    kind, message, name = ported(statement)
    package, _, missing = statement.removeprefix("from ").partition(" import ")
    assert (kind, name) == ("ImportError", f"{package}.{missing}")
    assert message.endswith(ends.replace("VERSION", __version__)), message


def test_a_missing_attribute_of_a_ported_module() -> None:
    """Modules of the face stay modules: `hasattr` says no, a star imports what is offered."""
    program = """
    from twistlike.internet import defer
    from twistlike.internet.defer import *
    assert not hasattr(defer, "waitForDeferred") and DeferredQueue is defer.DeferredQueue
    try:
        defer.gatherResult
    except AttributeError as error:
        assert error.name == "gatherResult" and error.obj is defer
    """
    transcript = runPython(["-W", "error", "-c", textwrap.dedent(program)])
    assert (transcript.returncode, transcript.stderr) == (0, "")


def test_a_ported_module_can_be_asked_for() -> None:
    """`find_spec` of what is not here answers None, without the overlay as well."""
    program = "from importlib.util import find_spec; print(find_spec('twistlike.web'))"
    assert runPython(["-W", "error", "-c", program]).stdout == "None\n"


def test_reloading_the_package_leaves_one_finder() -> None:
    """`importlib.reload(twistlike)` does not add to `sys.meta_path` again."""
    program = "import importlib, sys, twistlike\nbefore = len(sys.meta_path)\n"
    program += "importlib.reload(twistlike)\nprint(len(sys.meta_path) - before)"
    assert runPython(["-W", "error", "-c", program]).stdout == "0\n"
