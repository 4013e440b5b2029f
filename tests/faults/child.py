"""The process of one or more faults: ``python -m tests.faults.child FOLDER VARIANT NAME...``.

For each fault it writes ``N.err``, what came on standard error, and ``N.out``: ``ok`` or how it
failed. A fault that hangs has its threads' stacks written, and the process ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import logging
import os
import re
import signal
import sys
import threading
import traceback
from pathlib import Path

from tests.faults.harness import RECORD, Host, Program, Variant, programOf

# How long a thread of a fault may take to end when the fault is over, in seconds.
THREADS_END = 20.0

# asyncio's debug mode says so of each callback that takes longer than 0.1 s.
SLOW = re.compile(r"Executing <.*> took \d+\.\d+ seconds", re.DOTALL)


class Marked(logging.Handler):
    """Writes each record after a mark, in one piece, with its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. Thread: any."""
        text = self.format(record)
        if not SLOW.match(text):
            os.write(2, f"{RECORD}{text}\n".encode("utf-8", "backslashreplace"))


def main(folder: str, variant: str, names: list[str]) -> None:
    """Run faults, one after the other."""
    logging.getLogger().addHandler(Marked())
    host = Host(Variant.named(variant))
    alone = False
    for number, name in enumerate(names):
        alone = runOne(Path(folder), number, name, host)
    if not alone:
        os._exit(0)  # a thread that a fault has left, and was told off for, keeps nobody


def runOne(folder: Path, number: int, name: str, host: Host) -> bool:
    """Run one fault, its standard output and error in a file.

    Returns:
        Whether the end of the interpreter belongs to it.
    """
    module, function = name.split(":")
    program = programOf(getattr(importlib.import_module(module), function))
    assert program is not None, name
    if not program.alone:  # whose exit frees what an interpreter's frees
        gc.freeze()  # the round after a fault is for what the fault has made
    err = os.open(folder / f"{number}.err", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    kept = os.dup(1), os.dup(2)
    os.dup2(err, 1)
    os.dup2(err, 2)
    faulthandler.dump_traceback_later(program.limit, exit=True, file=err)
    outcome = perform(program, host)
    Path(folder / f"{number}.out").write_text(outcome, encoding="utf-8")
    if program.alone:
        return True
    faulthandler.cancel_dump_traceback_later()
    os.dup2(kept[0], 1)
    os.dup2(kept[1], 2)
    for descriptor in (err, *kept):
        os.close(descriptor)
    return False


def perform(program: Program, host: Host) -> str:
    """Run a fault and look at what it left behind. Returns ``ok`` or what is wrong."""
    before = set(threading.enumerate())
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        program.function(host)
        if not program.alone:
            checkThreads(before)
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        assert after == handlers, f"signals were not given back: {after}"
    except BaseException:
        return "".join(traceback.format_exc())
    finally:
        if not program.alone:
            gc.collect()  # so that what is reported by finalizers is in this fault's file
    return "ok"


def checkThreads(before: set[threading.Thread]) -> None:
    """Fail if threads live on that the fault has started."""
    for thread in threading.enumerate():
        if thread not in before:
            # Where its start was interrupted, it may not have begun: then there is nothing to join.
            with contextlib.suppress(RuntimeError):
                thread.join(THREADS_END)
            assert not thread.is_alive(), f"{thread} lives on: {stackOf(thread)}"


def stackOf(thread: threading.Thread) -> str:
    """Return where a thread stands."""
    frame = sys._current_frames().get(thread.ident or 0)
    return "" if frame is None else "".join(traceback.format_stack(frame))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
