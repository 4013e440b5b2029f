"""Which suites of Twisted are compared, in groups; each entry is a process of its own."""

from __future__ import annotations

__all__ = ["GROUPS", "PATTERNS"]


def _tests(package: str, names: str) -> list[str]:
    return [f"twisted.{package}.test_{name}" for name in names.split()]


GROUPS: dict[str, list[list[str]]] = {
    "core": [
        _tests("test", "defer task cooperator failure context error threads threadpool"),
        _tests("test", "threadable internet application lockfile iutils"),
        _tests("internet.test", "inlinecb defer_await defer_yieldfrom base default main error"),
        ["twisted._threads.test"],
    ],
    "near": [
        ["twisted.logger.test"],
        _tests("test", "log logfile reflect loopback factories abstract iosim fdesc randbytes"),
        _tests("test", "monkey plugin twistd usage strports persisted sob"),
        ["twisted.application.test"],
        _tests("internet.test", "abstract address filedescriptor protocol posixbase posixprocess"),
        _tests("internet.test", "baseprocess epollreactor inotify pollingfile resolver sigchld"),
        _tests("internet.test", "testing udp_internals fakes"),
    ],
    "trial": [["twisted.trial.test"]],
    "network": [
        _tests("test", "tcp tcp_internals udp unix ssl sslverify sni"),
        _tests("test", "process stdio policies protocols pcp"),
        _tests("test", "amp ftp ftp_options socks ident htb postfix memcache sip finger"),
        _tests("internet.test", "endpoints"),
        ["twisted.protocols.test"],
    ],
    "consumers": [
        ["twisted.web.test"],
        ["twisted.names.test"],
        ["twisted.mail.test"],
        ["twisted.words.test"],
        ["twisted.conch.test"],
        _tests("test", "adbapi shortcut"),
        ["twisted.spread.test", "twisted.cred.test", "twisted.persisted.test"],
        ["twisted.pair.test", "twisted.positioning.test", "twisted.runner.test"],
    ],
    "clients": [
        ["treq.test"],
        ["klein.test"],
        ["crochet.tests"],
        ["wormhole.test"],
        ["epsilon.test"],
        ["tubes.test"],
    ],
    "reactor": [
        _tests("internet.test", "core fdset newtls socket stdio threads time reactormixins"),
        _tests("internet.test", "tcp udp tls"),
        _tests("internet.test", "unix process"),
        _tests("internet.test", "asyncioreactor"),
    ],
}
"""Group: processes, each a list of modules and packages."""

PATTERNS = {"reactor": r"[Aa]syncio"}
"""Group: which tests count. Of those on every reactor, the ones on Twisted's asyncio reactor."""
