"""The project checks its own shape: layers, imports, names, sizes, documents, versions.

Each list of exceptions carries a reason at each entry; an entry that is not needed any more fails.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import pytest

import twistlike
from tests.oracle import ROOT, runProgram, runPython
from twistlike import overlay

PACKAGE = ROOT / "twistlike"

ROOMS = [
    "_base",
    "_eventloop",
    "_wakeup",
    "_log",
    "_pool",
    "_defer",
    "_timers",
    "_transports",
    "_reactor",
    "_threads",
    "_tasks",
    "_net",
]
"""The rooms from the bottom up: a room imports of ours only what is in rooms before it."""

FACE = ["internet", "logger", "protocols", "python"]
"""Twisted's import paths: these files hand on names, and hold no logic. No room imports them."""

OUTSIDE = ["", "__main__", "overlay", "porting", "pytest_plugin"]
"""What stands beside the face: these may import all that is below."""

FOLDERS = ["", "internet", "python", "protocols", *ROOMS]
"""Packages that hold modules: their own ``__init__`` imports nothing of ours."""

LAZY_EVERYWHERE = {
    "asyncio": "45 ms of import time, which a program that only imports twistlike must not pay",
    "concurrent.futures": "imports logging: 10 ms; the pool is made at first use",
    "inspect": "10 ms; needed only to describe things",
    "linecache": "needed only to show tracebacks",
    "logging": "10 ms; needed only when something is reported",
    "traceback": "5 ms; needed only to show tracebacks",
    "warnings": "needed only to warn",
}
"""What any module of ours may import inside a function, and why."""

POOL = "imports concurrent.futures, and so logging: 10 ms; the pool is made at its first use"
TLS = "imports ssl: 10 ms; only programs that use TLS need it"
NAMES = "0.6 ms; only programs that look host names up need it"
REPORTS = "only an error that nobody handles needs it"

FAILING = "only where a program is about to fail"
CHECKS = "reads a file; only errors and the commands check and port need it"

WITH_TWISTED = "only where a Twisted is installed; and Twisted's is imported when it is needed"

LAZY: dict[str, dict[str, str]] = {
    "": {"twistlike.overlay.messages": FAILING},
    "__main__": {
        "importlib": "running a plain script does not need it",
        "importlib.util": "running a plain script does not need it",
        "pkgutil": "running a plain script does not need it",
        "twistlike._eventloop.loops": "only --loop uvloop needs it",
        "twistlike.overlay": "--version and --help do not need it",
        "uvloop": "optional",
    },
    "_base": {
        "fcntl": "not on Windows; only where a process has left a lock behind",
        "pdb": "only startDebugMode needs it",
        "socket": "3 ms; only programs that use the network need it",
    },
    "_defer": {
        "twistlike._defer.coroutines": "cycle: Deferred.fromCoroutine is Twisted's name",
        "twistlike._defer.futures": "cycle: Deferred.fromFuture is Twisted's name",
        "twistlike._log.report": REPORTS,
    },
    "_net": {
        "importlib.metadata": "15 ms; only endpoints that are described and not ours need it",
        "socket": "3 ms; only endpoints of sockets from elsewhere need it",
        "twisted.plugin": "optional: the program has loaded Twisted besides",
        "twistlike._transports.tls": TLS,
        "twistlike._transports.tls_context": TLS,
    },
    "_log": {"string": "imports re: 3 ms; only formats with calls in them need it"},
    "_pool": {"twistlike._log.report": REPORTS},
    "_reactor": {
        "difflib": "only events of a program's own need it",
        "select": "only loops of uvloop need it",
        "twistlike._pool.errors": "0.1 ms; only a program that sets the pool's size needs it",
        "signal": "0.4 ms; only a reactor that runs a loop needs it, and asyncio has imported it",
        "socket": "3 ms; only programs that resolve names need it",
        "twistlike._base.ip": NAMES,
        "twistlike._defer.combinators": "0.2 ms; only where a trigger has to be waited for",
        "twistlike._pool.pool": POOL,
        "twistlike._reactor.resolver": NAMES,
        "twistlike._transports": "3 ms; only programs that use the network need it",
    },
    "_threads": {
        "twistlike._pool.errors": "0.1 ms; a worker, which needs it, finds it loaded",
        "twistlike._pool.pool": POOL,
        "twistlike._threads.reactor_future": "imports concurrent.futures, and so logging: 10 ms",
    },
    "_transports": {
        "OpenSSL": "optional: the program has passed an object of it",
        "fcntl": "not on Windows, where the module is imported but not used",
        "pwd": "not on Windows, where the module is imported but not used",
        "select": "1 ms; only connections on uvloop need it",
        "subprocess": "5 ms; only children with a folder or user of their own need it",
        "twistlike._transports.start_tls": TLS,
        "twistlike._transports.tls_options": "cycle: Certificate.options is Twisted's name",
        "socket": "3 ms; only programs that use the network need it",
        "twistlike._transports.unix": "there are no UNIX sockets on Windows",
    },
    "_wakeup": {
        "fcntl": "not on Windows; only threads that wait, and loops, need it",
        "select": "1 ms; only threads that wait, and loops, need it",
    },
    "overlay": {
        "difflib": FAILING,
        "twistlike.overlay.catalog": CHECKS,
        "twistlike.overlay.instead": CHECKS,
        "twistlike.overlay.with_twisted": WITH_TWISTED,
        "twistlike._base.error": "only systems without pidfds need it",
        "twistlike._transports": "3 ms; only programs that use the network need it",
        "asyncio": "only programs that make a reactor by themselves need it",
        "twisted": WITH_TWISTED,
        "zope.interface": WITH_TWISTED,
    },
    "porting": {
        "rich": "optional",
        "twistlike.porting.rewriting": "needs the extra twistlike[port]",
    },
    "pytest_plugin": {"twistlike": "a suite that asks for no fixture of ours imports nothing"},
}
"""Top folder: what its modules import inside functions besides, and why.

What closes a cycle says so.
"""

NOT_AT_IMPORT = [
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "inspect",
    "linecache",
    "logging",
    "math",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "twistlike._base.network_error",
    "twistlike._pool.pool",
    "twistlike._reactor.resolver",
    "typing_extensions",
]
"""What ``from twistlike.internet import reactor, threads, defer`` must not import."""

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 50  # without its docstring

LONG: dict[str, str] = {
    "_defer.coroutines": "a Deferred coroutine, whole: its steps, its waits and its cancels",
    "_defer.deferred": "the Deferred, whole: 90 lines are overloads for type checkers",
    "_defer.coroutines:_resume": "a step of a coroutine: taken apart, each await would make one "
    "call more",
    "_defer.callbacks": "the loop that runs callbacks, and the entries that it knows",
    "_defer.callbacks:fire": "a firing, and the loop that runs callbacks: taken apart, each would "
    "make one call more, which costs as much as running a callback",
    "_pool.pool": "one class, an executor and Twisted's pool; half of it is docstrings",
    "_reactor.lifecycle": "the life of a reactor, whole: its states and what each change does",
    "_reactor.network": "one class, whose methods are Twisted's and only hand on",
    "_reactor.reactor": "one class, whose methods are Twisted's and only hand on",
    "_timers.queue": "a timer and the queue of them: each knows the entries of the other",
    "_transports.stream:_readReady": "an echo of 3 us: taken apart, it would take two calls more",
    "_pool.workers": "the workers, whole: their permits, wakeups and ends hang together",
    "_pool.worker:_work": "the loop of a worker: taken apart, each job would make one call more",
}
"""File, or ``file:function``, that is longer: why. Each entry is needed by something."""


class Import(NamedTuple):
    """One import statement's target, and where it stands."""

    target: str
    inFunction: bool
    typesOnly: bool
    line: int


@cache
def modules() -> dict[str, Path]:
    """All our modules by their names below ``twistlike``; the package itself is ``""``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = sorted(modules())


def fullName(name: str) -> str:
    """``twistlike.X`` for ``X``."""
    return f"twistlike.{name}" if name else "twistlike"


@cache
def tree(name: str) -> ast.Module:
    """A module's syntax."""
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


@cache
def imports(name: str) -> list[Import]:
    """Every import statement of a module."""
    return list(_imports(name, tree(name), False, False))


def _imports(name: str, node: ast.AST, inFunction: bool, typesOnly: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, inFunction, typesOnly, child.lineno)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{name}:{child.lineno}: write the import in full"
            assert child.module
            if child.module == "twistlike" or child.module.startswith("twistlike."):
                for alias in child.names:
                    # "from twistlike.internet import threads" imports a module as well as a name.
                    target = f"{child.module}.{alias.name}"
                    isModule = target.partition(".")[2] in modules()
                    where = target if isModule else child.module
                    yield Import(where, inFunction, typesOnly, child.lineno)
            else:
                yield Import(child.module, inFunction, typesOnly, child.lineno)
        else:
            isFunction = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            isTypes = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from _imports(name, child, inFunction or isFunction, typesOnly or isTypes)


def ownImports(name: str) -> Iterator[tuple[str, Import]]:
    """The modules of ours that a module imports, by their names below ``twistlike``."""
    for each in imports(name):
        top, _, rest = each.target.partition(".")
        if top == "twistlike" and rest != name:
            yield rest, each


def literalAll(module: ast.Module) -> list[str] | None:
    """The ``__all__`` as it is written."""
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
                return list(ast.literal_eval(node.value))
    return None


def room(name: str) -> str:
    """The folder below ``twistlike`` that a module is in, or the module itself if it is in none."""
    return name.partition(".")[0]


def reasonOf(name: str, target: str) -> str:
    """Why a module may import something inside a function; nothing if it may not."""
    packages = [target.rsplit(".", cut)[0] for cut in range(target.count(".") + 1)]
    reasons = {**LAZY_EVERYWHERE, **LAZY.get(room(name), {})}
    return next((reasons[each] for each in packages if each in reasons), "")


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_its_place(name: str) -> None:
    """A module is in a room, in the face, or outside; a folder with an underscore is a room."""
    assert room(name) in [*ROOMS, *FACE, *OUTSIDE], f"add {name} to ROOMS, FACE or OUTSIDE"
    assert room(name).startswith("_") == (room(name) in [*ROOMS, "__main__"])


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down_the_rooms(name: str) -> None:
    """A room imports only rooms further down, for types as well; no room imports the face."""
    for target, where in ownImports(name):
        if name in FOLDERS:
            allowed = where.typesOnly or (where.inFunction and reasonOf(name, where.target))
            assert allowed, f"{name}:{where.line}: the __init__ of a folder imports nothing"
        if room(name) not in ROOMS or target in FOLDERS or room(target) == room(name):
            continue
        assert room(target) in ROOMS, f"{name}:{where.line} imports {target}: not a room"
        downwards = ROOMS.index(room(target)) < ROOMS.index(room(name))
        assert downwards, f"{name}:{where.line} imports {target}: not downwards"


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in FACE])
def test_the_face_holds_no_logic(name: str) -> None:
    """A module of the face is a docstring, imports, and names bound to names or constants."""
    for node in tree(name).body:
        if isinstance(node, ast.If):  # what only type checkers see
            assert ast.unparse(node.test) == "TYPE_CHECKING", f"{name}:{node.lineno}"
            continue
        simple = ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign
        assert isinstance(node, simple), f"{name}:{node.lineno}: {ast.unparse(node)}"
        if ast.unparse(node).startswith("sys.modules[__name__] ="):
            continue  # the module is replaced by what it stands for
        logic = ast.Call | ast.Lambda | ast.comprehension | ast.IfExp | ast.BoolOp
        calls = [each for each in ast.walk(node) if isinstance(each, logic)]
        assert not calls or "TypeVar(" in ast.unparse(node), f"{name}:{node.lineno}: logic"


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in FACE])
def test_a_module_of_the_face_has_missing_names_asked_for(name: str) -> None:
    """Its `__path__` is empty; but for packages, and what another object takes the place of."""
    replaced = "sys.modules[__name__] =" in modules()[name].read_text(encoding="utf-8")
    if modules()[name].name != "__init__.py" and not replaced:
        assert importlib.import_module(fullName(name)).__path__ == []


def faceNames() -> list[tuple[str, str]]:
    """The public names of the face, each with its module."""
    names = []
    for module in MODULES:
        if room(module) in FACE and modules()[module].name != "__init__.py":
            names += [(module, name) for name in literalAll(tree(module)) or []]
    return names


@pytest.mark.parametrize(("module", "name"), faceNames())
def test_what_is_public_is_known_by_its_public_name(module: str, name: str) -> None:
    """A class or function of the face shows a public module, and its source can be looked at."""
    value = getattr(importlib.import_module(fullName(module)), name)
    shown = getattr(value, "__module__", None)
    if not isinstance(value, type | FunctionType) or not str(shown).startswith("twistlike"):
        return  # a constant, an instance, or a type of the standard library's
    assert room(str(shown).removeprefix("twistlike.")) in FACE, shown
    assert hasattr(importlib.import_module(str(shown)), name), f"{shown} has no {name}"
    assert "._" not in repr(value)
    assert value.__name__ in inspect.getsource(value)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) is value


def test_there_are_no_cycles() -> None:
    """No module imports itself by way of others, not even inside functions, unless LAZY says so."""
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for name in MODULES:
        for target, where in ownImports(name):
            reason = reasonOf(name, where.target) if where.inFunction else ""
            bends = reason.startswith("cycle: ")
            if not where.typesOnly and target in modules() and not bends:
                graph[name].add(target)
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "a cycle: " + " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("name", MODULES)
def test_imports_stand_at_the_top(name: str) -> None:
    """An import inside a function is listed here with its reason."""
    for each in imports(name):
        if each.inFunction and not each.typesOnly:
            where = f"{name}:{each.line}"
            assert reasonOf(name, each.target), f"{where}: {each.target} in a function; see LAZY"


def test_the_list_of_imports_inside_functions_is_not_too_long() -> None:
    """Each entry of LAZY is needed by something."""
    for entry, reasons in LAZY.items():
        inside = [name for name in MODULES if room(name) == entry]
        used = [each.target for name in inside for each in imports(name) if each.inFunction]
        unused = [each for each in reasons if not any(f"{u}.".startswith(f"{each}.") for u in used)]
        assert not unused, f"{entry}: nothing needs {unused}"


@pytest.mark.parametrize("name", MODULES)
def test_each_module_says_what_it_is_and_what_it_offers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A docstring; an ``__all__`` that names what exists, all that is public, nothing twice."""
    assert ast.get_docstring(tree(name)), f"{name} has no docstring"
    isInternal = room(name) in ROOMS
    public = publicNames(tree(name), constants=not isInternal)
    # An import of its pytest plugin installs the overlay, which is refused where another test has
    # imported Twisted.
    monkeypatch.setattr(overlay, "install", lambda: None)
    module = importlib.import_module(fullName(name))
    offered = getattr(module, "__all__", None) or literalAll(tree(name))
    assert offered is not None, f"{name} has no __all__"
    assert len(set(offered)) == len(offered), f"{name}: twice in __all__"
    if not hasattr(module, "__path__") and not hasattr(module, "__file__"):
        return  # an object in the place of its module: it offers its attributes
    missing = [each for each in offered if not hasattr(module, each)]
    assert not missing, f"{name}: in __all__ but not there: {missing}"
    hidden = public - set(offered)
    assert not hidden, f"{name}: public but not in __all__: {sorted(hidden)}"


def publicNames(module: ast.Module, constants: bool) -> set[str]:
    """The functions and classes that a module defines at its top level, except private ones.

    Constants too, where they are meant for users; never type variables, whose names are short.
    """
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif constants and isinstance(node, ast.Assign):
            names.update(each.id for each in node.targets if isinstance(each, ast.Name))
        elif constants and isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_") and len(name) > 2}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "pytest_plugin"])
def test_each_module_imports_alone_and_starts_nothing(name: str) -> None:
    """Imported before any other of ours, it makes no loop and no thread and touches no signal."""
    program = f"""
        import signal, sys, threading
        handlers = [signal.getsignal(each) for each in signal.valid_signals()]
        import {fullName(name)}
        assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
        assert handlers == [signal.getsignal(each) for each in signal.valid_signals()]
        if "asyncio" in sys.modules:
            import asyncio, gc
            loops = [o for o in gc.get_objects() if isinstance(o, asyncio.AbstractEventLoop)]
            assert not loops, loops
            assert asyncio.events._event_loop_policy is None
    """
    transcript = runProgram(textwrap.dedent(program), ["-W", "error"])
    assert (transcript.returncode, transcript.stderr) == (0, "")


def test_importing_the_reactor_is_light() -> None:
    """``from twistlike.internet import reactor, threads, defer`` loads no costly module."""
    program = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        before = set(sys.modules)
        from twistlike.internet import reactor, threads, defer
        print(*sorted((set(sys.modules) - before) & {{*{NOT_AT_IMPORT}}}))
    """
    # -I: what a site's own start-up files import would hide what ours do.
    transcript = runPython(["-I", "-c", textwrap.dedent(program)])
    assert (transcript.stdout, transcript.stderr) == ("\n", "")


@pytest.mark.parametrize("name", MODULES)
def test_sizes(name: str) -> None:
    """A file stays under 600 lines and a function under 50, its docstring not counted."""
    lines = len(modules()[name].read_text(encoding="utf-8").splitlines())
    long = {name: lines} if lines > MAX_FILE_LINES else {}
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            if length > MAX_FUNCTION_LINES:
                long[f"{name}:{node.name}"] = length
    allowed = {entry for entry in LONG if entry.partition(":")[0] == name}
    assert set(long) == allowed, f"too long, or not so any more: {long}, in LONG: {allowed}"


def filesWithTests() -> list[Path]:
    """All files with tests."""
    return sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", filesWithTests(), ids=lambda path: path.name)
def test_each_test_states_its_rule(path: Path) -> None:
    """Each test has a docstring; a test with the same name as another would replace it."""
    seen: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            assert ast.get_docstring(node), f"{path.name}:{node.lineno}: {node.name}: no docstring"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            assert node.name not in seen, f"{path.name}:{node.lineno}: {node.name} twice"
            seen.add(node.name)


def test_the_version_and_the_changelog_agree() -> None:
    """The version is that of the changelog's newest entry."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## .*?(\d+\.\d+\.\d+)", text, re.MULTILINE)
    assert newest
    assert newest[1] == twistlike.__version__


def test_the_supported_pythons_agree() -> None:
    """Metadata and checks speak of the same versions of Python."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    classifiers = project["project"]["classifiers"]
    versions = [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]
    assert project["project"]["requires-python"] == f">={versions[0]}"
    assert project["tool"]["mypy"]["python_version"] == versions[0]
    assert project["tool"]["ruff"]["target-version"] == f"py{versions[0].replace('.', '')}"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    inFull, byPyodide = versions[:-1], versions[-1]
    assert f"({' '.join(inFull)})" in ci
    assert f"pyodide={byPyodide} " in ci
    assert "{}.{}".format(*sys.version_info) in versions
