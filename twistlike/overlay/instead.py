"""What serves instead of what of Twisted is not here. Thread: any."""

from __future__ import annotations

from twistlike.overlay.names import isBelow

__all__ = ["INSTEAD", "insteadOf"]

_REACTOR = "twisted.internet.asyncioreactor, which is the one kind of reactor here"
_WINDOWS = "asyncio's Proactor loop, which waits for events by itself"
_ROTATING = "the standard library's logging.handlers"

INSTEAD = {
    "internet.reactor.addEvent": _WINDOWS,
    "internet.reactor.removeEvent": _WINDOWS,
    "_threads": "twisted.python.threadpool",
    "application": "python -m twistlike run, under the service manager of your system",
    "conch": "asyncssh, awaited in a Deferred coroutine",
    "cred": "your web framework's authentication",
    "enterprise": "threads.deferToThreadPool around your database module, or an asyncio driver",
    "internet.cfreactor": _REACTOR,
    "internet.defer.deferredGenerator": "inlineCallbacks",
    "internet.defer.waitForDeferred": "inlineCallbacks",
    "internet.epollreactor": _REACTOR,
    "internet.gireactor": _REACTOR,
    "internet.glib2reactor": _REACTOR,
    "internet.gtk2reactor": _REACTOR,
    "internet.gtk3reactor": _REACTOR,
    "internet.inotify": "a watcher of files, such as watchfiles",
    "internet.iocpreactor": _REACTOR,
    "internet.kqreactor": _REACTOR,
    "internet.pollreactor": _REACTOR,
    "internet.posixbase": _REACTOR,
    "internet.selectreactor": _REACTOR,
    "internet.serialport": "pyserial-asyncio, or reactor.addReader with pyserial",
    "mail": "aiosmtplib or the standard library's email",
    "names": "reactor.resolve(name), which asks the system in the pool",
    "persisted": "the standard library's pickle or sqlite3",
    "plugin": "entry points, by the standard library's importlib.metadata",
    "protocols": "a package for the protocol, or a protocol of your own on protocols.basic",
    "python.compat": "the standard library: every supported Python is a Python 3",
    "python.filepath": "the standard library's pathlib",
    "python.logfile": _ROTATING,
    "python.modules": "the standard library's pkgutil and importlib",
    "python.procutils": "the standard library's shutil.which",
    "python.syslog": _ROTATING,
    "python.usage": "the standard library's argparse",
    "python.versions": "the package packaging",
    "scripts": "python -m twistlike run",
    "spread": "an RPC package for asyncio",
    "test.proto_helpers": "twisted.internet.testing",
    "trial": "pytest; a test awaits a Deferred in a coroutine",
    "web": "aiohttp or httpx, awaited in a Deferred coroutine",
    "words": "an asyncio package for the protocol",
}
"""What serves instead of a part of Twisted that is not here, and of all below it."""


def insteadOf(short: str) -> str:
    """Return what serves instead of a module or name, or nothing.

    Args:
        short: The name below `twisted`. The entry of the nearest part above it counts.
    """
    fitting = [each for each in INSTEAD if isBelow(short, (each,))]
    return INSTEAD[max(fitting, key=len)] if fitting else ""
