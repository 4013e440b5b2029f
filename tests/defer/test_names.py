"""Every public name of Twisted's module is there, with the same signature."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import twisted.internet.defer as theirs

import twistlike.internet.defer as ours

_CLASSES = [
    "Deferred",
    "DeferredFilesystemLock",
    "DeferredList",
    "DeferredLock",
    "DeferredQueue",
    "DeferredSemaphore",
    "FailureGroup",
    "FirstError",
]
# What Twisted's consumers import although it is not public.
_PRIVATE = [
    "_ConcurrencyPrimitive",
    "_DefGen_Return",
    "_DeferredListResultItemT",
    "_DeferredListResultListT",
    "_DeferredListSingleResultT",
    "_T",
    "_cancellableInlineCallbacks",
    "_cancelledToTimedOutError",
    "_failthru",
    "_parseDeferredListResult",
]


def _public() -> list[str]:
    """Return the names that Twisted's module defines, or says are public."""
    own = {
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == theirs.__name__
    }
    return sorted(own.union(theirs.__all__))


def _parameters(function: Any) -> list[tuple[str, Any, bool]]:
    """Return name, kind and whether there is a default, of each parameter."""
    return [
        (name, parameter.kind, parameter.default is not inspect.Parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if not name.startswith("_")  # positional-only, in an old spelling
    ]


# What has no module of its own, or another's.
_OTHERS = ["DeferredCallback", "DeferredErrback", "Failure"]


@pytest.mark.parametrize("name", [*_public(), *_OTHERS, *_PRIVATE])
def test_name_is_there(name: str) -> None:
    """A name of theirs is a name of ours, and is known by the module's name."""
    value = getattr(ours, name)
    if name in _public() and callable(value):
        assert value.__module__ == "twistlike.internet.defer"
        assert name in ours.__all__


@pytest.mark.parametrize("name", [n for n in _public() if inspect.isfunction(getattr(theirs, n))])
def test_functions_take_the_same(name: str) -> None:
    """A function has the same parameters."""
    assert _parameters(getattr(ours, name)) == _parameters(getattr(theirs, name))


@pytest.mark.parametrize("className", _CLASSES)
def test_methods_take_the_same(className: str) -> None:
    """A class has the same public methods, with the same parameters."""
    theirClass, ourClass = getattr(theirs, className), getattr(ours, className)
    for name, method in vars(theirClass).items():
        if (name.startswith("_") and name != "__init__") or not inspect.isroutine(method):
            continue
        mine: Any = getattr(ourClass, name)
        his: Any = method
        if name.startswith("from"):  # a classmethod
            his, mine = his.__func__, mine.__func__
        assert _parameters(mine) == _parameters(his), name


@pytest.mark.parametrize("name", [n for n in _public() if isinstance(getattr(theirs, n), type)])
def test_exceptions_have_the_same_bases(name: str) -> None:
    """An exception is of the same builtin kinds."""
    theirClass, ourClass = getattr(theirs, name), getattr(ours, name)
    if issubclass(theirClass, BaseException):
        names = [base.__name__ for base in theirClass.__mro__]
        if name == "TimeoutError":
            names[1:1] = ["TimeoutError", "OSError"]  # ours is the builtin one as well
        assert [base.__name__ for base in ourClass.__mro__] == names


def test_a_method_written_elsewhere_is_named_as_one() -> None:
    """`callback` is a function of another module: names, texts and help call it what users do."""
    assert ours.Deferred.callback.__qualname__ == "Deferred.callback"
    assert ours.Deferred.callback.__name__ == "callback"
    assert "AlreadyCalledError" in (ours.Deferred.callback.__doc__ or "")
    assert "Deferred.callback" in repr(ours.Deferred[int]().callback)
