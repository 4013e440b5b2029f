"""The frames of a traceback once they are only names and numbers: as text, and as tracebacks again.

Thread: any.
"""

from __future__ import annotations

import builtins
from io import StringIO
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Frame = Sequence[Any]  # (function name, file name, line number, locals, globals)

__all__ = ["fakeTraceback", "format_frames", "printableFrames", "textOf"]

_NO_VARS = " [Capture of Locals and Globals disabled (use captureVars=True)]\n"

_DETAILS = ("default", "brief", "verbose", "verbose-vars-not-captured")


def format_frames(
    frames: Iterable[Frame], write: Callable[[str], object], detail: str = "default"
) -> None:
    """Write frames, as `Failure.frames` gives them, as text.

    Args:
        frames: (function name, file name, line number, locals, globals) for each frame.
        write: called with each piece of text.
        detail: `default` (as Python prints them), `brief` (a line each), `verbose` (with
            variables) or `verbose-vars-not-captured`.

    Raises:
        ValueError: for any other `detail`.
    """
    if detail not in _DETAILS:
        raise ValueError(
            "Detail must be default, brief, verbose, or verbose-vars-not-captured."
            f" (not {detail!r})"
        )
    if detail == "brief":
        for name, filename, line, _, _ in frames:
            write(f"{filename}:{line}:{name}\n")
    elif detail == "default":
        import linecache  # not at import time: only texts need it

        for name, filename, line, _, _ in frames:
            write(f'  File "{filename}", line {line}, in {name}\n')
            write(f"    {linecache.getline(filename, line).strip()}\n")
    else:
        for name, filename, line, localz, globalz in frames:
            write(f"{filename}:{line}: {name}(...)\n")
            if detail == "verbose":
                write(" [ Locals ]\n")
                for key, value in localz:
                    write(f"  {key} : {safe_repr(value)}\n")
                write(" ( Globals )\n")
                for key, value in globalz:
                    write(f"  {key} : {safe_repr(value)}\n")
        if detail == "verbose-vars-not-captured":
            write(_NO_VARS)


def printableFrames(frames: Iterable[Frame]) -> list[Frame]:
    """Return frames in which each variable's value is replaced by its repr."""
    return [
        [
            name,
            filename,
            line,
            [(key, safe_repr(value)) for key, value in localz],
            [(key, safe_repr(value)) for key, value in globalz],
        ]
        for name, filename, line, localz, globalz in frames
    ]


def textOf(write: Callable[..., None], **kwargs: Any) -> str:
    """Return what one of the `print` methods, which subclasses may override, writes."""
    file = StringIO()
    write(file=file, **kwargs)
    return file.getvalue()


# What the traceback module and debuggers read of a traceback, for one that is gone


class _Code:
    """Stands for the code object of a frame."""

    co_argcount = co_posonlyargcount = co_kwonlyargcount = 0
    co_nlocals = co_stacksize = co_flags = co_firstlineno = 0
    co_code = co_lnotab = b""
    co_consts: tuple[Any, ...] = ()
    co_names = co_freevars = co_cellvars = co_consts

    def __init__(self, name: str, filename: str) -> None:
        self.co_name = self.co_qualname = name
        self.co_filename = filename
        self.co_varnames: list[str] = []

    def co_positions(self) -> Iterable[tuple[None, None, None, None]]:
        """Say that line and column of the instructions are not known."""
        return ((None, None, None, None),)


class _Frame:
    """Stands for a frame."""

    f_lasti = 0
    f_trace = None

    def __init__(self, frameinfo: Frame, back: _Frame | None) -> None:
        name, filename, line, localz, globalz = frameinfo
        self.f_code = _Code(name, filename)
        self.f_lineno = line
        self.f_locals = dict(localz or ())
        self.f_globals = dict(globalz or ())
        self.f_builtins = vars(builtins)
        self.f_back = back


class _TracebackFrame:
    """Stands for one entry of a traceback."""

    tb_next: _TracebackFrame | None = None

    def __init__(self, frame: _Frame) -> None:
        self.tb_frame = frame
        self.tb_lineno = frame.f_lineno
        self.tb_lasti = frame.f_lasti


def fakeTraceback(tbFrames: Sequence[Frame]) -> _TracebackFrame:
    """Return the first entry of a traceback made of frames, of which there must be one."""
    assert tbFrames, "Must pass some frames"
    first = last = _TracebackFrame(_Frame(tbFrames[0], None))
    for info in tbFrames[1:]:
        last.tb_next = _TracebackFrame(_Frame(info, last.tb_frame))
        last = last.tb_next
    return first


showAs(
    "twistlike.python.failure",
    globals(),
    ["_Code", "_Frame", "_TracebackFrame", "format_frames", "fakeTraceback"],
)
