"""python.reflect: names of things, and things by their names, as with Twisted."""

from __future__ import annotations

import email.message
import os.path
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twistlike.python import reflect

twisted: Any = pytest.importorskip("twisted.python.reflect")

BOTH = pytest.mark.parametrize("library", [reflect, twisted], ids=["twistlike", "twisted"])


def outcome(function: Callable[[], Any]) -> Any:
    """Return what a function returns, or the kinds and the text of what it raises."""
    try:
        return function()
    except Exception as error:
        return [kind.__name__ for kind in type(error).__mro__], str(error)


# Every way to go wrong is near: empty parts, missing modules, missing attributes.
parts = st.sampled_from(["", "os", "path", "email", "message", "Message", "nosuch", "a b"])


@given(st.lists(parts, max_size=5).map(".".join))
def test_named_any_is_twisteds(name: str) -> None:
    """Any name gives the same object or the same error as with Twisted."""
    functions = ["namedAny"]
    if "" not in name.split("."):  # what __import__ says of those depends on what came before
        functions += ["namedModule", "namedObject"]
    for function in functions:
        ours, theirs = getattr(reflect, function), getattr(twisted, function)
        assert outcome(lambda f=ours: f(name)) == outcome(lambda f=theirs: f(name))  # type: ignore[misc]


@BOTH
def test_an_error_in_the_module_is_not_hidden(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that exists and cannot be imported raises its own error."""
    monkeypatch.syspath_prepend(tmp_path)
    tmp_path.joinpath("brokenmodule.py").write_text("import nosuchmodule\n")
    for name in ("brokenmodule", "brokenmodule.thing"):
        with pytest.raises(ModuleNotFoundError, match="nosuchmodule"):
            library.namedAny(name)
    assert "brokenmodule" not in sys.modules


class Base:
    def do_z(self) -> None: ...

    def do_a(self) -> None: ...

    do_number = 3


class Other:
    def do_q(self) -> None: ...


class Derived(Base, Other):
    def do_m(self) -> None: ...

    def do_a(self) -> None: ...

    @staticmethod
    def do_static() -> None: ...


@BOTH
def test_methods_by_prefix(library: Any) -> None:
    """The methods whose names begin with a prefix; those of base classes first."""
    thing = Derived()
    assert library.prefixedMethodNames(Derived, "do_") == ["z", "a", "q", "m"]
    methods = [thing.do_z, thing.do_a, thing.do_q, thing.do_m]
    assert library.prefixedMethods(thing, "do_") == methods
    found: dict[str, Any] = {}
    library.accumulateMethods(thing, found, "do_")
    assert found == dict(zip("zaqm", methods, strict=True))
    found.clear()
    library.accumulateMethods(thing, found, "do_", Base)
    assert found == {"z": thing.do_z, "a": thing.do_a}


@BOTH
def test_full_names(library: Any) -> None:
    """fullyQualifiedName and qual name modules, classes, functions and methods."""
    assert library.fullyQualifiedName(Derived) == library.qual(Derived) == f"{__name__}.Derived"
    assert library.fullyQualifiedName(Derived().do_m) == f"{__name__}.Derived.do_m"
    assert library.fullyQualifiedName(email.message) == "email.message"
    assert library.fullyQualifiedName(os.path.join) == f"{os.path.__name__}.join"
    assert library.fullyQualifiedName(len) == "len"
    with pytest.raises(AttributeError):
        library.fullyQualifiedName(3)


@BOTH
def test_require_module(library: Any) -> None:
    """A module that cannot be imported gives the default."""
    assert library.requireModule("os") is os
    assert library.requireModule("nosuchmodule") is None
    assert library.requireModule("nosuchmodule", 4) == 4


@BOTH
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_texts_of_broken_objects(library: Any, error: type[BaseException]) -> None:
    """Whatever str and repr raise, there is a text that shows it."""

    class Broken:
        def __str__(self) -> str:
            raise error("no text")

        __repr__ = __str__

    for function, asked in ((library.safe_str, "str"), (library.safe_repr, "repr")):
        text = function(Broken())
        assert text.startswith("<Broken instance at 0x")
        assert f"with {asked} error:\n Traceback (most recent call last):\n" in text
        assert f"{error.__name__}: no text\n>" in text


@BOTH
def test_texts_of_sound_objects(library: Any) -> None:
    """The others have their own text; UTF-8 bytes are decoded by safe_str."""
    assert library.safe_str(3) == library.safe_repr(3) == "3"
    assert (library.safe_str(b"abc"), library.safe_repr(b"abc")) == ("abc", "b'abc'")
    assert library.safe_str("t\u00fcst".encode()) == "t\u00fcst"
    assert library.safe_str(b"\xff") == "b'\\xff'"


@BOTH
def test_texts_of_objects_whose_class_has_no_name(library: Any) -> None:
    """Where not even the class tells its name, the text shows the class as it is."""

    class Nameless(type):
        def __getattribute__(cls, name: str) -> Any:
            raise ValueError(name)

    class Broken(metaclass=Nameless):
        def __repr__(self) -> str:
            raise ValueError

    for function in (library.safe_str, library.safe_repr):
        text = function(Broken())
        assert text.startswith("<<class '") and "Broken'> instance at 0x" in text


@BOTH
def test_what_classes_and_their_bases_have_is_gathered(library: Any) -> None:
    """Lists begin with those of the bases; in dictionaries the class wins."""

    class Top:
        parts = ["top"]
        names = {"a": 1, "b": 1}

    class Middle(Top):
        parts = ["middle"]
        names = {"b": 2}

    class Bottom(Middle):
        parts = ["bottom"]

    parts: list[str] = []
    library.accumulateClassList(Bottom, "parts", parts)
    assert parts == ["top", "middle", "bottom"]
    limited: list[str] = []
    library.accumulateClassList(Bottom, "parts", limited, Top)
    assert limited == ["top", "middle"]
    names: dict[str, int] = {}
    library.accumulateClassDict(Bottom, "names", names)
    assert names == {"a": 1, "b": 2}


@BOTH
def test_a_class_by_its_name(library: Any) -> None:
    """namedClass imports the module and returns the attribute."""
    assert library.namedClass("email.message.Message") is email.message.Message
