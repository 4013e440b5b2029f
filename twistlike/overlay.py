"""Makes ``import twisted.X.Y`` give ``twistlike.X.Y``: programs for Twisted run as they are.

Call :func:`install` before the program's first ``import twisted``; any thread may, the main one
should. ``python -m twistlike run`` does it for a script.

How it works: two finders on ``sys.meta_path``. The first one, at the front, answers for ``twisted``
and everything below it, so that an installed Twisted is not looked at. Its loader puts the very
module object of ours under the second name: a class has one identity, whichever name it was
imported by, and a module that replaces itself (the reactor) stays replaced. The second finder, at
the end, hears about names below ``twistlike`` that nobody found: ``from twisted.internet import
ssl`` asks for ``twistlike.internet.ssl``, because that is the package's own name. Both raise an
error that says what is missing and what to do.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader

__all__ = ["install", "uninstall"]

_THEIRS = "twisted"
_OURS = "twistlike"

_OURS_ALONE = ("__main__", "overlay", "porting", "pytest_plugin")
"""What is below ``twistlike`` and has no counterpart in Twisted: not to be had as ``twisted.*``.

Neither are the rooms, whose names begin with ``_``.
"""

_PACKAGES = ("", "internet", "protocols", "python")
"""Those of ours that are packages in Twisted too. Any other folder of ours is a module there."""

_STREAMS = "asyncio's own streams (asyncio.open_connection, asyncio.start_server)"
_REACTOR = "twisted.internet.asyncioreactor, which is the one kind of reactor here"

_INSTEAD = {
    "_threads": "twisted.python.threadpool",
    "application": "python -m twistlike run, under the service manager of your system",
    "conch": "asyncssh, awaited in a Deferred coroutine",
    "cred": "your web framework's authentication",
    "enterprise": "threads.deferToThreadPool around your database module, or an asyncio driver",
    "internet.cfreactor": _REACTOR,
    "internet.default": _REACTOR,
    "internet.endpoints": _STREAMS,
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
    "internet.process": "asyncio.create_subprocess_exec, awaited in a Deferred coroutine",
    "internet.protocol": _STREAMS,
    "internet.selectreactor": _REACTOR,
    "internet.ssl": "the standard library's ssl with asyncio's streams",
    "internet.stdio": "asyncio's connect_read_pipe and connect_write_pipe",
    "internet.udp": "asyncio's create_datagram_endpoint",
    "internet.utils": "asyncio.create_subprocess_exec, awaited in a Deferred coroutine",
    "mail": "aiosmtplib or the standard library's email",
    "names": "reactor.resolve(name), which asks the system in the pool",
    "persisted": "the standard library's pickle or sqlite3",
    "plugin": "entry points, by the standard library's importlib.metadata",
    "protocols": _STREAMS,
    "python.compat": "the standard library: every supported Python is a Python 3",
    "python.filepath": "the standard library's pathlib",
    "python.modules": "the standard library's pkgutil and importlib",
    "python.procutils": "the standard library's shutil.which",
    "python.runtime": "the standard library's sys.platform",
    "python.usage": "the standard library's argparse",
    "python.versions": "the package packaging",
    "spread": "an RPC package for asyncio",
    "trial": "pytest; a test awaits a Deferred in a coroutine",
    "web": "aiohttp or httpx, awaited in a Deferred coroutine",
    "words": "an asyncio package for the protocol",
}
"""What serves instead of a part of Twisted that is not here, and of all below it."""

_lock = threading.Lock()


def install() -> None:
    """Let imports of ``twisted`` and everything below it give twistlike's modules, from now on.

    Where twistlike lacks a module or a name, the import raises ``ImportError`` at once. An
    installed Twisted is out of reach until :func:`uninstall`. Doing it twice does nothing more.

    Raises:
        RuntimeError: Modules of the real Twisted are imported already: their classes and ours
            would meet in one program.

    Thread:
        Any.
    """
    with _lock:
        foreign = sorted(name for name, module in _loaded() if not _isOurs(name, module))
        if foreign:
            raise RuntimeError(
                f"the real Twisted is already imported ({', '.join(foreign[:3])}"
                f"{', ...' if len(foreign) > 3 else ''}); call twistlike.overlay.install() before "
                "anything imports twisted, or use python -m twistlike run"
            )
        if _aliases not in sys.meta_path:
            sys.meta_path.insert(0, _aliases)
        if _missing not in sys.meta_path:
            sys.meta_path.append(_missing)


def uninstall() -> None:
    """Undo :func:`install`: ``import twisted`` is the real Twisted again, or an error.

    Modules that a program has imported in between stay what they are in that program.

    Thread:
        Any.
    """
    with _lock:
        for finder in (_aliases, _missing):
            if finder in sys.meta_path:
                sys.meta_path.remove(finder)
        for name, module in _loaded():
            if _isOurs(name, module):
                del sys.modules[name]


class _Aliases:
    """Finds ``twisted.X.Y`` in ``twistlike.X.Y``, and loads it as that same object."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer the import system about a module.

        Raises:
            ImportError: It is Twisted's and we do not have it.
        """
        if fullname != _THEIRS and not fullname.startswith(_THEIRS + "."):
            return None
        name = fullname[len(_THEIRS) + 1 :]
        if _isOursAlone(name):
            # Not None, whoever asks: the next finder would see the file in our package's folder.
            raise _notFound(name)
        found = _find(_ourName(fullname))
        if found is None:
            if _isOnlyAsked():
                return None
            raise _notFound(name)
        spec = ModuleSpec(fullname, cast("Loader", self), origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the import system make a module that nobody keeps.

        It writes ``__spec__`` and more into what it is given here: ours has its own.
        """
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put our module in the place of the one that the import system made."""
        name = module.__name__
        ours = _ourName(name)
        importlib.import_module(ours)
        # Not what import_module returns: a module may have replaced itself by any object.
        sys.modules[name] = sys.modules[ours]


class _Missing:
    """Says for a name below ``twistlike`` that no finder knew what it means that it is missing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer the import system about a module that nobody has found.

        Raises:
            ImportError: Always, for names below ``twistlike``.
        """
        if not fullname.startswith(_OURS + ".") or _isOnlyAsked():
            return None
        raise _notFound(fullname[len(_OURS) + 1 :])


_aliases = _Aliases()
_missing = _Missing()


def _loaded() -> list[tuple[str, object]]:
    """What is imported of ``twisted``, by whatever name: other threads may import meanwhile."""
    return [
        (name, module)
        for name, module in list(sys.modules.items())
        if name == _THEIRS or name.startswith(_THEIRS + ".")
    ]


def _ourName(name: str) -> str:
    """``twistlike.X`` for ``twisted.X``."""
    return _OURS + name[len(_THEIRS) :]


def _isOurs(name: str, module: object) -> bool:
    """Whether a module under one of Twisted's names is one of ours."""
    return module is sys.modules.get(_ourName(name))


def _isBelow(name: str, parents: Sequence[str]) -> bool:
    """Whether a dotted name is one of these, or inside one of them."""
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


def _isOursAlone(name: str) -> bool:
    """Whether something below ``twistlike`` is there, but not for programs written for Twisted."""
    top = name.partition(".")[0]
    isRoom = top.startswith("_") and importlib.util.find_spec(f"{_OURS}.{top}") is not None
    return isRoom or _isBelow(name, _OURS_ALONE)


def _find(name: str) -> ModuleSpec | None:
    """The spec of one of our modules, which is not imported for that; ``None`` if there is none."""
    module = sys.modules.get(name)
    if module is not None:
        # An object that has replaced its module has no __spec__, and find_spec would object.
        spec = getattr(module, "__spec__", None)
        return spec if isinstance(spec, ModuleSpec) else ModuleSpec(name, None)
    return importlib.util.find_spec(name)


def _isOnlyAsked() -> bool:
    """Whether importlib.util.find_spec, and not an import, has called the finder that calls this.

    That function promises None for a module that does not exist; an import would turn None into
    an error that does not say what to do. The frames: this, the finder, importlib's loop over the
    finders, whoever asked.
    """
    return sys._getframe(3).f_code is importlib.util.find_spec.__code__


def _notFound(name: str) -> ImportError:
    """The error for something below Twisted's or our package that is not there.

    The error's ``name`` is always Twisted's. That matters: ``from package import name`` hides a
    ModuleNotFoundError about ``package.name`` under one of its own, unless the names differ.
    """
    theirs = f"{_THEIRS}.{name}"
    parent, _, last = name.rpartition(".")
    version = sys.modules[_OURS].__version__
    if _isOursAlone(name):
        return ModuleNotFoundError(
            f"Twisted has no module {theirs!r}: it is twistlike's own; import {_OURS}.{name}",
            name=theirs,
        )
    if parent not in _PACKAGES and _find(f"{_OURS}.{parent}") is not None:
        names = dir(sys.modules.get(f"{_OURS}.{parent}"))
        return ImportError(
            f"cannot import name {last!r} from '{_THEIRS}.{parent}': twistlike {version} does not "
            f"have it.{_near(last, names)} To use Twisted's, run the program on Twisted itself; "
            "or open an issue on twistlike that says what for",
            name=theirs,
        )
    return ModuleNotFoundError(
        f"twistlike {version} has no module {theirs!r}.{_instead(name) or _nearModule(name)} To "
        "use Twisted's, install Twisted and run the program without the overlay; or open an issue "
        "on twistlike that says what for",
        name=theirs,
    )


def _instead(name: str) -> str:
    """A sentence on what serves instead of a module, or nothing."""
    fitting = [text for prefix, text in _INSTEAD.items() if _isBelow(name, [prefix])]
    return f" Instead: {fitting[0]}." if fitting else ""


def _nearModule(name: str) -> str:
    """A question that names the module of ours that may have been meant, or nothing."""
    import pkgutil  # only where a program is about to fail

    parent, _, last = name.rpartition(".")
    package = _find(f"{_OURS}.{parent}" if parent else _OURS)
    paths = (package and package.submodule_search_locations) or []
    siblings = [each.name for each in pkgutil.iter_modules(paths)]
    start = f"{parent}." if parent else ""
    return _near(last, [each for each in siblings if not _isOursAlone(start + each)])


def _near(name: str, names: Sequence[str]) -> str:
    """A question that names what may have been meant, or nothing."""
    import difflib  # 2 ms, and only where a program is about to fail

    close = difflib.get_close_matches(name, [each for each in names if each[0] != "_"], n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
