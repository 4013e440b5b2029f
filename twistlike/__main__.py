"""The command line: `python -m twistlike run SCRIPT` runs a program written for Twisted.

Everything here runs in the main thread, and so does the program.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from twistlike import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType

__all__ = ["main"]

_HELP = """\
usage: python -m twistlike run [--loop asyncio|uvloop] [--no-twisted] SCRIPT [ARGS...]
       python -m twistlike run [--loop asyncio|uvloop] [--no-twisted] -m MODULE [ARGS...]
       python -m twistlike check PATH... [--json] [--show STATES] [--no-twisted]
       python -m twistlike port PATH... [--write]
       python -m twistlike --version | --help

run: run a program written for Twisted on asyncio, as it is: imports of Twisted's reactor,
Deferreds and threads give twistlike's. All else comes from an installed Twisted, if there is
one (pip install 'twistlike[twisted]'), and runs on twistlike's reactor.

  SCRIPT        as in `python SCRIPT`: a file, or a folder or zip file with a __main__.py
  -m MODULE     as in `python -m MODULE`
  --loop NAME   the event loop that reactor.run() makes: asyncio (the default) or uvloop
  --no-twisted  use nothing of an installed Twisted, as if there were none

check: list each name of Twisted that source files use, and whether it is here.
port: rewrite imports and uses of twisted to twistlike (needs twistlike[port]).
Both read source and run nothing of it; `check --help` and `port --help` have the options.
"""

_LOOPS = ("asyncio", "uvloop")

_COMMANDS = {
    "check": "twistlike.porting.check_command",
    "port": "twistlike.porting.port_command",
}
"""The commands besides `run`, and the modules that carry them out."""

_USAGE = 2  # the exit code for a command line that cannot be carried out, as Python's own
_FAILED = 1  # the exit code for a program that cannot be found by its module's name, as Python's


class _CommandError(Exception):
    """What is wrong with the command line, in words for its user, and the exit code."""

    def __init__(self, message: str, code: int = _USAGE) -> None:
        super().__init__(message)
        self.code = code


class _Command(NamedTuple):
    """A command line, understood."""

    loop: str
    isModule: bool
    program: str
    arguments: list[str]
    useTwisted: bool | None


class _Program(NamedTuple):
    """What is to be run as `__main__`."""

    code: CodeType
    file: str
    spec: ModuleSpec | None
    loader: object


def main(argv: Sequence[str] | None = None) -> None:
    """Carry out a command line.

    Args:
        argv: The arguments; those of the process when it is left out.

    Raises:
        SystemExit: With code 2 for a command line that makes no sense, 1 for a module that is not
            there. What the program raises goes through, its own SystemExit included.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["--version"], ["-V"]):
        print(f"twistlike {__version__}")
        return
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(_HELP, end="")
        raise SystemExit(0 if arguments else _USAGE)
    if arguments[0] in _COMMANDS:
        from importlib import import_module  # a script that is run needs none of them

        raise SystemExit(import_module(_COMMANDS[arguments[0]]).main(arguments[1:]))
    try:
        command = _parse(arguments)
        if command is None:
            print(_HELP, end="")
            return
        _prepare(command.loop, command.useTwisted)
        program = _findModule(command) if command.isModule else _findScript(command)
    except _CommandError as error:
        _refuse(error)
    _execute(program)


def _refuse(error: _CommandError) -> NoReturn:
    """Say what is wrong, and end."""
    print(f"twistlike: {error}", file=sys.stderr)
    raise SystemExit(error.code)


def _parse(arguments: list[str]) -> _Command | None:
    """Read the command line; what follows the program is the program's, options included.

    Returns:
        `None` if help is asked for.

    Raises:
        _CommandError: It makes no sense.
    """
    if arguments[0] != "run":
        raise _CommandError(f"unknown command {arguments[0]!r}; try: python -m twistlike --help")
    loop = _LOOPS[0]
    useTwisted = None  # if there is one
    rest = arguments[1:]
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option in ("--help", "-h"):
            return None
        if option == "--":
            break
        if option == "--no-twisted" and not equals:
            useTwisted = False
            continue
        if option not in ("--loop", "-m"):
            raise _CommandError(f"unknown option {option!r}; try: python -m twistlike --help")
        if not equals:
            if not rest:
                raise _CommandError(f"{option} needs a value")
            value = rest.pop(0)
        if option == "-m":
            return _Command(loop, True, value, rest, useTwisted)
        if value not in _LOOPS:
            raise _CommandError(f"--loop is one of {', '.join(_LOOPS)}, not {value!r}")
        loop = value
    if not rest:
        raise _CommandError("run needs a script: python -m twistlike run SCRIPT [ARGS...]")
    return _Command(loop, False, rest[0], rest[1:], useTwisted)


def _prepare(loop: str, useTwisted: bool | None) -> None:
    """Choose the loop, and turn the imports of `twisted` to twistlike.

    Raises:
        _CommandError: The loop is not installed, or Twisted is imported already.
    """
    from twistlike import overlay  # not needed for --version and --help

    if loop == "uvloop":
        # The default needs nothing said: the reactor makes asyncio's loop by itself.
        try:
            import uvloop
        except ImportError as error:
            raise _CommandError(
                f"--loop uvloop: {error}; install it by: pip install 'twistlike[uvloop]'"
            ) from None
        from twistlike._eventloop.loops import setLoopFactory

        setLoopFactory(uvloop.new_event_loop)
    try:
        overlay.install(useTwisted=useTwisted)
    except RuntimeError as error:
        raise _CommandError(str(error), _FAILED) from None


def _findScript(command: _Command) -> _Program:
    """Do what Python does for `python SCRIPT`: argv, the import path, the code.

    Raises:
        _CommandError: The script cannot be read.
    """
    sys.argv[:] = [command.program, *command.arguments]
    path = os.path.join(os.getcwd(), command.program)  # as Python does: not made shorter
    if os.path.isdir(path) or not path.endswith((".py", ".pyw")):
        spec = _specInContainer(path)
        if spec is not None:
            _setFirstPath(path)
            return _programOf(spec)
    # A script that is reached by a symbolic link imports what lies beside it, not beside the link.
    _setFirstPath(os.path.dirname(os.path.realpath(path)))
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        raise _CommandError(f"can't open file {path!r}: {error.strerror or error}") from None
    code = _compile(source, path)
    return _Program(code, path, None, SourceFileLoader("__main__", path))


def _specInContainer(path: str) -> ModuleSpec | None:
    """The spec of the `__main__` inside a folder or a zip file.

    Raises:
        _CommandError: It is one, and has no `__main__`.
    """
    from pkgutil import get_importer  # not needed for a plain script

    importer = get_importer(path)
    if importer is None:
        return None
    spec = importer.find_spec("__main__")
    if spec is None:
        raise _CommandError(f"can't find '__main__' module in {path!r}", _FAILED)
    return spec


def _findModule(command: _Command) -> _Program:
    """Do what Python does for `python -m MODULE`.

    Raises:
        _CommandError: There is no such module, or it cannot be run.
    """
    # Not needed for a plain script.
    from importlib import import_module
    from importlib.util import find_spec

    _setFirstPath(os.getcwd())
    sys.argv[:] = ["-m", *command.arguments]
    name = command.program
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += ".__main__"
            spec = find_spec(name)
        if spec is None:
            import_module(name)  # its error says more: that of the overlay also what to do
    except (ImportError, ValueError) as error:
        raise _CommandError(f"can't run module {name!r}: {error}", _FAILED) from None
    if spec is None:
        raise _CommandError(f"can't run module {name!r}", _FAILED)
    program = _programOf(spec)
    sys.argv[0] = program.file
    return program


def _programOf(spec: ModuleSpec) -> _Program:
    """A module's code, to be run as `__main__`.

    Raises:
        _CommandError: It has none.
    """
    getCode: Callable[[str], CodeType | None] | None = getattr(spec.loader, "get_code", None)
    try:
        code = getCode(spec.name) if getCode else None
    except SyntaxError as error:
        _showOnly(error, None)
        raise
    if code is None:
        raise _CommandError(f"module {spec.name!r} has no code that could be run", _FAILED)
    return _Program(code, spec.origin or code.co_filename, spec, spec.loader)


def _setFirstPath(folder: str) -> None:
    """Put a folder where Python puts that of the program, unless it runs in safe-path mode."""
    if not sys.flags.safe_path:
        # It takes the place of the entry by which Python found this command.
        sys.path[:1] = [folder]


def _compile(source: bytes, path: str) -> CodeType:
    """Compile a script; a syntax error is shown as if Python had met it by itself."""
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        _showOnly(error, None)
        raise


def _execute(program: _Program) -> None:
    """Run a program as `__main__`, for good: its threads and exit handlers need it later, too."""
    module = ModuleType("__main__")
    module.__dict__.update(
        __annotations__={},
        __builtins__=builtins,
        __cached__=program.spec.cached if program.spec else None,
        __file__=program.file,
        __loader__=program.loader,
        __package__=program.spec.parent if program.spec else None,
        __spec__=program.spec,
    )
    sys.modules["__main__"] = module
    try:
        exec(program.code, module.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        ours = error.__traceback__
        _showOnly(error, ours and ours.tb_next)
        raise


def _showOnly(error: BaseException, visible: TracebackType | None) -> None:
    """Have the interpreter end as it does on any error, but show no frames of this command.

    Raising it again leaves to the interpreter what is its: the exit code, the signal that a
    KeyboardInterrupt ends in, an excepthook that fails. Only the hook sees less.
    """
    hook = sys.excepthook

    def show(kind: type[BaseException], raised: BaseException, tb: TracebackType | None) -> None:
        if raised is error:
            tb = visible
            raised.__traceback__ = visible
        hook(kind, raised, tb)

    sys.excepthook = show


if __name__ == "__main__":
    main()
