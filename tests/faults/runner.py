"""Runs the faults' processes, in pytest's process: several faults in one where they allow it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Container, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.harness import Program, Variant, matches
from tests.oracle import ROOT

__all__ = ["Batch", "Case", "check", "divide", "plan", "stop"]

# How many faults share a process at most: few enough that two processes at a time end together.
BATCH = 12

# What the start and the end of a process take at most, in seconds, on a machine that is busy.
START = 30.0

Case = tuple[Program, Variant]
Key = tuple[str, Variant]


@dataclass
class Batch:
    """Faults that share a process.

    Attributes:
        name: The same in each run.
        variant: What they run on.
        programs: The faults.
        begun: Whether their outcomes are on their way.
    """

    name: str
    variant: Variant
    programs: list[Program]
    begun: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of one fault.

    Attributes:
        text: ``ok``, how it failed, or nothing if it never came so far.
        stderr: What it wrote.
        returncode: The process's, if the fault had one of its own.
    """

    text: str
    stderr: str
    returncode: int | None


_outcomes: dict[Key, Future[Outcome]] = {}
_batches: dict[Key, Batch] = {}
_processes: set[subprocess.Popen[str]] = set()
# As many processes at a time as there are processors; each has a thread here that waits for it.
_executor = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="faults")


def divide(cases: Iterable[Case]) -> list[Batch]:
    """Return the processes in which faults are to be run."""
    batches: list[Batch] = []
    shared: dict[Variant, Batch] = {}
    for program, variant in cases:
        if not program.alone and variant in shared:
            batch = shared[variant]
            batch.programs.append(program)
        else:
            batch = Batch(f"faults-{variant}-{len(batches)}", variant, [program])
            batches.append(batch)
            if not program.alone:
                shared[variant] = batch
        if len(batch.programs) == BATCH:
            del shared[variant]
    return batches


def plan(batches: Iterable[Batch], wanted: Container[Case], ahead: bool = False) -> None:
    """Hear which faults share a process.

    Args:
        batches: The processes.
        wanted: The faults that ``check`` will be asked for: the others are not run.
        ahead: Whether to start now. Else a process starts when one of its faults is asked for.
    """
    for batch in batches:
        batch.programs = [each for each in batch.programs if (each, batch.variant) in wanted]
        for program in batch.programs:
            _batches[program.name, batch.variant] = batch
            _outcomes[program.name, batch.variant] = Future()
        if ahead:
            _begin(batch)


def stop() -> None:
    """Run nothing more, and end what runs: nobody will ask for it."""
    _executor.shutdown(wait=False, cancel_futures=True)
    for process in list(_processes):
        _kill(process)


def check(program: Program, variant: Variant) -> None:
    """Fail unless the fault has run well, and has written what is expected of it, no more."""
    key = program.name, variant
    if key not in _batches:
        plan(divide([(program, variant)]), [(program, variant)])
    _begin(_batches[key])
    outcome = _outcomes[key].result()
    wrote = f"\n--- standard error\n{outcome.stderr}"
    assert outcome.text, f"{program.name} on {variant} hung, or ended its process{wrote}"
    assert outcome.text == "ok", f"{program.name} on {variant} failed:\n{outcome.text}{wrote}"
    wrong = matches(program, outcome.stderr)
    assert not wrong, f"{program.name} on {variant}: {wrong}{wrote}"
    if program.alone:
        assert outcome.returncode == program.returncode, (
            f"{program.name} on {variant} ended with {outcome.returncode}{wrote}"
        )


def _begin(batch: Batch) -> None:
    if not batch.begun:
        batch.begun = True
        _executor.submit(_run, batch.programs, batch.variant)


def _run(programs: list[Program], variant: Variant) -> None:
    """Run faults in one process; in more, if one ends it."""
    try:
        while programs and not _executor._shutdown:
            programs = programs[_runProcess(programs, variant) :]
    except BaseException as error:
        for program in programs:
            future = _outcomes[program.name, variant]
            if not future.done():
                future.set_exception(error)


def _runProcess(programs: list[Program], variant: Variant) -> int:
    """Run faults in one process until one ends it. Returns how many have had their turn."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        seconds = START + sum(program.limit for program in programs)
        returncode, wrote = _wait(folder, programs, variant, seconds)
        for number, program in enumerate(programs):
            text = _read(folder / f"{number}.out")
            stderr = _read(folder / f"{number}.err") + wrote
            outcome = Outcome(text, stderr, returncode)
            _outcomes[program.name, variant].set_result(outcome)
            if not text:
                return number + 1
        return len(programs)


def _wait(
    folder: Path, programs: list[Program], variant: Variant, seconds: float
) -> tuple[int, str]:
    """Run the process of faults. Returns its return code and what it wrote outside of faults."""
    names = [program.name for program in programs]
    command = [sys.executable, "-W", "error", "-X", "utf8", "-B", "-m", "tests.faults.child"]
    environment = {**os.environ, "PYTHONASYNCIODEBUG": "1" if variant.debug else ""}
    with subprocess.Popen(
        [*command, str(folder), str(variant), *names],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
    ) as process:
        backstop = threading.Timer(seconds, _kill, [process])
        backstop.start()
        _processes.add(process)
        try:
            # Not communicate(): a process that the fault has left behind may hold the pipe.
            returncode = process.wait()
            _kill(process)
            assert process.stdout is not None
            return returncode, process.stdout.read()
        finally:
            backstop.cancel()
            _processes.discard(process)
            _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it started."""
    if sys.platform == "win32":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="backslashreplace") if path.exists() else ""
