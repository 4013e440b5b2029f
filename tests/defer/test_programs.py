"""Small programs do the same on our Deferreds as on Twisted's."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.defer.twins import Lib, assertSame

PROGRAMS: dict[str, Callable[[Lib], object]] = {}


def program(function: Callable[[Lib], object]) -> Callable[[Lib], object]:
    PROGRAMS[function.__name__] = function
    return function


def _spread(function: Callable[..., object], values: tuple[Any, ...], lib: Lib) -> object:
    return function(lib, *values)


def family(*axes: Any) -> Callable[[Callable[..., object]], None]:
    """Let a function of more than the library be a program for each combination of the axes."""

    def register(function: Callable[..., object]) -> None:
        for values in itertools.product(*axes):
            name = f"{function.__name__}[{'-'.join(str(value) for value in values)}]"
            PROGRAMS[name] = functools.partial(_spread, function, values)

    return register


def outcome(lib: Lib, kind: str) -> Any:
    """Return a Deferred in one of several conditions."""
    d = lib.D()
    match kind:
        case "fired":
            d.callback("result")
        case "failed":
            d.errback(KeyError("error"))
        case "paused":
            d.callback("result")
            d.pause()
        case "chained":
            d.addCallback(lambda _: lib.D())
            d.callback("outer")
        case "deferred":
            d.callback(lib.defer.succeed("inner"))
    return d


CONDITIONS = ("pending", "fired", "failed", "paused", "chained", "deferred")


# Firing


@program
def argumentsOfCallbacks(lib: Lib) -> None:
    def show(*args: Any, **kwargs: Any) -> None:
        lib.note(args, sorted(kwargs.items()))

    lib.defer.succeed(1).addCallback(show, 2, x=3)
    lib.defer.fail(KeyError()).addErrback(show, 2, x=3)
    lib.defer.succeed(1).addBoth(show, 2, x=3)
    lib.defer.fail(KeyError()).addBoth(show, 2, x=3)
    lib.defer.succeed(1).addCallbacks(show, show, (2,), {"x": 3}, (4,), {"y": 5})
    lib.defer.fail(KeyError()).addCallbacks(show, show, (2,), {"x": 3}, (4,), {"y": 5})
    lib.defer.succeed(1).addCallbacks(show, None, None, None, None, None)
    lib.defer.succeed(1).addCallbacks(show, None, [1, 2])


@program
def whatIsNotCallable(lib: Lib) -> None:
    for bad in (None, 3, "text"):
        for adder in ("addCallback", "addErrback", "addBoth", "addCallbacks"):
            d = lib.D()
            getattr(d, adder)(bad)
            d.addErrback(lambda f: lib.note(f.type))
            d.callback(1)
    lib.defer.succeed(1).addCallbacks(None, str).addErrback(lambda f: lib.note(f.type))
    lib.note(lib.defer.fail(KeyError()).addCallbacks(None, lambda f: "handled"))


@program
def firingTwice(lib: Lib) -> None:
    for first in ("callback", "errback"):
        for second in ("callback", "errback"):
            d = lib.D()
            getattr(d, first)(KeyError(1))
            lib.attempt(getattr(d, second), KeyError(2))
            lib.note(d)
            d.addErrback(lambda f: None)


@program
def firingWithoutAnError(lib: Lib) -> None:
    for function in (lib.D().errback, lib.defer.fail):
        try:
            function()
        except Exception as error:
            lib.note(type(error))
    try:
        raise KeyError("being handled")
    except KeyError:
        lib.D().addErrback(lib.noting("errback")).addErrback(lambda f: None).errback()
        lib.defer.fail().addErrback(lambda f: lib.note(f))


@program
def firingWithAFailure(lib: Lib) -> None:
    failure = lib.Failure(KeyError(1))
    for fire in ("callback", "errback"):
        d = lib.D()
        d.addCallbacks(lib.noting("callback"), lambda f: lib.note(f is failure))
        getattr(d, fire)(failure)


@program
def subclassesOfFailureCount(lib: Lib) -> None:
    class Mine(lib.Failure):  # type: ignore[name-defined,misc]
        pass

    lib.D().addErrback(lambda f: lib.note(type(f))).callback(Mine(KeyError()))
    lib.defer.succeed(1).addCallback(lambda _: Mine(KeyError())).addErrback(
        lambda f: lib.note(type(f))
    )


@program
def resultIsThereOnceFired(lib: Lib) -> None:
    d = lib.D()
    lib.note(hasattr(d, "result"), d.called, d.paused)
    d.addCallback(lambda x: (lib.note(d.result, d.called), "new")[1])
    d.callback("old")
    lib.note(d.result, d.called)


@program
def callbacksAddedByCallbacks(lib: Lib) -> None:
    d = lib.D()

    def more(value: str) -> str:
        d.addCallback(lib.noting("late"))
        lib.note("more")
        return value + "!"

    d.addCallback(more)
    d.addCallback(lib.noting("early"))
    d.callback("x")


@program
def firingAnotherInside(lib: Lib) -> None:
    a, b = lib.D(), lib.D()
    b.addCallback(lib.noting("b"))
    a.addCallback(lambda x: (b.callback(x), x)[1])
    a.addCallback(lib.noting("a"))
    a.callback(1)


@program
def raisedAndReturnedErrors(lib: Lib) -> None:
    def bad(_: object) -> None:
        raise KeyError("raised")

    lib.defer.succeed(1).addCallback(bad).addCallback(lib.noting("skipped")).addErrback(
        lib.noting("errback")
    ).addErrback(lambda f: f.trap(KeyError)).addCallback(lib.noting("trapped"))
    lib.defer.succeed(1).addCallback(lambda _: KeyError("no failure")).addCallback(
        lib.noting("an exception that is returned is a result")
    )
    lib.defer.succeed(1).addCallback(bad).addErrback(lambda f: f.trap(ValueError)).addErrback(
        lib.noting("not trapped")
    ).addErrback(lambda f: None)


@family([KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration], ["callback", "both"])
def baseExceptions(lib: Lib, error: type[BaseException], adder: str) -> None:
    def bad(_: object) -> None:
        raise error("text")

    d = lib.D()
    (d.addCallback if adder == "callback" else d.addBoth)(bad)
    d.addErrback(lambda f: lib.note(f.type, f.value))
    d.callback(1)


@family([KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def baseExceptionsInCoroutines(lib: Lib, error: type[BaseException]) -> None:
    def show(f: Any) -> None:
        lib.note(f.type, f.value)

    async def bad() -> None:
        raise error("text")

    def badGenerator() -> Any:
        yield 1
        raise error("text")

    def catching() -> Any:
        try:
            yield lib.defer.fail(error("thrown"))
        except BaseException as caught:
            lib.note("caught", caught)

    lib.defer.ensureDeferred(bad()).addErrback(show)
    lib.defer.inlineCallbacks(badGenerator)().addErrback(show)
    lib.defer.inlineCallbacks(catching)()
    lib.defer.maybeDeferred(bad).addErrback(show)
    lib.defer.execute(lambda: next(iter(()))).addErrback(show)


# Chaining and pausing


@family(CONDITIONS)
def returningADeferred(lib: Lib, kind: str) -> None:
    inner = outcome(lib, kind)
    d = lib.defer.succeed(0).addCallback(lambda _: inner)
    d.addBoth(lib.noting("outer"))
    lib.note(d, inner, d.paused)
    if kind == "pending":
        inner.addBoth(lib.noting("inner"))
        inner.callback("now")
    if kind == "paused":
        inner.unpause()
    lib.note(d, inner, d.paused)
    inner.addBoth(lib.noting("later"))
    d.addErrback(lambda f: None)
    inner.addErrback(lambda f: None)


@family(CONDITIONS, ["callback", "errback"])
def chainDeferred(lib: Lib, kind: str, which: str) -> None:
    d = outcome(lib, kind)
    other = lib.D()
    lib.note(d.chainDeferred(other))
    if kind == "pending":
        getattr(d, which)(KeyError("x"))
    d.addBoth(lib.noting("chained from"))
    other.addBoth(lib.noting("chained to"))
    other.addErrback(lambda f: None)


@program
def twoWaitForOne(lib: Lib) -> None:
    inner = lib.D()
    for name in "ab":
        d = lib.defer.succeed(0).addCallback(lambda _: inner)
        d.addCallback(lib.noting(name))
    inner.addCallback(lib.noting("inner"))
    inner.callback("x")


@program
def deepChain(lib: Lib) -> None:
    first = previous = lib.D()
    for level in range(20):
        d = lib.D()
        d.addCallback(lambda _, p=previous: p)
        d.addCallback(lib.noting(f"level {level}"))
        d.callback(None)
        previous = d
    first.callback("x")


@program
def pausing(lib: Lib) -> None:
    d = lib.D()
    d.pause()
    d.pause()
    d.addCallback(lib.noting("paused"))
    d.callback(1)
    lib.note(d.called, d.paused)
    d.unpause()
    lib.note(d.paused)
    d.unpause()
    d.addCallback(lambda x: (d.pause(), x)[1])
    d.addCallback(lib.noting("the rest of a run is not kept back"))
    d.unpause()


@program
def pausedInTheMiddleOfAChain(lib: Lib) -> None:
    inner, outer = lib.D(), lib.D()
    outer.addCallback(lambda _: inner)
    outer.addCallback(lib.noting("outer"))
    outer.callback(0)
    inner.addCallback(lib.noting("inner, left behind"))
    outer.pause()
    inner.callback("x")
    lib.note("unpausing")
    outer.unpause()
    lib.note("adding")
    inner.addCallback(lib.noting("inner"))


@program
def outerAddsToInner(lib: Lib) -> None:
    inner, outer = lib.D(), lib.D()
    outer.addCallback(lambda _: inner)
    outer.addCallback(
        lambda x: (inner.addCallback(lib.noting("added")), lib.note("has added"), x)[2]
    )
    outer.callback(0)
    inner.addCallback(lib.noting("inner"))
    inner.callback("x")


@program
def returningItself(lib: Lib) -> None:
    d = lib.D()
    d.addCallback(lambda _: d)
    d.callback(1)
    lib.note(d.paused, d.called)


# Cancelling

CANCELLERS = ("none", "nothing", "fires", "fails", "raises")
# Where a canceller that raises ends otherwise than on Twisted: see test_cancelling.
SOUND_CANCELLERS = CANCELLERS[:-1]


def cancellable(lib: Lib, kind: str) -> Any:
    def canceller(d: Any) -> None:
        lib.note("cancelling")
        if kind == "fires":
            d.callback("fired")
        elif kind == "fails":
            d.errback(KeyError("failed"))
        elif kind == "raises":
            raise ValueError("raised")

    return lib.D(None if kind == "none" else canceller)


@family(CANCELLERS, ["pending", "paused", "fired"], ["once", "twice"])
def cancelling(lib: Lib, kind: str, condition: str, times: str) -> None:
    d = cancellable(lib, kind)
    if condition == "paused":
        d.pause()
    if condition == "fired":
        d.callback("before")
    d.addBoth(lib.noting("outcome"))
    for _ in range(2 if times == "twice" else 1):
        lib.attempt(d.cancel)
    lib.note(d.called)
    lib.attempt(d.callback, "late")
    lib.attempt(d.callback, "later")
    if condition == "paused":
        d.unpause()
    d.addErrback(lambda f: None)


@family(CANCELLERS)
def cancellingAChain(lib: Lib, kind: str) -> None:
    inner = cancellable(lib, kind)
    d = lib.defer.succeed(0).addCallback(lambda _: inner).addBoth(lib.noting("outer"))
    lib.attempt(d.cancel)
    lib.note(d, inner)
    d.addErrback(lambda f: None)


@family(CANCELLERS, ["coroutine", "generator"], ["catches", "passes", "waits again"])
def cancellingACoroutine(lib: Lib, kind: str, how: str, then: str) -> None:
    first, second = cancellable(lib, kind), cancellable(lib, "none")

    async def coroutine() -> Any:
        try:
            lib.note("got", await first)
        except Exception as error:
            lib.note("caught", error)
            if then == "passes":
                raise
        if then == "waits again":
            lib.note("second", await second)
        return "done"

    def generator() -> Any:
        try:
            lib.note("got", (yield first))
        except Exception as error:
            lib.note("caught", error)
            if then == "passes":
                raise
        if then == "waits again":
            lib.note("second", (yield second))
        return "done"

    if how == "coroutine":
        d = lib.defer.ensureDeferred(coroutine())
    else:
        d = lib.defer.inlineCallbacks(generator)()
    lib.attempt(d.cancel)
    lib.note(d.called, d.paused, d)
    if then == "waits again" and not second.called:
        second.callback("then")
    lib.note(d.called, d.paused, d)
    lib.attempt(d.cancel)
    d.addErrback(lambda f: None)


@program
def cancellingFromInside(lib: Lib) -> None:
    gate, second = lib.D(), lib.D()
    holder: list[Any] = []

    def generator() -> Any:
        yield gate
        holder[0].cancel()
        lib.note("after the cancel")
        return (yield second)

    holder.append(lib.defer.inlineCallbacks(generator)())
    gate.callback(1)
    lib.note(holder[0].called)
    second.callback("x")
    lib.note(holder[0])


@family(SOUND_CANCELLERS, ["none", "handler"], ["before", "after", "cancelled"])
def addTimeout(lib: Lib, kind: str, handler: str, moment: str) -> None:
    clock = Clock()
    d = cancellable(lib, kind)

    def onTimeout(value: Any, after: float) -> str:
        lib.note("handler", value, after)
        return "handled"

    d.addTimeout(3.5, clock, onTimeout if handler == "handler" else None)
    d.addBoth(lib.noting("outcome"))
    if moment == "before":
        d.callback("in time")
    elif moment == "cancelled":
        lib.attempt(d.cancel)
    lib.note(len(clock.getDelayedCalls()))
    lib.attempt(clock.advance, 4)
    lib.note(len(clock.getDelayedCalls()), d.called)
    d.addErrback(lambda f: None)


# Coroutines and generators


@family(CONDITIONS, ["coroutine", "generator"])
def waiting(lib: Lib, kind: str, how: str) -> None:
    if kind == "deferred" and how == "coroutine":
        return  # Twisted loops for ever
    inner = outcome(lib, kind)

    async def coroutine() -> Any:
        try:
            return "got", await inner
        except KeyError as error:
            return "caught", error

    def generator() -> Any:
        try:
            return "got", (yield inner)
        except KeyError as error:
            return "caught", error

    if how == "coroutine":
        d = lib.defer.ensureDeferred(coroutine())
    else:
        d = lib.defer.inlineCallbacks(generator)()
    d.addCallback(lib.noting("result"))
    inner.addBoth(lib.noting("inner"))
    lib.note(d)
    if kind == "pending":
        inner.callback("now")
    if kind == "paused":
        inner.unpause()
    inner.addBoth(lib.noting("later"))
    inner.addErrback(lambda f: None)


@program
def whatAGeneratorYields(lib: Lib) -> None:
    async def coroutine() -> str:
        return "coroutine"

    def inner() -> Any:
        yield None
        return "generator"

    def generator() -> Any:
        lib.note((yield None), (yield 1), (yield "text"), (yield [1]), (yield KeyError(1)))
        lib.note((yield coroutine()))
        lib.note((yield inner()))
        lib.note((yield lib.defer.succeed(lib.defer.succeed(2))))
        return "end"

    lib.note(lib.defer.inlineCallbacks(generator)())


@program
def whatIsNoCoroutine(lib: Lib) -> None:
    def function() -> int:
        return 3

    def raising() -> None:
        raise KeyError("at once")

    def value() -> None:
        lib.defer.returnValue(3)

    for made in (lib.defer.ensureDeferred, lib.D.fromCoroutine):
        for bad in (3, None, "text"):
            lib.attempt(made, bad)
    try:
        lib.defer.inlineCallbacks(function)()
    except TypeError:
        lib.note("type error")
    lib.attempt(lib.defer.inlineCallbacks(raising))
    try:
        lib.defer.inlineCallbacks(value)()
    except TypeError:
        lib.note("type error")


@program
def returnValue(lib: Lib) -> None:
    def helper() -> None:
        lib.defer.returnValue("from a helper")

    def generator(direct: bool) -> Any:
        yield None
        try:
            if direct:
                lib.defer.returnValue("direct")
            helper()
        except Exception:
            lib.note("not caught by this")
        finally:
            lib.note("finally")

    lib.note(lib.defer.inlineCallbacks(generator)(True))
    lib.note(lib.defer.inlineCallbacks(generator)(False))
    lib.note(lib.defer._DefGen_Return(3).value)


@program
def theCallbacksBehindACoroutine(lib: Lib) -> None:
    gate = lib.D()

    async def coroutine() -> None:
        lib.note(await gate)
        gate.addCallback(lib.noting("added inside"))
        lib.note("has added")

    d = lib.defer.ensureDeferred(coroutine())
    d.addCallback(lib.noting("result"))
    d.addCallback(lambda _: gate.addCallback(lib.noting("added behind")) and None)
    gate.addCallback(lib.noting("gate"))
    gate.callback("x")


@program
def nestedCoroutines(lib: Lib) -> None:
    gate = lib.D()

    async def inner(level: int) -> int:
        if level:
            return 1 + int(await lib.defer.ensureDeferred(inner(level - 1)))
        return int(await gate)

    d = lib.defer.ensureDeferred(inner(20))
    lib.note(d)
    gate.callback(5)
    lib.note(d)


@program
def somebodyElseFires(lib: Lib) -> None:
    gate = lib.D()

    def generator() -> Any:
        return (yield gate)

    d = lib.defer.inlineCallbacks(generator)()
    d.callback("first")
    gate.callback("x")
    lib.note(d, gate)
    gate.addErrback(lambda f: lib.note(f.type))


# Several at once


@family(
    [(False, False, False), (True, False, False), (False, True, False), (False, False, True)]
    + [(True, True, False), (True, False, True), (False, True, True), (True, True, True)],
    ["", "s", "f", "ss", "sf", "fs", "ff", "SS", "FS", "Sf", "sF"],
)
def deferredList(lib: Lib, flags: tuple[bool, bool, bool], kinds: str) -> None:
    ds = []
    for kind in kinds:
        d = lib.D()
        ds.append(d)
        if kind == "S":
            d.callback("at once")
        elif kind == "F":
            d.errback(KeyError("at once"))
    together = lib.defer.DeferredList(ds, *flags)
    together.addBoth(lib.noting("together"))
    together.addErrback(lambda f: lib.note(f.value.index, f.value.subFailure))
    for index, (kind, d) in reversed(list(enumerate(zip(kinds, ds, strict=True)))):
        if kind == "s":
            d.callback(index)
        elif kind == "f":
            d.errback(KeyError(index))
    for d in ds:
        d.addBoth(lib.noting("one"))
        d.addErrback(lambda f: None)
    lib.note(together)


@family(SOUND_CANCELLERS, ["gatherResults", "DeferredList", "race"])
def cancellingSeveral(lib: Lib, kind: str, how: str) -> None:
    ds = [cancellable(lib, kind), cancellable(lib, "none")]
    together = getattr(lib.defer, how)(ds)
    together.addBoth(lib.noting("together"))
    lib.attempt(together.cancel)
    lib.note(together.called)
    for d in ds:
        d.addErrback(lambda f: None)
    together.addErrback(lambda f: None)


@family(["sp", "ps", "fp", "ff", "pp", "ss", "fs", "sf", ""], ["s", "f"])
def race(lib: Lib, kinds: str, later: str) -> None:
    ds = []
    for kind in kinds:
        d = lib.D(lambda _: lib.note("cancelled"))
        ds.append(d)
        if kind == "s":
            d.callback("won")
        elif kind == "f":
            d.errback(KeyError("lost"))
    together = lib.defer.race(ds)
    together.addBoth(lib.noting("first"))
    together.addErrback(lambda f: lib.note(f.value.failures))
    for d in ds:
        if not d.called:
            (d.callback if later == "s" else d.errback)(KeyError("later"))
    for d in ds:
        d.addErrback(lambda f: None)


@family([True, False], ["ss", "sf", "ff", ""])
def gatherResults(lib: Lib, consume: bool, kinds: str) -> None:
    ds = [lib.D() for _ in kinds]
    together = lib.defer.gatherResults(ds, consumeErrors=consume)
    together.addBoth(lib.noting("together"))
    together.addErrback(lambda f: lib.note(repr(f.value)))
    for kind, d in zip(kinds, ds, strict=True):
        (d.callback if kind == "s" else d.errback)(KeyError(kind))
    for d in ds:
        lib.note(d)
        d.addErrback(lambda f: None)


@program
def theSameTwiceInAList(lib: Lib) -> None:
    d = lib.D()
    lib.defer.DeferredList([d, d]).addCallback(lib.noting("list"))
    d.callback(1)


@program
def whatIsNoDeferredInAList(lib: Lib) -> None:
    try:
        lib.defer.DeferredList([3])
    except AttributeError as error:  # ours says what to write
        lib.note(type(error).__name__)
    lib.attempt(lib.defer.DeferredList, 3)
    lib.attempt(lib.defer.gatherResults, None)


@program
def firstErrors(lib: Lib) -> None:
    failure = lib.Failure(KeyError(1))
    error = lib.defer.FirstError(failure, 2)
    lib.note(repr(error), error.index, error.subFailure, error.args)
    lib.note(error == lib.defer.FirstError(failure, 2), error == lib.defer.FirstError(failure, 3))
    lib.note(error < lib.defer.FirstError(failure, 3), error != 4, error == 4)
    group = lib.defer.FailureGroup([failure])
    lib.note(group.failures, group.args, str(group), repr(group))


# Functions


@program
def maybeDeferred(lib: Lib) -> None:
    async def coroutine(x: int) -> int:
        return x

    def raising() -> None:
        raise KeyError(1)

    maybe = lib.defer.maybeDeferred
    lib.note(maybe(lambda: 3), maybe(lambda *a, **k: (a, k), 1, x=2), maybe(coroutine, 4))
    d = lib.D()
    lib.note(maybe(lambda: d) is d)
    for function in (raising, lambda: lib.Failure(KeyError(2)), 3, coroutine):
        maybe(function).addErrback(lambda f: lib.note(f.type))


@program
def smallFunctions(lib: Lib) -> None:
    lib.note(lib.defer.passthru(3), lib.defer.SUCCESS, lib.defer.FAILURE)
    failure = lib.Failure(KeyError(1))
    lib.note(lib.defer.logError(failure) is failure, lib.defer._failthru(failure) is failure)
    d = lib.D()
    lib.defer.timeout(d)
    d.addErrback(lambda f: lib.note(f.value))
    lib.note(lib.defer.succeed(lib.Failure(KeyError(3))).addErrback(lambda f: f.value))
    lib.note(lib.defer.execute(lambda x: x, 5), lib.defer.succeed(lib.D()))
    lib.note(lib.defer.fail(KeyError(4)).addErrback(lambda f: f.value))


@program
def texts(lib: Lib) -> None:
    class Sub(lib.D):  # type: ignore[name-defined,misc]
        pass

    inner = lib.D()
    lib.note(lib.D(), Sub(), lib.defer.DeferredList([inner]), lib.defer.succeed("x"))
    lib.note(lib.defer.succeed(0).addCallback(lambda _: inner), lib.D().addCallback(str))
    other = lib.D()
    inner.chainDeferred(other)
    lib.note(other, inner)
    inner.callback(1)
    lib.note(other, inner)


@program
def overriddenMethods(lib: Lib) -> None:
    class Sub(lib.D):  # type: ignore[name-defined,misc]
        def callback(self, result: Any) -> None:
            lib.note("callback")
            super().callback(result)

        def errback(self, fail: Any = None) -> None:
            lib.note("errback")
            super().errback(fail)

        def addCallbacks(self, *args: Any, **kwargs: Any) -> Any:
            lib.note("addCallbacks")
            return super().addCallbacks(*args, **kwargs)

        def cancel(self) -> None:
            lib.note("cancel")
            super().cancel()

    s = Sub()
    s.addCallback(lib.noting("a")).addErrback(lib.noting("b")).addBoth(lib.noting("c"))
    lib.D().chainDeferred(s).callback(1)
    s.addCallback(lambda _: lib.D())
    s.cancel()
    s.addErrback(lambda f: None)
    t = Sub()
    t.cancel()
    t.addErrback(lambda f: lib.note(f))
    u = Sub()
    lib.defer.DeferredList([u]).addCallback(lib.noting("list"))
    v = lib.defer.succeed(1).addCallback(lambda _: u)
    v.cancel()
    lib.note(v)


@program
def foreignAttributes(lib: Lib) -> None:
    d = lib.D()
    d.mine = 3
    lib.note(d.mine, d._canceller, d._chainedTo, d._runningCallbacks, d._debugInfo, d.debug)
    d.callback(1)
    lib.note(d._suppressAlreadyCalled, d._canceller)
    lib.note([len(pair) for pair in lib.D().addCallback(str).addErrback(str).callbacks])


@family(["pending", "fired", "failed", "paused", "chained", "deferred"])
def theListOfCallbacks(lib: Lib, kind: str) -> None:
    """As many as there are still to be called, whoever it is that waits."""

    async def wait(d: Any) -> None:
        await d

    for attach in (
        lambda d: None,
        lambda d: lib.defer.ensureDeferred(wait(d)),
        lambda d: lib.defer.DeferredList([d]),
        lambda d: lib.D().addCallback(lambda _: d).callback(None),
        lambda d: d.addBoth(str).addBoth(str),
    ):
        d = outcome(lib, kind)
        lib.note(len(d.callbacks))
        attach(d)
        lib.note(len(d.callbacks))
        d.addErrback(lambda _: None)


@program
def debugMode(lib: Lib) -> None:
    lib.note(lib.defer.getDebugging())
    lib.defer.setDebugging(True)
    try:
        lib.note(lib.defer.getDebugging(), lib.D.debug)
        d = lib.D()
        d.callback(1)
        try:
            d.callback(2)
        except lib.defer.AlreadyCalledError as error:
            lib.note([line for line in str(error).splitlines() if "File" not in line][:3])
        lib.note(len(d._debugInfo.creator) > 3, "texts" in str(d._debugInfo.creator))
        lib.note(len(d._debugInfo.creator) - len(d._debugInfo.invoker))
        d = lib.D()

        async def wait() -> None:
            await d

        lib.defer.ensureDeferred(wait())
        d.callback(1)
        lib.note(len(d._debugInfo.creator) - len(d._debugInfo.invoker))
    finally:
        lib.defer.setDebugging(False)


# Locks


@family(["DeferredLock", "DeferredSemaphore"])
def locks(lib: Lib, kind: str) -> None:
    lock = getattr(lib.defer, kind)(*((1,) if kind == "DeferredSemaphore" else ()))
    lock.acquire().addCallback(lambda x: lib.note("first", x is lock))
    second = lock.acquire().addBoth(lib.noting("cancelled"))
    lock.acquire().addCallback(lambda x: lib.note("third", x is lock))
    lib.note(len(lock.waiting))
    second.cancel()
    lock.release()
    lock.release()
    lib.attempt(lock.release)
    inner = lib.D()
    lock.run(lambda *a, **k: (lib.note(a, k), inner)[1], 1, x=2).addBoth(lib.noting("ran"))
    lock.run(lambda: 1 // 0).addErrback(lib.noting("failed")).addErrback(lambda f: None)
    lib.note(len(lock.waiting))
    inner.callback("inner")

    async def coroutine() -> None:
        async with lock as entered:
            lib.note(entered is lock, len(lock.waiting))

    lib.note(lib.defer.ensureDeferred(coroutine()))
    second.addErrback(lambda f: None)


@program
def semaphores(lib: Lib) -> None:
    lib.attempt(lib.defer.DeferredSemaphore, 0)
    semaphore = lib.defer.DeferredSemaphore(2)
    for _ in range(3):
        semaphore.acquire().addCallback(lambda _: lib.note("got", semaphore.tokens))
    lib.note(semaphore.tokens, semaphore.limit, len(semaphore.waiting))
    for _ in range(3):
        semaphore.release()
    lib.attempt(semaphore.release)


@family([None, 0, 1, 2], [None, 0, 1, 2])
def queues(lib: Lib, size: int | None, backlog: int | None) -> None:
    queue = lib.defer.DeferredQueue(size, backlog)
    got = []
    for n in range(3):
        lib.attempt(queue.put, n)
    lib.note(queue.pending, len(queue.waiting), queue.size, queue.backlog)
    for n in range(6):
        lib.attempt(lambda n=n: got.append(queue.get().addBoth(lib.noting(f"get {n}"))))
    for d in got:
        d.cancel()
        d.addErrback(lambda f: None)
    lib.note(len(queue.waiting))
    lib.attempt(queue.put, "last")


@program
def resultsSoFar(lib: Lib) -> None:
    """What is known before all have come."""
    for make in (lib.defer.DeferredList, lib.defer.gatherResults):
        ds = [lib.D() for _ in range(4)]
        d = make(ds)
        d.addErrback(lambda f: lib.note(f.type))
        ds[0].callback(None)
        ds[2].callback("third")
        lib.note(d.resultList, d.finishedCount)
        ds[1].addErrback(lambda f: None)
        ds[1].errback(KeyError("error"))
        lib.note(d.resultList, d.finishedCount)
        ds[3].callback(4)
        lib.note(d.resultList, d.finishedCount)


# One who waits alone


@family(
    ["coroutine", "generator", "list", "first", "gather", "consume"],
    ["result", "error"],
    ["nothing", "looks", "adds", "pauses", "cancels", "fires", "raises"],
    ["then", "paused"],
)
def waitsAlone(lib: Lib, who: str, outcome: str, does: str, when: str) -> None:
    """Who waits is the only one; what it does when its turn has come, the Deferred sees."""
    d = lib.D()
    others = [lib.D(), lib.D()]

    def act() -> None:
        lib.note("its turn", d, d.called, d.paused, getattr(d, "result", None))
        match does:
            case "looks":
                lib.note(d._runningCallbacks, d._chainedTo is None)
            case "adds":
                d.addBoth(lib.noting("added"))
                d.addBoth(lambda _: others[0]).addBoth(lib.noting("after another"))
            case "pauses":
                d.pause()
                d.addBoth(lib.noting("unpaused"))
                d.unpause()
            case "cancels":
                d.cancel()
            case "fires":
                others[1].addBoth(lib.noting("the second"))
                others[1].callback("in between")
            case "raises":
                raise ValueError("its own")

    def acting(result: Any) -> Any:
        act()
        return result

    if who == "coroutine":

        async def wait() -> Any:
            try:
                lib.note("got", await d)
            except KeyError as error:
                lib.note("caught", error)
            act()
            return "the end"

        end = lib.defer.ensureDeferred(wait())
    elif who == "generator":

        def steps() -> Any:
            try:
                lib.note("got", (yield d))
            except KeyError as error:
                lib.note("caught", error)
            act()
            lib.note("next", (yield lib.defer.succeed("at once")))
            return "the end"

        end = lib.defer.inlineCallbacks(steps)()
    else:
        keywords: dict[str, dict[str, bool]] = {
            "first": {"fireOnOneCallback": True, "fireOnOneErrback": True},
            "consume": {"consumeErrors": True},
        }
        make = lib.defer.gatherResults if who == "gather" else lib.defer.DeferredList
        end = make([d], **keywords.get(who, {}))
        end.addBoth(acting)
    end.addBoth(lib.noting("end"))
    if when == "paused":
        d.pause()
    if outcome == "result":
        d.callback("result")
    else:
        d.errback(KeyError("error"))
    if when == "paused":
        lib.note("paused", d, end)
        d.unpause()
    lib.note("fired", d, d.paused, end)
    others[0].callback("another")
    lib.note("at last", d, end)
    d.addBoth(lib.noting("left"))


@family(["coroutine", "generator", "list", "gather"], ["before", "after"])
def oneMoreWaits(lib: Lib, who: str, when: str) -> None:
    """A callback joins one who waits alone, or the other way round, and both are called."""
    d = lib.D()
    if when == "before":
        d.addBoth(lib.noting("first"))
    if who == "coroutine":

        async def wait() -> Any:
            return await d

        end = lib.defer.ensureDeferred(wait())
    elif who == "generator":

        def steps() -> Any:
            return (yield d)

        end = lib.defer.inlineCallbacks(steps)()
    else:
        end = (lib.defer.gatherResults if who == "gather" else lib.defer.DeferredList)([d])
    end.addBoth(lib.noting("end"))
    if when == "after":
        d.addCallback(lib.noting("callback"))
        d.addErrback(lib.noting("errback"))
        d.addCallbacks(lib.noting("both"), lib.noting("neither"))
    other = lib.D()
    other.addCallback(lambda _: d).addBoth(lib.noting("chained"))
    other.callback(None)
    lib.note(other)
    d.callback("result")
    lib.note(d, end, other)


# Errors that nobody handles


@family(
    ["dropped", "cycle", "handled", "late", "coroutine", "generator", "list", "awaited"]
    + ["failsLater", "failsLaterInAList", "failsLaterAndIsGathered", "failsLaterAndIsConsumed"]
)
def unhandled(lib: Lib, how: str) -> None:
    def fail() -> Any:
        return lib.defer.fail(KeyError(how))

    match how:
        case "dropped":
            fail()
        case "cycle":
            d = fail()
            d.itself = d
        case "handled":
            fail().addErrback(lambda f: None)
        case "late":
            d = fail()
            d.addCallback(str)
            d.addErrback(lambda f: None)
        case "list":
            lib.defer.DeferredList([fail(), fail()])
        case "failsLater" | "failsLaterInAList":
            d = lib.D()
            if how == "failsLaterInAList":
                lib.defer.DeferredList([d])
            d.errback(KeyError(how))
        case "failsLaterAndIsGathered" | "failsLaterAndIsConsumed":
            d = lib.D()
            end = lib.defer.gatherResults([d], consumeErrors=how == "failsLaterAndIsConsumed")
            end.addErrback(lambda f: None)
            d.errback(KeyError(how))
        case "awaited":

            async def wait() -> None:
                try:
                    await fail()
                except KeyError:
                    lib.note("caught")

            lib.defer.ensureDeferred(wait())
        case "coroutine":

            async def bad() -> None:
                raise KeyError(how)

            lib.defer.ensureDeferred(bad())
        case "generator":

            def badGenerator() -> Any:
                yield fail()

            lib.defer.inlineCallbacks(badGenerator)()


@program
def returnsItself(lib: Lib) -> None:
    """A callback or errback that returns its own Deferred is warned of, at its own last line; where
    warnings are errors, the warning is its result."""

    def giveItself(_: object) -> Any:
        deferred = chosen[-1]
        return deferred

    end = giveItself.__code__.co_firstlineno + 2
    chosen: list[Any] = []
    for action in ("always", "error"):
        for failed in (False, True):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter(action)
                d = lib.D()
                chosen.append(d)
                d.addCallbacks(giveItself, giveItself)
                if failed:
                    d.errback(KeyError("error"))
                else:
                    d.callback("result")
                lib.note(action, failed, d.paused, [(w.category, w.lineno - end) for w in warned])
                d.addErrback(lambda f: lib.note(f.type))


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_as_twisted(name: str) -> None:
    """A program's notes are the same on both."""
    assertSame(PROGRAMS[name])


def test_there_are_a_few_hundred_programs() -> None:
    """The families are not empty."""
    assert len(PROGRAMS) > 250
