"""A program that is forked off is run as a fresh interpreter runs it."""

from __future__ import annotations

import textwrap

import pytest

from tests.oracle import runProgram, runPython

PROGRAMS = {
    "an end": "print('said')",
    "a status": "import sys; print(sys.argv[1:]); sys.exit(3)",
    "a message": "import sys; sys.exit('said')",
    "an error": "def fails():\n    raise ValueError('said')\nfails()",
    "Ctrl-C": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(20)",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "its own exit": "import os; print('said', flush=True); os._exit(4)",
    "the exit's order": """
        import atexit, threading
        atexit.register(print, 'second')
        threading.Timer(0.05, print, ['first']).start()
        """,
    "a child": """
        import os
        pid = os.fork()
        print('child' if pid == 0 else os.waitpid(pid, 0)[1], flush=True)
        """,
    "its environment": """
        import os, sys
        print(__name__, sys.modules['__main__'].__dict__ is globals(), os.environ['ADDED'])
        print(sys.flags.utf8_mode, sys.stdin.read(), hash('text'), os.getpid() == os.getsid(0))
        """,
    "the exit's garbage": """
        class Last:
            def __del__(self): print('freed')
        one, two = Last(), Last()
        one.two, two.one = two, one
        """,
    "a warning": "import warnings; warnings.warn('said')",
    "pickling": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)",
    "threads": "import threading; print(threading.enumerate() == [threading.main_thread()])",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_what_it_does_in_a_fresh_interpreter(name: str) -> None:
    """The same output and the same return code, however it ends."""
    text = textwrap.dedent(PROGRAMS[name])
    options = ["-W", "error"]
    forked = runProgram(text, options, args=["argument"], env={"ADDED": "1"})
    fresh = runPython([*options, "-c", text, "argument"], env={"ADDED": "1"})
    assert (forked.stdout, forked.returncode) == (fresh.stdout, fresh.returncode), forked.stderr
    assert forked.stderr.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


def test_nothing_of_ours_is_there_before_the_program_imports_it() -> None:
    """What a process begins with are modules of others, and no loop or reactor."""
    found = runProgram("import sys; print([n for n in sys.modules if 'twistlike' in n])", ())
    assert found.stdout == "[]\n"
    found = runProgram("import twisted, sys; print([n for n in sys.modules if 'reactor' in n])", ())
    assert found.stdout == "[]\n"


def test_a_program_does_not_see_what_the_one_before_it_has_done() -> None:
    """Modules, environment, folder and signals of one are not those of the next."""
    change = """
        import json, os, signal, sys
        sys.modules["json"] = None
        os.environ["LEFT"] = "1"
        os.chdir("/")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    """
    look = """
        import os, signal
        import json
        print("LEFT" in os.environ, os.getcwd() == "/", signal.getsignal(signal.SIGTERM).name)
    """
    assert runProgram(textwrap.dedent(change), ()).returncode == 0
    assert runProgram(textwrap.dedent(look), ()).stdout == "False False SIG_DFL\n"
