"""Interfaces that count only where they are declared."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from zope.interface import alsoProvides as zopesAlsoProvides
from zope.interface import implementer as zopesImplementer

from tests.oracle import assertSame, runPython
from twistlike._base.declarations import alsoProvides, implementer
from twistlike.internet.interfaces import (
    IFileDescriptorReceiver,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IHandshakeListener,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    ITransport,
)
from twistlike.internet.protocol import Factory, Protocol
from twistlike.internet.testing import StringTransport

DECLARED = [
    IFileDescriptorReceiver,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocolNegotiationFactory,
]


class Methods(Protocol):
    """Has the methods, and declares nothing."""

    def readConnectionLost(self) -> None:
        """Do nothing."""

    def writeConnectionLost(self) -> None:
        """Do nothing."""


class Through:
    """Has what another object has."""

    def __init__(self, other: object) -> None:
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


def test_methods_alone_declare_nothing() -> None:
    """Neither a class with the methods, nor a wrapper, nor a mock provides such an interface."""
    for thing in (Methods(), Through(Methods()), Mock(), object(), 3):
        for interface in DECLARED:
            assert not interface.providedBy(thing)


@pytest.mark.parametrize("interface", DECLARED)
def test_each_way_to_declare(interface: Any) -> None:
    """Inheriting, zope's decorators and ours, for a class or for one object, all count."""

    class Inherits(Protocol, interface):  # type: ignore[misc]
        pass

    @zopesImplementer(interface)
    class ByZope(Protocol):
        pass

    @implementer(interface)
    class ByOurs(Protocol):
        pass

    class Below(ByOurs):
        pass

    one, two = Protocol(), Protocol()
    zopesAlsoProvides(one, interface)
    alsoProvides(two, interface)
    for thing in (Inherits(), ByZope(), ByOurs(), Below(), one, two):
        assert interface.providedBy(thing)
        others = [each for each in DECLARED if each is not interface]
        assert not any(each.providedBy(thing) for each in others)
    for class_ in (Inherits, ByZope, ByOurs, Below):
        assert interface.implementedBy(class_)
    assert not interface.providedBy(Protocol())
    assert interface(one) is one
    assert interface(Protocol(), None) is None
    with pytest.raises(TypeError):
        interface(Protocol())


def test_the_types_methods_decide_about_names_in_the_log() -> None:
    """A protocol and a factory have such names; a mock and a wrapper only seem to."""
    for thing in (Protocol(), Factory()):
        assert ILoggingContext.providedBy(thing)
    for other in (Mock(), Through(Protocol())):
        assert not ILoggingContext.providedBy(other)


def test_protocols_factories_and_transports_provide_theirs() -> None:
    """What has the methods fits, declared or not."""
    assert IProtocol.providedBy(Protocol())
    assert IProtocolFactory.providedBy(Factory())
    assert ITransport.providedBy(StringTransport())
    assert not ITransport.providedBy(Protocol())


def test_without_zope_inheriting_declares() -> None:
    """Where zope is not installed, a class that inherits is known, and others are not."""
    program = """if True:
        import sys
        sys.modules["zope"] = None
        from twistlike.internet.interfaces import IHalfCloseableProtocol
        from twistlike.internet.protocol import Protocol
        class Half(Protocol, IHalfCloseableProtocol):
            pass
        print(IHalfCloseableProtocol.providedBy(Half()), Half().readConnectionLost())
        print(IHalfCloseableProtocol.providedBy(Protocol()), list(IHalfCloseableProtocol))
    """
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("True None\nFalse []\n", "")


def test_as_ported_programs_declare() -> None:
    """Declarations in the words of zope have the answers that they have in Twisted."""
    assertSame("""
        from zope.interface import alsoProvides, classImplements, directlyProvides, implementer
        from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
        from twisted.internet.protocol import Protocol

        @implementer(IHalfCloseableProtocol)
        class Half(Protocol):
            pass

        class Later(Protocol):
            pass

        one, other = Later(), Protocol()
        def show():
            for thing in (Half(), Later(), one, other):
                print(IHalfCloseableProtocol.providedBy(thing),
                      IHandshakeListener.providedBy(thing))
        show()
        alsoProvides(other, IHandshakeListener)
        directlyProvides(one, IHalfCloseableProtocol, IHandshakeListener)
        show()
        classImplements(Later, IHalfCloseableProtocol)
        show()
        print(IHalfCloseableProtocol.implementedBy(Half), IHalfCloseableProtocol.implementedBy(int))
        """)
