"""What differs from Twisted in what we have, name by name.

Each text is quoted from `docs/differences.md`, and a test holds the two together: it also demands
that each point of that document is here. Names are below `twisted`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["DIFFERENCES", "Difference", "differenceOf"]


class Difference(NamedTuple):
    """A text, and the names it holds for, separated by spaces."""

    names: str
    text: str


DIFFERENCES = [
    # The reactor.
    Difference(
        "internet.reactor.run internet.reactor.startRunning internet.error.ReactorNotRestartable",
        "It can be run again, and attached to a running loop, any number of times. "
        "`ReactorNotRestartable` is never raised.",
    ),
    Difference(
        "internet.reactor.run internet.reactor.startRunning internet.reactor.iterate",
        "In a running loop `run()` raises `ReactorAlreadyRunning` before it touches that loop.",
    ),
    Difference(
        "internet.reactor.callLater internet.reactor.stop internet.reactor.resolve "
        "internet.reactor.callWhenRunning internet.reactor.crash "
        "internet.reactor.addSystemEventTrigger internet.reactor.removeSystemEventTrigger "
        "internet.reactor.fireSystemEvent",
        "What belongs to the loop's thread (`callLater`, `stop`, system events, `resolve`) "
        "raises `WrongThreadError` elsewhere.",
    ),
    Difference(
        "internet.reactor.callFromThread internet.reactor.callInThread "
        "internet.threads.deferToThread internet.threads.blockingCallFromThread",
        "After the end, `callFromThread`, `callInThread`, `deferToThread` and "
        "`blockingCallFromThread` raise `ReactorNotRunning`;",
    ),
    Difference(
        "internet.reactor.stop",
        "`stop()` still delivers calls that threads have posted and results of jobs that run. "
        "It waits for threads no longer than `reactor.shutdownTimeout` (5 s);",
    ),
    Difference(
        "internet.reactor.run",
        "On a loop of its own, `run()` ends asyncio's tasks and asynchronous generators as "
        "`asyncio.run` does:",
    ),
    Difference(
        "internet.reactor.run",
        "A second Ctrl-C, a quarter of a second or more after the first, ends all waiting.",
    ),
    Difference(
        "internet.reactor.startRunning",
        "`startRunning()` leaves the startup event to the loop's first turn;",
    ),
    Difference(
        "internet.reactor.addSystemEventTrigger",
        'An error of a trigger "before" an event, or of what it returned, is reported at once;',
    ),
    Difference(
        "internet.reactor.callLater internet.task.deferLater",
        "A delay that is negative, NaN or no number is a `ValueError` or `TypeError`, not an "
        "`AssertionError`.",
    ),
    Difference(
        "internet.base.DelayedCall internet.asyncioreactor.AsyncioSelectorReactor",
        "Reactors, timers, pools and queues between threads cannot be copied or pickled;",
    ),
    Difference(
        "internet.task.deferLater internet.task.LoopingCall internet.task.LoopingCall.start",
        "When the reactor ends, a `deferLater` whose time has not come and the Deferred of a "
        "`LoopingCall` that runs fail with `CancelledError`, so that a coroutine that waits there "
        "gets its `finally`.",
    ),
    Difference(
        "internet.reactor.resolve",
        "Host names are looked up in threads of their own, not in the users' pool.",
    ),
    Difference(
        "internet.reactor.callLater internet.base.DelayedCall",
        "Cancelling or moving a timer in another thread than the loop's raises `WrongThreadError`.",
    ),
    Difference(
        "internet.reactor.run internet.asyncioreactor.install",
        '`run()` called by an "after shutdown" trigger raises `ReactorAlreadyRunning`; importing '
        "the reactor does not count as installing one.",
    ),
    Difference(
        "internet.reactor.callFromThread internet.reactor.callLater "
        "internet.reactor.callWhenRunning internet.reactor.addSystemEventTrigger",
        "A coroutine function given to `callFromThread`, `callLater`, `callWhenRunning` or a "
        "trigger is run;",
    ),
    Difference(
        "internet.reactor.addReader internet.reactor.addWriter internet.reactor.removeReader "
        "internet.reactor.removeWriter internet.reactor.removeAll",
        "`addReader` and its kin need a loop that can watch descriptors; Windows' Proactor loop"
        " cannot.",
    ),
    # Threads.
    Difference(
        "internet.threads.deferToThread internet.threads.deferToThreadPool",
        "A coroutine function given to `deferToThread` and its kin is a `TypeError` that says "
        "what to write;",
    ),
    Difference(
        "internet.threads.deferToThread internet.threads.deferToThreadPool "
        "internet.reactor.callInThread internet.reactor.callFromThread "
        "python.threadpool.ThreadPool.callInThread",
        "Context variables travel into a job and into a call from a thread; what they set there"
        " does not leak out.",
    ),
    Difference(
        "internet.threads.deferToThread internet.threads.deferToThreadPool",
        "Cancelling the Deferred of a queued job means that it never runs.",
    ),
    Difference(
        "internet.threads.blockingCallFromThread",
        "`blockingCallFromThread` raises in the reactor's own thread, and when the reactor ends.",
    ),
    Difference(
        "python.threadpool.ThreadPool",
        "A stopped pool raises `PoolStoppedError`; Twisted drops the job.",
    ),
    Difference(
        "internet.threads.blockingCallFromThread",
        "A worker that waits in `blockingCallFromThread` for longer than some 10 ms while jobs "
        "are queued is made up for by a spare one,",
    ),
    # Deferreds and Failures.
    Difference(
        "internet.defer.Deferred",
        "`await` works in asyncio's tasks; several coroutines or tasks that wait for one "
        "Deferred all get its outcome. In Twisted the second gets None.",
    ),
    Difference(
        "internet.defer.Deferred.fromFuture internet.defer.CancelledError",
        "A future that was cancelled fails its Deferred with `defer.CancelledError`, which is "
        "not reported if nobody handles it:",
    ),
    Difference(
        "internet.defer.Deferred.callback internet.defer.Deferred.errback internet.defer.Deferred",
        "A Deferred that something on a loop waits for raises `WrongThreadError` when it is "
        "fired in another thread.",
    ),
    Difference(
        "internet.defer.maybeDeferred internet.defer.inlineCallbacks",
        "`maybeDeferred`, and `yield` in `inlineCallbacks`, take anything that can be awaited.",
    ),
    Difference(
        "internet.defer.inlineCallbacks internet.defer.ensureDeferred "
        "internet.defer.Deferred.fromCoroutine",
        "Cancelling a paused coroutine acts at once.",
    ),
    Difference(
        "python.failure.Failure.printTraceback python.failure.Failure.printDetailedTraceback "
        "python.failure.Failure.printBriefTraceback",
        "`Failure.printTraceback()` without a file goes to the logger `twistlike`.",
    ),
    # Tasks and clocks.
    Difference(
        "internet.task.LoopingCall",
        "A `LoopingCall` without a clock takes the reactor of the running loop when it starts.",
    ),
    Difference(
        "internet.task.Clock internet.task.Clock.callLater",
        "`Clock.callLater` refuses what the reactor refuses. Calls of equal times run in the "
        "order of their `callLater`.",
    ),
    Difference(
        "internet.task.Cooperator internet.task.Cooperator.stop internet.task.cooperate",
        "`Cooperator.stop` ends all tasks. `resume` of a task that waits raises `NotPaused`.",
    ),
    Difference(
        "internet.task.react",
        "`react` takes a coroutine's first step once the reactor runs, so that asyncio works "
        "from its first line.",
    ),
    # Ports and connections.
    Difference(
        "internet.tcp.Port internet.tcp.Server internet.tcp.Client internet.tcp.Connector "
        "internet.udp.Port internet.reactor.listenTCP internet.reactor.connectTCP "
        "internet.reactor.listenUNIX internet.reactor.connectUNIX internet.reactor.listenUDP "
        "internet.reactor.listenSSL internet.reactor.connectSSL",
        "A call on a port, a connection or a connector from another thread raises "
        "`WrongThreadError` and names `callFromThread`.",
    ),
    Difference(
        "internet.tcp.Port.stopListening internet.udp.Port.stopListening "
        "internet.interfaces.IListeningPort",
        "`stopListening()` always returns a Deferred, which has fired if the port was closed "
        "already; in Twisted that is None.",
    ),
    Difference(
        "internet.reactor.listenTCP internet.reactor.connectTCP internet.reactor.listenUNIX "
        "internet.reactor.connectUNIX internet.reactor.listenUDP internet.reactor.spawnProcess",
        "What is no factory (its class, a protocol) or no protocol, and arguments of a program "
        "that are one text, are refused at once, with what to write.",
    ),
    Difference(
        "internet.protocol.Protocol.connectionMade internet.protocol.Protocol.dataReceived "
        "protocols.basic.LineReceiver.lineReceived",
        "A `connectionMade` that raises ends its connection, in Twisted the server's stays open.",
    ),
    Difference(
        "internet.tcp.Connection internet.protocol.Protocol.connectionLost "
        "internet.protocol.ClientFactory.clientConnectionFailed",
        "When the reactor ends, or the host's loop, every connection hears `connectionLost`, a "
        "paused one too, and an attempt to connect hears `clientConnectionFailed`.",
    ),
    Difference(
        "internet.protocol.Protocol internet.protocol.DatagramProtocol "
        "internet.reactor.listenTCP internet.reactor.listenUDP internet.reactor.connectTCP",
        "Callbacks run in copies of the context in which the port was opened or the connection "
        "asked for.",
    ),
    Difference(
        "python.log.callWithLogger python.log.msg",
        "What the callbacks of ports and connections log by `log.msg` has the connection's name "
        "as its `system`, as in Twisted;",
    ),
    Difference(
        "internet.tcp.Connection.write internet.tcp.Server.write internet.tcp.Client.write",
        "`write` copies a bytearray and a memoryview; Twisted raises TypeError.",
    ),
    Difference(
        "internet.unix.Server.sendFileDescriptor internet.unix.Client.sendFileDescriptor",
        "`sendFileDescriptor` duplicates the descriptor at once; in Twisted it has to stay open "
        "until it is sent.",
    ),
    Difference(
        "internet.reactor.listenUNIX internet.unix.Port",
        "`listenUNIX` removes its file at the end only if that is still the socket that it made.",
    ),
    Difference(
        "internet.reactor.connectTCP internet.reactor.listenTCP internet.reactor.listenUNIX",
        "`connectTCP` refuses a host that is None, a port that is 1.5 and a negative timeout at "
        "once.",
    ),
    Difference(
        "internet.tcp.Port.doRead",
        "When no descriptor is left for an accepted connection, that is logged once in 10 s, "
        "with how many were refused.",
    ),
    Difference(
        "internet.udp.Port internet.udp.Port.write internet.udp.Port.connect "
        "internet.udp.MulticastPort.joinGroup",
        "A refused datagram never ends a UDP port.",
    ),
    Difference(
        "internet.tcp internet.unix internet.reactor.adoptStreamConnection",
        "On loops that cannot watch sockets (Windows' Proactor) connections use the loop's "
        "transports:",
    ),
    Difference(
        "internet.tcp.Port internet.tcp.Client",
        "A port or connection needs a reactor of twistlike's: `tcp.Port(..., "
        "reactor=MemoryReactor())` is a TypeError.",
    ),
    # Protocols.
    Difference(
        "protocols.basic.IntNStringReceiver protocols.basic.Int8StringReceiver "
        "protocols.basic.Int16StringReceiver protocols.basic.Int32StringReceiver",
        "What an `IntNStringReceiver` receives inside of `stringReceived` waits until that "
        "returns;",
    ),
    Difference(
        "protocols.basic.NetstringReceiver",
        "A `NetstringReceiver` takes nothing more from a peer that broke the rules.",
    ),
    Difference(
        "protocols.basic.LineReceiver protocols.basic.LineOnlyReceiver",
        "A `lineReceived` that raises has had its line.",
    ),
    Difference(
        "internet.protocol.ReconnectingClientFactory",
        "The delay of a `ReconnectingClientFactory` is never negative; without a `clock` it "
        "takes the reactor of the running loop each time.",
    ),
    Difference(
        "internet.protocol.ClientCreator internet.protocol.FileWrapper",
        "A `ClientCreator` waits up to 10 turns for a connection that a loop's transport brings "
        "after `buildProtocol`.",
    ),
    Difference(
        "protocols.policies.WrappingFactory protocols.policies.LimitConnectionsByPeer "
        "protocols.policies.ThrottlingFactory protocols.policies.TrafficLoggingProtocol",
        "A `WrappingFactory` makes no wrapper where the wrapped factory makes no protocol.",
    ),
    # Endpoints and TLS.
    Difference(
        "internet.endpoints.HostnameEndpoint",
        "`HostnameEndpoint` lets the families take turns and tries the next address at once "
        "when one fails;",
    ),
    Difference(
        "internet.endpoints.serverFromString internet.endpoints.clientFromString",
        "In descriptions `tcp6` is a client's kind too, and `fd:NUMBER` a server's; errors name "
        "the text and the argument.",
    ),
    Difference(
        "internet.ssl protocols.tls internet.tcp.Connection.startTLS internet.reactor.listenSSL "
        "internet.reactor.connectSSL",
        "TLS is the standard library's `ssl`: an `ssl.SSLContext` is taken wherever a context "
        "factory is, and errors are `ssl.SSLError`.",
    ),
    Difference(
        "protocols.tls.TLSMemoryBIOProtocol protocols.tls.TLSMemoryBIOFactory",
        "A TLS handshake ends after 60 s, a close that is not answered after 30 s; in Twisted "
        "never.",
    ),
    Difference(
        "internet.reactor.listenSSL internet.reactor.connectSSL internet.tcp.Connection.startTLS",
        "TLS over TCP sends small packets at once (`getTcpNoDelay()` is true): otherwise an answer "
        "of more than 16 KiB waits for 40 ms, as it does in Twisted.",
    ),
    Difference(
        "protocols.tls.TLSMemoryBIOProtocol.getPeerCertificate internet.ssl.optionsForClientTLS",
        "`getPeerCertificate()` returns an `ssl.Certificate`, `optionsForClientTLS` an object "
        "of ours; `transport.TLS` is true from the beginning.",
    ),
    # Child processes.
    Difference(
        "internet.reactor.spawnProcess internet.process.Process",
        "`spawnProcess` raises at once for a folder or user that cannot be had; in Twisted the "
        "child writes a traceback and exits with 1.",
    ),
    Difference(
        "internet.protocol.ProcessProtocol.processEnded",
        "`processEnded` is called when the reactor ends before the child.",
    ),
    Difference(
        "internet.utils.getProcessOutput internet.utils.getProcessValue "
        "internet.utils.getProcessOutputAndValue",
        "Cancelling what `internet.utils` returns kills the program.",
    ),
    Difference(
        "internet.interfaces.IHalfCloseableProtocol "
        "internet.reactor.listenSSL internet.reactor.connectSSL",
        "`loseWriteConnection` on TLS is an end in order, as `loseConnection`: what was written "
        "arrives, and what the peer sends until it has answered still comes. In Twisted it cuts "
        "TLS off, so that both sides hear `ConnectionLost`.",
    ),
    Difference(
        "internet.stdio.StandardIO",
        "`StandardIO` calls `connectionLost` also after both directions of a half-closeable "
        "protocol have ended;",
    ),
    # Logs, contexts, interfaces.
    Difference(
        "python.log.startLogging python.log.err python.log.msg logger.globalLogBeginner "
        "logger.globalLogPublisher",
        "What nobody has claimed ends in the standard `logging`, and errors in the loop's "
        "exception handler where there is a loop. `beginLoggingTo` does not replay what came "
        "before.",
    ),
    Difference(
        "python.log.PythonLoggingObserver",
        "`PythonLoggingObserver` passes `exc_info` on.",
    ),
    Difference(
        "python.context python.context.call python.context.get",
        "`python.context` follows context variables: into threads, timers and tasks.",
    ),
    Difference(
        "internet.interfaces",
        "Interfaces are typing Protocols, and an object provides one by having its methods. Those "
        "that a wrapper would only seem to provide (`IHalfCloseableProtocol`, "
        "`IHalfCloseableDescriptor`, `IFileDescriptorReceiver`, `IHandshakeListener`, "
        "`IProtocolNegotiationFactory`) count where they are declared:",
    ),
]
"""What differs, in the order of the document."""


@cache
def _byName() -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for names, text in DIFFERENCES:
        for name in names.split():
            texts.setdefault(name, []).append(text.rstrip(";:,").removesuffix(".") + ".")
    return {name: " ".join(each) for name, each in texts.items()}


def differenceOf(short: str) -> str:
    """Return how a name differs from Twisted's, or nothing.

    Args:
        short: The name below `twisted`.
    """
    if short.startswith("internet.interfaces."):
        short = "internet.interfaces"  # what differs in one differs in all
    return _byName().get(short, "")
