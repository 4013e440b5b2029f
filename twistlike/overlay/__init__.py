"""Makes `import twisted.X.Y` give `twistlike.X.Y`: programs for Twisted run as they are.

Call `install` before the program's first `import twisted`; any thread may, the main one
should. `python -m twistlike run` does it for a script.

The modules here: `finders` answers the import system; `ownership` is the table that says whose a
module is, `lookup` answers for single names; `catalog` knows what Twisted has; `differences` and
`instead` are the table's texts, and `messages` makes errors of it.
"""

from __future__ import annotations

import sys
import threading

from twistlike.overlay.finders import aliases, isOurs, loaded

__all__ = ["install", "uninstall"]

_lock = threading.Lock()


def install() -> None:
    """Let imports of `twisted` and everything below it give twistlike's modules, from now on.

    Where twistlike lacks a module or a name, the import raises `ImportError` at once. An
    installed Twisted is out of reach until `uninstall`. Doing it twice does nothing more.

    Raises:
        RuntimeError: Modules of the real Twisted are imported already: their classes and ours
            would meet in one program.

    Thread:
        Any.
    """
    with _lock:
        foreign = sorted(name for name, module in loaded() if not isOurs(name, module))
        if foreign:
            raise RuntimeError(
                f"the real Twisted is already imported ({', '.join(foreign[:3])}"
                f"{', ...' if len(foreign) > 3 else ''}); call twistlike.overlay.install() before "
                "anything imports twisted, or use python -m twistlike run"
            )
        if aliases not in sys.meta_path:
            sys.meta_path.insert(0, aliases)


def uninstall() -> None:
    """Undo `install`: `import twisted` is the real Twisted again, or an error.

    Modules that a program has imported in between stay what they are in that program.

    Thread:
        Any.
    """
    with _lock:
        if aliases in sys.meta_path:
            sys.meta_path.remove(aliases)
        for name, module in loaded():
            if isOurs(name, module):
                del sys.modules[name]
