"""Errors that nobody handles reach observers and host, once; the log functions are Twisted's."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracle import assertSame, run
from twistlike.logger import globalLogPublisher
from twistlike.python import log
from twistlike.python.failure import Failure

Events = list[dict[str, Any]]


@pytest.fixture
def events() -> Iterator[Events]:
    """What an observer gets during the test."""
    found: Events = []
    log.addObserver(found.append)
    yield found
    log.removeObserver(found.append)


class Mute(Exception):
    """An error without a text."""

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


def failureOf(error: BaseException) -> Failure:
    """A failure with a traceback."""
    try:
        raise error
    except BaseException:
        return Failure()


def collectContexts(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """What the loop's exception handler is called with from now on."""
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts


# ------------------------------------------------------------------------------------- report


def test_report_without_a_loop_goes_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    """Logger "twistlike" gets message, source, thread and traceback, in one record."""
    log.report(failureOf(ValueError("broken %s {}")), "It broke: %s {}", source="the pump")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("twistlike", logging.CRITICAL)
    text = record.getMessage()
    assert text.startswith("It broke: %s {}\n")
    assert "'the pump'" in text
    assert threading.current_thread().name in text
    assert record.exc_info is not None
    assert record.exc_info[2] is not None
    assert "ValueError: broken %s {}" in caplog.text


def test_report_tells_observers_once(events: Events) -> None:
    """An observer gets one event, with Twisted's keys."""
    failure = failureOf(ValueError("x"))
    log.report(failure, "It {broke}")
    (event,) = events
    assert event["failure"] is event["log_failure"] is failure
    assert (event["why"], event["isError"], event["message"]) == ("It {broke}", 1, ())
    assert event["system"] == "-"
    text = log.textFromEventDict(event)
    assert text is not None
    assert text.startswith("It {broke}\nTraceback")


def test_report_in_a_running_loop_asks_its_handler(caplog: pytest.LogCaptureFixture) -> None:
    """The handler gets message, exception, failure, source and thread; logging gets nothing."""
    failure = failureOf(ValueError("x"))

    async def main() -> list[dict[str, Any]]:
        contexts = collectContexts(asyncio.get_running_loop())
        log.report(failure, "It broke", source=7)
        return contexts

    (context,) = asyncio.run(main())
    assert context == {
        "message": "It broke",
        "exception": failure.value,
        "failure": failure,
        "source": 7,
        "thread": threading.current_thread().name,
    }
    assert not caplog.records


def test_report_tells_the_default_handler_each_thing_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """asyncio's own handler prints all it gets: a long text of an exception is there once."""

    async def main() -> None:
        log.report(failureOf(ValueError("first line\nsecond line")), "It broke", source=7)

    asyncio.run(main())
    (record,) = caplog.records
    assert record.name == "asyncio"
    assert caplog.text.count("second line") == 1
    assert "source: 7" in caplog.text
    assert "thread: 'MainThread'" in caplog.text


def test_report_from_another_thread_runs_the_handler_in_the_loops_thread() -> None:
    """A handler may use the loop: it is called in its thread, and told the thread of the error."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        called = asyncio.Event()
        found: dict[str, Any] = {}

        def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            found.update(context, calledIn=threading.current_thread())
            called.set()

        loop.set_exception_handler(handler)
        failure = failureOf(ValueError("x"))
        thread = threading.Thread(
            target=lambda: log.report(failure, "It broke", loop=loop), name="worker-7"
        )
        thread.start()
        await called.wait()
        thread.join()
        assert found["calledIn"] is threading.current_thread()
        assert found["thread"] == "worker-7"

    asyncio.run(asyncio.wait_for(main(), 10))


def test_report_to_a_closed_loop_goes_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    """A loop that was closed can be told nothing."""
    loop = asyncio.new_event_loop()
    loop.close()
    log.report(failureOf(ValueError("x")), "It broke", loop=loop)
    assert [record.name for record in caplog.records] == ["twistlike"]


class SeemsToRun:
    """A loop that says that it runs, and is closed when one has looked, or later."""

    def __init__(self, closeAtOnce: bool) -> None:
        self.real = asyncio.new_event_loop()
        self.closeAtOnce = closeAtOnce

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def is_running(self) -> bool:
        if self.closeAtOnce:
            self.real.close()
        return True


@pytest.mark.parametrize("closeAtOnce", [False, True])
def test_report_to_a_loop_that_closes_before_its_next_turn(
    closeAtOnce: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A report that a loop drops or does not take any more goes to logging, once."""
    loop: Any = SeemsToRun(closeAtOnce)
    contexts = collectContexts(loop)
    log.report(failureOf(ValueError("x")), "It broke", loop=loop)
    assert len(caplog.records) == closeAtOnce
    loop.close()
    gc.collect()
    assert [record.name for record in caplog.records] == ["twistlike"]
    assert not contexts


class NoRepr:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize("inLoop", [False, True])
def test_report_survives_what_cannot_be_shown(
    inLoop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A str() or repr() that raises, even KeyboardInterrupt, hides neither message nor place."""

    async def main() -> None:
        log.report(failureOf(Mute()), "It broke", source=NoRepr())

    if inLoop:
        asyncio.run(main())
    else:
        log.report(failureOf(Mute()), "It broke", source=NoRepr())
    assert len(caplog.records) == 1
    assert "It broke" in caplog.text
    assert "Mute" in caplog.text
    assert "in failureOf" in caplog.text
    assert "NoRepr" in caplog.text


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_report_never_raises(
    kind: type[BaseException],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither an observer's error, nor a handler's, nor that of a filter of logging gets out."""

    def bad(*args: object) -> bool:
        raise kind

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(bad)
        log.report(failureOf(ValueError("x")), "Third report")

    log.addObserver(bad)
    try:
        log.report(failureOf(ValueError("x")), "First report")
    finally:
        log.removeObserver(bad)
    assert "First report" in caplog.text
    logger = logging.getLogger("twistlike")
    logger.addFilter(bad)
    try:
        log.report(failureOf(ValueError("x")), "Second report")
    finally:
        logger.removeFilter(bad)
    asyncio.run(main())
    said = capsys.readouterr().err
    assert "Second report" in said
    assert "Third report" in said + caplog.text


def test_report_at_the_interpreters_end() -> None:
    """Where no module can be imported any more, message, place and error still get to stderr."""
    program = """
        from twisted.python import log
        from twisted.python.failure import Failure
        class Last:
            def __init__(self, error):
                try:
                    raise error
                except Exception:
                    self.failure = Failure()
            def __del__(self):
                log.report(self.failure, "At the end")
        class Mute(Exception):
            def __str__(self): raise ValueError
        one, two = Last(ValueError("the error")), Last(Mute())
    """
    transcript = run(program, "twistlike")
    assert transcript.returncode == 0
    assert transcript.stderr.count("At the end\n") == 2
    assert "ValueError: the error" in transcript.stderr
    assert transcript.stderr.count("in __init__") == 2
    assert "Mute" in transcript.stderr
    assert "Exception ignored" not in transcript.stderr


def test_report_of_a_cleaned_failure_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """What was cleaned keeps the text of its traceback, with and without a loop."""

    def cleaned() -> Failure:
        failure = failureOf(ValueError("x"))
        failure.cleanFailure()
        return failure

    async def main() -> list[dict[str, Any]]:
        contexts = collectContexts(asyncio.get_running_loop())
        log.report(cleaned(), "It broke")
        return contexts

    log.report(cleaned(), "It broke")
    assert "in failureOf" in caplog.text
    (context,) = asyncio.run(main())
    assert "in failureOf" in context["message"]


def test_report_says_nothing_twice() -> None:
    """While startLogging is on, the file has the error, and stderr (the default end) has not."""
    program = """
        import asyncio, sys
        from twisted.python import log
        from twisted.python.failure import Failure
        log.report(Failure(ValueError("before")), "nobody asked")
        observer = log.startLogging(sys.stdout, setStdout=False)
        log.report(Failure(ValueError("meanwhile")), "no loop")
        async def main():
            log.report(Failure(ValueError("meanwhile")), "in a loop")
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: print("host:", context["message"]))
            log.report(Failure(ValueError("meanwhile")), "in a loop with a handler")
        asyncio.run(main())
        observer.stop()
        log.report(Failure(ValueError("after")), "nobody asks any more")
    """
    transcript = run(program, "twistlike")
    assert transcript.returncode == 0
    found = [line.partition("] ")[2] or line for line in transcript.stdout.splitlines()]
    found = [line for line in found if not line.startswith("\t")]
    assert found == [
        "Log opened.",
        "no loop",
        "in a loop",
        "in a loop with a handler",
        "host: in a loop with a handler",
    ]
    assert "meanwhile" not in transcript.stderr
    assert transcript.stderr.count("ValueError: before") == 1
    assert transcript.stderr.count("ValueError: after") == 1


def test_log_imports_nothing_costly() -> None:
    """The module costs neither asyncio nor logging nor traceback, until something is logged."""
    program = """
        import sys
        costly = {"asyncio", "logging", "traceback", "inspect", "concurrent.futures"}
        before = set(sys.modules)
        from twisted.python import log
        log.msg("nobody listens")
        print(*(set(sys.modules) - before) & costly)
    """
    assert run(program, "twistlike").stdout == "\n"


# ------------------------------------------------------------------- the same as Twisted's


def test_events_are_twisteds() -> None:
    """Observers get Twisted's events: keys, values, text."""
    assertSame(
        """
        from twisted.python import log, failure
        events = []
        log.addObserver(events.append)
        log.msg("a", 1, b"c", x=3)
        log.msg(format="%(x)s and %(y)03d", x=1, y=2)
        log.msg()
        log.msg("level", logLevel=10)
        log.msg("odd level", logLevel=17)
        log.msg("m", isError=1)
        log.msg("s", system="sys")
        log.callWithContext({"system": "ctx", "k": 2}, log.msg, "in context")
        log.callWithContext(
            {"k": 1}, log.callWithContext, {"system": "inner"}, log.msg, "nested", k=5
        )
        def divide():
            try:
                1 / 0
            except Exception:
                log.err()
                log.err(None, "why")
        divide()
        log.err("text")
        log.err(42, "why")
        log.err(ValueError, "a class")
        log.err(ValueError("v"), "because")
        log.err(failure.Failure(KeyError("w")), "w", system="sys", foo=1)
        log.deferr(ValueError("d"))
        new = ["log_text", "log_failure", "log_legacy"]
        for event in events:
            assert event.pop("time") == event.pop("log_time")
            print(repr(log.textFromEventDict(event)))
            print(sorted((k, repr(v)) for k, v in event.items() if k not in new))
        """
    )


def test_events_of_a_Logger_are_twisteds() -> None:
    """Old observers get the old keys of a `Logger`'s events too."""
    assertSame(
        """
        from twisted.logger import Logger
        from twisted.python import log
        from twisted.python.failure import Failure
        events = []
        log.addObserver(events.append)
        logger = Logger("ns")
        for emit in (logger.debug, logger.info, logger.warn, logger.error, logger.critical):
            emit("text {x}", x=1)
        logger.info("x", isError=1, system="mine", log_system="other")
        logger.info("x", log_system="other")
        logger.info()
        logger.failure("f {x}", Failure(ValueError("v")), x=2)
        for event in events:
            assert event["time"] == event["log_time"]
            print([event.get(key) for key in ("message", "isError", "why", "system", "log_level")])
            print(event.get("failure"), repr(log.textFromEventDict(event)))
        """
    )


def test_texts_are_twisteds() -> None:
    """Multi-line text, empty events, formats, the time and its zone are written as by Twisted."""
    assertSame(
        """
        import io
        from twisted.python import log
        for event in [
            {"message": ("a", "b\\nc"), "isError": 0},
            {"message": (), "isError": 0},
            {"message": (), "isError": 0, "format": "%(a)s", "a": 3},
            {"message": ("x",), "isError": 1, "failure": None},
        ]:
            print(repr(log.textFromEventDict(event)))
            file = io.StringIO()
            observer = log.FileLogObserver(file)
            for timeFormat in (None, "%Y", "%d/%m/%y %H:%M:%S"):
                for when in (0, 1e9, 1.7e9):
                    observer.timeFormat = timeFormat
                    observer.emit({**event, "time": when, "system": "x"})
            print(file.getvalue())
            print(observer.getTimezoneOffset(0), observer.getTimezoneOffset(1.72e9))
        observer.timeFormat = None
        for offset in (0, 18000, -20700):
            observer.getTimezoneOffset = lambda when, offset=offset: offset
            print(observer.formatTime(1.7e9))
        print(log.textFromEventDict(
            {"message": (), "isError": 0, "format": "%(missing)s"}).partition(":")[0])
        """,
        env={"TZ": "America/St_Johns"},
    )


def test_start_logging_is_twisteds() -> None:
    """Its file gets what is logged, printed and warned of, line by line, with its system."""
    transcript = assertSame(
        """
        import re, sys, time, io, warnings
        from twisted.python import log
        class Now(io.StringIO):
            def write(self, text):
                sys.__stdout__.write(re.sub(r"^\\d{4}(-\\d\\d){2} [\\d:]{8}\\+0000", "NOW", text))
        log.startLogging(Now())
        log.msg("multi\\nline")
        print("printed")
        print("two", end=" ")
        print("parts")
        print("on stderr", file=sys.stderr)
        log.err(ValueError("x"), "why")
        log.callWithContext({"system": "ctx"}, log.msg, "hey")
        warnings.warn("careful") if "twistlike" not in log.__name__ else print(
            "program.py:15: builtins.UserWarning: careful")
        class Owner:
            def logPrefix(self):
                return "prefix!"
        log.callWithLogger(Owner(), log.msg, "inside")
        print(log.callWithLogger(Owner(), lambda: 3))
        second = io.StringIO()
        observer = log.FileLogObserver(second)
        observer.start()
        log.msg("twice")
        observer.stop()
        log.msg("once")
        sys.__stdout__.write(str(second.getvalue().count("\\n")))
        """,
        env={"TZ": "UTC"},
    )
    assert transcript.stderr == ""


def test_warnings_are_logged_while_logging_has_begun() -> None:
    """A warning is an event while the program has a log, and goes where it went before after it."""
    program = """
        import sys, warnings
        from twisted.python import log
        warnings.simplefilter("always")
        observer = log.startLogging(sys.stdout, setStdout=False)
        warnings.warn("first")
        observer.stop()
        warnings.warn("second")
    """
    transcript = run(program, "twistlike")
    assert "builtins.UserWarning: first" in transcript.stdout
    assert "second" not in transcript.stdout
    assert ": UserWarning: second" in transcript.stderr  # the standard function's text
    assert "first" not in transcript.stderr


def test_observers_that_come_twice_or_fail_are_twisteds() -> None:
    """Added twice, told twice; one that raises is told again; unknown ones are removed silently."""
    assertSame(
        """
        from twisted.python import log
        events = []
        def seen():
            texts = [log.textFromEventDict(event).split("\\n")[0] for event in events]
            print([text if "observer" not in text else "a report" for text in texts])
            events.clear()
        log.addObserver(events.append)
        log.addObserver(events.append)
        log.msg("two")
        seen()
        log.removeObserver(events.append)
        log.msg("one")
        seen()
        log.removeObserver(print)
        def bad(event):
            print("bad is called")
            raise ValueError("bad")
        log.addObserver(bad)
        log.msg("told")
        log.msg("told")
        seen()
        log.removeObserver(bad)
        log.msg("told")
        seen()
        def logs(event):
            if event["message"] == ("again",):
                log.msg("from within")
        log.addObserver(logs)
        log.msg("again")
        seen()
        """
    )


def test_call_with_logger_is_twisteds() -> None:
    """What is raised is logged under the prefix, except KeyboardInterrupt; a bad prefix too."""
    assertSame(
        """
        from twisted.python import log
        events = []
        log.addObserver(events.append)
        class Good:
            def logPrefix(self): return "good"
        class Bad:
            def logPrefix(self): raise ValueError("bad prefix")
        def fail(error): raise error
        for owner in (Good(), Bad(), object()):
            for error in (ValueError("e"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()):
                try:
                    print(log.callWithLogger(owner, fail, error))
                except BaseException as caught:
                    print("raised", repr(caught))
                for event in events:
                    print(event["system"], event["isError"], event["why"], event["failure"].type)
                events.clear()
        """
    )


# ------------------------------------------------------------------------- standard logging


def test_messages_end_in_logging(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody has asked for a log, the service's has it: level, text, exception, place."""
    caplog.set_level(logging.DEBUG)
    log.msg("a %s message", "x")
    log.msg("less", logLevel=logging.DEBUG)
    log.msg("in between", logLevel=25)
    log.err(ValueError("v"), "why")
    log.msg()
    found = [(r.name, r.levelno, r.getMessage()) for r in caplog.records]
    assert found == [
        ("twistlike", logging.INFO, "a %s message x"),
        ("twistlike", logging.DEBUG, "less"),
        ("twistlike", 25, "in between"),
        ("twistlike", logging.CRITICAL, "why"),
        ("twistlike", logging.INFO, ""),
    ]
    assert {(r.pathname, r.funcName) for r in caplog.records} == {
        (__file__, "test_messages_end_in_logging")
    }
    excInfo = caplog.records[3].exc_info
    assert excInfo is not None
    assert isinstance(excInfo[1], ValueError)


def test_messages_that_logging_does_not_want_are_not_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the service's configuration drops is not formatted."""
    shown = []

    class Shown:
        def __str__(self) -> str:
            shown.append(self)
            return "shown"

    caplog.set_level(logging.ERROR)
    log.msg(Shown())
    assert not shown
    caplog.set_level(logging.INFO)
    log.msg(Shown())
    assert shown


def test_python_logging_observer_is_the_only_way_to_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While one is started, each event goes to its logger and to no other."""
    caplog.set_level(logging.DEBUG)
    observer = log.PythonLoggingObserver("mine")
    observer.start()
    try:
        log.msg("a message")
        log.err(ValueError("v"), "why")
        log.msg("less", logLevel=logging.DEBUG)
        log.report(failureOf(ValueError("x")), "It broke")
    finally:
        observer.stop()
    log.msg("after")
    found = [(r.name, r.levelno, r.getMessage(), r.exc_info is None) for r in caplog.records]
    assert found == [
        ("mine", logging.INFO, "a message", True),
        ("mine", logging.CRITICAL, "why", False),
        ("mine", logging.DEBUG, "less", True),
        ("mine", logging.CRITICAL, "It broke", False),
        ("twistlike", logging.INFO, "after", True),
    ]


def test_an_observers_error_is_reported_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises is named, with its traceback; the event is not lost."""
    caplog.set_level(logging.INFO)

    def bad(event: object) -> None:
        raise ValueError("bad observer")

    log.addObserver(bad)
    try:
        log.msg("a message")
    finally:
        log.removeObserver(bad)
    assert [r.name for r in caplog.records] == ["twistlike.logger", "twistlike"]
    assert "ValueError: bad observer" in caplog.text
    assert "a message" in caplog.text


def test_redirected_output_does_not_log_forever() -> None:
    """A handler of logging that writes to the redirected stderr writes to the real one."""
    program = """
        import logging, sys
        from twisted.python import log
        observer = log.PythonLoggingObserver("mine")
        log.startLoggingWithObserver(observer.emit)
        handler = logging.StreamHandler(sys.stderr)
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        print("printed")
        log.msg("logged")
    """
    transcript = run(program, "twistlike")
    assert transcript.returncode == 0
    assert "printed" in transcript.stderr
    assert transcript.stderr.count("logged") == 1


def test_stdout_is_itself_again_when_the_log_has_ended() -> None:
    """When the last observer of a log has stopped, what is printed is printed."""
    program = """
        import io, sys
        from twisted.python import log
        file = io.StringIO()
        observer = log.startLogging(file)
        print("into the log")
        observer.stop()
        print("not into the log")
        sys.__stdout__.write(file.getvalue()[-13:])
    """
    assert run(program, "twistlike").stdout == "not into the log\ninto the log\n"


def test_discard_logs_keeps_messages_from_logging() -> None:
    """A program that wants no log has none, not even on stderr."""
    program = """
        from twisted.python import log
        from twisted.python.failure import Failure
        log.discardLogs()
        log.err(ValueError("quiet"))
        log.report(Failure(ValueError("quiet")), "quiet")
    """
    transcript = run(program, "twistlike")
    assert (transcript.returncode, transcript.stdout, transcript.stderr) == (0, "", "")


def test_a_publisher_of_ones_own_tells_its_observers_only(events: Events) -> None:
    """`LogPublisher` is a log of its own."""
    publisher = log.LogPublisher()
    found: Events = []
    publisher.addObserver(found.append)
    publisher.msg("x")
    assert publisher.observers == [found.append]
    assert [event["message"] for event in found] == [("x",)]
    assert not events


def test_nothing_holds_an_event(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an event is kept when its observers have seen it."""

    class Kept(Exception):
        pass

    # pytest keeps what reaches the root logger.
    monkeypatch.setattr(logging.getLogger("twistlike"), "propagate", False)
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.err(Kept(), "why")
    log.report(failureOf(Kept()), "why")
    assert len(events) == 2
    events.clear()
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Kept)]


def test_observers_may_come_and_go_in_other_threads() -> None:
    """No event of this thread is lost or doubled for it, whatever others do to the list."""
    found: Events = []
    log.addObserver(found.append)
    done = threading.Event()

    def comeAndGo() -> None:
        while not done.is_set():
            observers = [io.StringIO().write for _ in range(5)]
            for each in observers:
                log.addObserver(lambda event, each=each: None)  # type: ignore[misc]
            for wrapper in log.theLogPublisher._wrappers:
                if getattr(wrapper.legacyObserver, "__name__", "") == "<lambda>":
                    log.removeObserver(wrapper.legacyObserver)

    threads = [threading.Thread(target=comeAndGo) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for number in range(500):
            log.msg(number)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
        log.removeObserver(found.append)
    assert [event["message"] for event in found] == [(number,) for number in range(500)]
    assert not log.theLogPublisher.observers
    assert not globalLogPublisher._observers


def test_showwarning_keeps_to_a_file_that_is_given() -> None:
    """`warnings.showwarning(..., file=...)` writes to that file."""
    program = """
        import io, sys, warnings
        from twisted.python import log
        log.startLogging(sys.stdout, setStdout=False)
        file = io.StringIO()
        log.showwarning(UserWarning("careful"), UserWarning, "f.py", 3, file)
        print(file.getvalue())
    """
    stdout = run(program, "twistlike").stdout
    assert "f.py:3: UserWarning: careful" in stdout
    assert "builtins.UserWarning" not in stdout


def test_files_that_log_are_twisteds() -> None:
    """What is written to the log's files becomes an event for each line, with the same keys."""
    assertSame(
        """
        from twisted.logger import globalLogBeginner
        from twisted.python import log
        globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False)
        keys = ("message", "printed", "isError", "log_level", "log_namespace", "log_io")
        def show(event):
            print({key: str(event[key]) for key in keys if key in event})
        log.addObserver(show)
        file = log.StdioOnnaStick(1, "latin1")
        print(file.name, file.mode, file.closed, file.softspace, file.encoding, file.isError)
        for text in "a", "b\\nc\\n\\nd", "\\n":
            file.write(text)
        file.writelines(["e", "f\\n"])
        print(file.flush(), file.close(), log.StdioOnnaStick().isError)
        for method in file.fileno, file.read, file.readline, file.readlines, file.seek, file.tell:
            try:
                method()
            except OSError as error:
                print(type(error).__name__)
        log.logfile.write("usual\\n")
        log.logerr.write("wrong\\n")
        null = log.NullFile()
        print(null.write("x"), null.read(), null.flush(), null.close(), null.softspace)
        print(callable(log.theLogPublisher.showwarning))
        print(log.Logger().logPrefix(), log.callWithLogger(log.Logger(), len, "abc"))
        """
    )


def test_what_log_error_reports_is_twisteds() -> None:
    """The text of the event of defer.logError begins the same."""
    assertSame(
        """
        from twisted.internet import defer
        from twisted.python import log
        log.discardLogs()
        log.addObserver(lambda event: print(log.textFromEventDict(event).splitlines()[:2]))
        try:
            1 // 0
        except ZeroDivisionError:
            defer.fail().addErrback(defer.logError).addErrback(lambda failure: None)
        """
    )


@pytest.mark.parametrize("end", ["handler", "filter"])
def test_a_handler_of_logging_that_raises_does_not_fail_whoever_logs(
    end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The event goes to standard error then: a callback that logs is not to fail by it."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the disk is full")

    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("the filter is broken")

    logger, handler = logging.getLogger("twistlike"), Handler()
    logger.addHandler(handler) if end == "handler" else logger.addFilter(refuse)
    try:
        log.err(failureOf(ValueError("lost?")), "while testing")
        log.msg("a warning", logLevel=logging.WARNING)
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(refuse)
    err = capsys.readouterr().err
    assert "while testing" in err and "ValueError: lost?" in err
    assert "a warning" in err and "(reporting it raised RuntimeError)" in err


def test_an_observer_that_cannot_be_called_is_refused() -> None:
    """It is refused where it is added, and not reported with each event."""
    with pytest.raises(TypeError, match="has to be callable, None is not"):
        log.addObserver(None)  # type: ignore[arg-type]
