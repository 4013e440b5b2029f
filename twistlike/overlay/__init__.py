"""Makes `import twisted.X.Y` give `twistlike.X.Y`: programs for Twisted run as they are.

Where a Twisted is installed, it has the modules that `ownership` does not give to us: its web
server, its clients, its transports run on our reactor and our Deferreds.

Call `install` before the program's first `import twisted`; any thread may, the main one
should. `python -m twistlike run` does it for a script.

The modules here: `finders` answers the import system; `ownership` is the table that says whose a
module is, `lookup` answers for single names; `catalog` knows what Twisted has; `differences` and
`instead` are the table's texts, and `messages` makes errors of it; `with_twisted` fits an installed
Twisted and us to each other.
"""

from __future__ import annotations

import importlib.util
import sys
import threading

from twistlike.overlay.finders import aliases, isOurs, loaded

__all__ = ["install", "uninstall"]

_lock = threading.Lock()


def install(*, useTwisted: bool | None = None) -> None:
    """Let imports of `twisted` and everything below it give twistlike's modules, from now on.

    Where a Twisted is installed, only those of its modules are replaced that make the reactor,
    Deferreds, threads and errors; all others are its own. Else, where twistlike lacks a module or a
    name, the import raises `ImportError` at once. Doing it twice does nothing more.

    Args:
        useTwisted: Whether an installed Twisted is used. `None` is: if there is one.

    Raises:
        ImportError: `useTwisted` is true, and no Twisted is installed.
        RuntimeError: Modules of the real Twisted are imported already: their classes and ours
            would meet in one program.

    Thread:
        Any.
    """
    with _lock:
        if aliases in sys.meta_path:
            return
        foreign = sorted(name for name, module in loaded() if not isOurs(name, module))
        if foreign:
            raise RuntimeError(
                f"the real Twisted is already imported ({', '.join(foreign[:3])}"
                f"{', ...' if len(foreign) > 3 else ''}); call twistlike.overlay.install() before "
                "anything imports twisted, or use python -m twistlike run"
            )
        found = useTwisted is not False and importlib.util.find_spec("twisted") is not None
        if useTwisted and not found:
            raise ImportError(
                "no Twisted is installed; install it by: pip install 'twistlike[twisted]'"
            )
        aliases.hasTwisted = found
        sys.meta_path.insert(0, aliases)
        if found:
            from twistlike.overlay.with_twisted import log  # not needed without one

            log.begin()


def uninstall() -> None:
    """Undo `install`: `import twisted` is the real Twisted again, or an error.

    Modules that a program has imported in between stay what they are in that program.

    Thread:
        Any.
    """
    with _lock:
        if aliases in sys.meta_path:
            sys.meta_path.remove(aliases)
        if aliases.hasTwisted:
            from twistlike.overlay.with_twisted import log  # not needed without one

            log.end()
        _forgetLoaded()


def _forgetLoaded() -> None:
    for name, module in loaded():
        if isOurs(name, module):
            del sys.modules[name]
