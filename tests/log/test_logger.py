"""`twistlike.logger` does what Twisted's does, and ends in the standard `logging`."""

from __future__ import annotations

import io
import logging
import pickle
import threading
from typing import Any

import pytest

from tests.oracle import assertSame, run
from twistlike.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    InvalidLogLevelError,
    LimitedHistoryLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    STDLibLogObserver,
    capturedLogs,
    extractField,
    formatEvent,
    globalLogPublisher,
    textFileLogObserver,
)
from twistlike.python.failure import Failure

# What both programs need: an object with all kinds of things in it.
FIELDS = """
    class Thing:
        a = 1
        d = {"k": 5, "3": "three"}
        l = [1, [2, 3]]
        def m(self): return "M"
        def n(self): return Thing()
        def __call__(self): return "called"
        def __repr__(self): return "<Thing>"
    def bad(): raise ValueError("bad call")
    fields = dict(
        x=Thing(), f=lambda: "F", g=lambda: {"k": 7}, h=lambda: (lambda: "H"), b=b"bytes", bad=bad,
        y=5, w=4, e=ValueError("z"), s="text", none=None,
    )
"""


def test_formats_are_filled_in_as_by_twisted() -> None:
    """Attributes, indexes, calls, conversions, format specifications, braces, bytes, no format."""
    assertSame(
        FIELDS
        + """
    from twisted.logger import formatEvent
    for format in [
        "plain", "{{}}", "{x.a}", "{x.m()}", "{x.n().a}", "{x.n().m()}", "{x()}",
        "{x.n().l[1][0]}", "{x.n().d[k]}", "{f()}",
        "{x.d[k]}", "{x.d[3]}", "{x.l[0]}", "{x.l[1][0]}", "{x.l[1]!r:>8}", "{x!r}", "{x!s}",
        "{f()!r:>8}", "{x.m()!r}", "{g()[k]}", "{g()[k]:03d}", "{b}", "{x.n()}", "{y:>{w}}",
        "{x.a:{w}}", "{e.args[0]}", "{s!a}", "{none}", "{y:5.2f}|{s:^9}|", b"bytes {y}", None,
    ]:
        print(repr(format), repr(formatEvent({"log_format": format, **fields})))
    print(repr(formatEvent({})))
    """
    )


def test_formats_that_fail_say_so_as_by_twisted() -> None:
    """A bad format gives a text with the event and the reason; it never raises."""
    assertSame(
        FIELDS
        + """
    from twisted.logger import formatEvent
    for format in [
        "{missing}", "{x.missing}", "{x.l[9]}", "{x.d[j]}", "{bad()}", "{missing()}", 3,
    ]:
        print(formatEvent({"log_format": format, "y": 5, **{
            k: v for k, v in fields.items() if k in ("x", "e", "s")}}))
    for format in ["{}", "{0}", "{", "}", "{x", "{y!q}", "{y:q}", "{x.m() }", "{x.l[0]()}"]:
        text = formatEvent({"log_format": format, **fields})
        print(format, text.startswith("Unable to format event"))
    """
    )


def test_an_event_that_cannot_be_shown_has_a_text() -> None:
    """Not even KeyboardInterrupt in a repr() gets out of `formatEvent`."""

    class Mute:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    text = formatEvent({"log_format": "{x}", "x": Mute()})
    assert text.startswith("Unable to format event")
    assert "Mute" in text


def test_events_are_twisteds() -> None:
    """Each method's event has Twisted's keys and values; so have their texts."""
    assertSame(
        """
        from twisted.logger import (
            LogLevel, Logger, eventAsText, formatEvent, formatEventAsClassicLogText,
            globalLogPublisher)
        from twisted.python.failure import Failure
        events = []
        globalLogPublisher.addObserver(events.append)
        log = Logger()
        print(log, log.namespace, log.source)
        log.debug("d")
        log.info("i {a}", a=1)
        log.warn("w {a}", a=2)
        log.error("e")
        log.critical("c")
        log.info()
        log.emit(LogLevel.info, "emitted {x}", x=2)
        log.emit("x", "not a level")
        log.info("own keys", log_level=3, log_format=4, log_system="sys")
        log.failure("given {y}", Failure(ValueError("g")), LogLevel.warn, y=1)
        def caught():
            try:
                raise KeyError("k")
            except KeyError:
                log.failure("caught {what}", what="it")
        caught()
        class Owner:
            log = Logger()
            named = Logger("named")
            peer = "peer"
            def __repr__(self): return "<Owner>"
            def go(self): self.log.info("from {log_source.peer} {z}", z=3)
        Owner().go()
        Owner.log.info("of the class")
        print(Owner.log, Owner().log, Owner.named, Owner().named.source)
        Logger("ns", source=3, observer=events.append).info("own observer\\nwith lines")
        for event in events:
            event["log_time"] = event["log_time"] * 0.0
            print(sorted((k, repr(v)) for k, v in event.items()))
            print(repr(formatEvent(event)))
            print(repr(formatEventAsClassicLogText(event)))
            for number in range(8):
                print(repr(eventAsText(
                    event, bool(number & 1), bool(number & 2), bool(number & 4))))
        """,
        env={"TZ": "UTC"},
    )


def test_failures_are_handled_as_by_twisted() -> None:
    """`failuresHandled` and `failureHandler` log what is raised, swallow it, say how it went."""
    assertSame(
        """
        from twisted.logger import Logger, globalLogPublisher, formatEvent
        events = []
        globalLogPublisher.addObserver(events.append)
        log = Logger()
        def told():
            for event in events:
                failure = event["log_failure"]
                print(formatEvent(event), event["log_level"], failure.type, len(failure.frames))
            events.clear()
        for error in (None, ValueError("v"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()):
            with log.failuresHandled("while {w}", w=1) as operation:
                print(operation.succeeded, operation.failed, operation.failure)
                if error is not None:
                    raise error
            print(operation.succeeded, operation.failed, operation.failure is None)
            told()
            handler = log.failureHandler("static")
            for _ in range(2):
                with handler as value:
                    if error is not None:
                        raise error
            print(value)
            told()
        """
    )


def test_text_files_are_twisteds() -> None:
    """`textFileLogObserver` writes the same lines, in the local time zone."""
    assertSame(
        """
        import io
        from twisted.logger import LogLevel, formatTime, textFileLogObserver
        from twisted.python.failure import Failure
        file = io.StringIO()
        for observer in (
            textFileLogObserver(file),
            textFileLogObserver(file, timeFormat=None),
            textFileLogObserver(file, timeFormat="%H:%M %f"),
        ):
            for event in (
                {"log_format": "text"},
                {"log_format": ""},
                {"log_format": None},
                {"log_format": "a\\nb", "log_time": 1.7e9 + 0.25, "log_level": LogLevel.warn},
                {"log_format": "n", "log_namespace": "ns", "log_time": 0.0},
                {"log_format": "s", "log_system": "sys", "log_namespace": "ns"},
                {"log_format": "f", "log_failure": Failure(ValueError("x"))},
                {"log_failure": Failure(ValueError("x"))},
                {"log_failure": "not a failure"},
            ):
                observer(event)
        for line in file.getvalue().splitlines():
            print(line.partition(":")[0] if "UNABLE" in line else line)
        print(formatTime(None), formatTime(None, default="x"), formatTime(0.0, None))
        print(formatTime(1.5), formatTime(1.25, "%S.%f"))
        """,
        env={"TZ": "Asia/Kathmandu"},
    )


def test_levels_are_twisteds() -> None:
    """Names, order, look-up, errors."""
    assertSame(
        """
        from twisted.logger import InvalidLogLevelError, LogLevel, PredicateResult
        print(list(LogLevel.iterconstants()), list(PredicateResult.iterconstants()))
        levels = list(LogLevel.iterconstants())
        for one in levels:
            print(one, repr(one), one.name, LogLevel.levelWithName(one.name) is one)
            print([(one < two, one <= two, one > two, one >= two, one == two) for two in levels])
        for name in ("nope", "WARN", "lookupByName", 3, None):
            try:
                LogLevel.levelWithName(name)
            except InvalidLogLevelError as error:
                print(error)
        print(LogLevel.lookupByName("warn"))
        try:
            LogLevel.lookupByName("nope")
        except ValueError as error:
            print(error)
        try:
            LogLevel.info < 3
        except TypeError:
            print("no order")
        """
    )


def test_levels_can_be_pickled() -> None:
    """A level goes through a queue of processes and comes out as itself."""
    assert pickle.loads(pickle.dumps(LogLevel.warn)) is LogLevel.warn


def test_publishers_and_filters_are_twisteds() -> None:
    """Publishing, filtering by level and namespace, history, captured logs."""
    assertSame(
        """
        from twisted.logger import (
            FilteringLogObserver, InvalidLogLevelError, LimitedHistoryLogObserver, LogLevel,
            LogLevelFilterPredicate, LogPublisher, Logger, PredicateResult, capturedLogs)
        seen = []
        publisher = LogPublisher(seen.append)
        publisher.addObserver(seen.append)
        publisher({"a": 1})
        publisher.removeObserver(print)
        publisher.removeObserver(seen.append)
        publisher({"a": 2})
        print(seen)
        for bad in (3, None):
            try:
                publisher.addObserver(bad)
            except TypeError as error:
                print(error)
        predicate = LogLevelFilterPredicate(LogLevel.warn)
        predicate.setLogLevelForNamespace("a.b", LogLevel.debug)
        print(predicate.defaultLogLevel, LogLevelFilterPredicate().defaultLogLevel)
        for namespace in ("a.b", "a.b.c", "a", "a.bc", "", None, "z"):
            print(namespace, predicate.logLevelForNamespace(namespace))
        predicate.setLogLevelForNamespace("a", LogLevel.error)
        predicate.setLogLevelForNamespace("", LogLevel.critical)
        for namespace in ("a.b", "a.b.c", "a", "a.bc", "", None, "z"):
            print(namespace, predicate.logLevelForNamespace(namespace))
        try:
            predicate.setLogLevelForNamespace("a", "warn")
        except InvalidLogLevelError as error:
            print(error)
        predicate.clearLogLevels()
        def says(result):
            return lambda event: result
        for predicates in (
            [], [predicate], [says(PredicateResult.yes), predicate],
            [says(PredicateResult.no), says(PredicateResult.yes)],
            [says(PredicateResult.maybe), says(PredicateResult.no)], [says(PredicateResult.maybe)],
            [says(True)],
        ):
            passed, stopped = [], []
            observer = FilteringLogObserver(passed.append, predicates, stopped.append)
            for number, event in enumerate((
                {"log_level": LogLevel.info, "log_namespace": "q"},
                {"log_level": LogLevel.error, "log_namespace": "q"},
                {"log_level": LogLevel.error},
                {"log_namespace": "q"},
                {},
            )):
                try:
                    observer({**event, "n": number})
                except TypeError:
                    print("a bad predicate")
            print([event["n"] for event in passed], [event["n"] for event in stopped])
        history = LimitedHistoryLogObserver(2)
        for number in range(4):
            history(number)
        history.replayTo(print)
        with capturedLogs() as captured:
            Logger("n").info("one")
        Logger("n").info("two")
        print([event["log_format"] for event in captured])
        """
    )


def test_logging_files_are_twisteds() -> None:
    """`LoggingFile` makes an event of each line, whole."""
    assertSame(
        """
        from twisted.logger import LogLevel, Logger, LoggingFile
        events = []
        file = LoggingFile(Logger("ns", observer=events.append), LogLevel.warn, "latin-1")
        file.write("ab")
        file.write("c\\nd")
        file.writelines(["x\\n", "y\\n", "z"])
        file.write(b"\\xe4\\n")
        print("printed", 3, file=file)
        file.flush()
        print([(e["log_io"], e["log_level"], e["log_format"]) for e in events])
        print(file.name, file.mode, file.encoding, file.closed, file.newlines, file.isatty())
        for name in ("read", "readline", "readlines", "seek", "tell", "truncate"):
            try:
                getattr(file, name)()
            except OSError as error:
                print(name, error)
        try:
            file.fileno()
        except OSError as error:
            print(type(error))
        file.close()
        print(file.closed)
        try:
            file.write("x")
        except ValueError as error:
            print(error)
        """
    )


def test_begin_logging_to_is_twisteds() -> None:
    """The observers get what is logged, printed and warned of from then on."""
    assertSame(
        """
        import re, sys
        from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
        class Now:
            def write(self, text):
                sys.__stdout__.write(re.sub(r"^\\d{4}(-\\d\\d){2}T[\\d:]{8}\\+0000", "NOW", text))
            def flush(self):
                pass
        globalLogBeginner.beginLoggingTo([textFileLogObserver(Now())])
        log = Logger("ns")
        print("printed")
        sys.stderr.write("part")
        sys.stderr.write("ial\\n")
        log.info("a {x}", x=1)
        log.debug("debug too")
        """,
        env={"TZ": "UTC"},
    )


def test_beginning_twice_is_told() -> None:
    """A second begin adds observers, and a warning says where both were."""
    program = """
        import sys
        from twisted.logger import Logger, formatEvent, globalLogBeginner, globalLogPublisher
        one, two = [], []
        globalLogBeginner.beginLoggingTo([one.append], redirectStandardIO=False)
        globalLogBeginner.beginLoggingTo([two.append], redirectStandardIO=False)
        Logger().info("event")
        for events in (one, two):
            print(*(formatEvent(event).replace(__file__, "FILE") for event in events), sep="|")
        globalLogPublisher.removeObserver(one.append)
        globalLogPublisher.removeObserver(two.append)
        globalLogBeginner.beginLoggingTo([one.append], redirectStandardIO=False)
        print(len(one))
    """
    first, second, count = run(program, "twistlike").stdout.splitlines()
    assert first == second
    assert first.endswith("|event")
    assert "FILE:6" in first
    assert "FILE:5" in first
    assert count == "2"


# ------------------------------------------------------------------------- standard logging


def test_events_end_in_the_logger_of_their_namespace(caplog: pytest.LogCaptureFixture) -> None:
    """Level, text, exception, and the place that logged; a "%" stays one."""
    caplog.set_level(logging.DEBUG)
    web = Logger("app.web")
    web.debug("100%s {x}", x=1)
    web.warn("w")
    web.failure("f", Failure(ValueError("v")))
    with web.failuresHandled("h"):
        raise KeyError("k")
    found = [(r.name, r.levelno, r.getMessage()) for r in caplog.records]
    assert found == [
        ("app.web", logging.DEBUG, "100%s 1"),
        ("app.web", logging.WARNING, "w"),
        ("app.web", logging.CRITICAL, "f"),
        ("app.web", logging.CRITICAL, "h"),
    ]
    assert {(r.pathname, r.funcName) for r in caplog.records} == {
        (__file__, "test_events_end_in_the_logger_of_their_namespace")
    }
    kinds = [None if r.exc_info is None else r.exc_info[0] for r in caplog.records]
    assert kinds == [None, None, ValueError, KeyError]


def test_the_services_configuration_decides(caplog: pytest.LogCaptureFixture) -> None:
    """What the logger of a namespace does not want is neither formatted nor published."""

    class Shown:
        def __format__(self, spec: str) -> str:
            raise AssertionError("nobody wants the text")

    caplog.set_level(logging.ERROR, "app.web")
    caplog.set_level(logging.DEBUG, "app.db")
    Logger("app.web").info("{x}", x=Shown())
    Logger("app.db").info("wanted")
    assert [record.name for record in caplog.records] == ["app.db"]


def test_unconfigured_logging_shows_warnings_only() -> None:
    """Without any configuration stderr gets warnings and worse, with their tracebacks."""
    program = """
        import sys
        from twisted.logger import Logger
        from twisted.python.failure import Failure
        Logger().info("an info")
        print("logging" in sys.modules)
        Logger().warn("a warning")
        Logger().failure("a failure", Failure(ValueError("v")))
    """
    transcript = run(program, "twistlike")
    assert transcript.stdout == "False\n"
    assert transcript.stderr == "a warning\na failure\nValueError: v\n"


def test_stdlib_log_observer_is_the_only_way_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    """While one observes, events go to its logger and to no other."""
    caplog.set_level(logging.DEBUG)
    observer = STDLibLogObserver("mine")
    globalLogPublisher.addObserver(observer)
    try:
        Logger("app").info("a {x}", x=1)
        Logger("app").failure("f", Failure(ValueError("v")))
    finally:
        globalLogPublisher.removeObserver(observer)
    Logger("app").info("after")
    found = [(r.name, r.levelno, r.getMessage(), r.exc_info is None) for r in caplog.records]
    assert found == [
        ("mine", logging.INFO, "a 1", True),
        ("mine", logging.CRITICAL, "f", False),
        ("app", logging.INFO, "after", True),
    ]
    assert {r.pathname for r in caplog.records} == {__file__}


def test_an_observer_that_raises_is_reported_to_the_others() -> None:
    """The others get the event, then the report, as in Twisted; the bad one gets the next event."""
    found: list[dict[str, Any]] = []
    calls = []

    def bad(event: dict[str, Any]) -> None:
        calls.append(event)
        raise ValueError("bad observer")

    publisher = LogPublisher(bad, found.append)
    publisher({"n": 1})
    publisher({"n": 2})
    assert [event.get("n", event.get("log_level")) for event in found] == [
        1,
        LogLevel.critical,
        2,
        LogLevel.critical,
    ]
    assert isinstance(found[1]["log_failure"].value, ValueError)
    assert "bad" in formatEvent(found[1])
    assert len(calls) == 2


def test_two_observers_that_raise_do_not_report_each_other_forever() -> None:
    """The report of one bad observer to another bad one ends there."""

    def bad(event: dict[str, Any]) -> None:
        raise ValueError

    def worse(event: dict[str, Any]) -> None:
        raise ValueError

    found: list[dict[str, Any]] = []
    LogPublisher(bad, worse, found.append)({"n": 1})
    assert len(found) == 3


def test_binary_files_get_utf8() -> None:
    """`FileLogObserver` encodes for a file that takes bytes, and flushes after each event."""
    raw = io.BytesIO()
    observer = FileLogObserver(io.BufferedWriter(raw), lambda event: event["text"])
    observer({"text": "ä\n"})
    observer({"text": None})
    observer({"text": ""})
    assert raw.getvalue() == "ä\n".encode()


def test_the_interfaces_describe_what_is_there() -> None:
    """Observers and predicates satisfy their Protocols at run time."""
    for observer in (
        LogPublisher(),
        LimitedHistoryLogObserver(),
        textFileLogObserver(io.StringIO()),
        FilteringLogObserver(print, []),
    ):
        assert isinstance(observer, ILogObserver)
    assert isinstance(LogLevelFilterPredicate(), ILogFilterPredicate)
    assert not isinstance(3, ILogObserver)


def test_a_bad_predicate_result_says_what_to_return() -> None:
    """The error names the class that a predicate returns one of."""
    observer = FilteringLogObserver(print, [lambda event: True])  # type: ignore[list-item,return-value]
    with pytest.raises(TypeError, match="PredicateResult"):
        observer({})


def test_a_bad_level_is_an_event(caplog: pytest.LogCaptureFixture) -> None:
    """`emit` with something else than a level logs that, and does not raise."""
    Logger("app").emit("info", "x")  # type: ignore[arg-type]
    (record,) = caplog.records
    assert "invalid log level 'info'" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is InvalidLogLevelError


def test_captured_logs_captures_every_thread() -> None:
    """Events of other threads are there too."""
    with capturedLogs() as captured:
        thread = threading.Thread(target=lambda: Logger("n").info("elsewhere"))
        thread.start()
        thread.join()
    assert [event["log_format"] for event in captured] == ["elsewhere"]


def test_standard_io_is_a_logging_file_only_while_it_logs() -> None:
    """`sys.stdout` is a `LoggingFile` after `beginLoggingTo`; a second begin wraps nothing."""
    program = """
        import sys
        from twisted.logger import LoggingFile, globalLogBeginner
        for _ in range(2):
            globalLogBeginner.beginLoggingTo([lambda event: None])
            stdout = sys.stdout
        print("lost")
        globalLogBeginner.beginLoggingTo([lambda event: None])
        sys.__stdout__.write(f"{sys.stdout is stdout} {isinstance(stdout, LoggingFile)}")
    """
    assert run(program, "twistlike").stdout == "True True"


def test_the_logger_for_an_object_is_twisteds() -> None:
    """Protocols ask for a logger under the name of an object's class."""
    assertSame(
        """
        from twisted.logger import _loggerFor
        class Thing: pass
        thing = Thing()
        log = _loggerFor(thing)
        print(log, log.source is thing, vars(thing))
        """
    )


def test_what_is_no_level_is_told_as_by_twisted() -> None:
    """The error has what was given as its level."""
    assertSame(
        """
        from twisted.logger import InvalidLogLevelError
        print(InvalidLogLevelError("loud").level, InvalidLogLevelError(level=3).args)
        """
    )


def test_a_field_of_an_event() -> None:
    """extractField reads what a format's field means: attributes, items, calls, conversions."""
    event = {"a": ["x"], "b": str, "log_format": "{a[0]!r} {b()}"}
    assert extractField("a[0]", event) == "x"
    assert extractField("a[0]!r", event) == "'x'"
    assert extractField("b()", event) == ""
