"""Tests of ``twistlike.internet.task``, a file for each of its modules."""
