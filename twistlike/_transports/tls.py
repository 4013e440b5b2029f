"""TLS over any transport: a protocol below, a transport above, and no I/O of its own.

Thread: the reactor's.

How it works
------------
What the transport receives goes into one memory buffer of an `ssl.SSLObject`, what that wants to
send comes out of another. The inner protocol gets its transport at once; what it writes before the
handshake is done waits. What it writes while it receives goes out together when it is done.

A connection ends in order when both sides have sent "close notify". `loseConnection` sends ours
and waits for the peer's, but not for ever. An end of the stream without it is `ConnectionLost`: the
end may have been cut off.
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

from twistlike._base.declarations import implementer
from twistlike._base.error import ConnectionDone, ConnectionLost, TimeoutError
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._transports.abstract import asBytes
from twistlike._transports.certificates import Certificate
from twistlike._transports.interfaces import (
    IHandshakeListener,
    INegotiated,
    IProtocolNegotiationFactory,
)
from twistlike._transports.tls_context import sessionMaker
from twistlike._transports.tls_options import wireProtocols

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twistlike._base.interfaces import IDelayedCall

__all__ = ["TLSMemoryBIOFactory", "TLSMemoryBIOProtocol"]

HANDSHAKE_TIMEOUT = 60.0
"""Seconds that a handshake may take: asyncio's figure. Twisted waits for ever."""

SHUTDOWN_TIMEOUT = 30.0
"""Seconds that the peer may take to answer our close notify: asyncio's. Twisted waits for ever."""

READ_SIZE = 1 << 14
"""How many bytes are read at once: what a record of TLS may hold."""

WRITE_SIZE = 1 << 18
"""How many bytes are encrypted at once: what is written in one go must not double the memory."""

EARLY_LIMIT = 1 << 16
"""How many bytes may wait for the handshake before a producer is paused."""


class _Producer:
    """A producer that has to wait while the handshake or the transport below says so."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._isPaused = False
        self._waitsForHandshake = False
        self._waitsForTransport = False

    def hold(self, isPaused: bool = False) -> None:
        """Let it wait for the handshake.

        Args:
            isPaused: Whether it has been paused already.
        """
        self._waitsForHandshake = True
        if not self._isPaused:
            self._isPaused = True
            if not isPaused:
                self._producer.pauseProducing()

    def release(self) -> None:
        """Let it go on after the handshake, unless the transport is full."""
        self._waitsForHandshake = False
        self._resume()

    def pauseProducing(self) -> None:
        """Let it wait for the transport."""
        self._waitsForTransport = True
        if not self._isPaused:
            self._isPaused = True
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """Let it go on, unless the handshake is not done."""
        self._waitsForTransport = False
        self._resume()

    def _resume(self) -> None:
        if self._isPaused and not self._waitsForHandshake and not self._waitsForTransport:
            self._isPaused = False
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """Let it end."""
        self._producer.stopProducing()


def _sendPartsAtOnce(transport: Any) -> None:
    """Have a transport over TCP send small packets at once, as asyncio's do.

    A message of more than a record arrives, and is answered, in parts. The last part would wait
    until the peer's system acknowledges those before it, which it delays by 40 ms.
    """
    setTcpNoDelay = getattr(transport, "setTcpNoDelay", None)
    if setTcpNoDelay is not None:
        try:
            setTcpNoDelay(True)
        except OSError:
            pass  # the connection is lost already, of which the transport tells


@implementer(INegotiated)
class TLSMemoryBIOProtocol:
    """One TLS connection.

    Args:
        factory: Says how to speak TLS.
        wrappedProtocol: What the decrypted bytes are for.
        connectWrapped: Whether that needs its transport still.

    Attributes:
        transport: The transport below.
        connected: Whether the connection is there.
        disconnecting: Whether it is to be closed.
    """

    TLS = True
    disconnecting = False
    connected = False

    def __init__(
        self, factory: TLSMemoryBIOFactory, wrappedProtocol: Any, _connectWrapped: bool = True
    ) -> None:
        self.factory = factory
        self.wrappedProtocol: Any = wrappedProtocol
        self._connectWrapped = _connectWrapped
        self.transport: Any = None
        self._isShaken = False  # the handshake is done
        self._isOver = False  # nothing is encrypted or decrypted any more
        self._sentClose = False
        self._gotClose = False
        self._aborted = False
        self._reason: Failure | None = None
        self._waiting: list[bytes] = []  # what was written and is not encrypted yet
        self._waitingSize = 0
        self._collects = True  # what is written now is encrypted later, in one go
        self._producer: Any = None
        self._streaming = False
        self._timer: IDelayedCall | None = None
        self._askThread: Callable[..., object] | None = None

    def __repr__(self) -> str:
        inner = self.wrappedProtocol
        name = "no protocol" if inner is None else type(inner).__name__
        return f"<{type(self).__name__} for {name}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("transport") is None:
            raise AttributeError(name)
        return getattr(self.transport, name)

    def logPrefix(self) -> str:
        """Return the inner protocol's name for logs."""
        if self.wrappedProtocol is None:
            return "-"  # it has ended
        prefix = getattr(self.wrappedProtocol, "logPrefix", None)
        return type(self.wrappedProtocol).__name__ if prefix is None else prefix()

    # ---- a protocol: for the transport below -----------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, give the inner protocol this one, and begin the handshake."""
        self.transport = transport
        self._askThread = getattr(transport, "_elsewhere", None)
        self.connected = True
        self._incoming, self._outgoing, self._session = self.factory.newSession(self)
        self._setTimer(HANDSHAKE_TIMEOUT, self._handshakeTimedOut)
        _sendPartsAtOnce(transport)
        if self._connectWrapped:
            self.wrappedProtocol.makeConnection(self)
        if not self._isOver and not self._aborted:
            self._shakeHands()

    def dataReceived(self, data: bytes) -> None:
        """Decrypt what has come, and hand it on."""
        if self._isOver:
            return
        self._incoming.write(data)
        if not self._isShaken:
            self._shakeHands()
            if not self._isShaken:
                return
        self._collects = True
        try:
            self._decrypt()
        finally:
            self._collects = False
            if not self._isOver:
                self._encrypt()

    def connectionLost(self, reason: Failure) -> None:
        """Hear that the transport below has ended, and tell the inner protocol."""
        if self._reason is None and not self._gotClose and reason.check(ConnectionDone):
            reason = Failure(ConnectionLost("TLS was cut off, without a close notify"))
        reason, self._reason = self._reason or reason, None
        self._isOver = True
        self.connected = False
        self._stopTimer()
        self._waiting.clear()
        producer, self._producer = self._producer, None
        try:
            if producer is not None and not self._streaming and not self._isShaken:
                producer.stopProducing()  # the transport does not know it yet
        finally:
            protocol, self.wrappedProtocol = self.wrappedProtocol, None
            protocol.connectionLost(reason)

    # ---- a transport: for the protocol above -----------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, encrypted.

        Args:
            data: The bytes. After `loseConnection` they are dropped, but for a producer's.

        Raises:
            TypeError: If it is text, say.
            WrongThreadError: In another thread than the loop's.
        """
        # Before anything is encrypted: the peer would miss a record that was not sent.
        if self._elsewhere(self.write, data):
            return
        if type(data) is not bytes:
            data = asBytes(data)
        if not data or self._isOver or self._sentClose:
            return
        if self.disconnecting and self._producer is None:
            return
        self._waiting.append(data)
        if not self._collects:
            self._encrypt()
        elif not self._isShaken:
            self._waitingSize += len(data)
            if self._streaming and self._waitingSize > EARLY_LIMIT:
                self._producer.hold()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send several pieces, in one go."""
        self.write(b"".join([each if type(each) is bytes else asBytes(each) for each in iovec]))

    def loseConnection(self) -> None:
        """Close the connection in order, once all that was written is sent.

        What the peer sends until it answers is still handed on. If the handshake is not done and
        nothing was written, the connection is broken off.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.loseConnection):
            return
        if self.disconnecting or not self.connected:
            return
        if not self._isShaken and not self._waiting and self._producer is None:
            self.abortConnection()
            return
        self.disconnecting = True
        if not self._collects and self._producer is None:
            self._close()

    loseWriteConnection = loseConnection
    """There are no half-closed connections: an end in order, during which the peer may send on.

    Differs from Twisted, which ends the direction below TLS: both sides take that for a cut.
    """

    def abortConnection(self) -> None:
        """Break the connection off; what was not sent is dropped.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.abortConnection):
            return
        self._aborted = True
        self.disconnecting = True
        self._isOver = True
        self._stopTimer()
        self._waiting.clear()
        self.transport.abortConnection()

    def failVerification(self, reason: Failure) -> None:
        """Break the connection off, for a reason that the inner protocol is told."""
        self._reason = reason
        self.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let a producer write here, no faster than what it writes is sent.

        Args:
            producer: Has `resumeProducing`, `stopProducing` and, if it streams, `pauseProducing`.
            streaming: Whether it writes on its own until it is paused.

        Raises:
            RuntimeError: If there is one already.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.registerProducer, producer, streaming):
            return
        if self._producer is not None:
            raise RuntimeError(
                f"{producer!r} cannot be registered: {self._producer!r} was not unregistered"
            )
        if self._isOver or self._sentClose:
            producer.stopProducing()
            return
        self._producer = _Producer(producer) if streaming else producer
        self._streaming = bool(streaming)
        if streaming or self._isShaken:  # one that has to be asked waits for the handshake
            self.transport.registerProducer(self._producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.unregisterProducer) or self._producer is None:
            return
        self._producer = None
        if self._streaming or self._isShaken:
            self.transport.unregisterProducer()
        self._streaming = False
        if self.disconnecting and not self._collects and not self._isOver:
            self._close()

    def getHandle(self) -> Any:
        """Return the `ssl.SSLObject`, or pyOpenSSL's connection where that is used."""
        return getattr(self._session, "connection", self._session)

    def getPeerCertificate(self) -> Any:
        """Return the peer's certificate; None if it has sent none, or not yet."""
        foreign = getattr(self._session, "peerCertificate", None)
        return Certificate.fromSession(self._session) if foreign is None else foreign()

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The name of the protocol that both sides speak, by ALPN; None if there is none (yet)."""
        name = self._session.selected_alpn_protocol()
        return None if name is None else name.encode("ascii")

    def _elsewhere(self, function: Callable[..., object], *args: Any) -> bool:
        """Look whether this thread may call a method, as the transport below does."""
        ask = self._askThread
        return ask is not None and ask(function, *args) is True

    # ---- the work --------------------------------------------------------------------------------

    def _shakeHands(self) -> None:
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except Exception as error:
            self._fail(error)
            return
        if self._isOver:
            return  # a callback has refused the peer
        self._flush()
        self._isShaken = True
        self._stopTimer()
        if IHandshakeListener.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.handshakeCompleted()
        if not self._isOver:
            self._sendEarly()

    def _sendEarly(self) -> None:
        """Send what was written before the handshake was done, and let the producer go on."""
        self._collects = False
        self._encrypt()
        producer = self._producer
        if producer is not None and self._streaming:
            producer.release()
        elif producer is not None:
            self.transport.registerProducer(producer, False)

    def _decrypt(self) -> None:
        """Hand on, in one piece, all that can be decrypted by now; then hear of the end."""
        session = self._session
        incoming = self._incoming
        pieces: list[bytes] = []
        ended: Callable[[], None] | None = None
        while ended is None:
            try:
                data = session.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLEOFError:
                break  # the transport has ended: connectionLost says so
            except Exception as error:
                ended = partial(self._fail, error)
                break
            if not data:
                ended = self._peerClosed
                break
            pieces.append(data)
            if not incoming.pending and not session.pending():
                break
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self.wrappedProtocol.dataReceived(data)
        if ended is not None and not self._isOver:
            ended()

    def _encrypt(self) -> None:
        """Encrypt and send what waits; then close, if that was asked for."""
        waiting = self._waiting
        if waiting and self._isShaken:
            data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting.clear()
            self._waitingSize = 0
            try:
                if len(data) <= WRITE_SIZE:
                    self._session.write(data)
                else:
                    self._encryptPieces(data)
            except Exception as error:
                self._fail(error)
                return
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        if self.disconnecting and self._producer is None and self._isShaken:
            self._close()

    def _encryptPieces(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = self._session.write(view[:WRITE_SIZE])
            view = view[count:]
            self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())

    def _close(self) -> None:
        """Send our close notify; if the peer's has come, close the transport."""
        if self._isOver or self._sentClose:
            return
        self._sentClose = True
        try:
            self._session.unwrap()
        except ssl.SSLWantReadError:
            pass  # the peer has to answer
        except Exception as error:
            self._fail(error)
            return
        else:
            self._gotClose = True
        self._flush()
        if self._gotClose:
            self._finish()
        else:
            self._setTimer(SHUTDOWN_TIMEOUT, self._shutdownTimedOut)

    def _peerClosed(self) -> None:
        """Hear the peer's close notify: answer, and close the transport."""
        self._gotClose = True
        if self._sentClose:
            self._finish()
            return
        self._collects = False
        self.disconnecting = True
        self._producer, producer = None, self._producer
        if producer is not None:
            self.transport.unregisterProducer()
            producer.stopProducing()
        self._encrypt()
        self._close()

    def _finish(self) -> None:
        self._isOver = True
        self._stopTimer()
        self.transport.loseConnection()

    def _fail(self, error: Exception) -> None:
        """End, because TLS went wrong: the peer is told by an alert, the inner protocol later."""
        if isinstance(error, ssl.SSLEOFError):
            error = ConnectionLost(str(error))
        self._reason = Failure(error)
        self.disconnecting = True
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        self._finish()

    # ---- time ------------------------------------------------------------------------------------

    def _setTimer(self, seconds: float, function: Callable[[], None]) -> None:
        self._stopTimer()
        clock = self.factory.clock or getattr(self.transport, "reactor", None)
        if clock is not None:
            self._timer = clock.callLater(seconds, function)

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _handshakeTimedOut(self) -> None:
        text = f"the TLS handshake was not done within {HANDSHAKE_TIMEOUT:.0f} s"
        self.failVerification(Failure(TimeoutError(string=text)))

    def _shutdownTimedOut(self) -> None:
        text = f"the peer has not answered a close notify within {SHUTDOWN_TIMEOUT:.0f} s"
        self.failVerification(Failure(ConnectionLost(text)))


class TLSMemoryBIOFactory:
    """Makes TLS connections around the protocols of another factory.

    Args:
        contextFactory: An `ssl.SSLContext`, or what makes one: `CertificateOptions`, what
            `optionsForClientTLS` returns, or anything whose `getContext()` returns one.
        isClient: Whether this side is the client.
        wrappedFactory: Makes the inner protocols.
        clock: Times the handshake; by default the connection's reactor.

    Raises:
        TypeError: There is no `ssl.SSLContext` to be had.
    """

    noisy = False
    protocol = TLSMemoryBIOProtocol

    def __init__(
        self, contextFactory: Any, isClient: bool, wrappedFactory: Any, clock: Any = None
    ) -> None:
        self.wrappedFactory = wrappedFactory
        self.clock = clock
        self._isClient = isClient
        self._makeSession = sessionMaker(contextFactory, isClient)
        self._protocols: list[str] | None = None
        if IProtocolNegotiationFactory.providedBy(wrappedFactory):
            self._protocols = wireProtocols(wrappedFactory.acceptableProtocols())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "wrappedFactory" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.wrappedFactory, name)

    def logPrefix(self) -> str:
        """Return a name for logs."""
        prefix = getattr(self.wrappedFactory, "logPrefix", None)
        name = type(self.wrappedFactory).__name__ if prefix is None else prefix()
        return f"{name} (TLS)"

    def doStart(self) -> None:
        """Hand it on: the factory is used from now on."""
        self.wrappedFactory.doStart()

    def doStop(self) -> None:
        """Hand it on: the factory is used no more."""
        self.wrappedFactory.doStop()

    def startedConnecting(self, connector: Any) -> None:
        """Hand it on: an attempt to connect has begun."""
        self.wrappedFactory.startedConnecting(connector)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """Hand it on: an attempt to connect has failed."""
        self.wrappedFactory.clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        """Hand it on: the connection has ended."""
        self.wrappedFactory.clientConnectionLost(connector, reason)

    def buildProtocol(self, addr: Any) -> TLSMemoryBIOProtocol | None:
        """Make a TLS connection around a new protocol."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)

    def newSession(self, connection: TLSMemoryBIOProtocol) -> tuple[Any, Any, Any]:
        """Return the two buffers and the session of a new connection."""
        return self._makeSession(connection, self._protocols)


showAs("twistlike.protocols.tls", globals(), ["TLSMemoryBIOFactory", "TLSMemoryBIOProtocol"])
