"""Interfaces: typing Protocols that can do what Twisted's programs do with zope's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from zope.interface import implementer, provider

from tests import oracle
from twistlike.internet import reactor
from twistlike.internet.defer import Deferred, succeed
from twistlike.internet.interfaces import (
    IDelayedCall,
    IReactorCore,
    IReactorFromThreads,
    IReactorThreads,
    IReactorTime,
    IResolverSimple,
)
from twistlike.internet.task import Clock
from twistlike.logger import ILogObserver


def test_what_has_the_methods_provides_it() -> None:
    """An object provides an interface by having its methods."""
    clock = Clock()
    assert IReactorTime.providedBy(clock)
    assert not IReactorThreads.providedBy(clock)
    assert IDelayedCall.providedBy(clock.callLater(1, print))
    for interface in (IReactorCore, IReactorTime, IReactorThreads, IReactorFromThreads):
        assert interface.providedBy(reactor)
    assert ILogObserver.providedBy(print)
    assert not ILogObserver.providedBy(3)


def test_a_class_implements_what_its_instances_provide() -> None:
    """A class implements an interface if its instances have the methods."""
    assert IReactorTime.implementedBy(Clock)
    assert not IReactorTime.implementedBy(dict)


def test_calling_gives_the_object_back() -> None:
    """An interface that is called with an object returns it if it provides the interface."""
    clock = Clock()
    time: Any = IReactorTime
    threads: Any = IReactorThreads
    assert time(clock) is clock
    assert threads(clock, None) is None
    with pytest.raises(TypeError, match="it has no callFromThread, callInThread"):
        threads(clock)


def test_a_class_can_inherit() -> None:
    """A class that inherits from an interface is made as any other is."""

    class Ours(IResolverSimple):
        def __init__(self, answer: str) -> None:
            self.answer = answer

        def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
            return succeed(self.answer)

    ours = Ours("127.0.0.1")
    assert ours.getHostByName("localhost").result == "127.0.0.1"
    assert IResolverSimple.providedBy(ours)


def test_zopes_declarations_take_them() -> None:
    """What declares an interface of Twisted's by zope's decorators runs as it is."""

    @implementer(IReactorTime, IReactorThreads)
    class Both:
        pass

    @provider(ILogObserver)  # type: ignore[untyped-decorator, unused-ignore]
    def observe(event: object) -> None:
        pass

    assert not IReactorTime.providedBy(Both())
    assert ILogObserver.providedBy(observe)


def test_as_ported_programs_use_them() -> None:
    """Questions that programs ask of interfaces have the answers that they have in Twisted."""
    oracle.assertSame("""
        from zope.interface import implementer, provider
        from twisted.internet import reactor, task
        from twisted.internet.interfaces import IReactorThreads, IReactorTime, IReactorCore
        from twisted.logger import ILogObserver, Logger, LogPublisher

        print(IReactorTime.providedBy(reactor), IReactorThreads.providedBy(reactor))
        print(IReactorTime.providedBy(task.Clock()), IReactorThreads.providedBy(task.Clock()))
        print(IReactorTime.providedBy(object()), IReactorCore.providedBy(reactor))
        print(IReactorTime(reactor) is reactor, IReactorThreads(task.Clock(), 'none'))
        try:
            IReactorTime(3)
        except TypeError:
            print('refused')

        @provider(ILogObserver)
        def observe(event):
            print('seen', event['log_format'])

        @implementer(ILogObserver)
        class Observer:
            def __call__(self, event):
                print('also', event['log_format'])

        Logger(observer=LogPublisher(observe, Observer())).info('hello')
        """)
