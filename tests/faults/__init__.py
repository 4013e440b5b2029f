"""What must hold when things go wrong: each fault is run for real, in a process with a hard limit.

Each test here is a program; its name is the fault's, its docstring the rule. It does not run in
pytest's process but in a fresh interpreter (``child.py``), on a loop, in a mode and at a thread
switch interval that its *variant* names. What it wrote to standard error is held against what it is
expected to write: nothing, or certain reports.

By default a test runs on asyncio's own loop, and on one other variant, which is another one for
each test. ``FAULTS_MATRIX=full`` in the environment runs all of them.
"""
