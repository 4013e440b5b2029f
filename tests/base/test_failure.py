"""Failure: the same as Twisted's, looked at side by side in this process; and cheap."""

from __future__ import annotations

import copy
import gc
import io
import logging
import pdb  # noqa: T100  (replaced where it would open)
import pickle
import re
import sys
import textwrap
import traceback
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from twistlike.python import failure
from twistlike.python.failure import Failure, NoCurrentExceptionError

twisted: ModuleType = pytest.importorskip("twisted.python.failure")

BOTH = pytest.mark.parametrize("library", [failure, twisted], ids=["twistlike", "twisted"])
"""For a rule that Twisted's Failure keeps as well."""

Observation = list[Any]
Scenario = Callable[[Any], Any]


def normalise(seen: Any) -> str:
    """Return what was seen as text, without what may differ: our name, addresses, counts."""
    text = repr(seen).replace("twistlike", "twisted")
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"Failure #\d+", "Failure #N", text)
    text = re.sub(r"<module \\*'twisted[^>]*>", "<library>", text)
    # A frame of the library itself: only that it is there.
    return re.sub(r'File "[^"]*/twisted/[^"]*", line \d+, in \w+\\+n +[^\\]*\\+n', "FRAME", text)


def outcome(function: Callable[[], Any]) -> Any:
    """Return what a function returns, or the type and the arguments of what it raises."""
    try:
        return function()
    except BaseException as error:
        return type(error).__name__, error.args


def inner(value: BaseException) -> None:
    """Raise an exception, with something in the locals."""
    x = 1
    if x:
        raise value


def outer(value: BaseException) -> None:
    """Have an exception pass through two frames."""
    inner(value)


def caught(library: Any, value: BaseException | None = None, **kwargs: Any) -> Any:
    """Return a Failure for an exception with three frames."""
    try:
        outer(ValueError("boom") if value is None else value)
    except BaseException:
        return library.Failure(**kwargs)
    raise AssertionError


def variablesOf(frames: list[Any]) -> list[Any]:
    """Return what frames say, of the globals only some."""
    return [
        [*frame[:4], [item for item in frame[4] if item[0] in ("__name__", "__builtins__")]]
        for frame in frames
    ]


class Outer:
    """A class around a class."""

    class Inner(Exception):
        """Its qualified name is not its name."""


class Interrupt(BaseException):
    """Not an Exception."""


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Shy:
    """Has no repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def localsIn(f: Any) -> list[str]:
    """Return the first local of each frame in the verbose text."""
    return re.findall(r" \[ Locals \]\n  .*", f.getTraceback(detail="verbose"))


def texts(f: Any) -> Observation:
    """Return all texts of a Failure."""
    seen: Observation = [str(f), repr(f), f.getErrorMessage(), f.getBriefTraceback()]
    for detail in ("default", "brief", "verbose", "verbose-vars-not-captured", "nonsense"):
        for elide in (0, 1):
            seen.append(outcome(partial(f.getTraceback, elide, detail)))
    for name in ("printTraceback", "printBriefTraceback", "printDetailedTraceback"):
        file = io.StringIO()
        getattr(f, name)(file)
        getattr(f, name)(file=file, elideFrameworkCode=True)
        seen.append(file.getvalue())
    seen.append(f.frames)
    return seen


SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Add a program that is run with both libraries."""
    SCENARIOS[function.__name__] = function
    return function


@scenario
def raisedAndCaught(library: Any) -> Any:
    return texts(caught(library))


@scenario
def neverRaised(library: Any) -> Any:
    return texts(library.Failure(ValueError("boom")))


@scenario
def cleaned(library: Any) -> Any:
    f = caught(library)
    f.cleanFailure()
    return texts(f), f.tb, f.value.__traceback__, f.pickled, outcome(f.raiseException)


@scenario
def variables(library: Any) -> Any:
    f = caught(library, captureVars=True)
    return variablesOf(f.frames), re.findall(
        r" \[ Locals \]\n  .*", f.getTraceback(detail="verbose")
    )


@scenario
def cleanedVariables(library: Any) -> Any:
    f = caught(library, captureVars=True)
    f.cleanFailure()
    return variablesOf(f.frames), re.findall(
        r" \[ Locals \]\n  .*", f.getTraceback(detail="verbose")
    )


@scenario
def copiedVariables(library: Any) -> Any:
    return variablesOf(copy.copy(caught(library, captureVars=True)).frames)


@scenario
def captureVarsAfterwards(library: Any) -> Any:
    f = caught(library)
    f.captureVars = True
    return f.getTraceback(detail="verbose").count("Locals")


@scenario
def chained(library: Any) -> Any:
    def fail(cause: BaseException | None) -> Any:
        try:
            try:
                outer(ValueError("first"))
            except ValueError:
                raise TypeError("second") from cause
        except TypeError:
            return library.Failure()

    seen: Observation = []
    for cause in (KeyError("cause"), None):
        f = fail(cause)
        e = f.value
        seen += [texts(f), e.__cause__, e.__context__, e.__suppress_context__]
        outcome(f.raiseException)
        seen += [e.__cause__, e.__context__, e.__suppress_context__]
    return seen


@scenario
def oddTexts(library: Any) -> Any:
    values: list[BaseException] = [
        ValueError(),
        KeyError("k"),
        KeyError(1, 2),
        ValueError("a\nb"),
        ValueError("\ud800"),
        ValueError(b"bytes"),
        Outer.Inner("in"),
        OSError(2, "no such", "file"),
        SyntaxError("bad", ("file.py", 1, 2, "x y")),
        ExceptionGroup("group", [ValueError(1), KeyError(2)]),
        KeyboardInterrupt(),
        Interrupt("i"),
    ]
    return [texts(library.Failure(value)) for value in values]


@scenario
def textsThatFail(library: Any) -> Any:
    f = library.Failure(Mute())
    keep = re.compile(r"^.*(?:instance at|Error).*$", re.MULTILINE)
    return [keep.findall(text) for text in (str(f), repr(f), f.getErrorMessage(), f.getTraceback())]


@scenario
def typesWhoseTextFails(library: Any) -> Any:
    class OddType(type):
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    class Odd(Exception, metaclass=OddType):
        pass

    f = library.Failure(Odd("odd"))
    brief = f.getBriefTraceback()
    return (
        f.getTraceback(),
        re.findall(r"^.*(?:instance at|Error).*$", brief, re.MULTILINE),
        repr(f),
    )


@scenario
def noCurrentException(library: Any) -> Any:
    def ask(**kwargs: Any) -> str:
        try:
            library.Failure(**kwargs)
        except Exception as error:
            return type(error).__name__
        return "made"

    return ask(), ask(exc_value=None, captureVars=True), ask(exc_type=ValueError)


@scenario
def whichException(library: Any) -> Any:
    seen: Observation = []
    other = ValueError("other")
    try:
        outer(other)
    except ValueError:
        pass
    try:
        raise KeyError("current")
    except KeyError as error:
        tb = error.__traceback__
        for f in (
            library.Failure(),
            library.Failure(None, TypeError),
            library.Failure(other),
            library.Failure(other, TypeError),
            library.Failure(other, None, tb),
            library.Failure(TypeError("new")),
            library.Failure("text"),
            library.Failure("text", TypeError),
            library.Failure(b"abc", TypeError),
        ):
            seen.append(
                (f.value, f.type, f.tb is tb, f.tb is None, len(f.frames), f.parents, repr(f))
            )
    return seen


@scenario
def inFinally(library: Any) -> Any:
    frames = []
    try:
        try:
            outer(ValueError())
        finally:
            frames = library.Failure().frames
    except ValueError:
        return frames


@scenario
def ofAFailure(library: Any) -> Any:
    class Sub(library.Failure):  # type: ignore[misc]
        pass

    f = caught(library)
    f.foreign = 1
    wrapped = library.Failure(f)
    again = Sub(wrapped, captureVars=True)
    return (
        wrapped.value is f.value,
        wrapped.tb is f.tb,
        wrapped is f,
        wrapped.count == f.count,
        again.foreign,
        again.captureVars,
        type(again).__name__,
        type(library.Failure(again)).__name__,
        texts(again)[1:],
    )


@scenario
def raisedItself(library: Any) -> Any:
    f = caught(library)
    try:
        raise f
    except BaseException as error:
        g = library.Failure()
        return error is f, g.value is f.value, len(g.frames)


@scenario
def failureAsValue(library: Any) -> Any:
    f = library.Failure(ValueError())
    f.value = library.Failure(KeyError("inside"))
    seen = [texts(f)[1:]]
    f = caught(library)
    f.value = caught(library)
    return [*seen, texts(f)[1:]]


@scenario
def checks(library: Any) -> Any:
    def sameName(*bases: type) -> type:
        return type("Inner", bases, {"__module__": __name__})

    f = library.Failure(Outer.Inner())
    questions: list[tuple[Any, ...]] = [
        (),
        (KeyError,),
        (Outer.Inner,),
        (KeyError, Exception, Outer.Inner),
        (BaseException,),
        (object,),
        ("builtins.Exception",),
        ("Exception",),
        ("builtins.object",),
        (f"{__name__}.Inner",),
        (f"{__name__}.Outer.Inner",),
        ((Outer.Inner,),),
        (Outer.Inner(), 1, None, [], Outer.Inner),
        (sameName(Exception),),
        (sameName(BaseException),),
        (sameName(),),
    ]
    fs = [
        f,
        library.Failure(KeyboardInterrupt()),
        library.Failure(Interrupt()),
        library.Failure("text"),
    ]
    questions += [(KeyboardInterrupt,), (Interrupt,), (str,), ("builtins.str",), (Interrupt(),)]
    questions.append((type("Interrupt", (Exception,), {"__module__": __name__}),))
    questions.append((type("Inner", (Exception,), {"__module__": "elsewhere"}),))
    # A new one for each question: what was asked before has made the names.
    answers = [[library.Failure(g.value).check(*asked) for asked in questions] for g in fs]
    return answers, [[g.check(*asked) for asked in questions] for g in fs], [g.parents for g in fs]


@scenario
def traps(library: Any) -> Any:
    f = caught(library)
    return [
        f.trap(KeyError, ValueError),
        f.trap("builtins.Exception"),
        outcome(lambda: f.trap(KeyError)),
        outcome(f.trap),
        outcome(lambda: library.Failure(Interrupt(1)).trap(BaseException)),
    ]


@scenario
def assignedAttributes(library: Any) -> Any:
    f = library.Failure(ValueError(1))
    frames = [("name", __file__, 3, (), ())]
    f.frames = frames
    f.parents = ["some.Name"]
    f.pickled = 7
    f.foreign = f
    seen = [f.frames is frames, f.check("some.Name"), f.check(KeyError), f.getTraceback()]
    f.type, f.value, f.tb = KeyError, 3, None
    return [*seen, repr(f), f.foreign is f, f.__dict__["foreign"] is f]


@scenario
def copies(library: Any) -> Any:
    seen: Observation = []
    for f in (caught(library), library.Failure(KeyError(1)), library.Failure("text")):
        f.foreign = 1
        protocols = range(pickle.HIGHEST_PROTOCOL + 1)
        results = [pickle.loads(pickle.dumps(f, protocol)) for protocol in protocols]
        for g in (copy.copy(f), copy.deepcopy(f), *results):
            seen.append((type(g).__name__, g.count == f.count, g.tb, g.foreign, g.captureVars))
            seen.append((g.pickled, g.parents, g.frames, g == f, texts(g), g.check(ValueError)))
            seen.append(sorted(k for k in g.__dict__ if not k.startswith("_")))
            seen.append(g.value is f.value)
        f.cleanFailure()
        seen.append(pickle.loads(pickle.dumps(f)).getTraceback())
    return seen


@scenario
def copiesOfSubclasses(library: Any) -> Any:
    class Sub(library.Failure):  # type: ignore[misc]
        def __init__(self, value: Any, more: int) -> None:
            super().__init__(value)
            self.more = more

    f = copy.copy(Sub(ValueError(1), 2))
    return type(f).__name__, f.more


@scenario
def states(library: Any) -> Any:
    f = library.Failure.__new__(library.Failure)
    f.__setstate__({"frames": [1], "stack": [], "parents": ["x"], "other": 2})
    state = caught(library).__getstate__()
    state.pop("count")
    return f.frames, f.parents, f.other, sorted(state.items())


@scenario
def raisedAgain(library: Any) -> Any:
    f = caught(library)
    tb = f.tb
    seen: Observation = []
    for act in (f.raiseException, partial(f.trap, KeyError), f.raiseException):
        try:
            act()
        except ValueError as error:
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            seen += [names, error is f.value, library.Failure().getTraceback()]
    return seen, f.tb is tb, len(f.frames)


@scenario
def raisedWhileHandling(library: Any) -> Any:
    f = library.Failure(KeyError(1))
    try:
        try:
            raise RuntimeError(2)
        except RuntimeError:
            f.raiseException()
    except KeyError as error:
        return error.__context__, error.__cause__, error.__suppress_context__


@scenario
def thrown(library: Any) -> Any:
    def generator() -> Any:
        try:
            yield 1
        except ValueError as error:
            yield error is f.value, library.Failure().frames, f.frames

    f = caught(library)
    g = generator()
    next(g)
    return f.throwExceptionIntoGenerator(g), outcome(lambda: f.throwExceptionIntoGenerator(iter(g)))


@scenario
def tracebackObjects(library: Any) -> Any:
    f = caught(library)
    seen: Observation = [f.getTracebackObject() is f.tb]
    seen.append(library.Failure(ValueError()).getTracebackObject())
    f.cleanFailure()
    stub = f.getTracebackObject()
    seen.append(traceback.extract_tb(stub))
    seen.append(traceback.format_exception(None, f.value, stub))
    while stub is not None:
        frame = stub.tb_frame
        seen += [stub.tb_lineno, frame.f_code.co_name, frame.f_lineno, frame.f_locals]
        stub = stub.tb_next
    seen.append(traceback.format_exception(caught(library)))
    return seen


@scenario
def formattedFrames(library: Any) -> Any:
    seen: Observation = []
    for frames in (
        [],
        [("name", __file__, 3, (), ())],
        [["name", "no file", 3, [("a", 1)], {"b": "c"}.items()]] * 2,
    ):
        for detail in ("default", "brief", "verbose", "verbose-vars-not-captured", "nonsense"):
            pieces: list[str] = []
            error = outcome(partial(library.format_frames, frames, pieces.append, detail))
            seen.append((error, pieces))
    file = io.StringIO()
    library.format_frames([("name", __file__, 3, (), ())], file.write)
    return seen, file.getvalue()


@scenario
def overriding(library: Any) -> Any:
    calls: list[str] = []

    class Sub(library.Failure):  # type: ignore[misc]
        pass

    def override(name: str) -> None:
        original = getattr(library.Failure, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(f"{name} {len(args)} {sorted(kwargs)}")
            return original(self, *args, **kwargs)

        setattr(Sub, name, method)

    for name in ("getTraceback", "getBriefTraceback", "printTraceback", "printBriefTraceback"):
        override(name)
    for name in ("printDetailedTraceback", "getErrorMessage", "check", "raiseException"):
        override(name)
    f = Sub(ValueError(1))
    for act in (
        f.getTraceback,
        f.getBriefTraceback,
        lambda: f.printDetailedTraceback(io.StringIO()),
        lambda: f.trap(KeyError),
        f.__str__,
        f.__repr__,
    ):
        calls.append("--")
        outcome(act)
    return calls


@scenario
def identity(library: Any) -> Any:
    f = caught(library)
    g = copy.copy(f)
    return f == f, f == g, f != g, hash(f) == hash(f), f.args, library.Failure(ValueError(1)).args


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_as_twisted(name: str) -> None:
    """A program sees the same of our Failure as of Twisted's."""
    program = SCENARIOS[name]
    assert normalise(program(failure)) == normalise(program(twisted))


# What may be in a random hierarchy: names repeat, so that different classes have the same name.
classNames = st.sampled_from(["A", "B", "C"])
moduleNames = st.sampled_from(["m", "n"])
classTrees = st.lists(st.tuples(moduleNames, classNames, st.integers(0, 9)), min_size=1, max_size=8)


@given(tree=classTrees, data=st.data())
@settings(max_examples=150, deadline=None)
def test_check_is_twisteds_on_any_classes(
    tree: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """check() and parents agree with Twisted's for random classes, names and questions."""
    classes: list[type[BaseException]] = [Exception, BaseException, ValueError, KeyboardInterrupt]
    for module, name, base in tree:
        classes.append(type(name, (classes[base % len(classes)],), {"__module__": module}))
    error = data.draw(st.sampled_from(classes))()
    names = [f"m.{name}" for name in "ABC"] + ["builtins.Exception", "builtins.BaseException"]
    asked = data.draw(st.lists(st.one_of(st.sampled_from(classes), st.sampled_from(names))))
    ours, theirs = failure.Failure(error), twisted.Failure(error)
    if data.draw(st.booleans()):
        assert ours.parents == theirs.parents
    assert ours.check(*asked) is theirs.check(*asked)
    assert outcome(lambda: ours.trap(*asked)) == outcome(lambda: theirs.trap(*asked))


operations = st.sampled_from(
    ["frames", "parents", "text", "copy", "pickle", "wrap", "raise", "attr"]
)


@given(
    steps=st.lists(operations, max_size=6),
    clean=st.integers(0, 6),
    captureVars=st.booleans(),
    depth=st.integers(0, 4),
    message=st.text(max_size=5),
)
@settings(max_examples=150, deadline=None)
def test_any_steps_leave_twisteds_texts(
    steps: list[str], clean: int, captureVars: bool, depth: int, message: str
) -> None:
    """Whatever was done with a Failure before, its texts are Twisted's."""

    def fall(level: int) -> None:
        if level:
            fall(level - 1)
        raise ValueError(message)

    def fallen(library: Any) -> Any:
        try:
            fall(depth)
        except ValueError:
            return library.Failure(captureVars=captureVars)

    def play(library: Any) -> list[Any]:
        f = fallen(library)
        seen: list[Any] = []
        for number, step in enumerate([*steps, "text"]):
            # Variables become text once. (Twisted's become the text of the text the next time.)
            if number == clean and not (captureVars and f.pickled):
                f.cleanFailure()
            again = captureVars and f.pickled
            if step == "frames":
                seen.append(variablesOf(f.frames))
            elif step == "parents":
                seen.append(f.parents)
            elif step == "text":
                seen += [str(f), f.getTraceback(), f.getTraceback(detail="verbose").count("\n [ L")]
            elif step == "copy":
                f = f if again else copy.copy(f)
            elif step == "pickle":
                f = f if again else pickle.loads(pickle.dumps(f))
            elif step == "wrap":
                f = library.Failure(f)
            elif step == "raise":
                seen.append(outcome(f.raiseException))
            elif step == "attr":
                f.extra = number
            seen.append((f.pickled, getattr(f, "extra", None), f.tb is None))
        return seen

    assert normalise(play(failure)) == normalise(play(twisted))


# Rules of our own


def test_cleaning_twice_keeps_the_text() -> None:
    """Cleaning again changes nothing. (Twisted's second time loses the frames.)"""
    for captureVars in (False, True):
        f = caught(failure, captureVars=captureVars)
        f.cleanFailure()
        f.cleanFailure()
        text = f.getTraceback(detail="verbose")
        f.cleanFailure()
        assert f.getTraceback(detail="verbose") == text
        assert len(f.frames) == 3


def test_a_variable_without_repr_does_no_harm() -> None:
    """The verbose text has a note in place of a repr that raises. (Twisted's raises.)"""

    def fail() -> Failure:
        shy = Shy()
        try:
            raise ValueError(id(shy))
        except ValueError:
            return Failure(captureVars=True)

    f = fail()
    assert "shy : <Shy instance at" in f.getTraceback(detail="verbose")


def test_making_one_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Failure that nobody asks has made no frames, no names and no attributes' dictionary."""

    def fail(*args: object) -> None:
        raise AssertionError("looked")

    monkeypatch.setattr(Failure, "_makeFrames", fail)
    monkeypatch.setattr("twistlike._base.failure.qual", fail)
    f = caught(failure)
    assert f.check(ValueError) is ValueError
    assert f.check(Exception) is Exception
    assert f.check(KeyError) is None
    assert f.trap(KeyError, ValueError) is ValueError
    assert sorted(f.__dict__) == ["captureVars", "count", "tb", "type", "value"]


def test_cleaning_makes_no_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """cleanFailure lets the frames' variables go and keeps only what the texts need."""

    class Thing:
        pass

    references: list[weakref.ref[Thing]] = []

    def hold() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        raise ValueError(thing.__class__)

    def fail() -> Failure:
        try:
            hold()
        except ValueError:
            return Failure()
        raise AssertionError

    f = fail()
    assert references[0]() is not None
    with monkeypatch.context() as patch:
        patch.setattr(Failure, "_makeFrames", None)
        f.cleanFailure()
    assert references[0]() is None
    assert [frame[0] for frame in f.frames] == ["fail", "hold"]


def collected(make: Callable[[], object]) -> bool:
    """Say whether what a function makes goes as soon as the last reference does."""
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(make())
        return gone() is None
    finally:
        gc.enable()


def test_no_cycle() -> None:
    """A Failure goes with its last reference, without the help of the garbage collector."""
    assert collected(lambda: caught(failure))
    assert collected(lambda: caught(failure, captureVars=True))


@pytest.mark.parametrize("act", ["raiseException", "trap", "throw"])
def test_raising_again_leaves_no_cycle(act: str) -> None:
    """Once its exception was raised again, no frame of the library keeps it. (Twisted's do.)"""

    def generator() -> Any:
        yield 1

    f = caught(failure)
    g = generator()
    next(g)
    acts: dict[str, Callable[[], Any]] = {
        "raiseException": f.raiseException,
        "trap": partial(f.trap, KeyError),
        "throw": partial(f.throwExceptionIntoGenerator, g),
    }
    outcome(acts[act])
    tb = f.value.__traceback__
    inside = []
    while tb is not None:
        if tb.tb_frame.f_globals["__name__"].startswith("twistlike."):
            inside.append(tb.tb_frame)
        tb = tb.tb_next
    assert inside
    assert all(f not in frame.f_locals.values() for frame in inside)


def catcher(skip: int) -> Failure:
    """Catch an exception as a run loop does."""
    try:
        outer(ValueError("boom"))
    except ValueError as error:
        return Failure.fromException(error, skip)
    raise AssertionError


@pytest.mark.parametrize(("skip", "names"), [(0, 3), (1, 2), (2, 1), (3, 0), (9, 0)])
def test_from_exception_skips(skip: int, names: int) -> None:
    """fromException drops the outermost frames, from the exception as well."""
    f = catcher(skip)
    assert [frame[0] for frame in f.frames] == ["catcher", "outer", "inner"][3 - names :]
    assert f.tb is f.value.__traceback__
    assert (f.type, f.captureVars, f.pickled) == (ValueError, False, 0)
    assert f.check(ValueError) is ValueError


def test_from_exception_leaves_no_cycle() -> None:
    """A catcher that keeps its Failure in no variable makes no cycle."""
    assert collected(lambda: catcher(1))
    assert collected(lambda: catcher(0))


def test_cleaning_ends_a_cycle() -> None:
    """A catcher's variable is a cycle, as frames know their callers, until it is cleaned."""

    def keep(clean: bool) -> Failure:
        f = catcher(1)
        if clean:
            f.cleanFailure()
        return f

    assert not collected(lambda: keep(False))
    assert collected(lambda: keep(True))


def test_from_exception_of_a_subclass() -> None:
    """fromException makes what it is called on."""

    class Sub(Failure):
        pass

    f = Sub.fromException(ValueError(1), 0)
    assert type(f) is Sub
    assert f.tb is None
    assert f.count < Failure(ValueError()).count


def test_without_traceback() -> None:
    """_withoutTraceback, which twisted.web calls, is Failure(error) for an error never raised."""
    f = Failure._withoutTraceback(ValueError("x"))
    assert normalise(texts(f)) == normalise(
        texts(twisted.Failure._withoutTraceback(ValueError("x")))
    )


def test_a_mixed_subclass_finds_its_attributes() -> None:
    """A subclass with another class first, and all of its state in its dictionary, works."""

    class Copied:
        def takeState(self, state: dict[str, Any]) -> None:
            self.__dict__ = state

    class Mixed(Copied, Failure):
        pass

    f = Mixed.__new__(Mixed)
    f.takeState(
        {"type": ValueError, "value": ValueError("x"), "tb": None, "count": 1, "captureVars": 0}
    )
    assert (f.getErrorMessage(), f.type, f.check(ValueError)) == ("x", ValueError, ValueError)
    assert Failure(f).value is f.value
    assert str(f) == str(Failure(ValueError("x")))
    with pytest.raises(AttributeError, match="'Mixed' object has no attribute 'nothing'"):
        f.nothing  # type: ignore[attr-defined]
    made = Mixed(ValueError("y"))
    assert made.getErrorMessage() == "y"
    assert Failure(made).value is made.value


def test_a_type_that_is_only_a_name() -> None:
    """A Failure that came over a wire, with names for types, has texts and can be asked."""
    f = Failure(ValueError(1))
    f.type, f.value, f.parents = "some.Name", "text", ["some.Name", "some.Base"]
    assert repr(f).endswith("Failure some.Name: text>")
    assert f.getTraceback().endswith("Failure: some.Name: text\n")
    assert (f.check("some.Base"), f.check(ValueError)) == ("some.Base", None)


def test_stack_is_empty_and_deprecated() -> None:
    """`stack` warns, as in Twisted, and is empty; assigning it does nothing."""
    f = caught(failure)
    f.stack = [1]
    with pytest.warns(DeprecationWarning, match="frames"):
        assert f.stack == []


def test_no_current_exception_says_what_to_do() -> None:
    """Failure() outside of an except block names the way to make one."""
    with pytest.raises(NoCurrentExceptionError, match=r"Failure\(SomeError\(\)\)"):
        Failure()


def test_printing_without_a_file_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Without a file the text goes to the logger ``twistlike``, as an error."""
    f = caught(failure)
    with caplog.at_level(logging.ERROR, "twistlike"):
        f.printTraceback()
        f.printBriefTraceback()
        f.printDetailedTraceback()
    expected = [f.getTraceback(), f.getBriefTraceback(), f.getTraceback(detail="verbose")]
    assert [record.getMessage() + "\n" for record in caplog.records] == expected


def test_counts_go_up() -> None:
    """Each Failure has the next number, whichever way it was made."""
    first = Failure(ValueError()).count
    second = Failure.fromException(ValueError(), 0).count
    assert (second, Failure(ValueError()).count) == (first + 1, first + 2)


def test_debug_mode(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In debug mode a caught exception opens the debugger where it was raised; others do not."""
    opened: list[Any] = []
    monkeypatch.setattr(pdb, "post_mortem", opened.append)
    monkeypatch.setattr("twistlike._base.failure._debugging", False)
    caught(failure)
    assert opened == []
    failure.startDebugMode()
    f = caught(failure)
    g = catcher(1)
    assert opened[0] is f.tb
    assert opened[1].tb_next is g.tb
    Failure(ValueError())
    Failure(f)
    assert len(opened) == 2
    assert capsys.readouterr().out.count("post-mortem of exception 'boom'") == 2
    monkeypatch.setattr(failure, "DO_POST_MORTEM", False)
    caught(failure)
    assert len(opened) == 2


def test_imports_nothing_costly(tmp_path: Path) -> None:
    """Importing it and making one imports neither traceback, linecache, inspect nor logging."""
    program = """
        import sys
        from twistlike.python.failure import Failure
        try:
            1 / 0
        except ZeroDivisionError:
            f = Failure()
        f.check(ValueError)
        f.cleanFailure()
        print([m for m in ("traceback", "linecache", "inspect", "logging", "pdb")
               if m in sys.modules])
    """
    # Not by the oracle, whose processes begin with such modules, and not by "-c", which has one.
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(program))
    done = oracle.runPython(["-W", "error", str(script)])
    assert (done.stdout, done.stderr) == ("[]\n", "")


@BOTH
def test_no_traceback_of_no_frames(library: Any) -> None:
    """A stand-in for a traceback stands for at least one frame."""
    with pytest.raises(AssertionError, match="some frames"):
        library._Traceback([])


@BOTH
def test_reraised_with_the_frames_of_the_catch(library: Any) -> None:
    """However often it is raised again, the traceback does not grow."""
    f = caught(library)
    for _ in range(50):
        outcome(f.raiseException)
    assert len(traceback.extract_tb(f.value.__traceback__)) < 10
    assert sys.exception() is None
