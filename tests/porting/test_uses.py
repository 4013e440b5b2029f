"""What counts as a use of Twisted, and as whose."""

from __future__ import annotations

import textwrap

import pytest

from twistlike.porting.checking import parse
from twistlike.porting.uses import Kind, Use, usesOf


def uses(source: str) -> list[Use]:
    """The uses of a program, which may be indented as a whole, in the order of the text."""
    found = usesOf(parse(textwrap.dedent(source).encode()))
    return sorted(found, key=lambda each: (each.node.lineno, each.node.col_offset, each.name))


def names(source: str) -> list[str]:
    """The names that a program uses, without `twisted.`."""
    return [each.name.removeprefix("twisted.") for each in uses(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import twisted", ["twisted"]),
        ("import twisted.web.client, os, twisted.python as p", ["web.client", "python"]),
        ("from twisted import web", ["web"]),
        ("from twisted.internet.defer import Deferred as D, fail", ["D", "fail"]),
        ("from twisted.internet.defer import *", ["internet.defer"]),
        ("from . import twisted\ntwisted.web.client", []),
        ("from .twisted import web", []),
        ("import twistedness", []),
        ("import other; other.twisted.web", []),
    ],
)
def test_imports(source: str, expected: list[str]) -> None:
    """Each name that is imported is a use; relative imports and other packages are none."""
    full = {"D": "internet.defer.Deferred", "fail": "internet.defer.fail"}
    assert names(source) == [full.get(each, each) for each in expected]


@pytest.mark.parametrize(
    "source",
    [
        "import twisted.internet.defer\ntwisted.internet.defer.fail",
        "import twisted.internet.defer as d\nd.fail",
        "from twisted.internet import defer\ndefer.fail",
        "from twisted.internet import defer\ndef f():\n    return [defer.fail for x in y]",
        "from twisted.internet import defer\nclass A:\n    x = defer.fail",
        "from twisted.internet import defer as a\nb = a\nc = b\nc.fail",
        "def f():\n    from twisted.internet import defer\n    def g(): return defer.fail",
        "def f():\n    global d\n    from twisted.internet import defer as d\ndef g(): d.fail",
        (
            "try:\n    from twisted.internet import defer\nexcept ImportError:\n    defer = None\n"
            "defer.fail"
        ),
        "import importlib\nd = importlib.import_module('twisted.internet.defer')\nd.fail",
        "from twisted.internet import defer\n(d := defer).fail",
        "from twisted.internet import defer\na, b = 1, defer\nb.fail",
        "from twisted.internet import defer\n(defer if x else None).fail",
        "from twisted.internet import defer\n@defer.fail\ndef f(): pass",
        "from twisted.internet import defer\ndef f(x: defer.fail = 1): pass",
        "from twisted.internet.defer import *\nfail",
    ],
)
def test_dotted_uses_are_followed_through_scopes_and_aliases(source: str) -> None:
    """A name is Twisted's whatever it was bound by, in the scope that it belongs to."""
    assert "internet.defer.fail" in names(source)


@pytest.mark.parametrize(
    "source",
    [
        "from twisted.internet import defer\ndef f(defer): defer.fail",
        "from twisted.internet import defer\n[defer.fail for defer in x]",
        "class A:\n    from twisted.internet import defer\n    def f(self): defer.fail",
        "def f():\n    from twisted.internet import defer\ndefer.fail",
        "x = x\nx.fail",
        "from twisted.internet import defer\nd = defer.Deferred()\nd.fail",
        "from twisted.internet.defer import *\nfail = 1\nfail",
    ],
)
def test_names_that_something_else_binds_are_not_twisteds(source: str) -> None:
    """A parameter, another scope's name, a name bound to itself, a call's result are unknown."""
    assert "internet.defer.fail" not in names(source)


@pytest.mark.parametrize(
    ("source", "isGuess"),
    [
        ("from twisted.internet import reactor\nreactor.listenTCP()", False),
        ("def f():\n    from twisted.internet import reactor as r\n    r.listenTCP()", False),
        ("from twisted.internet import reactor\nr = reactor\nr.listenTCP", False),
        ("from twisted.internet import reactor\ngetattr(reactor, 'listenTCP')", False),
        ("from twisted.internet import reactor\nm.setattr(reactor, 'listenTCP', x)", False),
        ("import twisted.internet\ntwisted.internet.reactor.listenTCP", False),
        (
            (
                "from twisted.internet.asyncioreactor import AsyncioSelectorReactor\n"
                "r = AsyncioSelectorReactor()\nr.listenTCP()"
            ),
            False,
        ),
        ("def f(reactor): reactor.listenTCP()", True),
        ("def f(clock: IReactorTCP): clock.listenTCP()", True),
        ("def f(clock: 'interfaces.IReactorTCP'): clock.listenTCP()", True),
        ("class A:\n    def f(self): self._reactor.listenTCP()", True),
        (
            (
                "from twisted.internet import reactor\nclass A:\n"
                "    def __init__(self): self.clock = reactor\n"
                "    def f(self): self.clock.listenTCP()"
            ),
            True,
        ),
        ("from twisted.internet import reactor\ndef f(r=reactor): r.listenTCP()", False),
    ],
)
def test_methods_of_the_reactor_are_uses(source: str, isGuess: bool) -> None:
    """The reactor is known by its import, its aliases, its class; or guessed by its name."""
    [use] = [each for each in uses(source) if each.name == "twisted.internet.reactor.listenTCP"]
    assert use.isGuess == isGuess


@pytest.mark.parametrize(
    "source",
    [
        "def f(reactor): reactor.mine()",
        "from twisted.internet import reactor\nreactor.mine = 1\nreactor.mine",
        "from twisted.internet import reactor\nreactor.__class__",
        "def f(reactor): reactor",
    ],
)
def test_what_no_reactor_has_is_not_told_of_guesses(source: str) -> None:
    """What a program puts onto the reactor itself, or is only guessed to be on one, is its own."""
    assert [each for each in names(source) if each.startswith("internet.reactor.")] == []


def test_a_misspelt_method_of_the_reactor_is_told() -> None:
    """On the reactor itself a name that nobody has is a use."""
    assert "internet.reactor.callLatter" in names(
        "from twisted.internet import reactor\nreactor.callLatter(1, f)"
    )


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("namedAny('twisted.internet.defer.fail')", Kind.STRING),
        ("mock.patch('twisted.internet.defer.fail', x)", Kind.STRING),
        ("monkeypatch.setattr('twisted.internet.defer.fail', x)", Kind.STRING),
        ("sys.modules['twisted.internet.defer.fail']", Kind.STRING),
        ("'twisted.internet.defer.fail' in sys.modules", Kind.STRING),
        ("REACTOR = 'twisted.internet.defer.fail'", Kind.MENTION),
    ],
)
def test_names_in_strings_are_uses(source: str, kind: Kind) -> None:
    """A string that names something is a use; what it is given to says how sure that is."""
    [use] = uses(source)
    assert (use.name, use.kind) == ("twisted.internet.defer.fail", kind)


@pytest.mark.parametrize(
    "source",
    [
        "logging.getLogger('twisted.internet.defer')",
        "'twisted.internet.nothing.x'",
        "'twisted is fun'",
        "'twisted.'",
        "f'twisted.internet.{x}'",
        "b'twisted.internet.defer'",
    ],
)
def test_other_strings_are_none(source: str) -> None:
    """A logger's name, prose, and what nobody has are no names of modules."""
    assert uses(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import twisted.web\nexcept ImportError:\n    pass",
        "try:\n    import twisted.web\nexcept:\n    pass",
        "with contextlib.suppress(ImportError):\n    import twisted.web",
        "if TYPE_CHECKING:\n    import twisted.web",
        "if typing.TYPE_CHECKING:\n    import twisted.web",
        "pytest.importorskip('twisted.web')",
        "hasattr(reactor, 'x')\nfind_spec('twisted.web')",
    ],
)
def test_what_a_program_can_do_without_is_optional(source: str) -> None:
    """An import that may fail, or that only type checkers see, is marked."""
    assert all(each.isOptional for each in uses(source))
    assert uses(source)


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    pass\nexcept ImportError:\n    import twisted.web",
        "try:\n    import twisted.web\nexcept ValueError:\n    pass",
        "if not TYPE_CHECKING:\n    pass\nelse:\n    import twisted.web",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import twisted.web",
    ],
)
def test_what_a_program_falls_back_on_is_not_optional(source: str) -> None:
    """The other branch of a try or a TYPE_CHECKING counts."""
    assert [each.isOptional for each in uses(source)] == [False]


def test_a_ported_program_is_read_in_twisteds_terms() -> None:
    """`twistlike.x` counts as `twisted.x`, and what only Twisted has is not there by it."""
    found = uses("""
        from twistlike.internet import reactor, defer
        import twistlike.web.client
        from twistlike import overlay
        reactor.listenTCP()
    """)
    assert [each.name.removeprefix("twisted.") for each in found] == [
        "internet.reactor",
        "internet.defer",
        "web.client",
        "internet.reactor.listenTCP",
    ]
    assert found[2].ownership.state.value == "not there"


def test_nesting_ends_nothing() -> None:
    """Source that nests deeper than Python's own recursion limit is read all the same."""
    chain = "from twisted.internet import defer\nx = defer" + ".a()" * 900 + "\n"
    total = "y = " + "+".join(["defer.fail"] * 900)
    assert names(chain + total).count("internet.defer.fail") == 900
