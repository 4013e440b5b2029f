"""Random mixes of everything that threads do with a reactor, against what must always hold.

``python -m tests.stress --minutes 10`` runs one round after the other, each with a seed of its own,
which is printed; ``--seed N`` runs that round again. In CI a test runs a few short rounds.

How it works
------------
A round is a process: a reactor on a loop, a few threads that post, defer, block and cancel, and
one hand that resizes the pools, kills workers, forks, and stops and starts a pool and at last
the reactor. Everything that is accepted leaves a mark in a ledger when it is asked for and another
when it has been answered. The rules, checked when the round is over:

* what was accepted is answered exactly once: it ran, it failed, or it was cancelled;
* what was refused never runs;
* calls of one thread run in the order in which that thread made them;
* no thread is left, and nothing is reported that no one has provoked.

The seed decides what is done, not how the threads are scheduled: a seed that failed once may have
to be run a few times.
"""
