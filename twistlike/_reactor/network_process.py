"""The reactor's methods for child processes.

Thread: the loop's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twistlike._transports.process import Process, PTYProcess

__all__ = ["ProcessMethods"]


class ProcessMethods:
    """The part of the reactor's interface that is told above."""

    if TYPE_CHECKING:

        def _inOurThread(self, name: str) -> None: ...

    def spawnProcess(
        self,
        processProtocol: Any,
        executable: str | bytes,
        args: Sequence[str | bytes] = (),
        env: Mapping[str, str] | Mapping[bytes, bytes] | None = {},
        path: str | bytes | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | int | tuple[int, int, str] = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> Process | PTYProcess:
        """Start a program, and handle its pipes or its terminal by a protocol.

        Args:
            processProtocol: Hears of it; its `connectionMade` is called before this returns.
            executable: A path, or a name that is looked for on the search path: that of `env`, if
                that has one, else this process's.
            args: All arguments, the program's own name first.
            env: The environment, by default an empty one; None is this process's.
            path: The folder to run in; None is this process's.
            uid: The user to run as, by number; None is this process's.
            gid: The group to run as, by number; None is this process's.
            usePTY: Whether to give it a terminal in the place of pipes; or an open one, as
                `(master, slave, name of the slave)`.
            childFDs: What the child's descriptors are: `"r"`, a pipe that we read; `"w"`, a
                pipe that we write; or the number of a descriptor of ours. All others are closed in
                it. By default `{0: "w", 1: "r", 2: "r"}`.

        Returns:
            The protocol's transport.

        Raises:
            NotImplementedError: The system is Windows, or the loop cannot watch descriptors.
            OSError: The program does not exist or may not be run, or no process can be made.
            ValueError: `childFDs` with a terminal, or arguments that cannot be passed.
            WrongThreadError: In another thread than the loop's; use
                `reactor.callFromThread(reactor.spawnProcess, ...)` there.

        Differs from Twisted: a folder or a user that cannot be had raises here, rather than in the
        child.
        """
        from twistlike._transports import process, spawn

        self._inOurThread("spawnProcess")
        if not spawn.isSupported():
            raise NotImplementedError(
                "spawnProcess needs pipes that a loop can watch, which this system does not have; "
                "use asyncio.create_subprocess_exec"
            )
        if not callable(getattr(processProtocol, "makeConnection", None)):
            raise TypeError(f"spawnProcess needs a ProcessProtocol first, not {processProtocol!r}")
        reactor: Any = self
        if usePTY:
            if childFDs is not None:
                raise ValueError("usePTY gives the process a terminal; childFDs cannot be used too")
            return process.PTYProcess(
                reactor, executable, args, env, path, processProtocol, uid, gid, usePTY
            )
        return process.Process(
            reactor, executable, args, env, path, processProtocol, uid, gid, childFDs
        )
