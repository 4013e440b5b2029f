"""What becomes of errors that nobody handles when the interpreter ends."""

from __future__ import annotations

from tests import oracle


def _end(more: str = "") -> oracle.Transcript:
    program = f"""
        from twisted.internet import defer
        {more}

        def fail():
            raise ValueError("nobody's")

        kept = defer.execute(fail)
        """
    return oracle.run(program, on="twistlike")


def test_an_error_in_a_global_is_reported_at_the_end() -> None:
    """A Deferred that the main program's globals keep to the end is reported, with traceback."""
    for more in ("", "import logging; from twisted.python import log", "defer.setDebugging(True)"):
        ended = _end(more)
        assert ended.returncode == 0
        assert ended.stderr.startswith("Unhandled error in Deferred:\n")
        assert 'program.py", line' in ended.stderr and ", in fail\n" in ended.stderr
        assert ended.stderr.endswith("ValueError: nobody's\n")
        assert "shutting down" not in ended.stderr and "Exception ignored" not in ended.stderr
        assert ("Deferred was created" in ended.stderr) == ("Debugging" in more)


def test_a_cancel_of_asyncio_in_a_global_is_not_reported_at_the_end() -> None:
    """What waited for a task that asyncio.run has cancelled is no error, to the very end."""
    ended = oracle.run(
        """
        import asyncio
        from twisted.internet.defer import Deferred, ensureDeferred

        kept = []

        async def main():
            task = asyncio.create_task(asyncio.sleep(100))

            async def waits():
                await task

            kept.extend([ensureDeferred(waits()), Deferred.fromFuture(task)])

        asyncio.run(main())
        print([type(d.result.value).__name__ for d in kept])
        """,
        on="twistlike",
    )
    assert ended.stdout == "['CancelledError', 'CancelledError']\n"
    assert ended.stderr == ""
